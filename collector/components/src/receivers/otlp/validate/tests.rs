use super::*;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::*;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::prelude::*;
use prost::Message;

fn attributes() -> Vec<KeyValue> {
    let value = |value| Some(AnyValue { value: Some(value) });
    let map = KeyValueList {
        values: vec![KeyValue {
            key: "in".into(),
            value: value(Value::BytesValue(vec![0xff])),
        }],
    };
    [
        Value::StringValue("GET".into()),
        Value::StringValue("größer".into()),
        Value::StringValue("x".repeat(300)),
        Value::IntValue(-1),
        Value::IntValue(200),
        Value::BoolValue(true),
        Value::DoubleValue(1.5),
        Value::ArrayValue(ArrayValue {
            values: vec![AnyValue {
                value: Some(Value::KvlistValue(map)),
            }],
        }),
    ]
    .into_iter()
    .map(|of| KeyValue {
        key: "key".into(),
        value: value(of),
    })
    .collect()
}

fn resource() -> Option<Resource> {
    Some(Resource {
        attributes: attributes(),
        dropped_attributes_count: 1,
        ..Resource::default()
    })
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope {
        name: "scope".into(),
        version: "1".into(),
        attributes: attributes(),
        dropped_attributes_count: 300,
    })
}

fn traces() -> ExportTraceServiceRequest {
    let span = Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        trace_state: "a=b".into(),
        parent_span_id: vec![3; 8],
        flags: 1,
        name: "name".into(),
        kind: 2,
        start_time_unix_nano: 1,
        end_time_unix_nano: 2,
        attributes: attributes(),
        dropped_attributes_count: 1,
        events: vec![Event {
            time_unix_nano: 1,
            name: "event".into(),
            attributes: attributes(),
            dropped_attributes_count: 1,
        }],
        dropped_events_count: 1,
        links: vec![Link {
            trace_id: vec![1; 16],
            span_id: vec![2; 8],
            trace_state: "a=b".into(),
            attributes: attributes(),
            dropped_attributes_count: 1,
            flags: 1,
        }],
        dropped_links_count: 1,
        status: Some(Status {
            message: "no".into(),
            code: 2,
        }),
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: resource(),
            scope_spans: vec![ScopeSpans {
                scope: scope(),
                spans: vec![span.clone(), span],
                schema_url: "url".into(),
            }],
            schema_url: "url".into(),
        }],
    }
}

fn logs() -> ExportLogsServiceRequest {
    let record = LogRecord {
        time_unix_nano: 1,
        observed_time_unix_nano: 2,
        severity_number: 9,
        severity_text: "INFO".into(),
        body: attributes()[7].value.clone(),
        attributes: attributes(),
        dropped_attributes_count: 1,
        flags: 1,
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        event_name: "event".into(),
    };
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: resource(),
            scope_logs: vec![ScopeLogs {
                scope: scope(),
                log_records: vec![record.clone(), record.clone(), record],
                schema_url: "url".into(),
            }],
            schema_url: "url".into(),
        }],
    }
}

fn exemplar() -> Exemplar {
    Exemplar {
        filtered_attributes: attributes(),
        time_unix_nano: 1,
        span_id: vec![1; 8],
        trace_id: vec![2; 16],
        value: Some(exemplar::Value::AsInt(3)),
    }
}

fn number_point() -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes(),
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        exemplars: vec![exemplar()],
        flags: 1,
        value: Some(number_data_point::Value::AsDouble(1.5)),
    }
}

fn histogram_point() -> HistogramDataPoint {
    HistogramDataPoint {
        attributes: attributes(),
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        count: 3,
        sum: Some(4.0),
        bucket_counts: vec![1, 2, 300],
        explicit_bounds: vec![0.5, 1.0],
        exemplars: vec![exemplar()],
        flags: 1,
        min: Some(0.1),
        max: Some(9.0),
    }
}

fn exponential_point() -> ExponentialHistogramDataPoint {
    let buckets = Some(Buckets {
        offset: -3,
        bucket_counts: vec![1, 200, 1 << 40],
    });
    ExponentialHistogramDataPoint {
        attributes: attributes(),
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        count: 3,
        sum: Some(4.0),
        scale: -2,
        zero_count: 1,
        positive: buckets.clone(),
        negative: buckets,
        flags: 1,
        exemplars: vec![exemplar()],
        min: Some(0.1),
        max: Some(9.0),
        zero_threshold: 0.01,
    }
}

