//! `odigos run`: the agent and the collector in one process, joined by a socket, until interrupted.

mod child;
mod settings;

use anyhow::{Context, Result};
use child::Child;
use clap::ValueEnum;
use collector_components::embed::{self, Destination, Form};
use collector_engine::{Account, Engine};
use kit::{Readiness, Termination};
use odiglet::{Collector, Config, Running};
use probe_loader::Facilities;
use settings::Settings;
use std::fmt;
use std::io::IsTerminal;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Options of `run`, as written.
#[derive(Debug, Default, clap::Args)]
pub struct Arguments {
    /// Trace this process (may be repeated, as may --exe, --port, --exclude and --export)
    #[arg(long, value_name = "N")]
    pid: Vec<u32>,
    /// Trace processes whose executable matches; without a slash its name is compared, else its path
    #[arg(long, value_name = "GLOB")]
    exe: Vec<String>,
    /// Trace processes that listen on this TCP port
    #[arg(long, value_name = "N")]
    port: Vec<u16>,
    /// Never trace processes whose executable matches
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Send traces to otlp://HOST:4317, otlphttp://HOST:4318, file:PATH (one OTLP/JSON request a line) or stdout
    #[arg(long, value_name = "DEST")]
    export: Vec<String>,
    /// Read these options from a YAML file too
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// End after this time, such as 30s
    #[arg(long, value_name = "D")]
    duration: Option<String>,
    /// Bytes of the ring between the kernel and the collector, a power of two [default: 8MiB]
    #[arg(long, value_name = "SIZE")]
    ring_size: Option<String>,
    /// What standard output shows [default: tree on a terminal, lines in a pipe]
    #[arg(short, long, value_enum)]
    output: Option<Output>,
    /// Start this command, and end when it ends
    #[arg(last = true, value_name = "CMD")]
    command: Vec<String>,
}

/// What standard output shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Finished traces as trees
    Tree,
    /// One line a span
    Lines,
    /// OTLP/JSON, one request a line
    Json,
    /// Nothing
    Quiet,
}

impl Output {
    /// The exporter that shows it.
    fn destination(self) -> Option<Destination> {
        match self {
            Output::Tree => Some(Destination::Terminal(Form::Tree)),
            Output::Lines => Some(Destination::Terminal(Form::Lines)),
            Output::Json => Some(Destination::Terminal(Form::Json)),
            Output::Quiet => None,
        }
    }
}

/// The command line or the configuration file is wrong: exit status 2.
#[derive(Debug)]
pub struct UsageError(Vec<String>);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n        "))
    }
}

impl std::error::Error for UsageError {}

/// How long exporters may take to deliver what they hold.
const DRAIN: Duration = Duration::from_secs(5);

/// Traces until told to end; prints the account.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    start(Settings::new(arguments, std::io::stdout().is_terminal())?)
}

/// Traces these processes and no others.
pub fn trace_processes(pids: &[u32], output: Output, duration: Option<String>) -> Result<ExitCode> {
    let arguments = Arguments {
        pid: pids.to_vec(),
        output: Some(output),
        duration,
        ..Default::default()
    };
    run(arguments)
}

fn start(settings: Settings) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start a runtime")?;
    runtime.block_on(trace(settings))
}

async fn trace(settings: Settings) -> Result<ExitCode> {
    let (agent_side, collector_side) = UnixStream::pair().context("cannot make a socket pair")?;
    let mut termination = Termination::install().context("cannot take over signals")?;
    let engine = embed::start(&embed::configuration(&settings.destinations), Some(collector_side))?;
    let config = Config {
        selection: settings.selection,
        ring_bytes: settings.ring_bytes,
        collector: Collector::Connected(agent_side),
        // Nothing outlives this run, however it ends: the kernel detaches what no process holds.
        pins: None,
    };
    let agent = match Running::start(config, Facilities::detect()) {
        Ok(agent) => agent,
        Err(error) => {
            finish(engine);
            return Err(error.into());
        }
    };
    eprintln!("odigos: ready, {} processes are traced", agent.traced_at_start());
    if let Err(error) = kit::notify(Readiness::Ready) {
        tracing::warn!(%error, "the service manager was not told");
    }
    let mut command = Child::start(&settings.command)?;
    let mut ended = engine.handle();
    let status = tokio::select! {
        _ = termination.next() => None,
        () = after(settings.duration) => None,
        status = command.wait() => Some(status?),
        () = ended.ended() => None,
    };
    command.stop().await;
    let stopped = agent.stop();
    let account = finish(engine);
    eprintln!("{account}");
    stopped?;
    Ok(status.map_or(ExitCode::SUCCESS, child::exit_code))
}

/// Lets the collector deliver what it holds.
fn finish(engine: Engine) -> Account {
    engine.handle().drain(DRAIN);
    let (account, outcome) = engine.wait();
    if let Err(error) = outcome {
        eprintln!("odigos: {}", kit::logging::chain(&error));
    }
    account
}

async fn after(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}
