use collector_pdata::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar, metric,
    number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use prost::Message;

#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    Traces(ExportTraceServiceRequest),
    Metrics(ExportMetricsServiceRequest),
    Logs(ExportLogsServiceRequest),
}

impl Request {
    pub fn signal(&self) -> Signal {
        match self {
            Request::Traces(_) => Signal::Traces,
            Request::Metrics(_) => Signal::Metrics,
            Request::Logs(_) => Signal::Logs,
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        match self {
            Request::Traces(request) => request.encode_to_vec(),
            Request::Metrics(request) => request.encode_to_vec(),
            Request::Logs(request) => request.encode_to_vec(),
        }
    }

    pub fn decode(signal: Signal, bytes: &[u8]) -> Request {
        match signal {
            Signal::Traces => Request::Traces(Message::decode(bytes).unwrap()),
            Signal::Metrics => Request::Metrics(Message::decode(bytes).unwrap()),
            Signal::Logs => Request::Logs(Message::decode(bytes).unwrap()),
        }
    }

    pub fn items(&self) -> usize {
        match self {
            Request::Traces(request) => {
                let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
                scopes.map(|scope| scope.spans.len()).sum()
            }
            Request::Logs(request) => {
                let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
                scopes.map(|scope| scope.log_records.len()).sum()
            }
            Request::Metrics(request) => {
                let scopes = request
                    .resource_metrics
                    .iter()
                    .flat_map(|resource| &resource.scope_metrics);
                scopes.flat_map(|scope| &scope.metrics).map(points).sum()
            }
        }
    }
}

pub fn points(metric: &Metric) -> usize {
    match &metric.data {
        None => 0,
        Some(metric::Data::Gauge(data)) => data.data_points.len(),
        Some(metric::Data::Sum(data)) => data.data_points.len(),
        Some(metric::Data::Histogram(data)) => data.data_points.len(),
        Some(metric::Data::ExponentialHistogram(data)) => data.data_points.len(),
        Some(metric::Data::Summary(data)) => data.data_points.len(),
    }
}

pub fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        Just(None),
        ".{0,12}".prop_map(|text| Some(Value::StringValue(text))),
        any::<bool>().prop_map(|value| Some(Value::BoolValue(value))),
        any::<i64>().prop_map(|value| Some(Value::IntValue(value))),
        double().prop_map(|value| Some(Value::DoubleValue(value))),
        vec(any::<u8>(), 0..9).prop_map(|value| Some(Value::BytesValue(value))),
    ];
    leaf.prop_map(|value| AnyValue { value })
        .prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(|values| Value::ArrayValue(ArrayValue { values })),
                vec(("[a-e]{0,2}", inner), 0..4).prop_map(|pairs| {
                    let pair = |(key, value)| KeyValue {
                        key,
                        value: Some(value),
                    };
                    Value::KvlistValue(KeyValueList {
                        values: pairs.into_iter().map(pair).collect(),
                    })
                }),
            ]
            .prop_map(|value| AnyValue { value: Some(value) })
        })
}

/// What equals itself, and is encoded: prost takes -0 for the default.
fn double() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("NaN equals nothing", |double| {
        !double.is_nan() && double.to_bits() != 1 << 63
    })
}

/// Few keys, so that some come twice.
pub fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let pair = ("[a-e]{0,2}", of(any_value())).prop_map(|(key, value)| KeyValue { key, value });
    vec(pair, 0..5)
}

fn id(length: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![Just(Vec::new()), vec(1u8.., length)]
}

fn resource() -> impl Strategy<Value = Option<Resource>> {
    of(
        (attributes(), 0..9u32).prop_map(|(attributes, dropped_attributes_count)| Resource {
            attributes,
            dropped_attributes_count,
            ..Resource::default()
        }),
    )
}

fn scope() -> impl Strategy<Value = Option<InstrumentationScope>> {
    of(
        (attributes(), ".{0,5}", 0..9u32).prop_map(|(attributes, name, dropped_attributes_count)| {
            InstrumentationScope {
                name,
                version: "1".into(),
                attributes,
                dropped_attributes_count,
            }
        }),
    )
}

