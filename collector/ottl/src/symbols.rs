//! The symbols of OTLP's enums and their numbers, and those that upstream has beside them.

use collector_pdata::logs::SEVERITY_NUMBERS;
use collector_pdata::metrics::AGGREGATION_TEMPORALITIES;
use collector_pdata::traces::{SPAN_KINDS, STATUS_CODES};

/// The words that `kind.string` has for the kinds of spans, by number.
pub(crate) const SPAN_KIND_WORDS: [&str; 6] = ["Unspecified", "Internal", "Server", "Client", "Producer", "Consumer"];

/// The data types of metrics, numbered as upstream's pdata does.
const METRIC_DATA_TYPES: [&str; 6] = [
    "METRIC_DATA_TYPE_NONE",
    "METRIC_DATA_TYPE_GAUGE",
    "METRIC_DATA_TYPE_SUM",
    "METRIC_DATA_TYPE_HISTOGRAM",
    "METRIC_DATA_TYPE_EXPONENTIAL_HISTOGRAM",
    "METRIC_DATA_TYPE_SUMMARY",
];

/// Of data points.
const FLAGS: [&str; 2] = ["FLAG_NONE", "FLAG_NO_RECORDED_VALUE"];

/// Each by number.
const ENUMS: [&[&str]; 6] = [
    &SPAN_KINDS,
    &STATUS_CODES,
    &AGGREGATION_TEMPORALITIES,
    &METRIC_DATA_TYPES,
    &FLAGS,
    &SEVERITY_NUMBERS,
];

/// The number of `symbol`.
pub(crate) fn number(symbol: &str) -> Option<i64> {
    all().find(|(name, _)| *name == symbol).map(|(_, number)| number)
}

/// Every symbol with its number.
pub(crate) fn all() -> impl Iterator<Item = (&'static str, i64)> {
    ENUMS.into_iter().flat_map(|names| names.iter().copied().zip(0..))
}
