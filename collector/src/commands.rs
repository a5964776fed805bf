//! The subcommands: what they print, and nothing else.

use crate::arguments::{Format, PrintConfig};
use crate::plan;
use collector_components::COMPONENTS;
use collector_config::{Errors, Loaded, Node};
use collector_pdata::Signal;

/// `validate`. What is wrong may be in the structure or in a component's settings.
pub fn validate(loaded: &Loaded) -> Result<String, Errors> {
    crate::warn(plan(loaded)?.warnings());
    Ok("configuration is valid\n".to_owned())
}

/// `print-config`. What it prints may be used as a configuration.
pub fn print_config(loaded: &Loaded, how: &PrintConfig) -> String {
    let root = if how.unredacted {
        loaded.root.clone()
    } else {
        loaded.root.redacted()
    };
    let root = root.escaped();
    match how.format {
        Format::Yaml => root.to_yaml(),
        Format::Json => root.to_json() + "\n",
    }
}

/// `components`, as YAML.
pub fn components() -> String {
    let receivers = COMPONENTS.receivers.iter();
    let processors = COMPONENTS.processors.iter();
    let exporters = COMPONENTS.exporters.iter();
    let connectors = COMPONENTS.connectors.iter();
    let extensions = COMPONENTS.extensions.iter();
    let tables = [
        (
            "receivers",
            Node::list(receivers.map(|factory| component(factory.kind, factory.signals))),
        ),
        (
            "processors",
            Node::list(processors.map(|factory| component(factory.kind, factory.signals))),
        ),
        (
            "exporters",
            Node::list(exporters.map(|factory| component(factory.kind, factory.signals))),
        ),
        (
            "connectors",
            Node::list(connectors.map(|factory| connector(factory.kind, factory.signals))),
        ),
        (
            "extensions",
            Node::list(extensions.map(|factory| Node::map([("name", factory.kind.into())]))),
        ),
    ];
    Node::map(tables).to_yaml()
}

fn connector(kind: &str, signals: &[(Signal, Signal)]) -> Node {
    let signals = signals
        .iter()
        .map(|(from, to)| Node::from(format!("{} to {}", from.name(), to.name())));
    Node::map([("name", kind.into()), ("signals", Node::list(signals))])
}

fn component(kind: &str, signals: &[Signal]) -> Node {
    let signals = signals.iter().map(|signal| Node::from(signal.name()));
    Node::map([("name", kind.into()), ("signals", Node::list(signals))])
}
