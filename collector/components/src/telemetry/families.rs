//! The account as metric families.

use crate::process;
use collector_engine::{
    Account, EngineHandle, ExporterAccount, PipelineAccount, ReceiverAccount, SignalAccount, WorkloadAccount, reason,
};
use collector_pdata::Signal;
use std::collections::BTreeMap;

/// What a family's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A sum that only grows.
    Counter,
    /// A value of now.
    Gauge,
}

/// A value with its labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Attributes, in OpenTelemetry's spelling of their names.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub value: f64,
}

/// One metric with all its points.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// Its name, without a suffix for its kind.
    pub name: String,
    /// For people.
    pub help: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// A unit of UCUM.
    pub unit: &'static str,
    /// At least one.
    pub points: Vec<Point>,
}

type Labels = Vec<(&'static str, String)>;

/// Families in the making, by name.
#[derive(Default)]
struct Families(BTreeMap<String, Making>);

struct Making {
    help: &'static str,
    kind: Kind,
    unit: &'static str,
    points: BTreeMap<Labels, f64>,
}

impl Families {
    fn add(
        &mut self,
        (name, kind, unit, help): (String, Kind, &'static str, &'static str),
        labels: &[(&'static str, &str)],
        value: f64,
    ) {
        let family = self.0.entry(name).or_insert_with(|| Making {
            help,
            kind,
            unit,
            points: BTreeMap::new(),
        });
        let labels = labels.iter().map(|(name, value)| (*name, (*value).to_owned()));
        *family.points.entry(labels.collect()).or_default() += value;
    }

    fn finish(self) -> Vec<Family> {
        let points = |points: BTreeMap<Labels, f64>| {
            let points = points.into_iter();
            points.map(|(labels, value)| Point { labels, value }).collect()
        };
        self.0
            .into_iter()
            .map(|(name, making)| Family {
                name,
                help: making.help,
                kind: making.kind,
                unit: making.unit,
                points: points(making.points),
            })
            .collect()
    }

    fn counter(&mut self, name: &str, help: &'static str, labels: &[(&'static str, &str)], value: u64) {
        self.add((name.to_owned(), Kind::Counter, "1", help), labels, value as f64);
    }

    fn bytes(&mut self, name: &str, kind: Kind, help: &'static str, labels: &[(&'static str, &str)], value: u64) {
        self.add((name.to_owned(), kind, "By", help), labels, value as f64);
    }
}

/// Everything of now.
pub fn families(engine: &EngineHandle) -> Vec<Family> {
    let mut families = Families::default();
    of_account(&engine.account(), &mut families);
    of_process(engine, &mut families);
    families.finish()
}

/// The attribute of a signal, as upstream's.
const SIGNAL: &str = "otel.signal";

/// The word for a signal's items in upstream's names.
fn items(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "spans",
        Signal::Metrics => "metric_points",
        Signal::Logs => "log_records",
    }
}

fn of_account(account: &Account, families: &mut Families) {
    for receiver in &account.receivers {
        of_receiver(receiver, families);
    }
    for pipeline in &account.pipelines {
        of_pipeline(pipeline, families);
        let kind = pipeline.id.split('/').next().unwrap_or_default();
        let Some(signal) = Signal::ALL.into_iter().find(|signal| signal.name() == kind) else {
            continue;
        };
        of_processors(signal, pipeline, families);
        for exporter in &pipeline.exporters {
            of_exporter(signal, exporter, families);
        }
    }
}

fn of_receiver(receiver: &ReceiverAccount, families: &mut Families) {
    let labels = [("receiver", receiver.id.as_str())];
    for signal in &receiver.signals {
        of_signal(&receiver.id, signal, families);
    }
    for workload in &receiver.workloads {
        of_workload(&receiver.id, workload, families);
    }
    for (reason, dropped) in &receiver.dropped {
        families.counter(
            "odigos_collector_receiver_dropped_items",
            "Items that came in and were not handed on, by reason.",
            &[labels[0], ("reason", reason)],
            *dropped,
        );
    }
    families.counter(
        "odigos_collector_receiver_malformed_requests",
        "Requests refused whose items could not be counted.",
        &labels,
        receiver.malformed_requests,
    );
    for (counter, value) in &receiver.source {
        families.counter(
            "odigos_collector_receiver_source",
            "Counters of what the receiver reads from.",
            &[labels[0], ("counter", counter)],
            *value,
        );
    }
}

