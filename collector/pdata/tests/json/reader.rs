//! What JSON is taken, and as what.

use collector_pdata::Signal;
use collector_pdata::json::{self, JsonError, Limits};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Histogram, HistogramDataPoint};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

fn decode(signal: Signal, text: &str) -> Result<Vec<u8>, JsonError> {
    json::decode(signal, text.as_bytes(), &Limits::default())
}

/// The span whose JSON has these fields.
fn span(fields: &str) -> Span {
    let text = format!("{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{{{fields}}}]}}]}}]}}");
    let encoded = decode(Signal::Traces, &text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let mut request = ExportTraceServiceRequest::decode(&encoded[..]).unwrap();
    request.resource_spans.remove(0).scope_spans.remove(0).spans.remove(0)
}

fn record(fields: &str) -> LogRecord {
    let text = format!("{{\"resourceLogs\":[{{\"scopeLogs\":[{{\"logRecords\":[{{{fields}}}]}}]}}]}}");
    let encoded = decode(Signal::Logs, &text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let mut request = ExportLogsServiceRequest::decode(&encoded[..]).unwrap();
    request
        .resource_logs
        .remove(0)
        .scope_logs
        .remove(0)
        .log_records
        .remove(0)
}

fn body(fields: &str) -> Option<Value> {
    record(&format!("\"body\":{{{fields}}}")).body.unwrap().value
}

fn histogram(fields: &str) -> HistogramDataPoint {
    let text = format!(
        "{{\"resourceMetrics\":[{{\"scopeMetrics\":[{{\"metrics\":[{{\"histogram\":{{\"dataPoints\":[{{{fields}}}]}}}}]}}]}}]}}"
    );
    let encoded = decode(Signal::Metrics, &text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let mut request = ExportMetricsServiceRequest::decode(&encoded[..]).unwrap();
    let metric = request
        .resource_metrics
        .remove(0)
        .scope_metrics
        .remove(0)
        .metrics
        .remove(0);
    match metric.data {
        Some(Data::Histogram(Histogram { mut data_points, .. })) => data_points.remove(0),
        other => panic!("{other:?}"),
    }
}

#[test]
fn fields_go_by_either_name() {
    assert_eq!(span("\"startTimeUnixNano\":\"7\"").start_time_unix_nano, 7);
    assert_eq!(span("\"start_time_unix_nano\":\"7\"").start_time_unix_nano, 7);
    assert_eq!(record("\"event_name\":\"e\"").event_name, "e");
    assert_eq!(record("\"eventName\":\"e\"").event_name, "e");
}

#[test]
fn ids_are_hex_in_upper_and_lower_case() {
    let expected = vec![0xab; 8];
    assert_eq!(span("\"spanId\":\"abababababababab\"").span_id, expected);
    assert_eq!(span("\"spanId\":\"ABABABABABABABAB\"").span_id, expected);
    assert_eq!(span("\"spanId\":\"aBAbababababABAB\"").span_id, expected);
    assert!(span("\"spanId\":\"\"").span_id.is_empty());
}

#[test]
fn enums_are_numbers_or_names() {
    for kind in ["3", "3.0", "\"SPAN_KIND_CLIENT\""] {
        assert_eq!(span(&format!("\"kind\":{kind}")).kind, 3, "{kind}");
    }
    // A number without a name may get one in a later version of the protocol.
    assert_eq!(span("\"kind\":77").kind, 77);
    assert_eq!(span("\"kind\":-1").kind, -1);
    assert_eq!(
        record("\"severityNumber\":\"SEVERITY_NUMBER_WARN2\"").severity_number,
        14
    );
}

#[test]
fn numbers_are_numbers_or_texts() {
    for (text, expected) in [
        ("18446744073709551615", u64::MAX),
        ("\"18446744073709551615\"", u64::MAX),
        ("1544712660300000000", 1_544_712_660_300_000_000),
        ("1e3", 1000),
        ("\"0\"", 0),
        ("-0", 0),
    ] {
        let found = span(&format!("\"endTimeUnixNano\":{text}"));
        assert_eq!(found.end_time_unix_nano, expected, "{text}");
    }
    for (text, expected) in [
        ("-1", -1),
        ("\"-9223372036854775808\"", i64::MIN),
        ("9223372036854775807", i64::MAX),
    ] {
        assert_eq!(
            body(&format!("\"intValue\":{text}")),
            Some(Value::IntValue(expected)),
            "{text}"
        );
    }
}

#[test]
fn doubles_have_three_values_that_json_does_not() {
    for (text, expected) in [
        ("\"Infinity\"", f64::INFINITY),
        ("\"-Infinity\"", f64::NEG_INFINITY),
        ("\"1.5\"", 1.5),
        ("7", 7.0),
        ("-7", -7.0),
        ("0.1", 0.1),
        ("5e-324", 5e-324),
        ("123456789012345680000", 123_456_789_012_345_680_000.0),
    ] {
        assert_eq!(
            body(&format!("\"doubleValue\":{text}")),
            Some(Value::DoubleValue(expected)),
            "{text}"
        );
    }
    let Some(Value::DoubleValue(double)) = body("\"doubleValue\":\"NaN\"") else {
        panic!("no double");
    };
    assert!(double.is_nan());
}

#[test]
fn bytes_are_base64_of_either_alphabet() {
    let expected = Some(Value::BytesValue(vec![0xfb, 0xff, 0xfe, 0x01]));
    for text in ["+//+AQ==", "-__-AQ==", "+//+AQ", "-__-AQ"] {
        assert_eq!(body(&format!("\"bytesValue\":\"{text}\"")), expected, "{text}");
    }
    assert_eq!(body("\"bytesValue\":\"\""), Some(Value::BytesValue(vec![])));
}

#[test]
fn values_keep_their_default() {
    assert_eq!(body("\"stringValue\":\"\""), Some(Value::StringValue(String::new())));
    assert_eq!(body("\"boolValue\":false"), Some(Value::BoolValue(false)));
    assert_eq!(body("\"intValue\":\"0\""), Some(Value::IntValue(0)));
    assert_eq!(
        body("\"arrayValue\":{}"),
        Some(Value::ArrayValue(ArrayValue { values: vec![] }))
    );
    assert_eq!(body(""), None);
}

#[test]
fn absent_and_zero_are_different_where_protobuf_says_so() {
    let point =
        histogram("\"sum\":0,\"min\":null,\"count\":\"0\",\"bucketCounts\":[],\"explicitBounds\":[1,\"Infinity\"]");
    assert_eq!((point.sum, point.min, point.max), (Some(0.0), None, None));
    assert_eq!(point.explicit_bounds, [1.0, f64::INFINITY]);
    assert!(point.bucket_counts.is_empty());
}

#[test]
fn null_is_a_field_that_is_not_there() {
    let text = "\"name\":null,\"spanId\":null,\"kind\":null,\"attributes\":null,\"status\":null,\"flags\":null";
    assert_eq!(span(text), Span::default());
    assert_eq!(
        body("\"intValue\":null,\"boolValue\":true,\"stringValue\":null"),
        Some(Value::BoolValue(true))
    );
    assert_eq!(decode(Signal::Logs, "{\"resourceLogs\":null}"), Ok(vec![]));
    // In an array of values it is an empty one, so that the others keep their places.
    let empty = AnyValue { value: None };
    let expected = Value::ArrayValue(ArrayValue {
        values: vec![empty.clone(), empty],
    });
    assert_eq!(body("\"arrayValue\":{\"values\":[null,{}]}"), Some(expected));
}

#[test]
fn unknown_fields_are_ignored_with_all_they_hold() {
    let deep = format!("{}{}", "[{\"a\":".repeat(10_000), "}]".repeat(10_000));
    let text = deep.replace("\"a\":}", "\"a\":1}");
    assert_eq!(
        span(&format!("\"new\":{text},\"name\":\"kept\",\"old\":-1.5e3")).name,
        "kept"
    );
}

#[test]
fn entities_of_a_resource_are_kept() {
    let text = "{\"resourceLogs\":[{\"resource\":{\"entityRefs\":[{\"type\":\"pod\",\"idKeys\":[\"k8s.pod.uid\"]}]}}]}";
    let encoded = decode(Signal::Logs, text).unwrap();
    let request = ExportLogsServiceRequest::decode(&encoded[..]).unwrap();
    let entity = &request.resource_logs[0].resource.as_ref().unwrap().entity_refs[0];
    assert_eq!(
        (entity.r#type.as_str(), &entity.id_keys[..]),
        ("pod", &["k8s.pod.uid".to_owned()][..])
    );
}

#[test]
fn text_that_is_not_unicode_is_replaced() {
    assert_eq!(span("\"name\":\"a\\ud83db\"").name, "a\u{fffd}\u{fffd}\u{fffd}b");
    let mut text = b"{\"resourceSpans\":[{\"schemaUrl\":\"a\xffb\"}]}".to_vec();
    let encoded = json::decode(Signal::Traces, &text, &Limits::default()).unwrap();
    let request = ExportTraceServiceRequest::decode(&encoded[..]).unwrap();
    assert_eq!(request.resource_spans[0].schema_url, "a\u{fffd}b");
    // A key that is not is one that is not known.
    text.splice(2..3, b"\xff".iter().copied());
    assert_eq!(json::decode(Signal::Traces, &text, &Limits::default()), Ok(vec![]));
}

#[test]
fn long_messages_get_long_lengths() {
    for length in [100, 127, 128, 16_383, 16_384, 3_000_000] {
        let name = "x".repeat(length);
        assert_eq!(span(&format!("\"name\":\"{name}\",\"kind\":2")).name.len(), length);
    }
}
