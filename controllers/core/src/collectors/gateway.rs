//! The gateway: from the node collectors to the destinations.

use super::Configuration;
use super::memory::MemoryLimits;
use super::parts::{self, Component, Document, METRICS_PORT};
use super::sampling::Rules;
use super::streams::{self, DataStream, Selector};
use crate::destinations::{Destination, RenderError, Rendered, Signal, render};
use collector_config::Node;
use std::time::Duration;

/// All that the gateway's configuration depends on.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// Where telemetry is sent.
    pub outlets: Vec<Outlet>,
    /// What selectors refer to.
    pub data_streams: Vec<DataStream>,
    /// What is done to all telemetry, in this order.
    pub processors: Vec<Component>,
    /// By which whole traces are sampled.
    pub sampling: Rules,
    /// From a trace's first span to the decision about it.
    pub decision_wait: Duration,
    /// How much memory it may use.
    pub memory: MemoryLimits,
    /// Where it shows its own metrics.
    pub metrics_port: u16,
    /// Where queues are kept on disk; nowhere means in memory.
    pub queue_directory: Option<String>,
}

impl Default for Gateway {
    fn default() -> Self {
        Gateway {
            outlets: Vec::new(),
            data_streams: Vec::new(),
            processors: Vec::new(),
            sampling: Rules::default(),
            decision_wait: Duration::from_secs(30),
            memory: MemoryLimits::default(),
            metrics_port: METRICS_PORT,
            queue_directory: None,
        }
    }
}

/// A destination, and what it takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outlet {
    /// Where.
    pub destination: Destination,
    /// `spec.disabled`.
    pub is_disabled: bool,
    /// Nothing takes everything.
    pub selector: Option<Selector>,
}

/// What became of a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutletState {
    /// Telemetry goes there; without these signals, each with the way around.
    Configured(Vec<(Signal, String)>),
    /// The user switched it off.
    Disabled,
    /// Its selector selects no source yet.
    NothingSelected,
    /// It cannot be used.
    Refused(RenderError),
}

/// The configuration. Without a destination that can be used everything received is dropped, as the user would see in the
/// counts of the exporter `nop`.
pub fn gateway(input: &Gateway) -> Configuration {
    let mut writer = Writer::new(input);
    writer.extensions_and_receivers();
    writer.processors();
    for outlet in &input.outlets {
        let state = writer.outlet(outlet);
        writer
            .configuration
            .outlets
            .push((outlet.destination.name.clone(), state));
    }
    writer.finish()
}

struct Writer<'a> {
    input: &'a Gateway,
    document: Document,
    /// Of the pipelines that receive.
    entry: Vec<Component>,
    /// Exporters and connectors that these pipelines send to.
    exits: Vec<Component>,
    branches: Vec<Branch>,
    configuration: Configuration,
}

/// A destination's own pipelines.
struct Branch {
    name: String,
    processors: Vec<Component>,
    exporters: Vec<Component>,
}

impl<'a> Writer<'a> {
    fn new(input: &'a Gateway) -> Self {
        Writer {
            input,
            document: Document::default(),
            entry: Vec::new(),
            exits: Vec::new(),
            branches: Vec::new(),
            configuration: Configuration {
                root: Node::map([]),
                secrets: Vec::new(),
                outlets: Vec::new(),
                notes: Vec::new(),
            },
        }
    }

    fn extensions_and_receivers(&mut self) {
        self.document.extensions.push(parts::health_check());
        if let Some(directory) = &self.input.queue_directory {
            self.document.extensions.push(parts::storage(directory));
        }
        self.document.receivers.push(parts::otlp_receiver());
    }

    fn processors(&mut self) {
        let all: Vec<Signal> = parts::signals().collect();
        self.add(parts::memory_limiter(self.input.memory), &all);
        self.entry.extend(self.input.processors.iter().cloned());
        let policies = self.input.sampling.policies();
        if !policies.is_empty() {
            let wait = format!("{}ms", self.input.decision_wait.as_millis());
            let settings = Node::map([("decision_wait", wait.into()), ("policies", Node::list(policies))]);
            self.add(("tail_sampling".to_owned(), settings), &[Signal::Traces]);
        }
        self.add(parts::batch(), &all);
    }