fn of_signal(receiver: &str, account: &SignalAccount, families: &mut Families) {
    let items = items(account.signal);
    let mut labels = vec![("receiver", receiver)];
    if !account.transport.is_empty() {
        labels.push(("transport", account.transport));
    }
    families.counter(
        &format!("otelcol_receiver_accepted_{items}"),
        "Number of items successfully pushed into the pipeline.",
        &labels,
        account.received,
    );
    families.counter(
        &format!("otelcol_receiver_refused_{items}"),
        "Number of items that could not be pushed into the pipeline.",
        &labels,
        account.refused,
    );
    labels.push((SIGNAL, account.signal.name()));
    families.bytes(
        "odigos_collector_receiver_accepted_bytes",
        Kind::Counter,
        "Encoded bytes of the items that were accepted.",
        &labels,
        account.bytes,
    );
}

/// By who sent it. Those that are too many to be told apart have the attribute that OpenTelemetry's SDKs have for that.
fn of_workload(receiver: &str, account: &WorkloadAccount, families: &mut Families) {
    let mut labels = vec![("receiver", receiver), (SIGNAL, account.signal.name())];
    match &account.workload {
        None => labels.push(("otel.metric.overflow", "true")),
        Some(workload) => labels.extend([
            ("service.name", workload.service.as_str()),
            ("k8s.namespace.name", &workload.namespace),
            ("k8s.workload.kind", workload.kind),
            ("k8s.workload.name", &workload.name),
        ]),
    }
    labels.retain(|(_, value)| !value.is_empty());
    families.counter(
        "odigos_collector_workload_items",
        "Items that were accepted, by the workload that they are from.",
        &labels,
        account.items,
    );
    families.bytes(
        "odigos_collector_workload_bytes",
        Kind::Counter,
        "Encoded bytes of the items that were accepted, by the workload that they are from.",
        &labels,
        account.bytes,
    );
}

fn of_processors(signal: Signal, pipeline: &PipelineAccount, families: &mut Families) {
    for processor in &pipeline.processors {
        let labels = [("processor", processor.id.as_str()), (SIGNAL, signal.name())];
        families.counter(
            "otelcol_processor_incoming_items",
            "Number of items passed to the processor.",
            &labels,
            processor.incoming,
        );
        families.counter(
            "otelcol_processor_outgoing_items",
            "Number of items emitted from the processor.",
            &labels,
            processor.outgoing,
        );
    }
}

fn of_pipeline(pipeline: &PipelineAccount, families: &mut Families) {
    let label = ("pipeline", pipeline.id.as_str());
    families.counter(
        "odigos_collector_pipeline_received_items",
        "Items that came into the pipeline.",
        &[label],
        pipeline.received,
    );
    families.counter(
        "odigos_collector_pipeline_forwarded_items",
        "Items that passed the pipeline's processors.",
        &[label],
        pipeline.forwarded,
    );
    for (reason, dropped) in &pipeline.dropped {
        families.counter(
            "odigos_collector_pipeline_dropped_items",
            "Items dropped before the exporters, by reason.",
            &[label, ("reason", reason)],
            *dropped,
        );
    }
    let held = (
        "odigos_collector_pipeline_held_items".to_owned(),
        Kind::Gauge,
        "1",
        "Items that wait in the pipeline.",
    );
    families.add(held, &[label], pipeline.held as f64);
}

fn of_exporter(signal: Signal, exporter: &ExporterAccount, families: &mut Families) {
    let label = ("exporter", exporter.id.as_str());
    let items = items(signal);
    families.counter(
        &format!("otelcol_exporter_sent_{items}"),
        "Number of items successfully sent to destination.",
        &[label],
        exporter.exported,
    );
    let signal_labels = [label, (SIGNAL, signal.name())];
    families.counter(
        "odigos_collector_exporter_received_items",
        "Items that came from the pipelines.",
        &signal_labels,
        exporter.received,
    );
    let is_queue = |why: &str| why == reason::QUEUE_FULL;
    for (why, dropped) in &exporter.dropped {
        let (family, help) = if is_queue(why) {
            (
                "enqueue_failed",
                "Number of items failed to be added to the sending queue.",
            )
        } else {
            (
                "send_failed",
                "Number of items in failed attempts to send to destination.",
            )
        };
        families.counter(&format!("otelcol_exporter_{family}_{items}"), help, &[label], *dropped);
        families.counter(
            "odigos_collector_exporter_dropped_items",
            "Items that the destination did not take, by reason.",
            &[label, (SIGNAL, signal.name()), ("reason", why)],
            *dropped,
        );
    }
    let labels = [label, ("data_type", signal.name())];
    let size = "Items in the sending queue or under way.";
    families.add(
        ("otelcol_exporter_queue_size".to_owned(), Kind::Gauge, "1", size),
        &labels,
        exporter.held as f64,
    );
    families.counter(
        "odigos_collector_exporter_stored_items",
        "Items that an exporter which has ended has left on disk, for the next start.",
        &signal_labels,
        exporter.stored,
    );
    families.bytes(
        "odigos_collector_exporter_held_bytes",
        Kind::Gauge,
        "Encoded bytes in the sending queue or under way.",
        &signal_labels,
        exporter.held_bytes,
    );
    families.bytes(
        "odigos_collector_exporter_sent_bytes",
        Kind::Counter,
        "Encoded bytes that the destination has taken.",
        &signal_labels,
        exporter.exported_bytes,
    );
}

