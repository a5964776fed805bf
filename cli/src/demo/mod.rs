//! `odigos demo`: a small shop of several languages under a light load, traced while it runs.

mod load;
mod service;

use crate::output;
use crate::run::{self, Output, Settings};
use anyhow::{Context, Result};
use kit::Termination;
use service::{Folder, Service};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Options of `demo`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// End after this time, such as 30s
    #[arg(long, value_name = "D")]
    duration: Option<String>,
    /// What standard output shows [default: tree on a terminal, lines in a pipe]
    #[arg(short, long, value_enum)]
    output: Option<Output>,
}

/// How long a service may take to say its port; a JVM that compiles its source is slow.
const START: Duration = Duration::from_secs(60);

/// Starts the services, puts them under load and traces them.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    // What cannot work is said before anything is started.
    let duration = run::parse_duration(arguments.duration.as_deref())?;
    let facilities = run::facilities()?;
    let interrupted = interruption()?;
    let folder = service::Folder::make().context("cannot make a folder for the sample programs")?;
    let running = start_services(&folder, &interrupted);
    if interrupted.load(Ordering::Relaxed) {
        return Ok(ExitCode::SUCCESS);
    }
    let front = running.last().context("none of the sample programs could be started")?;
    let load = load::Load::start(front.port)?;
    let pids: Vec<u32> = running.iter().map(Service::pid).collect();
    let output = arguments.output.unwrap_or_else(Output::by_default);
    let settings = Settings::of_processes(&pids, output, duration)?;
    let outcome = run::start(settings, facilities);
    load.stop();
    outcome
}

fn start_services(folder: &Folder, interrupted: &AtomicBool) -> Vec<Service> {
    let mut running: Vec<Service> = Vec::new();
    for recipe in service::RECIPES {
        let backends: Vec<String> = running.iter().map(Service::as_argument).collect();
        let started = recipe.start(folder, &backends, START, interrupted);
        if interrupted.load(Ordering::Relaxed) {
            break;
        }
        match started {
            Ok(service) => {
                output::tell(format_args!(
                    "{} ({}) listens on port {}",
                    service.name, recipe.language, service.port
                ));
                running.push(service);
            }
            Err(reason) => output::tell(format_args!(
                "{} ({}) is left out: {reason:#}",
                recipe.name, recipe.language
            )),
        }
    }
    running
}

/// Takes over the signals that ask to end, so that no service and no folder is left behind; becomes true with the first.
fn interruption() -> Result<Arc<AtomicBool>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start a runtime")?;
    let mut termination = runtime
        .block_on(async { Termination::install() })
        .context("cannot take over signals")?;
    let interrupted = Arc::new(AtomicBool::new(false));
    let told = interrupted.clone();
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            runtime.block_on(termination.next());
            told.store(true, Ordering::Relaxed);
        })
        .context("cannot start a thread")?;
    Ok(interrupted)
}
