//! `odiglet`: the node agent as a daemon. It hands its ring to the collector that connects, and what it attached outlives
//! it, so that its successor goes on without a gap.

#![forbid(unsafe_code)]

mod socket;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use kit::{Readiness, Termination};
use odiglet::{Collector, Config, Running, Selection};
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
    /// Bytes of the ring, a power of two
    #[arg(long, value_name = "BYTES", default_value_t = 8 << 20)]
    ring_size: u32,
    /// Trace processes whose executable matches [default: all]
    #[arg(long, value_name = "GLOB")]
    exe: Vec<String>,
    /// Trace processes that listen on this TCP port
    #[arg(long, value_name = "N")]
    port: Vec<u16>,
    /// Never trace processes whose executable matches
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Detach everything that an agent has left attached, and forget it
    Clean,
}

/// How often a failed agent is noticed; its thread says why it failed.
const LOOK: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    kit::logging::init("info");
    let outcome = match arguments.command {
        Some(Command::Clean) => clean(&arguments),
        None => serve(arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("odiglet: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn clean(arguments: &Arguments) -> Result<()> {
    let _lock = socket::lock(&arguments.socket)?;
    probe_loader::pins::remove(&arguments.pins)
        .with_context(|| format!("cannot remove the pins below {}", arguments.pins.display()))
}

fn serve(arguments: Arguments) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start a runtime")?;
    runtime.block_on(trace(arguments))
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

async fn trace(arguments: Arguments) -> Result<()> {
    let selection = Selection::new(&[], &arguments.exe, &arguments.port, &arguments.exclude)?;
    let mut termination = Termination::install().context("cannot take over signals")?;
    make_ready_for_pins(&arguments.pins)?;
    let (listener, _lock) = socket::listen(&arguments.socket)?;
    let config = Config {
        selection,
        ring_bytes: arguments.ring_size,
        collector: Collector::Listen(listener),
        pins: Some(arguments.pins),
    };
    let agent = Running::start(config, Facilities::detect())?;
    tracing::info!(processes = agent.traced_at_start(), "ready");
    if let Err(error) = kit::notify(Readiness::Ready) {
        tracing::warn!(%error, "the service manager was not told");
    }
    let mut looks = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            _ = termination.next() => break,
            _ = looks.tick() => if agent.has_ended() { break },
        }
    }
    agent.stop().context("the agent failed")
}