fn of_process(engine: &EngineHandle, families: &mut Families) {
    let uptime = engine.started().elapsed().as_secs_f64();
    let seconds = |name: &str, help| (name.to_owned(), Kind::Counter, "s", help);
    families.add(seconds("otelcol_process_uptime", "Uptime of the process."), &[], uptime);
    if let Some(cpu) = process::cpu_seconds() {
        let help = "Total CPU user and system time in seconds.";
        families.add(seconds("otelcol_process_cpu_seconds", help), &[], cpu);
    }
    if let Some(resident) = process::resident() {
        let help = "Total physical memory (resident set size).";
        families.bytes("otelcol_process_memory_rss", Kind::Gauge, help, &[], resident.all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use collector_engine::SignalAccount;

    fn value(families: &Families, name: &str, labels: &[(&'static str, &str)]) -> Option<f64> {
        let labels: Vec<_> = labels
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        families.0.get(name)?.points.get(&labels).copied()
    }

    #[test]
    fn the_account_has_upstreams_names_and_an_exporter_of_two_pipelines_one_sum() {
        let exporter = |exported| ExporterAccount {
            id: "otlp".to_owned(),
            received: 10,
            exported,
            stored: 5,
            dropped: BTreeMap::from([(reason::QUEUE_FULL, 3), (reason::REJECTED, 1)]),
            ..ExporterAccount::default()
        };
        let pipeline = |id: &str, exported| PipelineAccount {
            id: id.to_owned(),
            exporters: vec![exporter(exported)],
            ..PipelineAccount::default()
        };
        let account = Account {
            receivers: vec![ReceiverAccount {
                id: "otlp".to_owned(),
                signals: vec![SignalAccount {
                    transport: "grpc",
                    signal: Signal::Logs,
                    received: 20,
                    refused: 2,
                    bytes: 999,
                }],
                ..ReceiverAccount::default()
            }],
            pipelines: vec![pipeline("logs", 6), pipeline("logs/2", 4), pipeline("metrics", 1)],
        };
        let mut families = Families::default();
        of_account(&account, &mut families);
        let of = |name, labels: &[(&'static str, &str)]| value(&families, name, labels);
        let over = [("receiver", "otlp"), ("transport", "grpc")];
        assert_eq!(of("otelcol_receiver_accepted_log_records", &over), Some(20.0));
        assert_eq!(of("otelcol_receiver_refused_log_records", &over), Some(2.0));
        assert_eq!(
            of("otelcol_exporter_sent_log_records", &[("exporter", "otlp")]),
            Some(10.0)
        );
        assert_eq!(
            of("otelcol_exporter_sent_metric_points", &[("exporter", "otlp")]),
            Some(1.0)
        );
        assert_eq!(
            of("otelcol_exporter_enqueue_failed_log_records", &[("exporter", "otlp")]),
            Some(6.0)
        );
        assert_eq!(
            of("otelcol_exporter_send_failed_log_records", &[("exporter", "otlp")]),
            Some(2.0)
        );
        let stored = [("exporter", "otlp"), ("otel.signal", "logs")];
        assert_eq!(of("odigos_collector_exporter_stored_items", &stored), Some(10.0));
        let bytes = [over[0], over[1], ("otel.signal", "logs")];
        assert_eq!(of("odigos_collector_receiver_accepted_bytes", &bytes), Some(999.0));
    }
}
