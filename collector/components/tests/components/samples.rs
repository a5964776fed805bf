//! Small requests of each signal.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric::Data, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, span::Event};
use prost::Message;

pub fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

pub fn int(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
    }
}

fn resource(host: &str) -> Option<Resource> {
    Some(Resource {
        attributes: vec![text("host", host)],
        ..Default::default()
    })
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope {
        name: "lib".to_owned(),
        ..Default::default()
    })
}

fn span(name: &str, n: i64, events: &[&str]) -> Span {
    let event = |name: &&str| Event {
        name: (*name).to_owned(),
        ..Default::default()
    };
    Span {
        name: name.to_owned(),
        attributes: vec![int("n", n)],
        events: events.iter().map(event).collect(),
        ..Default::default()
    }
}

/// The spans `a`, with two events, and `b` of host `n1`, then `c` of `n2`; their attribute `n` is 1, 2 and 3.
pub fn trace_request() -> Vec<u8> {
    let of = |host, spans| ResourceSpans {
        resource: resource(host),
        scope_spans: vec![ScopeSpans {
            scope: scope(),
            spans,
            ..Default::default()
        }],
        ..Default::default()
    };
    let first = vec![span("a", 1, &["start", "retry"]), span("b", 2, &[])];
    let resource_spans = vec![of("n1", first), of("n2", vec![span("c", 3, &["retry"])])];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn point(value: i64) -> NumberDataPoint {
    NumberDataPoint {
        value: Some(number_data_point::Value::AsInt(value)),
        ..Default::default()
    }
}

fn metric(name: &str, data: Data) -> Metric {
    Metric {
        name: name.to_owned(),
        data: Some(data),
        ..Default::default()
    }
}

/// A monotonic sum with the points 1 and 2, and a gauge with the point 3.
pub fn metric_request() -> Vec<u8> {
    let sum = Sum {
        data_points: vec![point(1), point(2)],
        aggregation_temporality: 2,
        is_monotonic: true,
    };
    let gauge = Gauge {
        data_points: vec![point(3)],
    };
    let scope_metrics = ScopeMetrics {
        scope: scope(),
        metrics: vec![metric("sum", Data::Sum(sum)), metric("gauge", Data::Gauge(gauge))],
        ..Default::default()
    };
    let resource_metrics = vec![ResourceMetrics {
        resource: resource("n1"),
        scope_metrics: vec![scope_metrics],
        ..Default::default()
    }];
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
}

fn record(severity_number: i32, body: &str) -> LogRecord {
    LogRecord {
        severity_number,
        body: Some(AnyValue {
            value: Some(Value::StringValue(body.to_owned())),
        }),
        ..Default::default()
    }
}

/// A debug record `debug`, an info record `hello` and an error `a secret`.
pub fn log_request() -> Vec<u8> {
    let scope_logs = ScopeLogs {
        scope: scope(),
        log_records: vec![record(5, "debug"), record(9, "hello"), record(17, "a secret")],
        ..Default::default()
    };
    let resource_logs = vec![ResourceLogs {
        resource: resource("n1"),
        scope_logs: vec![scope_logs],
        ..Default::default()
    }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}
