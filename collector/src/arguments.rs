//! The command line. Its flags and subcommands are named as the OpenTelemetry Collector's.

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use collector_config::Source;

/// Receives, processes and exports telemetry, as its configuration says.
#[derive(Debug, Parser)]
#[command(name = "odigos-collector", version)]
pub struct Arguments {
    #[command(flatten)]
    pub configuration: Configuration,
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Args)]
pub struct Configuration {
    /// A part of the configuration: a file's path, or file:PATH, env:NAME or yaml:TEXT. Several are merged, and of two
    /// values the later one counts.
    #[arg(long = "config", value_name = "SOURCE", global = true, value_parser = Source::parse)]
    sources: Vec<Source>,
    /// One value, laid over all sources, for example processors.batch.timeout=2s.
    #[arg(long = "set", value_name = "KEY=VALUE", global = true, value_parser = Source::parse_set)]
    sets: Vec<Source>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Says all that is wrong with the configuration, and starts nothing.
    Validate,
    /// Lists the types of components, with the signals that they carry.
    Components,
    /// Prints the configuration, merged and expanded.
    PrintConfig(PrintConfig),
}

#[derive(Debug, Args)]
pub struct PrintConfig {
    /// Prints secrets too.
    #[arg(long)]
    pub unredacted: bool,
    /// In which language.
    #[arg(long, value_enum, default_value_t = Format::Yaml)]
    pub format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Yaml,
    Json,
}

impl Configuration {
    /// All that is to be merged, in its order; an error if there is nothing.
    pub fn sources(&self) -> Result<Vec<Source>, clap::Error> {
        if self.sources.is_empty() {
            let message = "the configuration is missing: name it with --config <SOURCE>";
            return Err(Arguments::command().error(clap::error::ErrorKind::MissingRequiredArgument, message));
        }
        Ok(self.sources.iter().chain(&self.sets).cloned().collect())
    }
}
