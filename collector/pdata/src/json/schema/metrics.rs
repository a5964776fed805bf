//! `metrics.proto`.

use super::common::{
    attributes, filtered_attributes, metadata, resource, schema_url, scope, span_id, start_time, time, trace_id,
};
use super::{Field, Kind, Message, Rule, field};
use crate::metrics::AGGREGATION_TEMPORALITIES;

pub(super) static REQUEST: Message = Message::new(&[field(
    1,
    "resource_metrics",
    "resourceMetrics",
    Kind::Message(&RESOURCE_METRICS),
)
.repeated()
.always()]);

static RESOURCE_METRICS: Message = Message::new(&[
    resource(),
    field(2, "scope_metrics", "scopeMetrics", Kind::Message(&SCOPE_METRICS))
        .repeated()
        .always(),
    schema_url(3),
]);

static SCOPE_METRICS: Message = Message::new(&[
    scope(),
    field(2, "metrics", "metrics", Kind::Message(&METRIC))
        .repeated()
        .always(),
    schema_url(3),
]);

static METRIC: Message = Message::new(&[
    field(1, "name", "name", Kind::Text),
    field(2, "description", "description", Kind::Text),
    field(3, "unit", "unit", Kind::Text),
    data(5, "gauge", "gauge", &GAUGE),
    data(7, "sum", "sum", &SUM),
    data(9, "histogram", "histogram", &HISTOGRAM),
    data(
        10,
        "exponential_histogram",
        "exponentialHistogram",
        &EXPONENTIAL_HISTOGRAM,
    ),
    data(11, "summary", "summary", &SUMMARY),
    metadata(12),
]);

const fn data(number: u32, name: &'static str, key: &'static str, message: &'static Message) -> Field {
    field(number, name, key, Kind::Message(message)).rule(Rule::OneOf)
}

static GAUGE: Message = Message::new(&[data_points(&NUMBER_DATA_POINT)]);

static SUM: Message = Message::new(&[
    data_points(&NUMBER_DATA_POINT),
    temporality(),
    field(3, "is_monotonic", "isMonotonic", Kind::Bool),
]);

static HISTOGRAM: Message = Message::new(&[data_points(&HISTOGRAM_DATA_POINT), temporality()]);

static EXPONENTIAL_HISTOGRAM: Message = Message::new(&[data_points(&EXPONENTIAL_HISTOGRAM_DATA_POINT), temporality()]);

static SUMMARY: Message = Message::new(&[data_points(&SUMMARY_DATA_POINT)]);

const fn data_points(message: &'static Message) -> Field {
    field(1, "data_points", "dataPoints", Kind::Message(message))
        .repeated()
        .always()
}

const fn temporality() -> Field {
    field(
        2,
        "aggregation_temporality",
        "aggregationTemporality",
        Kind::Enum(&AGGREGATION_TEMPORALITIES),
    )
}

static NUMBER_DATA_POINT: Message = Message::new(&[
    attributes(7),
    start_time(2),
    time(3),
    field(4, "as_double", "asDouble", Kind::Double).rule(Rule::OneOf),
    field(6, "as_int", "asInt", Kind::Sfixed64).rule(Rule::OneOf),
    exemplars(5),
    flags(8),
]);

static HISTOGRAM_DATA_POINT: Message = Message::new(&[
    attributes(9),
    start_time(2),
    time(3),
    count(4),
    optional(5, "sum"),
    field(6, "bucket_counts", "bucketCounts", Kind::Fixed64).repeated(),
    field(7, "explicit_bounds", "explicitBounds", Kind::Double).repeated(),
    exemplars(8),
    flags(10),
    optional(11, "min"),
    optional(12, "max"),
]);

static EXPONENTIAL_HISTOGRAM_DATA_POINT: Message = Message::new(&[
    attributes(1),
    start_time(2),
    time(3),
    count(4),
    optional(5, "sum"),
    field(6, "scale", "scale", Kind::Sint32),
    field(7, "zero_count", "zeroCount", Kind::Fixed64),
    field(8, "positive", "positive", Kind::Message(&BUCKETS)),
    field(9, "negative", "negative", Kind::Message(&BUCKETS)),
    flags(10),
    exemplars(11),
    optional(12, "min"),
    optional(13, "max"),
    field(14, "zero_threshold", "zeroThreshold", Kind::Double),
]);

static BUCKETS: Message = Message::new(&[
    field(1, "offset", "offset", Kind::Sint32),
    field(2, "bucket_counts", "bucketCounts", Kind::Uint64).repeated(),
]);

static SUMMARY_DATA_POINT: Message = Message::new(&[
    attributes(7),
    start_time(2),
    time(3),
    count(4),
    field(5, "sum", "sum", Kind::Double),
    field(6, "quantile_values", "quantileValues", Kind::Message(&QUANTILE)).repeated(),
    flags(8),
]);

static QUANTILE: Message = Message::new(&[
    field(1, "quantile", "quantile", Kind::Double),
    field(2, "value", "value", Kind::Double),
]);

static EXEMPLAR: Message = Message::new(&[
    filtered_attributes(7),
    time(2),
    field(3, "as_double", "asDouble", Kind::Double).rule(Rule::OneOf),
    field(6, "as_int", "asInt", Kind::Sfixed64).rule(Rule::OneOf),
    span_id(4),
    trace_id(5),
]);

const fn exemplars(number: u32) -> Field {
    field(number, "exemplars", "exemplars", Kind::Message(&EXEMPLAR)).repeated()
}

const fn flags(number: u32) -> Field {
    field(number, "flags", "flags", Kind::Uint32)
}

const fn count(number: u32) -> Field {
    field(number, "count", "count", Kind::Fixed64)
}

/// A double that is there or is not, whatever its value.
const fn optional(number: u32, name: &'static str) -> Field {
    field(number, name, name, Kind::Double).rule(Rule::Explicit)
}
