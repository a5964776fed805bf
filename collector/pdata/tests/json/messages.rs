//! Any request of each signal.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// What the oracle's JSON cannot express is left out where it is asked.
#[derive(Debug, Clone, Copy)]
pub enum Values {
    /// All that protobuf can.
    Any,
    /// No empty value and no number beyond the finite.
    Plain,
}

fn double(values: Values) -> BoxedStrategy<f64> {
    match values {
        Values::Any => any::<f64>()
            .prop_filter("NaN equals nothing", |double| !double.is_nan())
            .boxed(),
        Values::Plain => any::<f64>()
            .prop_filter("JSON has no others", |double| double.is_finite())
            .boxed(),
    }
}

fn value(values: Values) -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        4 => ".{0,12}".prop_map(|text| Some(Value::StringValue(text))),
        1 => any::<bool>().prop_map(|bool| Some(Value::BoolValue(bool))),
        2 => any::<i64>().prop_map(|int| Some(Value::IntValue(int))),
        2 => double(values).prop_map(|double| Some(Value::DoubleValue(double))),
        1 => vec(any::<u8>(), 0..9).prop_map(|bytes| Some(Value::BytesValue(bytes))),
        1 => Just(match values {
            Values::Any => None,
            Values::Plain => Some(Value::IntValue(0)),
        }),
    ];
    let leaf = leaf.prop_map(|value| AnyValue { value });
    leaf.prop_recursive(3, 12, 4, |inner| {
        let nested = prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|values| Value::ArrayValue(ArrayValue { values })),
            vec((".{0,4}", inner), 0..4).prop_map(|pairs| Value::KvlistValue(KeyValueList {
                values: pairs.into_iter().map(pair).collect()
            })),
        ];
        nested.prop_map(|value| AnyValue { value: Some(value) })
    })
}

fn pair((key, value): (String, AnyValue)) -> KeyValue {
    KeyValue {
        key,
        value: Some(value),
    }
}

fn attributes(values: Values) -> impl Strategy<Value = Vec<KeyValue>> {
    vec((".{0,6}", value(values)).prop_map(pair), 0..4)
}

/// An id of zeros is shown as an empty one, so there is none here.
fn id(length: usize) -> BoxedStrategy<Vec<u8>> {
    prop_oneof![1 => Just(Vec::new()), 3 => vec(1u8.., length)].boxed()
}

prop_compose! {
    fn resource(values: Values)(attributes in attributes(values), dropped in any::<u32>()) -> Option<Resource> {
        Some(Resource { attributes, dropped_attributes_count: dropped, ..Resource::default() })
    }
}

prop_compose! {
    fn scope(values: Values)(
        name in ".{0,8}", version in "[0-9.]{0,3}", attributes in attributes(values), dropped in any::<u32>()
    ) -> Option<InstrumentationScope> {
        Some(InstrumentationScope { name, version, attributes, dropped_attributes_count: dropped })
    }
}

prop_compose! {
    fn event(values: Values)(
        time_unix_nano in any::<u64>(), name in ".{0,5}", attributes in attributes(values), dropped in 0..3u32
    ) -> Event {
        Event { time_unix_nano, name, attributes, dropped_attributes_count: dropped }
    }
}

prop_compose! {
    fn link(values: Values)(
        trace_id in id(16), span_id in id(8), trace_state in "[a-z=]{0,4}", attributes in attributes(values),
        dropped in 0..3u32, flags in any::<u32>(),
    ) -> Link {
        Link { trace_id, span_id, trace_state, attributes, dropped_attributes_count: dropped, flags }
    }
}