prop_compose! {
    pub fn span()(
        trace_id in id(16), span_id in id(8), parent_span_id in id(8), trace_state in "[a-z=,]{0,8}",
        flags in any::<u32>(), name in ".{0,20}", kind in 0..6i32, start in any::<u64>(), end in any::<u64>(),
        attributes in attributes(), dropped in any::<u32>(),
        events in vec((any::<u64>(), ".{0,5}", attributes()), 0..3),
        links in vec((id(16), id(8), attributes(), any::<u32>()), 0..3),
        status in of((".{0,5}", 0..3i32)),
    ) -> Span {
        Span {
            trace_id, span_id, parent_span_id, trace_state, flags, name, kind, attributes,
            start_time_unix_nano: start,
            end_time_unix_nano: end,
            dropped_attributes_count: dropped,
            events: events.into_iter().map(|(time_unix_nano, name, attributes)| Event {
                time_unix_nano, name, attributes, dropped_attributes_count: dropped,
            }).collect(),
            dropped_events_count: dropped / 2,
            links: links.into_iter().map(|(trace_id, span_id, attributes, flags)| Link {
                trace_id, span_id, attributes, flags, ..Link::default()
            }).collect(),
            dropped_links_count: dropped / 3,
            status: status.map(|(message, code)| Status { message, code }),
        }
    }
}

prop_compose! {
    pub fn log_record()(
        time in any::<u64>(), observed in any::<u64>(), severity_number in 0..25i32, severity_text in "[A-Z]{0,5}",
        body in of(any_value()), attributes in attributes(), dropped in any::<u32>(), flags in any::<u32>(),
        trace_id in id(16), span_id in id(8), event_name in ".{0,8}",
    ) -> LogRecord {
        LogRecord {
            time_unix_nano: time,
            observed_time_unix_nano: observed,
            dropped_attributes_count: dropped,
            severity_number, severity_text, body, attributes, flags, trace_id, span_id, event_name,
        }
    }
}

prop_compose! {
    fn exemplar()(
        filtered_attributes in attributes(), time_unix_nano in any::<u64>(), span_id in id(8), trace_id in id(16),
        value in of(prop_oneof![
            double().prop_map(exemplar::Value::AsDouble), any::<i64>().prop_map(exemplar::Value::AsInt)
        ]),
    ) -> Exemplar {
        Exemplar { filtered_attributes, time_unix_nano, span_id, trace_id, value }
    }
}

prop_compose! {
    fn number()(
        attributes in attributes(), start in any::<u64>(), time in any::<u64>(), exemplars in vec(exemplar(), 0..2),
        flags in 0..2u32,
        value in of(prop_oneof![
            double().prop_map(number_data_point::Value::AsDouble), any::<i64>().prop_map(number_data_point::Value::AsInt)
        ]),
    ) -> NumberDataPoint {
        NumberDataPoint {
            attributes, start_time_unix_nano: start, time_unix_nano: time, exemplars, flags, value,
        }
    }
}

prop_compose! {
    fn histogram()(
        attributes in attributes(), start in any::<u64>(), time in any::<u64>(), exemplars in vec(exemplar(), 0..2),
        flags in 0..2u32, count in any::<u64>(), sum in of(double()), bucket_counts in vec(any::<u64>(), 0..4),
        explicit_bounds in vec(double(), 0..4), min in of(double()), max in of(double()),
    ) -> HistogramDataPoint {
        HistogramDataPoint {
            attributes, start_time_unix_nano: start, time_unix_nano: time, exemplars, flags, count, sum, bucket_counts,
            explicit_bounds, min, max,
        }
    }
}

fn buckets() -> impl Strategy<Value = Option<Buckets>> {
    of((any::<i32>(), vec(any::<u64>(), 0..4)).prop_map(|(offset, bucket_counts)| Buckets { offset, bucket_counts }))
}

prop_compose! {
    fn exponential()(
        attributes in attributes(), start in any::<u64>(), time in any::<u64>(), exemplars in vec(exemplar(), 0..2),
        flags in 0..2u32, count in any::<u64>(), sum in of(double()), scale in any::<i32>(),
        zero_count in any::<u64>(), (positive, negative) in (buckets(), buckets()), min in of(double()),
        zero_threshold in double(),
    ) -> ExponentialHistogramDataPoint {
        ExponentialHistogramDataPoint {
            attributes, start_time_unix_nano: start, time_unix_nano: time, exemplars, flags, count, sum, scale, zero_count,
            positive, negative, min, max: min, zero_threshold,
        }
    }
}

