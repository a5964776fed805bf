//! The command that `run` starts, if any.

use crate::output;
use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

/// How long the command may take to end once it was asked to.
const PATIENCE: Duration = Duration::from_secs(5);

/// A started command, or none.
#[derive(Debug)]
pub struct Child(Option<tokio::process::Child>);

impl Child {
    /// Starts the command; without one there is nothing to wait for.
    pub fn start(command: &[String]) -> Result<Self> {
        let Some((program, arguments)) = command.split_first() else {
            return Ok(Child(None));
        };
        let child = tokio::process::Command::new(program).args(arguments).spawn();
        child
            .map(|child| Child(Some(child)))
            .with_context(|| format!("cannot start {program}"))
    }

    /// Waits for its end; for ever if there is none.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        match &mut self.0 {
            Some(child) => child.wait().await.context("cannot wait for the command"),
            None => std::future::pending().await,
        }
    }

    /// Asks it to end, and insists after a while. Nothing happens to one that has ended.
    pub async fn stop(&mut self) {
        let Some(child) = &mut self.0 else { return };
        let Some(pid) = child.id().and_then(|id| Pid::from_raw(id as i32)) else {
            return;
        };
        // It may have ended this moment; then there is nothing to tell.
        let _ = kill_process(pid, Signal::TERM);
        if tokio::time::timeout(PATIENCE, child.wait()).await.is_err() {
            output::tell("the command does not end; killing it");
            let _ = child.kill().await;
        }
    }
}

/// Its own status; for a signal 128 and its number, as shells have it.
pub fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