prop_compose! {
    fn span(values: Values)(
        (trace_id, span_id, parent_span_id) in (id(16), id(8), id(8)),
        trace_state in "[a-z=,]{0,8}", flags in any::<u32>(), name in ".{0,20}", kind in -1..7i32,
        (start_time_unix_nano, end_time_unix_nano) in any::<(u64, u64)>(),
        attributes in attributes(values), dropped in any::<u32>(),
        events in vec(event(values), 0..3), links in vec(link(values), 0..3),
        status in (".{0,5}", 0..3i32),
    ) -> Span {
        Span {
            trace_id, span_id, parent_span_id, trace_state, flags, name, kind, start_time_unix_nano,
            end_time_unix_nano, attributes, dropped_attributes_count: dropped, events,
            dropped_events_count: dropped / 2, links, dropped_links_count: dropped / 3,
            status: Some(Status { message: status.0, code: status.1 }),
        }
    }
}

prop_compose! {
    pub fn traces(values: Values)(groups in vec(
        (resource(values), vec((scope(values), vec(span(values), 0..4), "[a-z]{0,3}"), 0..3), "[a-z]{0,3}"), 0..3
    )) -> ExportTraceServiceRequest {
        let scopes = |(scope, spans, schema_url)| ScopeSpans { scope, spans, schema_url };
        let resources = |(resource, scope_spans, schema_url): (_, Vec<_>, _)| ResourceSpans {
            resource, scope_spans: scope_spans.into_iter().map(scopes).collect(), schema_url,
        };
        ExportTraceServiceRequest { resource_spans: groups.into_iter().map(resources).collect() }
    }
}

prop_compose! {
    fn record(values: Values)(
        (time_unix_nano, observed_time_unix_nano) in any::<(u64, u64)>(),
        severity_number in 0..25i32, severity_text in "[A-Z]{0,5}", body in option::of(value(values)),
        attributes in attributes(values), dropped in any::<u32>(), flags in any::<u32>(),
        trace_id in id(16), span_id in id(8), event_name in ".{0,5}",
    ) -> LogRecord {
        LogRecord {
            time_unix_nano, observed_time_unix_nano, severity_number, severity_text, body, attributes,
            dropped_attributes_count: dropped, flags, trace_id, span_id, event_name,
        }
    }
}

prop_compose! {
    pub fn logs(values: Values)(groups in vec(
        (resource(values), vec((scope(values), vec(record(values), 0..4), "[a-z]{0,3}"), 0..3), "[a-z]{0,3}"), 0..3
    )) -> ExportLogsServiceRequest {
        let scopes = |(scope, log_records, schema_url)| ScopeLogs { scope, log_records, schema_url };
        let resources = |(resource, scope_logs, schema_url): (_, Vec<_>, _)| ResourceLogs {
            resource, scope_logs: scope_logs.into_iter().map(scopes).collect(), schema_url,
        };
        ExportLogsServiceRequest { resource_logs: groups.into_iter().map(resources).collect() }
    }
}

prop_compose! {
    fn exemplar(values: Values)(
        filtered_attributes in attributes(values), time_unix_nano in any::<u64>(), span_id in id(8), trace_id in id(16),
        value in option::of(prop_oneof![
            double(values).prop_map(exemplar::Value::AsDouble),
            any::<i64>().prop_map(exemplar::Value::AsInt),
        ]),
    ) -> Exemplar {
        Exemplar { filtered_attributes, time_unix_nano, span_id, trace_id, value }
    }
}

prop_compose! {
    fn number(values: Values)(
        attributes in attributes(values), (start_time_unix_nano, time_unix_nano) in any::<(u64, u64)>(),
        exemplars in vec(exemplar(values), 0..3), flags in any::<u32>(),
        value in option::of(prop_oneof![
            double(values).prop_map(number_data_point::Value::AsDouble),
            any::<i64>().prop_map(number_data_point::Value::AsInt),
        ]),
    ) -> NumberDataPoint {
        NumberDataPoint { attributes, start_time_unix_nano, time_unix_nano, exemplars, flags, value }
    }
}

prop_compose! {
    fn histogram(values: Values)(
        attributes in attributes(values), (start_time_unix_nano, time_unix_nano) in any::<(u64, u64)>(),
        count in any::<u64>(), bucket_counts in vec(any::<u64>(), 0..5), explicit_bounds in vec(double(values), 0..5),
        exemplars in vec(exemplar(values), 0..2), flags in any::<u32>(),
        sum in option::of(double(values)), min in option::of(double(values)), max in option::of(double(values)),
    ) -> HistogramDataPoint {
        HistogramDataPoint {
            attributes, start_time_unix_nano, time_unix_nano, count, sum, bucket_counts, explicit_bounds, exemplars,
            flags, min, max,
        }
    }
}

