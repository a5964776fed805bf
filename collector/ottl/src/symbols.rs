//! The symbols of OTLP's enums, and their numbers (`trace.proto`, `metrics.proto`, `logs.proto`; the data types of metrics
//! are numbered as upstream's pdata does).

/// The kinds of spans.
pub(crate) const SPAN_KINDS: [(&str, &str); 6] = [
    ("SPAN_KIND_UNSPECIFIED", "Unspecified"),
    ("SPAN_KIND_INTERNAL", "Internal"),
    ("SPAN_KIND_SERVER", "Server"),
    ("SPAN_KIND_CLIENT", "Client"),
    ("SPAN_KIND_PRODUCER", "Producer"),
    ("SPAN_KIND_CONSUMER", "Consumer"),
];

const OTHERS: [(&str, i64); 15] = [
    ("STATUS_CODE_UNSET", 0),
    ("STATUS_CODE_OK", 1),
    ("STATUS_CODE_ERROR", 2),
    ("AGGREGATION_TEMPORALITY_UNSPECIFIED", 0),
    ("AGGREGATION_TEMPORALITY_DELTA", 1),
    ("AGGREGATION_TEMPORALITY_CUMULATIVE", 2),
    ("METRIC_DATA_TYPE_NONE", 0),
    ("METRIC_DATA_TYPE_GAUGE", 1),
    ("METRIC_DATA_TYPE_SUM", 2),
    ("METRIC_DATA_TYPE_HISTOGRAM", 3),
    ("METRIC_DATA_TYPE_EXPONENTIAL_HISTOGRAM", 4),
    ("METRIC_DATA_TYPE_SUMMARY", 5),
    ("FLAG_NONE", 0),
    ("FLAG_NO_RECORDED_VALUE", 1),
    ("SEVERITY_NUMBER_UNSPECIFIED", 0),
];

/// In their order from 1, four of each.
const SEVERITIES: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

/// The number of `symbol`.
pub(crate) fn number(symbol: &str) -> Option<i64> {
    all().find(|(name, _)| name == symbol).map(|(_, number)| number)
}

/// Every symbol with its number.
pub(crate) fn all() -> impl Iterator<Item = (String, i64)> {
    let kinds = SPAN_KINDS.into_iter().map(|(name, _)| name).zip(0..);
    let severities = SEVERITIES.into_iter().enumerate().flat_map(|(rank, name)| {
        (1..=4).map(move |step| {
            let suffix = if step == 1 { String::new() } else { step.to_string() };
            (format!("SEVERITY_NUMBER_{name}{suffix}"), rank as i64 * 4 + step)
        })
    });
    let plain = kinds.chain(OTHERS).map(|(name, number)| (name.to_owned(), number));
    plain.chain(severities)
}
