//! `odigos-collector`: runs the collector that a configuration describes, until it is asked to end; or, by a subcommand,
//! says whether the configuration is valid, what it is, or which components there are.
//!
//! Exit status: 0 after a drain, 1 if the collector could not start or a component failed, 2 for usage and for a
//! configuration that is not valid, in which case nothing has started.

#![forbid(unsafe_code)]

mod arguments;
mod commands;
mod configuration;
mod reload;

use arguments::{Arguments, Command};
use clap::Parser;
use collector_components::COMPONENTS;
use collector_config::{Config, ConfigError, Errors, Loaded, LogEncoding, LogLevel, Source};
use collector_engine::{DRAIN_TIMEOUT, Descriptors, Engine, Plan};
use configuration::Configuration;
use kit::{Readiness, Signal, Termination};
use reload::Reloads;
use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Requests come and go by the thousand, each a buffer of tens of kilobytes. An allocator that keeps what it has freed
/// saves a third of the time that receiving one takes.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const FAILURE: u8 = 1;
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    if let Some(Command::Components) = arguments.command {
        return print(&commands::components());
    }
    let sources = match arguments.configuration.sources() {
        Ok(sources) => sources,
        Err(error) => return usage(&error),
    };
    let configuration = match configuration::load(&sources) {
        Ok(configuration) => configuration,
        Err(errors) => return fail(USAGE, errors),
    };
    match arguments.command {
        None => collect(configuration, &sources),
        Some(command) => {
            let loaded = configuration.loaded;
            warn(&loaded.warnings);
            match command {
                Command::PrintConfig(how) => print(&commands::print_config(&loaded, &how)),
                Command::Validate => {
                    commands::validate(&loaded).map_or_else(|errors| fail(USAGE, errors), |text| print(&text))
                }
                Command::Components => print(&commands::components()),
            }
        }
    }
}

fn warn(warnings: &[ConfigError]) {
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
}

fn usage(error: &clap::Error) -> ExitCode {
    // Nothing is left to do if standard error is closed.
    let _ = error.print();
    ExitCode::from(error.exit_code() as u8)
}

fn fail(status: u8, message: impl Display) -> ExitCode {
    eprintln!("{message}");
    ExitCode::from(status)
}

fn print(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(
            FAILURE,
            format!("odigos-collector: cannot write to standard output: {error}"),
        ),
    }
}

/// Runs until the end.
fn collect(configuration: Configuration, sources: &[Source]) -> ExitCode {
    kit::logging::init_as(level(&configuration.config), encoding(&configuration.config));
    log(&configuration.loaded.warnings);
    let plan = match plan(&configuration.loaded) {
        Ok(plan) => plan,
        Err(errors) => return fail(USAGE, errors),
    };
    log(plan.warnings());
    match run(plan, configuration.files, sources) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(FAILURE, format!("odigos-collector: {error:#}")),
    }
}

fn level(config: &Config) -> &'static str {
    match config.telemetry.logs.level {
        Some(LogLevel::Debug) => "debug",
        Some(LogLevel::Info) | None => "info",
        Some(LogLevel::Warn) => "warn",
        Some(LogLevel::Error) => "error",
    }
}

fn encoding(config: &Config) -> kit::logging::Encoding {
    match config.telemetry.logs.encoding {
        LogEncoding::Console => kit::logging::Encoding::Console,
        LogEncoding::Json => kit::logging::Encoding::Json,
    }
}

fn log(warnings: &[ConfigError]) {
    for warning in warnings {
        tracing::warn!("{warning}");
    }
}

/// The plan, or all that is wrong with the configuration.
fn plan(loaded: &Loaded) -> Result<Plan, Errors> {
    Plan::new(&loaded.root, &COMPONENTS, Descriptors::new())
}

fn run(plan: Plan, files: Vec<PathBuf>, sources: &[Source]) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let engine = runtime.block_on(async {
        let mut termination = Termination::install()?;
        let mut reloads = Reloads::install(files)?;
        let engine = plan.start(workers())?;
        tracing::info!(version = env!("CARGO_PKG_VERSION"), "running");
        kit::notify(Readiness::Ready);
        tokio::select! {
            () = until_the_end(&engine, &mut termination) => {}
            () = follow(&engine, &mut reloads, sources) => {}
        }
        kit::notify(Readiness::Stopping);
        anyhow::Ok(engine)
    })?;
    let (account, result) = engine.wait();
    for line in account.to_string().lines() {
        tracing::info!("{line}");
    }
    Ok(result?)
}

/// Goes over to the configuration as it is written, whenever that has changed. One that is not valid, or cannot start, is
/// told of, and nothing changes.
async fn follow(engine: &Engine, reloads: &mut Reloads, sources: &[Source]) {
    loop {
        let reason = reloads.next().await;
        tracing::info!(reason, "reading the configuration again");
        match again(engine, reloads, sources).await {
            Ok(()) => tracing::info!("the configuration is in use"),
            Err(error) => tracing::error!("the configuration is not used, the one before goes on: {error}"),
        }
    }
}

async fn again(engine: &Engine, reloads: &mut Reloads, sources: &[Source]) -> Result<(), String> {
    let configuration = configuration::load(sources).map_err(|errors| errors.to_string())?;
    // A file that a broken configuration names for the first time may be what mends it.
    reloads.watch(configuration.files);
    log(&configuration.loaded.warnings);
    let plan = plan(&configuration.loaded).map_err(|errors| errors.to_string())?;
    log(plan.warnings());
    let started = engine.handle().reload(plan).await;
    started.map_err(|error| kit::logging::chain(&error))
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
