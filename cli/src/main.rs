//! `odigos`: the traces of what runs on this machine, with no change to it.
//!
//! The one place where the agent and the collector meet in one process. Each subcommand is a module; what they share is
//! the exit status: 0, 1 for a failure, 2 for a wrong use, and that of the command for `run -- CMD`.

#![forbid(unsafe_code)]

mod check;
mod demo;
mod inspect;
mod output;
mod run;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(
    name = "odigos",
    version,
    about = "Shows the traces of running programs, without changing or restarting them"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Trace what matches, until interrupted or until CMD ends
    Run(run::Arguments),
    /// Show which kernel facilities are there and what each missing one costs
    Check,
    /// Show what each process is, what shows that, and what would instrument it
    Inspect(inspect::Arguments),
    /// Start sample programs in several languages, put them under load and trace them
    Demo(demo::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    kit::logging::init("warn");
    let outcome = match arguments.command {
        Command::Run(arguments) => run::run(arguments),
        Command::Check => check::run(),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Demo(arguments) => demo::run(arguments),
    };
    outcome.unwrap_or_else(|error| {
        output::tell(format_args!("{error:#}"));
        match error.downcast_ref::<run::UsageError>() {
            Some(_) => ExitCode::from(2),
            None => ExitCode::FAILURE,
        }
    })
}
