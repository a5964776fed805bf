//! The parts that both configurations have, and the document that they are put together in.

use super::memory::MemoryLimits;
use crate::destinations::Signal;
use collector_config::{Entry, Node, Position, Value};
use std::collections::BTreeSet;

/// A component of some signals' pipelines.
pub type Component = crate::destinations::Exporter;

/// A configuration that is being written.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) extensions: Vec<(String, Node)>,
    pub(super) receivers: Vec<(String, Node)>,
    pub(super) processors: Vec<(String, Node)>,
    pub(super) connectors: Vec<(String, Node)>,
    pub(super) exporters: Vec<(String, Node)>,
    pipelines: Vec<(String, Node)>,
}

impl Document {
    /// A pipeline; one without exporters is left out, since the collector refuses it.
    pub(super) fn pipeline(&mut self, id: String, receivers: &[String], processors: &[String], exporters: &[String]) {
        if exporters.is_empty() || receivers.is_empty() {
            return;
        }
        let ids = |ids: &[String]| Node::list(ids.iter().map(|id| id.as_str().into()));
        let pipeline = Node::map([
            ("receivers", ids(receivers)),
            ("processors", ids(processors)),
            ("exporters", ids(exporters)),
        ]);
        self.pipelines.push((id, pipeline));
    }

    pub(super) fn has_pipelines(&self) -> bool {
        !self.pipelines.is_empty()
    }

    /// With the collector's own metrics at a port, for whoever scrapes the pod.
    pub(super) fn finish(self, metrics_port: u16) -> Node {
        let extensions = Node::list(self.extensions.iter().map(|(id, _)| id.as_str().into()));
        let service = Node::map([
            ("extensions", extensions),
            ("telemetry", telemetry(metrics_port)),
            ("pipelines", section(self.pipelines)),
        ]);
        let sections = [
            ("extensions", section(self.extensions)),
            ("receivers", section(self.receivers)),
            ("processors", section(self.processors)),
            ("connectors", section(self.connectors)),
            ("exporters", section(self.exporters)),
            ("service", service),
        ];
        Node::map(sections.into_iter().filter(|(_, node)| *node != Node::map([])))
    }
}

/// A mapping in which each id is once, the first time that it comes.
fn section(components: Vec<(String, Node)>) -> Node {
    let mut seen = BTreeSet::new();
    let components = components.into_iter().filter(|(id, _)| seen.insert(id.clone()));
    let entries = components.map(|(key, node)| Entry {
        key,
        position: Position::default(),
        node,
    });
    Value::Map(entries.collect()).into()
}

fn telemetry(metrics_port: u16) -> Node {
    let prometheus = Node::map([("host", "0.0.0.0".into()), ("port", i64::from(metrics_port).into())]);
    let reader = Node::map([(
        "pull",
        Node::map([("exporter", Node::map([("prometheus", prometheus)]))]),
    )]);
    Node::map([("metrics", Node::map([("readers", Node::list([reader]))]))])
}

/// Where [`health_check`] answers.
pub const HEALTH_PORT: u16 = 13133;
/// Where OTLP over gRPC is received.
pub const OTLP_GRPC_PORT: u16 = 4317;
/// Where OTLP over HTTP is received.
pub const OTLP_HTTP_PORT: u16 = 4318;
/// Where a collector shows its own metrics, unless told otherwise.
pub const METRICS_PORT: u16 = 8888;

fn any_address(port: u16) -> Node {
    Node::map([("endpoint", format!("0.0.0.0:{port}").into())])
}

pub(super) fn health_check() -> (String, Node) {
    let settings = any_address(HEALTH_PORT);
    ("health_check".to_owned(), settings)
}

/// OTLP from anywhere in the cluster.
pub(super) fn otlp_receiver() -> (String, Node) {
    let protocols = Node::map([
        ("grpc", any_address(OTLP_GRPC_PORT)),
        ("http", any_address(OTLP_HTTP_PORT)),
    ]);
    ("otlp".to_owned(), Node::map([("protocols", protocols)]))
}

pub(super) fn memory_limiter(limits: MemoryLimits) -> (String, Node) {
    let mib = |amount: u64| Node::from(i64::try_from(amount).unwrap_or(i64::MAX));
    let settings = [
        ("check_interval", "1s".into()),
        ("limit_mib", mib(limits.hard)),
        ("spike_limit_mib", mib(limits.spike)),
    ];
    ("memory_limiter".to_owned(), Node::map(settings))
}

pub(super) fn batch() -> (String, Node) {
    let settings = [
        ("timeout", "1s".into()),
        ("send_batch_size", 8192.into()),
        ("send_batch_max_size", 16384.into()),
    ];
    ("batch".to_owned(), Node::map(settings))
}

/// A queue on disk that outlives the process.
pub(super) fn storage(directory: &str) -> (String, Node) {
    let settings = Node::map([
        ("directory", directory.replace('$', "$$").into()),
        ("create_directory", true.into()),
    ]);
    ("file_storage/queue".to_owned(), settings)
}

/// Retries and a queue for an exporter that speaks OTLP and has none of its own.
pub(super) fn delivery(id: &str, settings: Node, is_stored: bool) -> Node {
    let kind = id.split('/').next().unwrap_or_default();
    let Value::Map(mut entries) = settings.value.clone() else {
        return settings;
    };
    if kind != "otlp" && kind != "otlphttp" {
        return settings;
    }
    let retry = Node::map([
        ("enabled", true.into()),
        ("initial_interval", "5s".into()),
        ("max_interval", "30s".into()),
        // What waits on disk may wait as long as there is room for it.
        ("max_elapsed_time", if is_stored { "0s" } else { "300s" }.into()),
    ]);
    let mut queue = vec![
        ("enabled", true.into()),
        ("sizer", "bytes".into()),
        ("queue_size", (32 << 20).into()),
    ];
    if is_stored {
        queue.push(("storage", "file_storage/queue".into()));
    }
    for (key, node) in [("retry_on_failure", retry), ("sending_queue", Node::map(queue))] {
        if !entries.iter().any(|entry| entry.key == key) {
            entries.push(Entry {
                key: key.to_owned(),
                position: Position::default(),
                node,
            });
        }
    }
    Value::Map(entries).into()
}

/// The ids of those that are for a signal.
pub(super) fn ids(components: &[Component], signal: Signal) -> Vec<String> {
    let of_signal = components
        .iter()
        .filter(|component| component.signals.contains(&signal));
    of_signal.map(|component| component.id.clone()).collect()
}

/// The signals that have pipelines.
pub(super) fn signals() -> impl Iterator<Item = Signal> {
    Signal::ALL
        .into_iter()
        .map(|(_, signal)| signal)
        .filter(|signal| signal.pipeline().is_some())
}