fn summary_point() -> SummaryDataPoint {
    SummaryDataPoint {
        attributes: attributes(),
        start_time_unix_nano: 1,
        time_unix_nano: 2,
        count: 3,
        sum: 4.0,
        quantile_values: vec![ValueAtQuantile {
            quantile: 0.5,
            value: 1.0,
        }],
        flags: 1,
    }
}

fn metrics() -> ExportMetricsServiceRequest {
    let kinds = [
        Data::Gauge(Gauge {
            data_points: vec![number_point()],
        }),
        Data::Sum(Sum {
            data_points: vec![number_point(), number_point()],
            aggregation_temporality: 2,
            is_monotonic: true,
        }),
        Data::Histogram(Histogram {
            data_points: vec![histogram_point()],
            aggregation_temporality: 1,
        }),
        Data::ExponentialHistogram(ExponentialHistogram {
            data_points: vec![exponential_point()],
            aggregation_temporality: 1,
        }),
        Data::Summary(Summary {
            data_points: vec![summary_point()],
        }),
    ];
    let metric = |data| Metric {
        name: "name".into(),
        description: "what".into(),
        unit: "s".into(),
        metadata: attributes(),
        data: Some(data),
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: resource(),
            scope_metrics: vec![ScopeMetrics {
                scope: scope(),
                metrics: kinds.map(metric).into(),
                schema_url: "url".into(),
            }],
            schema_url: "url".into(),
        }],
    }
}

fn requests() -> [(Signal, Vec<u8>, usize); 3] {
    [
        (Signal::Traces, traces().encode_to_vec(), 2),
        (Signal::Metrics, metrics().encode_to_vec(), 6),
        (Signal::Logs, logs().encode_to_vec(), 3),
    ]
}

/// Whether prost reads it.
fn is_read(signal: Signal, request: &[u8]) -> bool {
    match signal {
        Signal::Traces => ExportTraceServiceRequest::decode(request).is_ok(),
        Signal::Metrics => ExportMetricsServiceRequest::decode(request).is_ok(),
        Signal::Logs => ExportLogsServiceRequest::decode(request).is_ok(),
    }
}

#[test]
fn a_request_with_every_field_is_taken_and_its_items_counted() {
    for (signal, request, items) in requests() {
        assert_eq!(count(signal, &request), Ok(items), "{signal:?}");
        assert_eq!(collector_pdata::count(signal, &request), Ok(items), "{signal:?}");
    }
}

#[test]
fn a_request_cut_short_anywhere_is_taken_only_where_prost_takes_it() {
    for (signal, request, _) in requests() {
        for end in 0..request.len() {
            let cut = &request[..end];
            assert_eq!(count(signal, cut).is_ok(), is_read(signal, cut), "{signal:?} {end}");
        }
    }
}

#[test]
fn values_may_be_nested_as_deep_as_they_are_read_and_no_deeper() {
    let nested = |levels: usize| {
        let mut value = AnyValue { value: None };
        for _ in 0..levels {
            value = AnyValue {
                value: Some(Value::ArrayValue(ArrayValue { values: vec![value] })),
            };
        }
        let mut request = logs();
        request.resource_logs[0].scope_logs[0].log_records[0].body = Some(value);
        request.encode_to_vec()
    };
    assert_eq!(count(Signal::Logs, &nested(MAX_DEPTH)), Ok(3));
    assert_eq!(count(Signal::Logs, &nested(MAX_DEPTH + 1)), Err(Invalid::TooDeep));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn what_is_taken_is_read_by_prost_and_what_prost_reads_is_refused_for_a_known_reason_only(
        which in 0..3usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let (signal, mut request, _) = requests()[which].clone();
        for (index, byte) in changes {
            let index = index.index(request.len());
            request[index] = byte;
        }
        match count(signal, &request) {
            Ok(items) => {
                prop_assert!(is_read(signal, &request), "prost does not read it");
                prop_assert_eq!(collector_pdata::count(signal, &request), Ok(items));
            }
            // prost takes groups, ids of any length, and three times as many levels.
            Err(Invalid::IdLength(..) | Invalid::WireType(..) | Invalid::TooDeep) => {}
            Err(error) => prop_assert!(!is_read(signal, &request), "prost reads it: {}", error),
        }
    }
}
