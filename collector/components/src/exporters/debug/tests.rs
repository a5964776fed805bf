//! The text of requests of each signal. `tests/interop` compares more of it with what upstream writes.

use super::*;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

fn text(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(value.to_owned())),
        }),
    }
}

fn resource() -> Option<Resource> {
    Some(Resource {
        attributes: vec![text("service.name", "shop")],
        ..Resource::default()
    })
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope {
        name: "lib".to_owned(),
        version: "1.2".to_owned(),
        attributes: vec![text("k", "v")],
        ..InstrumentationScope::default()
    })
}

fn spans() -> Payload {
    let event = Event {
        time_unix_nano: 5,
        name: "retry".to_owned(),
        attributes: vec![text("n", "1")],
        ..Event::default()
    };
    let link = Link {
        trace_id: vec![3; 16],
        span_id: vec![4; 8],
        ..Link::default()
    };
    let span = Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        trace_state: "a=b".to_owned(),
        name: "GET /a\x1b[2J".to_owned(),
        kind: 2,
        start_time_unix_nano: 1_000_000_000,
        end_time_unix_nano: 1_500_000_000,
        attributes: vec![text("http.route", "/a")],
        events: vec![event],
        links: vec![link],
        status: Some(Status {
            code: 2,
            message: "failed".to_owned(),
        }),
        ..Span::default()
    };
    let resource_spans = ResourceSpans {
        resource: resource(),
        scope_spans: vec![ScopeSpans {
            scope: scope(),
            spans: vec![span],
            schema_url: "s".to_owned(),
        }],
        schema_url: "r".to_owned(),
    };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![resource_spans],
    };
    Payload::new(Signal::Traces, request.encode_to_vec().into(), 1)
}

fn records() -> Payload {
    let record = LogRecord {
        time_unix_nano: 7,
        severity_number: 17,
        severity_text: "ERR".to_owned(),
        body: text("", "two\nlines").value,
        attributes: vec![text("a", "b")],
        trace_id: vec![1; 16],
        event_name: "e".to_owned(),
        flags: 1,
        ..LogRecord::default()
    };
    let resource_logs = ResourceLogs {
        resource: resource(),
        scope_logs: vec![ScopeLogs {
            scope: scope(),
            log_records: vec![record, LogRecord::default()],
            ..ScopeLogs::default()
        }],
        ..ResourceLogs::default()
    };
    let request = ExportLogsServiceRequest {
        resource_logs: vec![resource_logs],
    };
    Payload::new(Signal::Logs, request.encode_to_vec().into(), 2)
}

fn histogram() -> Histogram {
    let exemplar = Exemplar {
        trace_id: vec![1; 16],
        value: Some(exemplar::Value::AsDouble(0.5)),
        filtered_attributes: vec![text("f", "g")],
        ..Exemplar::default()
    };
    let point = HistogramDataPoint {
        count: 3,
        sum: Some(4.5),
        max: Some(4.0),
        explicit_bounds: vec![1.0],
        bucket_counts: vec![2, 1],
        exemplars: vec![exemplar],
        ..HistogramDataPoint::default()
    };
    Histogram {
        data_points: vec![point],
        aggregation_temporality: 1,
    }
}

fn exponential_histogram() -> ExponentialHistogram {
    let buckets = |bucket_counts| {
        Some(Buckets {
            offset: 0,
            bucket_counts,
        })
    };
    let point = ExponentialHistogramDataPoint {
        count: 7,
        zero_count: 1,
        negative: buckets(vec![1, 2]),
        positive: buckets(vec![3]),
        ..ExponentialHistogramDataPoint::default()
    };
    ExponentialHistogram {
        data_points: vec![point],
        aggregation_temporality: 2,
    }
}

fn metrics() -> Payload {
    let number = NumberDataPoint {
        attributes: vec![text("a", "b"), text("c", "d")],
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        value: Some(number_data_point::Value::AsInt(-3)),
        ..NumberDataPoint::default()
    };
    let sum = Sum {
        data_points: vec![number],
        aggregation_temporality: 2,
        is_monotonic: true,
    };
    let quantile_values = vec![ValueAtQuantile {
        quantile: 0.5,
        value: 1e-5,
    }];
    let summary = SummaryDataPoint {
        count: 1,
        sum: 2.0,
        quantile_values,
        ..SummaryDataPoint::default()
    };
    let data = [
        Data::Sum(sum),
        Data::Histogram(histogram()),
        Data::ExponentialHistogram(exponential_histogram()),
        Data::Summary(Summary {
            data_points: vec![summary],
        }),
    ];
    let metric = |data| Metric {
        name: "m".to_owned(),
        unit: "By".to_owned(),
        data: Some(data),
        ..Metric::default()
    };
    let resource_metrics = ResourceMetrics {
        scope_metrics: vec![ScopeMetrics {
            metrics: data.into_iter().map(metric).collect(),
            ..ScopeMetrics::default()
        }],
        ..ResourceMetrics::default()
    };
    let request = ExportMetricsServiceRequest {
        resource_metrics: vec![resource_metrics],
    };
    Payload::new(Signal::Metrics, request.encode_to_vec().into(), 4)
}

