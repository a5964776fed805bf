//! `odigos-collector`: runs the collector that a configuration describes, until it is asked to end.
//!
//! Exit status: 0 after a drain, 1 if the collector could not start or a component failed, 2 for usage and for a
//! configuration that is not valid, in which case nothing has started.

#![forbid(unsafe_code)]

use clap::Parser;
use collector_components::COMPONENTS;
use collector_config::Node;
use collector_engine::{DRAIN_TIMEOUT, Descriptors, Engine, Plan};
use kit::{Readiness, Signal, Termination};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Receives, processes and exports telemetry, as its configuration says.
#[derive(Debug, Parser)]
#[command(name = "odigos-collector", version)]
struct Arguments {
    /// The configuration, as YAML.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

const FAILURE: u8 = 1;
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nothing is left to do if standard error is closed.
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    kit::logging::init("info");
    let plan = match plan(&arguments.config) {
        Ok(plan) => plan,
        Err(errors) => return fail(USAGE, errors),
    };
    match run(plan) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(FAILURE, format!("odigos-collector: {error:#}")),
    }
}

fn fail(status: u8, message: impl Display) -> ExitCode {
    eprintln!("{message}");
    ExitCode::from(status)
}

/// The plan, or all that is wrong with the configuration.
fn plan(path: &Path) -> Result<Plan, String> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{name}: cannot read it: {error}"))?;
    let root = Node::parse(&text, &name).map_err(|errors| errors.to_string())?;
    Plan::new(&root, &COMPONENTS, Descriptors::new()).map_err(|errors| errors.to_string())
}

fn run(plan: Plan) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let engine = runtime.block_on(async {
        let mut termination = Termination::install()?;
        let engine = plan.start(workers())?;
        tracing::info!(version = env!("CARGO_PKG_VERSION"), "running");
        kit::notify(Readiness::Ready);
        until_the_end(&engine, &mut termination).await;
        kit::notify(Readiness::Stopping);
        anyhow::Ok(engine)
    })?;
    let (account, result) = engine.wait();
    for line in account.to_string().lines() {
        tracing::info!("{line}");
    }
    Ok(result?)
}

/// One for each core that the process may use.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Returns when everything has ended, or when a person who has waited long enough wants it to.
async fn until_the_end(engine: &Engine, termination: &mut Termination) {
    let mut handle = engine.handle();
    let mut asked = false;
    loop {
        tokio::select! {
            () = handle.ended() => return,
            signal = termination.next() => {
                let name = if signal == Signal::Interrupt { "SIGINT" } else { "SIGTERM" };
                let timeout = if asked { std::time::Duration::ZERO } else { DRAIN_TIMEOUT };
                tracing::info!(signal = name, ?timeout, "draining");
                handle.drain(timeout);
                asked = true;
            }
        }
    }
}