    fn add(&mut self, (id, settings): (String, Node), signals: &[Signal]) {
        self.entry.push(Component {
            id,
            settings,
            signals: signals.to_vec(),
        });
    }

    fn outlet(&mut self, outlet: &Outlet) -> OutletState {
        if outlet.is_disabled {
            return OutletState::Disabled;
        }
        let condition = match &outlet.selector {
            None => None,
            Some(selector) => match streams::condition(selector, &self.input.data_streams) {
                None => return OutletState::NothingSelected,
                condition => condition,
            },
        };
        match render(&outlet.destination) {
            Err(error) => OutletState::Refused(error),
            Ok(rendered) => {
                let without = rendered.without.clone();
                self.connect(&outlet.destination.name, rendered, condition);
                OutletState::Configured(without)
            }
        }
    }

    fn connect(&mut self, name: &str, rendered: Rendered, condition: Option<String>) {
        self.document.extensions.extend(rendered.extensions);
        self.configuration.secrets.extend(rendered.secrets);
        let is_stored = self.input.queue_directory.is_some();
        let exporters = rendered.exporters.into_iter().map(|exporter| Component {
            settings: parts::delivery(&exporter.id, exporter.settings.clone(), is_stored),
            ..exporter
        });
        let exporters: Vec<Component> = exporters.collect();
        if condition.is_none() && rendered.processors.is_empty() {
            self.exits.extend(exporters);
            return;
        }
        let signals: Vec<Signal> = parts::signals()
            .filter(|signal| exporters.iter().any(|exporter| exporter.signals.contains(signal)))
            .collect();
        let filter = condition.map(|condition| Component {
            id: format!("filter/selector_{name}"),
            settings: streams::filter(&condition),
            signals: signals.clone(),
        });
        self.exits.push(Component {
            id: format!("forward/{name}"),
            settings: Node::map([]),
            signals,
        });
        self.branches.push(Branch {
            name: name.to_owned(),
            processors: filter.into_iter().chain(rendered.processors).collect(),
            exporters,
        });
    }

    fn finish(mut self) -> Configuration {
        let pair = |component: &Component| (component.id.clone(), component.settings.clone());
        self.document.processors.extend(self.entry.iter().map(pair));
        let (connectors, exporters): (Vec<_>, Vec<_>) =
            self.exits.iter().partition(|exit| exit.id.starts_with("forward/"));
        self.document.connectors.extend(connectors.into_iter().map(pair));
        self.document.exporters.extend(exporters.into_iter().map(pair));
        for signal in parts::signals() {
            let (processors, exits) = (parts::ids(&self.entry, signal), parts::ids(&self.exits, signal));
            let receivers = ["otlp".to_owned()];
            self.document
                .pipeline(signal.to_string(), &receivers, &processors, &exits);
        }
        for branch in &self.branches {
            self.document.processors.extend(branch.processors.iter().map(pair));
            self.document.exporters.extend(branch.exporters.iter().map(pair));
            for signal in parts::signals() {
                let receivers = [format!("forward/{}", branch.name)];
                let (processors, exporters) = (
                    parts::ids(&branch.processors, signal),
                    parts::ids(&branch.exporters, signal),
                );
                self.document
                    .pipeline(format!("{signal}/{}", branch.name), &receivers, &processors, &exporters);
            }
        }
        if !self.document.has_pipelines() {
            self.drop_everything();
        }
        self.configuration.root = self.document.finish(self.input.metrics_port);
        self.configuration
    }

    /// The collector wants a pipeline, and senders an answer.
    fn drop_everything(&mut self) {
        self.document.exporters.push(("nop".to_owned(), Node::map([])));
        for signal in parts::signals() {
            let limiter = ["memory_limiter".to_owned()];
            self.document
                .pipeline(signal.to_string(), &["otlp".to_owned()], &limiter, &["nop".to_owned()]);
        }
    }
}