prop_compose! {
    fn summary()(
        attributes in attributes(), start in any::<u64>(), time in any::<u64>(), flags in 0..2u32, count in any::<u64>(),
        sum in double(), quantiles in vec((double(), double()), 0..3),
    ) -> SummaryDataPoint {
        let quantile = |(quantile, value)| ValueAtQuantile { quantile, value };
        SummaryDataPoint {
            attributes, start_time_unix_nano: start, time_unix_nano: time, flags, count, sum,
            quantile_values: quantiles.into_iter().map(quantile).collect(),
        }
    }
}

fn data() -> impl Strategy<Value = metric::Data> {
    let sum = (vec(number(), 0..4), 0..3i32, any::<bool>());
    prop_oneof![
        vec(number(), 0..4).prop_map(|data_points| metric::Data::Gauge(Gauge { data_points })),
        sum.prop_map(
            |(data_points, aggregation_temporality, is_monotonic)| metric::Data::Sum(Sum {
                data_points,
                aggregation_temporality,
                is_monotonic
            })
        ),
        (vec(histogram(), 0..3), 0..3i32).prop_map(|(data_points, aggregation_temporality)| {
            metric::Data::Histogram(Histogram {
                data_points,
                aggregation_temporality,
            })
        }),
        (vec(exponential(), 0..3), 0..3i32).prop_map(|(data_points, aggregation_temporality)| {
            metric::Data::ExponentialHistogram(ExponentialHistogram {
                data_points,
                aggregation_temporality,
            })
        }),
        vec(summary(), 0..3).prop_map(|data_points| metric::Data::Summary(Summary { data_points })),
    ]
}

prop_compose! {
    pub fn a_metric()(
        name in "[a-z]{0,6}", description in ".{0,6}", unit in "[a-z]{0,2}", metadata in attributes(), data in of(data()),
    ) -> Metric {
        Metric { name, description, unit, metadata, data }
    }
}

pub fn traces() -> impl Strategy<Value = ExportTraceServiceRequest> {
    let scopes = (scope(), vec(span(), 0..4), "[a-z]{0,3}").prop_map(|(scope, spans, schema_url)| ScopeSpans {
        scope,
        spans,
        schema_url,
    });
    let resources =
        (resource(), vec(scopes, 0..3), "[a-z]{0,3}").prop_map(|(resource, scope_spans, schema_url)| ResourceSpans {
            resource,
            scope_spans,
            schema_url,
        });
    vec(resources, 0..3).prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans })
}

pub fn logs() -> impl Strategy<Value = ExportLogsServiceRequest> {
    let scopes =
        (scope(), vec(log_record(), 0..4), "[a-z]{0,3}").prop_map(|(scope, log_records, schema_url)| ScopeLogs {
            scope,
            log_records,
            schema_url,
        });
    let resources =
        (resource(), vec(scopes, 0..3), "[a-z]{0,3}").prop_map(|(resource, scope_logs, schema_url)| ResourceLogs {
            resource,
            scope_logs,
            schema_url,
        });
    vec(resources, 0..3).prop_map(|resource_logs| ExportLogsServiceRequest { resource_logs })
}

pub fn metrics() -> impl Strategy<Value = ExportMetricsServiceRequest> {
    let scopes = (scope(), vec(a_metric(), 0..4), "[a-z]{0,3}").prop_map(|(scope, metrics, schema_url)| ScopeMetrics {
        scope,
        metrics,
        schema_url,
    });
    let resources = (resource(), vec(scopes, 0..3), "[a-z]{0,3}").prop_map(|(resource, scope_metrics, schema_url)| {
        ResourceMetrics {
            resource,
            scope_metrics,
            schema_url,
        }
    });
    vec(resources, 0..3).prop_map(|resource_metrics| ExportMetricsServiceRequest { resource_metrics })
}

/// Any of the three signals.
pub fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        traces().prop_map(Request::Traces),
        metrics().prop_map(Request::Metrics),
        logs().prop_map(Request::Logs),
    ]
}
