//! The binary `odigos-controllers`: one component of the control plane a process.

#![forbid(unsafe_code)]

use clap::Parser;
use controllers::rim::{Component, Options, Program};
use controllers::{autoscaler, instrumentor, scheduler};
use kit::logging::{self, Encoding};
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = Options::parse();
    let encoding = if options.log_json {
        Encoding::Json
    } else {
        Encoding::Console
    };
    logging::init_as("info", encoding);
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "{} has failed", options.component.name());
            ExitCode::FAILURE
        }
    }
}

/// One thread is enough for what waits mostly, and costs least when idle.
#[tokio::main(flavor = "current_thread")]
async fn run(options: &Options) -> anyhow::Result<()> {
    let mut program = Program::new(options).await?;
    match options.component {
        Component::Scheduler => scheduler::assemble(&mut program),
        Component::Instrumentor => {
            instrumentor::assemble(&mut program);
        }
        Component::Autoscaler => autoscaler::assemble(&mut program),
    }
    program.run().await
}
