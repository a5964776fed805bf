use super::Absent;
use crate::samples::Sample;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// What a sample program ends with where the kernel lacks what it needs.
const ABSENT: i32 = 77;

/// A running sample program, which is ended when dropped.
pub(super) struct Program {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Program {
    /// Starts it and waits until it says where it listens.
    pub fn start(sample: &Sample, arguments: &[&str], environment: &[(&str, &str)]) -> Result<Self> {
        let path = sample.path();
        let mut child = Command::new(&path)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", path.display()))?;
        let said = first_line(&mut child).and_then(|line| {
            let address = line.strip_prefix("ready ").context("it is not ready")?;
            Ok(address.trim_end().parse()?)
        });
        match said {
            Ok(address) => Ok(Program { child, address }),
            Err(error) => Err(why_it_ended(child, error).context(format!("{} {arguments:?}", path.display()))),
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself, which is no concern here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn first_line(child: &mut Child) -> Result<String> {
    let mut line = String::new();
    let stdout = child.stdout.as_mut().context("no pipe to it")?;
    if BufReader::new(stdout).read_line(&mut line)? == 0 {
        bail!("it ended without a word");
    }
    Ok(line)
}

fn why_it_ended(mut child: Child, error: anyhow::Error) -> anyhow::Error {
    // It has either closed its output, or said something that nobody expected.
    let _ = child.kill();
    let mut said = String::new();
    if let Some(stderr) = &mut child.stderr {
        let _ = stderr.read_to_string(&mut said);
    }
    match child.wait() {
        Ok(status) if status.code() == Some(ABSENT) => Absent(said.trim_end().to_owned()).into(),
        _ => error.context(said),
    }
}
