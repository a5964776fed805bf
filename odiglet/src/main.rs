//! `odiglet`: the node agent as a daemon. It hands its ring to the collector that connects, and what it attached outlives
//! it, so that its successor goes on without a gap.
//!
//! Exit status: 0 when it was asked to end, 1 for a failure, 2 for wrong use.

#![forbid(unsafe_code)]

mod socket;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use kit::{Readiness, Termination};
use odiglet::{Collector, Config, Options, Running, Selection};
use probe_loader::{Facilities, facility};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// The node agent: traces the processes of this machine and hands the spans to the collector
#[derive(Parser)]
#[command(name = "odiglet", version)]
struct Arguments {
    /// Where the collector connects
    #[arg(long, value_name = "PATH", default_value = "/run/odigos/odiglet.sock")]
    socket: PathBuf,
    /// Where what is attached outlives the agent, on a bpffs
    #[arg(long, value_name = "DIR", default_value = "/sys/fs/bpf/odigos")]
    pins: PathBuf,
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Detach everything that an agent has left attached, and forget it
    Clean,
}

/// Checked, ready to use.
struct Settings {
    socket: PathBuf,
    pins: PathBuf,
    selection: Selection,
    ring_bytes: u32,
}

const USAGE: u8 = 2;
/// How often a failed agent is noticed; its thread says why it failed.
const LOOK: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    kit::logging::init("info");
    let outcome = match arguments.command {
        Some(Command::Clean) => clean(&arguments.socket, &arguments.pins),
        None => match check(arguments) {
            Ok(settings) => serve(settings),
            Err(errors) => return fail(USAGE, &errors),
        },
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &[format!("{error:#}")]),
    }
}

fn fail(status: u8, errors: &[String]) -> ExitCode {
    errors.iter().for_each(|error| eprintln!("odiglet: {error}"));
    ExitCode::from(status)
}

/// The settings, or all that is wrong with the arguments.
fn check(arguments: Arguments) -> Result<Settings, Vec<String>> {
    let Arguments {
        socket, pins, options, ..
    } = arguments;
    match (options.selection(&[]), options.ring_bytes()) {
        (Ok(selection), Ok(ring_bytes)) => Ok(Settings {
            socket,
            pins,
            selection,
            ring_bytes,
        }),
        (selection, ring_bytes) => {
            let errors = [
                selection.err().map(|error| error.to_string()),
                ring_bytes.err().map(|error| error.to_string()),
            ];
            Err(errors.into_iter().flatten().collect())
        }
    }
}

fn clean(socket: &Path, pins: &Path) -> Result<()> {
    let _lock = socket::lock(socket)?;
    probe_loader::pins::remove(pins).with_context(|| format!("cannot remove the pins below {}", pins.display()))
}

fn serve(settings: Settings) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start a runtime")?;
    runtime.block_on(trace(settings))
}

/// Pins live on a bpffs only; on anything else loading would fail half-way.
fn make_ready_for_pins(pins: &Path) -> Result<()> {
    let mounted = facility::mount_bpffs();
    let parent = pins.ancestors().find(|path| path.exists());
    let reason = mounted.err().map(|error| format!(": {error}")).unwrap_or_default();
    ensure!(
        parent.is_some_and(facility::is_bpffs),
        "nothing can be pinned below {}, which is not on a bpffs{reason}",
        pins.display()
    );
    Ok(())
}

async fn trace(settings: Settings) -> Result<()> {
    let mut termination = Termination::install().context("cannot take over signals")?;
    make_ready_for_pins(&settings.pins)?;
    let (listener, _lock) = socket::listen(&settings.socket)?;
    let config = Config {
        selection: settings.selection,
        ring_bytes: settings.ring_bytes,
        collector: Collector::Listen(listener),
        pins: Some(settings.pins),
    };
    let agent = Running::start(config, Facilities::detect())?;
    tracing::info!(processes = agent.traced_at_start(), "ready");
    kit::notify(Readiness::Ready);
    let mut looks = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            _ = termination.next() => break,
            _ = looks.tick() => if agent.has_ended() { break },
        }
    }
    kit::notify(Readiness::Stopping);
    agent.stop().context("the agent failed")
}