fn shown(payload: &Payload, verbosity: Verbosity) -> String {
    Shown::of(payload, verbosity).unwrap().text
}

#[test]
fn basic_says_what_came_and_how_much() {
    for (payload, title, counts) in [
        (spans(), "Traces", r#"{"resource spans": 1, "spans": 1}"#),
        (
            metrics(),
            "Metrics",
            r#"{"resource metrics": 1, "metrics": 4, "data points": 4}"#,
        ),
        (records(), "Logs", r#"{"resource logs": 1, "log records": 2}"#),
    ] {
        let shown = Shown::of(&payload, Verbosity::Basic).unwrap();
        assert_eq!((shown.title, &*shown.counts, &*shown.text), (title, counts, ""));
    }
}

#[test]
fn normal_has_a_line_for_each_item() {
    assert_eq!(
        shown(&spans(), Verbosity::Normal),
        "ResourceTraces #0 [r] service.name=shop\n\
         ScopeTraces #0 lib@1.2 [s] k=v\n\
         GET /a\\u{1b}[2J 01010101010101010101010101010101 0202020202020202 http.route=/a\n"
    );
    assert_eq!(
        shown(&records(), Verbosity::Normal),
        "ResourceLog #0 service.name=shop\nScopeLog #0 lib@1.2 k=v\ntwo\nlines a=b\n\n"
    );
    assert_eq!(
        shown(&metrics(), Verbosity::Normal),
        "ResourceMetrics #0\nScopeMetrics #0\n\
         m{a=b,c=d} -3\n\
         m{} count=3 sum=4.5 max=4 le1=2 1\n\
         m{} count=7 le-2=2 le-1=1 zero=1 le2=3\n\
         m{} count=1 sum=2.000000 q0.5=1e-05\n"
    );
}

#[test]
fn the_resources_of_joined_requests_are_numbered_through() {
    let mut payload = spans();
    payload.append(spans());
    let text = shown(&payload, Verbosity::Normal);
    let numbers: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("ResourceTraces #")?.split(' ').next())
        .collect();
    assert_eq!(numbers, ["0", "1"]);
    assert_eq!(
        Shown::of(&payload, Verbosity::Basic).unwrap().counts,
        r#"{"resource spans": 2, "spans": 2}"#
    );
}

#[test]
fn detailed_has_all_there_is_to_a_span() {
    let expected = "\
ResourceSpans #0
Resource SchemaURL: r
Resource attributes:
     -> service.name: Str(shop)
ScopeSpans #0
ScopeSpans SchemaURL: s
InstrumentationScope lib 1.2
InstrumentationScope attributes:
     -> k: Str(v)
Span #0
    Trace ID       : 01010101010101010101010101010101
    Parent ID      : 
    ID             : 0202020202020202
    Name           : GET /a\\u{1b}[2J
    Kind           : Server
    TraceState     : a=b
    Start time     : 1970-01-01 00:00:01 +0000 UTC
    End time       : 1970-01-01 00:00:01.5 +0000 UTC
    Status code    : Error
    Status message : failed
    DroppedAttributesCount: 0
    DroppedEventsCount: 0
    DroppedLinksCount: 0
Attributes:
     -> http.route: Str(/a)
Events:
SpanEvent #0
     -> Name: retry
     -> Timestamp: 1970-01-01 00:00:00.000000005 +0000 UTC
     -> DroppedAttributesCount: 0
     -> Attributes::
          -> n: Str(1)
Links:
SpanLink #0
     -> Trace ID: 03030303030303030303030303030303
     -> ID: 0404040404040404
     -> TraceState: 
     -> DroppedAttributesCount: 0
";
    assert_eq!(shown(&spans(), Verbosity::Detailed), expected);
}

#[test]
fn detailed_has_all_there_is_to_a_log_record() {
    let expected = "\
ResourceLog #0
Resource SchemaURL: 
Resource attributes:
     -> service.name: Str(shop)
ScopeLogs #0
ScopeLogs SchemaURL: 
InstrumentationScope lib 1.2
InstrumentationScope attributes:
     -> k: Str(v)
LogRecord #0
ObservedTimestamp: 1970-01-01 00:00:00 +0000 UTC
Timestamp: 1970-01-01 00:00:00.000000007 +0000 UTC
SeverityText: ERR
SeverityNumber: Error(17)
EventName: e
Body: Str(two
lines)
Attributes:
     -> a: Str(b)
Trace ID: 01010101010101010101010101010101
Span ID: 
Flags: 1
LogRecord #1
ObservedTimestamp: 1970-01-01 00:00:00 +0000 UTC
Timestamp: 1970-01-01 00:00:00 +0000 UTC
SeverityText: 
SeverityNumber: Unspecified(0)
Body: Empty()
Trace ID: 
Span ID: 
Flags: 0
";
    assert_eq!(shown(&records(), Verbosity::Detailed), expected);
}

#[test]
fn detailed_has_all_there_is_to_a_metric() {
    let times = "StartTimestamp: 1970-01-01 00:00:00 +0000 UTC\nTimestamp: 1970-01-01 00:00:00 +0000 UTC\n";
    let metric = |index: u8, kind: &str| {
        format!(
            "Metric #{index}\nDescriptor:\n     -> Name: m\n     -> Description: \n     -> Unit: By\n     -> DataType: {kind}\n"
        )
    };
    let expected = [
        "ResourceMetrics #0\nResource SchemaURL: \nScopeMetrics #0\nScopeMetrics SchemaURL: \nInstrumentationScope  \n",
        &metric(0, "Sum"),
        "     -> IsMonotonic: true\n     -> AggregationTemporality: Cumulative\nNumberDataPoints #0\n",
        "Data point attributes:\n     -> a: Str(b)\n     -> c: Str(d)\n",
        "StartTimestamp: 1970-01-01 00:00:00.000000001 +0000 UTC\n",
        "Timestamp: 1970-01-01 00:00:00.000000002 +0000 UTC\nValue: -3\n",
        &metric(1, "Histogram"),
        "     -> AggregationTemporality: Delta\nHistogramDataPoints #0\n",
        times,
        "Count: 3\nSum: 4.500000\nMax: 4.000000\nExplicitBounds #0: 1.000000\n",
        "Buckets #0, Count: 2\nBuckets #1, Count: 1\nExemplars:\nExemplar #0\n",
        "     -> Trace ID: 01010101010101010101010101010101\n     -> Span ID: \n",
        "     -> Timestamp: 1970-01-01 00:00:00 +0000 UTC\n     -> Value: 0.500000\n",
        "     -> FilteredAttributes:\n          -> f: Str(g)\n",
        &metric(2, "ExponentialHistogram"),
        "     -> AggregationTemporality: Cumulative\nExponentialHistogramDataPoints #0\n",
        times,
        "Count: 7\nBucket [-4.000000, -2.000000), Count: 2\nBucket [-2.000000, -1.000000), Count: 1\n",
        "Bucket [0, 0], Count: 1\nBucket (1.000000, 2.000000], Count: 3\n",
        &metric(3, "Summary"),
        "SummaryDataPoints #0\n",
        times,
        "Count: 1\nSum: 2.000000\nQuantileValue #0: Quantile 0.500000, Value 0.000010\n",
    ];
    assert_eq!(shown(&metrics(), Verbosity::Detailed), expected.concat());
}

#[test]
fn detailed_names_the_entities_of_a_resource() {
    let field = |number: u8, bytes: &[u8]| [&[number << 3 | 2, bytes.len() as u8][..], bytes].concat();
    let entity = [
        field(1, b"schema"),
        field(2, b"host"),
        field(3, b"host.id"),
        field(4, b"host.name"),
        field(4, b"host.arch"),
    ];
    // Not known to the types that prost generated.
    let resource = field(1, &field(3, &entity.concat()));
    let payload = Payload::new(Signal::Traces, field(1, &resource).into(), 0);
    let expected = "\
ResourceSpans #0
Resource SchemaURL: 
Resource entity refs:
     -> Entity ref #0:
          -> Type: host
          -> Schema URL: schema
          -> ID keys:
               -> host.id
          -> Description keys:
               -> host.name
               -> host.arch
";
    assert_eq!(shown(&payload, Verbosity::Detailed), expected);
}

#[test]
fn what_is_not_otlp_is_not_shown() {
    let payload = Payload::new(Signal::Logs, b"\x0a\x05x".as_slice().into(), 1);
    for verbosity in [Verbosity::Basic, Verbosity::Normal, Verbosity::Detailed] {
        assert!(Shown::of(&payload, verbosity).is_err(), "{verbosity:?}");
    }
}
