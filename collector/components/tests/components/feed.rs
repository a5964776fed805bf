//! A receiver that makes spans, and engines around it.

use bytes::Bytes;
use collector_components::COMPONENTS;
use collector_config::{Node, Section};
pub use collector_engine::ExporterAccount;
use collector_engine::{
    Account, BoxFuture, Components, Descriptors, Draining, Ended, Engine, Output, Plan, Receiver, ReceiverFactory,
};
use collector_pdata::encode::{SpanKind, SpanStart, SpanWriter, put_resource_spans, put_resource_text, scope};
use collector_pdata::{Payload, Signal};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use prost::Message;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Gives so many payloads of so many spans each (or data points, or log records), then stays until the drain.
struct Feed {
    payloads: u64,
    spans: u64,
    signal: Signal,
}

fn configure(section: &mut Section<'_, '_>, _: Option<OwnedFd>) -> Box<dyn Receiver> {
    let signals = [
        ("traces", Signal::Traces),
        ("metrics", Signal::Metrics),
        ("logs", Signal::Logs),
    ];
    Box::new(Feed {
        payloads: section.count("payloads", 1),
        spans: section.count("spans", 1),
        signal: section.choice("signal", &signals).unwrap_or(Signal::Traces),
    })
}

impl Receiver for Feed {
    fn run(&mut self, output: Output, mut draining: Draining) -> BoxFuture<Ended> {
        let (payloads, spans, signal) = (self.payloads, self.spans, self.signal);
        Box::pin(async move {
            for index in 0..payloads {
                let payload = match signal {
                    Signal::Traces => payload(index, spans),
                    Signal::Metrics => metrics(spans),
                    Signal::Logs => logs(spans),
                };
                output.send(payload).await;
            }
            draining.begun().await;
            Ok(())
        })
    }
}

fn metrics(points: u64) -> Payload {
    let gauge = Gauge {
        data_points: (0..points)
            .map(|index| NumberDataPoint {
                time_unix_nano: index,
                value: Some(number_data_point::Value::AsInt(7)),
                ..NumberDataPoint::default()
            })
            .collect(),
    };
    let metric = Metric {
        name: "stock".to_owned(),
        data: Some(metric::Data::Gauge(gauge)),
        ..Metric::default()
    };
    let scope_metrics = ScopeMetrics {
        metrics: vec![metric],
        ..ScopeMetrics::default()
    };
    let request = ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            scope_metrics: vec![scope_metrics],
            ..ResourceMetrics::default()
        }],
    };
    Payload::new(Signal::Metrics, request.encode_to_vec().into(), points as usize)
}

fn logs(records: u64) -> Payload {
    let scope_logs = ScopeLogs {
        log_records: (0..records)
            .map(|index| LogRecord {
                time_unix_nano: index,
                severity_text: "INFO".to_owned(),
                ..LogRecord::default()
            })
            .collect(),
        ..ScopeLogs::default()
    };
    let request = ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            scope_logs: vec![scope_logs],
            ..ResourceLogs::default()
        }],
    };
    Payload::new(Signal::Logs, request.encode_to_vec().into(), records as usize)
}

/// Spans of the service `shop` in one trace; the first is the root.
pub fn payload(trace: u64, spans: u64) -> Payload {
    let mut writer = SpanWriter::default();
    let mut group = Vec::new();
    for index in 0..spans {
        let start = SpanStart {
            trace_id: u128::from(trace + 1).to_be_bytes(),
            span_id: (trace * 1000 + index + 1).to_be_bytes(),
            parent_span_id: (index > 0).then(|| (trace * 1000 + 1).to_be_bytes()),
            flags: 1,
            kind: SpanKind::Server,
            start_unix_nano: 1_700_000_000_000_000_000 + index,
            end_unix_nano: 1_700_000_000_002_000_000,
        };
        writer.begin(&start, &["GET /a"]).finish(&mut group);
    }
    let mut resource = Vec::new();
    put_resource_text(&mut resource, "service.name", "shop");
    let mut request = Vec::new();
    put_resource_spans(&mut request, &resource, &scope("test", "1"), &group);
    Payload::new(Signal::Traces, Bytes::from(request), spans as usize)
}

const FED: Components = Components {
    receivers: &[ReceiverFactory {
        kind: "feed",
        signals: &[Signal::Traces, Signal::Metrics, Signal::Logs],
        configure,
    }],
    telemetry: None,
    ..COMPONENTS
};

/// An engine from the feed to one exporter, which gets the feed's payloads joined.
pub fn start(feed: &str, exporter: &str, settings: &str) -> Engine {
    let text = format!(
        "
receivers: {{feed: {{{feed}}}}}
processors: {{batch: {{timeout: 10ms}}}}
exporters: {{{exporter}: {{{settings}}}}}
service: {{pipelines: {{traces: {{receivers: [feed], processors: [batch], exporters: [{exporter}]}}}}}}
"
    );
    start_text(&text)
}

/// An engine from the feed to one exporter, which gets the feed's payloads one by one.
pub fn start_unbatched(feed: &str, exporter: &str, settings: &str) -> Engine {
    start_text(&format!(
        "
receivers: {{feed: {{{feed}}}}}
exporters: {{{exporter}: {{{settings}}}}}
service: {{pipelines: {{traces: {{receivers: [feed], exporters: [{exporter}]}}}}}}
"
    ))
}

/// An engine of a whole configuration, which names the feed.
pub fn start_text(text: &str) -> Engine {
    let root = Node::parse(text, "").unwrap();
    let plan = Plan::new(&root, &FED, Descriptors::new()).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    plan.start(1).unwrap()
}

/// Why an engine with one exporter cannot start.
pub fn start_error(exporter: &str, settings: &str) -> String {
    let text = format!(
        "{{receivers: {{feed: }}, exporters: {{{exporter}: {{{settings}}}}}, \
         service: {{pipelines: {{traces: {{receivers: [feed], exporters: [{exporter}]}}}}}}}}"
    );
    let root = Node::parse(&text, "").unwrap();
    let plan = Plan::new(&root, &FED, Descriptors::new()).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    match plan.start(1) {
        Ok(_) => panic!("it starts: {text}"),
        Err(error) => kit::logging::chain(&error),
    }
}

/// What went wrong with a configuration of one exporter.
pub fn errors(exporter: &str, settings: &str) -> String {
    let text = format!(
        "{{receivers: {{feed: }}, exporters: {{{exporter}: {{{settings}}}}}, \
         service: {{pipelines: {{traces: {{receivers: [feed], exporters: [{exporter}]}}}}}}}}"
    );
    let root = Node::parse(&text, "").unwrap();
    Plan::new(&root, &FED, Descriptors::new()).unwrap_err().to_string()
}

/// Waits until the exporter's account is as wanted.
pub fn wait_for(engine: &Engine, what: &str, holds: impl Fn(&ExporterAccount) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds(&engine.handle().account().pipelines[0].exporters[0]) {
        assert!(
            Instant::now() < deadline,
            "never: {what}\n{}",
            engine.handle().account()
        );
        std::thread::yield_now();
    }
}

/// Drains and returns the exporter's account, which must balance.
pub fn finish(engine: Engine) -> ExporterAccount {
    engine.handle().drain(Duration::from_secs(10));
    let (account, result): (Account, _) = engine.wait();
    result.unwrap();
    assert!(account.balances(), "{account:#?}");
    assert_eq!(account.pipelines[0].held, 0, "{account}");
    let exporter = account.pipelines[0].exporters[0].clone();
    assert_eq!(exporter.held, 0, "{account}");
    exporter
}