prop_compose! {
    fn buckets()(offset in any::<i32>(), bucket_counts in vec(any::<u64>(), 0..4)) -> Buckets {
        Buckets { offset, bucket_counts }
    }
}

prop_compose! {
    fn exponential(values: Values)(
        attributes in attributes(values), (start_time_unix_nano, time_unix_nano) in any::<(u64, u64)>(),
        (count, zero_count) in any::<(u64, u64)>(), scale in any::<i32>(), positive in option::of(buckets()),
        negative in option::of(buckets()), flags in any::<u32>(), exemplars in vec(exemplar(values), 0..2),
        zero_threshold in double(values), sum in option::of(double(values)),
        (min, max) in (option::of(double(values)), option::of(double(values))),
    ) -> ExponentialHistogramDataPoint {
        ExponentialHistogramDataPoint {
            attributes, start_time_unix_nano, time_unix_nano, count, sum, scale, zero_count, positive, negative, flags,
            exemplars, min, max, zero_threshold,
        }
    }
}

prop_compose! {
    fn summary(values: Values)(
        attributes in attributes(values), (start_time_unix_nano, time_unix_nano) in any::<(u64, u64)>(),
        count in any::<u64>(), sum in double(values), flags in any::<u32>(),
        quantiles in vec((double(values), double(values)), 0..3),
    ) -> SummaryDataPoint {
        let quantile = |(quantile, value)| ValueAtQuantile { quantile, value };
        SummaryDataPoint {
            attributes, start_time_unix_nano, time_unix_nano, count, sum, flags,
            quantile_values: quantiles.into_iter().map(quantile).collect(),
        }
    }
}

fn data(values: Values) -> impl Strategy<Value = Data> {
    let temporality = 0..3i32;
    prop_oneof![
        vec(number(values), 0..3).prop_map(|data_points| Data::Gauge(Gauge { data_points })),
        (vec(number(values), 0..3), temporality.clone(), any::<bool>()).prop_map(
            |(data_points, aggregation_temporality, is_monotonic)| Data::Sum(Sum {
                data_points,
                aggregation_temporality,
                is_monotonic,
            })
        ),
        (vec(histogram(values), 0..3), temporality.clone()).prop_map(|(data_points, aggregation_temporality)| {
            Data::Histogram(Histogram {
                data_points,
                aggregation_temporality,
            })
        }),
        (vec(exponential(values), 0..3), temporality).prop_map(|(data_points, aggregation_temporality)| {
            Data::ExponentialHistogram(ExponentialHistogram {
                data_points,
                aggregation_temporality,
            })
        }),
        vec(summary(values), 0..3).prop_map(|data_points| Data::Summary(Summary { data_points })),
    ]
}

prop_compose! {
    fn metric(values: Values)(
        name in ".{0,8}", description in ".{0,5}", unit in "[a-z]{0,2}", metadata in attributes(values),
        data in option::of(data(values)),
    ) -> Metric {
        Metric { name, description, unit, metadata, data }
    }
}

prop_compose! {
    pub fn metrics(values: Values)(groups in vec(
        (resource(values), vec((scope(values), vec(metric(values), 0..4), "[a-z]{0,3}"), 0..3), "[a-z]{0,3}"), 0..3
    )) -> ExportMetricsServiceRequest {
        let scopes = |(scope, metrics, schema_url)| ScopeMetrics { scope, metrics, schema_url };
        let resources = |(resource, scope_metrics, schema_url): (_, Vec<_>, _)| ResourceMetrics {
            resource, scope_metrics: scope_metrics.into_iter().map(scopes).collect(), schema_url,
        };
        ExportMetricsServiceRequest { resource_metrics: groups.into_iter().map(resources).collect() }
    }
}
