//! The node collector: from the node's ring and its pods to the gateway.

use super::memory::MemoryLimits;
use super::parts::{self, Component, Document, METRICS_PORT, OTLP_GRPC_PORT};
use super::{Configuration, Note};
use crate::destinations::Signal;
use collector_config::Node;

/// All that the node collector's configuration depends on.
#[derive(Debug, Clone)]
pub struct NodeCollector {
    /// What some destination takes.
    pub signals: Vec<Signal>,
    /// Where the gateway is.
    pub gateway: GatewayAddress,
    /// Whether what is sent there is compressed.
    pub compresses: bool,
    /// Odiglet's hand-over socket; nothing where no probe runs.
    pub socket: Option<String>,
    /// What is done on the node, in this order.
    pub processors: Vec<Component>,
    /// How much memory it may use.
    pub memory: MemoryLimits,
    /// Where it shows its own metrics.
    pub metrics_port: u16,
    /// Where the queue is kept on disk; nowhere means in memory.
    pub queue_directory: Option<String>,
}

/// How the gateway is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GatewayAddress {
    /// Its Service, as `odigos-gateway.odigos-system`.
    pub service: String,
    /// The Service that names each gateway's own address, if all spans of a trace must come to the same one.
    pub by_trace: Option<String>,
}

impl Default for NodeCollector {
    fn default() -> Self {
        NodeCollector {
            signals: Vec::new(),
            gateway: GatewayAddress::default(),
            compresses: false,
            socket: None,
            processors: Vec::new(),
            memory: MemoryLimits::default(),
            metrics_port: METRICS_PORT,
            queue_directory: None,
        }
    }
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
    let processors = processors(input);
    document
        .processors
        .extend(processors.iter().map(|part| (part.id.clone(), part.settings.clone())));
    for signal in parts::signals().filter(|signal| input.signals.contains(signal)) {
        let (exporter, settings) = exporter(signal, input);
        let exporters = [exporter.clone()];
        document.exporters.push((exporter, settings));
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
        root: document.finish(input.metrics_port),
        secrets: Vec::new(),
        outlets: Vec::new(),
        notes: missing(input),
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

fn processors(input: &NodeCollector) -> Vec<Component> {
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
        for_all(parts::memory_limiter(input.memory)),
        for_all(("resource/node".to_owned(), node)),
    ];
    processors.extend(input.processors.iter().cloned());
    processors.push(for_all(parts::batch()));
    processors
}

/// The exporter of a signal: by trace only where that is asked for, and for spans, since it takes a request apart.
fn exporter(signal: Signal, input: &NodeCollector) -> (String, Node) {
    let is_stored = input.queue_directory.is_some();
    let settings = |endpoint: Option<String>| {
        let endpoint = endpoint.map(|endpoint| ("endpoint", endpoint.replace('$', "$$").into()));
        let compression = if input.compresses { "zstd" } else { "none" };
        // Inside of the cluster, without TLS.
        let others = [
            ("tls", Node::map([("insecure", true.into())])),
            ("compression", compression.into()),
        ];
        parts::delivery("otlp/gateway", Node::map(endpoint.into_iter().chain(others)), is_stored)
    };
    match &input.gateway.by_trace {
        Some(service) if signal == Signal::Traces => {
            let dns = Node::map([
                ("hostname", service.replace('$', "$$").into()),
                ("port", OTLP_GRPC_PORT.to_string().into()),
            ]);
            let settings = Node::map([
                ("routing_key", "traceID".into()),
                ("protocol", Node::map([("otlp", settings(None))])),
                ("resolver", Node::map([("dns", dns)])),
            ]);
            ("loadbalancing/gateway".to_owned(), settings)
        }
        _ => {
            let endpoint = format!("{}:{OTLP_GRPC_PORT}", input.gateway.service);
            ("otlp/gateway".to_owned(), settings(Some(endpoint)))
        }
    }
}
