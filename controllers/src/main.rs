//! The binary `odigos-controllers`: one component of the control plane a process.

#![forbid(unsafe_code)]

use clap::Parser;
use controllers::admission::{self, AdmissionOptions};
use controllers::rim::{Component, Options, Program};
use controllers::{autoscaler, instrumentor, scheduler};
use kit::logging::{self, Encoding};
use std::process::ExitCode;

/// The control plane: each component is a process of its own. The apiserver is found through KUBECONFIG, or from within a
/// pod. The level of the log is ODIGOS_LOG, `info` by default.
#[derive(Debug, Parser)]
#[command(name = "odigos-controllers", version)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Of the instrumentor alone.
    #[command(flatten)]
    admission: AdmissionOptions,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let encoding = if arguments.options.log_json {
        Encoding::Json
    } else {
        Encoding::Console
    };
    logging::init_as("info", encoding);
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let name = arguments.options.component.name();
            tracing::error!(error = format!("{error:#}"), "{name} has failed");
            ExitCode::FAILURE
        }
    }
}

/// One thread is enough for what waits mostly, and costs least when idle.
#[tokio::main(flavor = "current_thread")]
async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut program = Program::new(&arguments.options).await?;
    match arguments.options.component {
        Component::Scheduler => scheduler::assemble(&mut program),
        Component::Instrumentor => {
            let injector = instrumentor::assemble(&mut program);
            admission::assemble(&mut program, &arguments.admission, injector).await?;
        }
        Component::Autoscaler => autoscaler::assemble(&mut program),
    }
    program.run().await
}
