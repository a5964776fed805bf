//! The node collector: from the node's ring and its pods to the gateway.

use super::actions::Action;
use super::parts::{self, Component, Document};
use super::{Configuration, Note};
use crate::destinations::Signal;
use collector_config::Node;

/// All that the node collector's configuration depends on.
#[derive(Debug, Clone, Default)]
pub struct NodeCollector {
    /// What some destination takes.
    pub signals: Vec<Signal>,
    /// The gateway's service, as `odigos-gateway.odigos-system:4317`.
    pub gateway: String,
    /// Odiglet's hand-over socket; nothing where no probe runs.
    pub socket: Option<String>,
    /// What is done on the node, in this order.
    pub actions: Vec<Action>,
    /// The container's limit, in MiB.
    pub memory_mib: u64,
    /// Where the queue is kept on disk; nowhere means in memory.
    pub queue_directory: Option<String>,
}

/// The configuration. The container's variable NODE_NAME is the node's name.
pub fn node(input: &NodeCollector) -> Configuration {
    let mut document = Document::default();
    document.extensions.push(parts::health_check());
    if let Some(directory) = &input.queue_directory {
        document.extensions.push(parts::storage(directory));
    }
    document.receivers.push(parts::otlp_receiver());
    if let Some(socket) = &input.socket {
        let settings = Node::map([("socket", socket.replace('$', "$$").into())]);
        document.receivers.push(("ebpf".to_owned(), settings));
    }
    let mut notes = missing(input);
    let processors = processors(input, &mut notes);
    document
        .processors
        .extend(processors.iter().map(|part| (part.id.clone(), part.settings.clone())));
    document.exporters.push(("otlp/gateway".to_owned(), exporter(input)));
    for signal in parts::signals().filter(|signal| input.signals.contains(signal)) {
        let exporters = ["otlp/gateway".to_owned()];
        let receivers = receivers_of(signal, input);
        document.pipeline(
            signal.to_string(),
            &receivers,
            &parts::ids(&processors, signal),
            &exporters,
        );
    }
    if !document.has_pipelines() {
        // Nobody takes anything yet: what pods send already is taken and dropped, so that they do not keep it.
        document.exporters = vec![("nop".to_owned(), Node::map([]))];
        let limiter = ["memory_limiter".to_owned()];
        for signal in parts::signals() {
            document.pipeline(signal.to_string(), &["otlp".to_owned()], &limiter, &["nop".to_owned()]);
        }
        document.receivers.truncate(1);
    }
    Configuration {
        root: document.finish(),
        secrets: Vec::new(),
        outlets: Vec::new(),
        notes,
    }
}

/// Where a signal comes from. Files of logs and the kubelet's metrics will stand here.
fn receivers_of(signal: Signal, input: &NodeCollector) -> Vec<String> {
    let mut receivers = vec!["otlp".to_owned()];
    if signal == Signal::Traces && input.socket.is_some() {
        receivers.push("ebpf".to_owned());
    }
    receivers
}

fn missing(input: &NodeCollector) -> Vec<Note> {
    let missing = [
        (
            Signal::Logs,
            "files of logs are not read yet: logs are those that are sent by OTLP",
        ),
        (
            Signal::Metrics,
            "the kubelet's metrics are not read yet: metrics are those that are sent by OTLP",
        ),
    ];
    let missing = missing.into_iter().filter(|(signal, _)| input.signals.contains(signal));
    missing.map(|(_, text)| Note(text.to_owned())).collect()
}

fn processors(input: &NodeCollector, notes: &mut Vec<Note>) -> Vec<Component> {
    let all: Vec<Signal> = parts::signals().collect();
    let for_all = |(id, settings): (String, Node)| Component {
        id,
        settings,
        signals: all.clone(),
    };
    let name = Node::map([
        ("key", "k8s.node.name".into()),
        ("value", "${env:NODE_NAME}".into()),
        ("action", "insert".into()),
    ]);
    let node = Node::map([("attributes", Node::list([name]))]);
    let mut processors = vec![
        for_all(parts::memory_limiter(input.memory_mib)),
        for_all(("resource/node".to_owned(), node)),
    ];
    for component in input.actions.iter().flat_map(Action::components) {
        if parts::is_processor(&component.id) {
            processors.push(component);
        } else {
            let id = component.id;
            notes.push(Note(format!(
                "the processor {id} is left out, since the collector has none of its type"
            )));
        }
    }
    processors.push(for_all(parts::batch()));
    processors
}

/// Inside of the cluster, without TLS.
fn exporter(input: &NodeCollector) -> Node {
    let settings = Node::map([
        ("endpoint", input.gateway.replace('$', "$$").into()),
        ("tls", Node::map([("insecure", true.into())])),
        ("compression", "none".into()),
    ]);
    parts::delivery("otlp/gateway", settings, input.queue_directory.is_some())
}
