//! Whole documents, as a user writes them.

#![allow(clippy::unwrap_used)]

mod connectors;
mod load;
mod section;
mod structure;
mod telemetry;
mod yaml;

use collector_config::{Config, Errors, Node};

/// The structure of `text`, or all that is wrong with it.
fn read(text: &str) -> Result<Config, String> {
    let root = Node::parse(text, "c.yaml").map_err(|errors| errors.to_string())?;
    let mut errors = Errors::default();
    let config = Config::read(&root, &mut errors);
    errors.unless_any(config).map_err(|errors| errors.to_string())
}
