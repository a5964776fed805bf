//! Where the oracle's JSON is not OTLP's: it has some numbers of 64 bits without quotes and reads them only so, keeps an
//! exemplar's value in an object of its own, and cannot do without some fields.

use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{Exemplar, ExponentialHistogramDataPoint, SummaryDataPoint};
use serde_json::{Map, Value, json};

/// Turns OTLP's JSON of a metrics request into the oracle's.
pub fn for_oracle(value: &mut Value) {
    to_oracle(value, "", "");
}

/// Turns the oracle's JSON of a metrics request into OTLP's.
pub fn from_oracle(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if let Some(Value::Array(exemplars)) = map.get_mut("exemplars") {
                exemplars.iter_mut().for_each(lift_value);
            }
            map.values_mut().for_each(from_oracle);
        }
        Value::Array(list) => list.iter_mut().for_each(from_oracle),
        _ => {}
    }
}

fn lift_value(exemplar: &mut Value) {
    let map = exemplar.as_object_mut().unwrap();
    if let Some(Value::Object(value)) = map.remove("value") {
        map.extend(value);
    }
}

/// `data` is the kind of data that the value is part of, `key` what it is called.
fn to_oracle(value: &mut Value, data: &str, key: &str) {
    let data = match key {
        "exponentialHistogram" | "summary" | "exemplars" => key,
        _ => data,
    };
    match value {
        Value::Object(map) => {
            if key == "exemplars" {
                sink_value(map);
            }
            fill_in(map, data, key);
            map.iter_mut().for_each(|(key, value)| to_oracle(value, data, key));
        }
        Value::Array(list) => list.iter_mut().for_each(|value| to_oracle(value, data, key)),
        Value::String(text) if is_bare(data, key) => *value = unquoted(text),
        _ => {}
    }
}

fn is_bare(data: &str, key: &str) -> bool {
    let time = matches!(key, "timeUnixNano" | "startTimeUnixNano") && !data.is_empty();
    time || matches!(key, "asInt" | "count" | "bucketCounts" | "zeroCount")
}

fn unquoted(text: &str) -> Value {
    text.parse::<u64>()
        .map(|number| json!(number))
        .unwrap_or_else(|_| json!(text.parse::<i64>().unwrap()))
}

fn sink_value(exemplar: &mut Map<String, Value>) {
    for key in ["asDouble", "asInt"] {
        if let Some(number) = exemplar.remove(key) {
            exemplar.insert("value".to_owned(), json!({ key: number }));
        }
    }
}

fn fill_in(map: &mut Map<String, Value>, data: &str, key: &str) {
    let whole = match (data, key) {
        (_, "exemplars") => json!(Exemplar::default()),
        ("exponentialHistogram", "dataPoints") => json!(ExponentialHistogramDataPoint::default()),
        ("summary", "dataPoints") => json!(SummaryDataPoint::default()),
        (_, "positive" | "negative") => json!(Buckets::default()),
        (_, "quantileValues") => json!(ValueAtQuantile::default()),
        _ => return,
    };
    for (key, value) in whole.as_object().unwrap() {
        map.entry(key).or_insert(value.clone());
    }
}
