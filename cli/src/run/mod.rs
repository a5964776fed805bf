//! `odigos run`: the agent and the collector in one process, joined by a socket, until interrupted.

mod child;
mod settings;

use crate::output;
use anyhow::{Context, Result, bail};
use child::Child;
use clap::ValueEnum;
use collector_components::embed::{self, Destination, EmbedError, Form};
use collector_engine::{Account, Engine, EngineError, reason};
use kit::{Readiness, Termination};
use odiglet::{AgentError, Collector, Config, Options, Running};
use probe_loader::{Facilities, LoadError};
pub use settings::{Settings, parse_duration};
use std::fmt;
use std::io::IsTerminal;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

/// Options of `run`, as written.
#[derive(Debug, Default, clap::Args)]
pub struct Arguments {
    /// Trace this process (may be repeated, as may --exe, --port, --exclude and --export)
    #[arg(long, value_name = "N")]
    pid: Vec<u32>,
    #[command(flatten)]
    options: Options,
    /// Send traces to otlp://HOST:4317, otlphttp://HOST:4318, file:PATH (one OTLP/JSON request a line) or stdout
    #[arg(long, value_name = "DEST")]
    export: Vec<String>,
    /// Read these options from a YAML file too
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// End after this time, such as 30s
    #[arg(long, value_name = "D")]
    duration: Option<String>,
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
    /// What a person at a terminal sees, and what a program at the other end of a pipe.
    pub fn by_default() -> Self {
        if std::io::stdout().is_terminal() {
            Output::Tree
        } else {
            Output::Lines
        }
    }

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
    let settings = Settings::new(arguments)?;
    start(settings, facilities()?)
}

/// What the kernel offers; an error where that is not enough to trace anything.
pub fn facilities() -> Result<Facilities> {
    let facilities = Facilities::detect();
    if let Some((missing, reason)) = facilities.missing_required().next() {
        bail!(LoadError::Missing {
            name: missing.name,
            reason: reason.to_owned(),
            cost: missing.cost,
        });
    }
    Ok(facilities)
}

/// Traces with settings that are ready to use.
pub fn start(settings: Settings, facilities: Facilities) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start a runtime")?;
    runtime.block_on(trace(settings, facilities))
}

async fn trace(settings: Settings, facilities: Facilities) -> Result<ExitCode> {
    let (agent_side, collector_side) = UnixStream::pair().context("cannot make a socket pair")?;
    let mut termination = Termination::install().context("cannot take over signals")?;
    let destinations = settings.destinations;
    let engine = embed::start(&embed::configuration(&destinations), Some(collector_side)).map_err(refused)?;
    let config = Config {
        selection: settings.selection,
        ring_bytes: settings.ring_bytes,
        collector: Collector::Connected(agent_side),
        // Nothing outlives this run, however it ends: the kernel detaches what no process holds.
        pins: None,
    };
    let agent = match Running::start(config, facilities) {
        Ok(agent) => agent,
        Err(error) => {
            // The agent's end has ended the collector too, which had nothing to do.
            let _ = finish(engine);
            return Err(error.into());
        }
    };
    let traced = agent.traced_at_start();
    let processes = if traced == 1 { "process is" } else { "processes are" };
    output::tell(format_args!("ready, {traced} {processes} traced"));
    kit::notify(Readiness::Ready);
    let status = until_the_end(&settings.command, settings.duration, &mut termination, &engine).await;
    kit::notify(Readiness::Stopping);
    let (stopped, account, drained) = stop(agent, engine, &mut termination).await?;
    output::tell_lines(&account.to_string());
    let status = status?;
    stopped?;
    drained?;
    match status {
        Some(status) => Ok(child::exit_code(status)),
        None => delivered(&account, &destinations).map(|()| ExitCode::SUCCESS),
    }
}

/// An error that names the destinations that have taken no span of those that they were to get. What one has taken in part is
/// in the account.
fn delivered(account: &Account, destinations: &[Destination]) -> Result<()> {
    let exporters = account.pipelines.iter().flat_map(|pipeline| &pipeline.exporters);
    // The exporters are those of the destinations, in their order.
    let failures: Vec<String> = exporters
        .zip(destinations)
        .filter(|(exporter, _)| exporter.exported == 0 && exporter.dropped.contains_key(reason::EXPORT_FAILED))
        .map(|(exporter, destination)| {
            let why = exporter.last_error.as_ref().map_or("no answer", |error| &error.reason);
            format!("nothing could be delivered to {destination}: {why}")
        })
        .collect();
    if failures.is_empty() {
        return Ok(());
    }
    bail!(failures.join("\n        "))
}

/// The collector's configuration is made of the destinations only, so what is wrong with it was written by the user.
fn refused(error: EmbedError) -> anyhow::Error {
    match error {
        EmbedError::Configuration(errors) => UsageError(errors.iter().map(ToString::to_string).collect()).into(),
        other => other.into(),
    }
}

/// Runs the command, if there is one, until it or something else ends the run; its status if it ended by itself.
async fn until_the_end(
    command: &[String],
    duration: Option<Duration>,
    termination: &mut Termination,
    engine: &Engine,
) -> Result<Option<ExitStatus>> {
    let mut command = Child::start(command)?;
    let mut engine = engine.handle();
    let status = tokio::select! {
        _ = termination.next() => Ok(None),
        () = after(duration) => Ok(None),
        status = command.wait() => status.map(Some),
        () = engine.ended() => Ok(None),
    };
    command.stop().await;
    status
}

type Stopped = (Result<(), AgentError>, Account, Result<(), EngineError>);

/// Ends in the direction of flow. Whoever does not want to wait for that sends a second signal.
async fn stop(agent: Running, engine: Engine, termination: &mut Termination) -> Result<Stopped> {
    let handle = engine.handle();
    let mut stopping = tokio::task::spawn_blocking(move || {
        let stopped = agent.stop();
        let (account, drained) = finish(engine);
        (stopped, account, drained)
    });
    loop {
        tokio::select! {
            stopped = &mut stopping => return stopped.context("the end of the run panicked"),
            _ = termination.next() => {
                output::tell("ending at once; what is not delivered yet is dropped");
                handle.drain(Duration::ZERO);
            }
        }
    }
}

/// Lets the collector deliver what it holds.
fn finish(engine: Engine) -> (Account, Result<(), EngineError>) {
    engine.handle().drain(DRAIN);
    engine.wait()
}

async fn after(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}
