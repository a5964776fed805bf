//! What JSON is refused, and with which words.

use collector_pdata::json::{self, JsonError, Limits};
use collector_pdata::traces::MAX_DEPTH;
use collector_pdata::{Malformed, Signal};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message;

/// Decodes a log record with `fields` on its second line, where they start in the first column.
fn refusal(fields: &str) -> JsonError {
    let text = format!("{{\"resourceLogs\":[{{\"scopeLogs\":[{{\"logRecords\":[{{\n{fields}}}]}}]}}]}}");
    match json::decode(Signal::Logs, text.as_bytes(), &Limits::default()) {
        Ok(encoded) => panic!("{text} was taken: {encoded:x?}"),
        Err(error) => error,
    }
}

fn check(cases: &[(&str, &str)]) {
    for (fields, expected) in cases {
        assert_eq!(refusal(fields).to_string(), format!("line 2, {expected}"), "{fields}");
    }
}

#[test]
fn a_value_that_is_not_of_its_type_is_refused_with_its_place_and_what_was_expected() {
    check(&[
        (
            "\"spanId\":\"abc\"",
            "column 14: invalid value: string \"abc\", expected 16 hexadecimal digits for `spanId`",
        ),
        (
            "\"traceId\":\"0102\"",
            "column 16: invalid value: string \"0102\", expected 32 hexadecimal digits for `traceId`",
        ),
        (
            "\"spanId\":\"zz02030405060708\"",
            "column 27: invalid value: string \"zz02030405060708\", expected 16 hexadecimal digits for `spanId`",
        ),
        (
            "\"timeUnixNano\":-1",
            "column 17: invalid value: integer `-1`, expected an integer of 64 bits without a sign for `timeUnixNano`",
        ),
        (
            "\"timeUnixNano\":\"soon\"",
            "column 21: invalid value: string \"soon\", expected an integer of 64 bits without a sign for `timeUnixNano`",
        ),
        (
            "\"timeUnixNano\":1.5",
            "column 18: invalid value: floating point `1.5`, expected an integer of 64 bits without a sign for \
             `timeUnixNano`",
        ),
        (
            "\"flags\":4294967296",
            "column 18: invalid value: integer `4294967296`, expected an integer of 32 bits without a sign for `flags`",
        ),
        (
            "\"severityNumber\":\"LOUD\"",
            "column 23: invalid value: string \"LOUD\", expected an integer or a name like SEVERITY_NUMBER_UNSPECIFIED \
             for `severityNumber`",
        ),
        (
            "\"eventName\":5",
            "column 13: invalid type: integer `5`, expected text for `eventName`",
        ),
        (
            "\"body\":{\"bytesValue\":\"a\"}",
            "column 24: invalid value: string \"a\", expected base64 for `bytesValue`",
        ),
        (
            "\"body\":{\"bytesValue\":\"a=aa\"}",
            "column 27: invalid value: string \"a=aa\", expected base64 for `bytesValue`",
        ),
        (
            "\"body\":{\"boolValue\":\"true\"}",
            "column 26: invalid type: string \"true\", expected true or false for `boolValue`",
        ),
        (
            "\"body\":{\"doubleValue\":\"inf\"}",
            "column 27: invalid value: string \"inf\", expected a number, \"NaN\", \"Infinity\" or \"-Infinity\" for \
             `doubleValue`",
        ),
    ]);
}

#[test]
fn what_is_no_object_or_array_where_one_belongs_is_refused() {
    check(&[
        (
            "\"body\":\"text\"",
            "column 13: invalid type: string \"text\", expected an object of stringValue, boolValue, intValue and the like",
        ),
        (
            "\"attributes\":{}",
            "column 13: invalid type: map, expected an array for `attributes`",
        ),
        (
            "\"attributes\":[null]",
            "column 18: invalid type: null, expected an object of key, value and the like",
        ),
        ("\"flags\":1,\"flags\":1", "column 20: `flags` is there twice"),
        (
            "\"body\":{\"intValue\":1,\"boolValue\":true}",
            "column 38: `boolValue` and `intValue` exclude each other",
        ),
        ("\"flags\":01", "column 10: invalid number"),
        ("\"flags\"", "column 8: expected `:`"),
    ]);
}

#[test]
fn what_is_no_object_or_does_not_end_is_refused() {
    for text in [
        "",
        " ",
        "[]",
        "null",
        "5",
        "{",
        "{}{}",
        "{} x",
        "{\"resourceLogs\":[",
        "{\"a\":\"",
        "\u{feff}{}",
    ] {
        let result = json::decode(Signal::Logs, text.as_bytes(), &Limits::default());
        assert!(matches!(result, Err(JsonError::Invalid { .. })), "{text:?}: {result:?}");
    }
    assert_eq!(json::decode(Signal::Logs, b" {} ", &Limits::default()), Ok(vec![]));
}

#[test]
fn a_refusal_does_not_repeat_all_that_it_was_sent() {
    let error = refusal(&format!("\"spanId\":\"{}\"", "é".repeat(100_000))).to_string();
    assert!(error.len() < 400, "{} bytes", error.len());
    assert!(error.starts_with("line 2, column "), "{error}");
    assert!(
        error.ends_with("expected 16 hexadecimal digits for `spanId`"),
        "{error}"
    );
}

/// Values within each other, as `open` and `close` say, in the log record's body.
fn nested(open: &str, close: &str, depth: usize) -> Result<Vec<u8>, JsonError> {
    let value = format!("{}\"boolValue\":true{}", open.repeat(depth), close.repeat(depth));
    let text = format!(
        "{{\"resourceLogs\":[{{\"resource\":{{}},\"scopeLogs\":[{{\"scope\":{{}},\"logRecords\":[{{\"body\":{{{value}}}}}]}}]}}]}}"
    );
    json::decode(Signal::Logs, text.as_bytes(), &Limits::default())
}

#[test]
fn values_nest_as_deep_as_encoded_ones_may() {
    let array = ("\"arrayValue\":{\"values\":[{", "}]}");
    let list = ("\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{", "}}]}");
    for (open, close) in [array, list] {
        let encoded = nested(open, close, MAX_DEPTH).unwrap();
        let mut text = Vec::new();
        json::put(Signal::Logs, &mut text, [&encoded[..]]).unwrap();
        assert_eq!(json::decode(Signal::Logs, &text, &Limits::default()), Ok(encoded));
        for depth in [MAX_DEPTH + 1, 10_000] {
            let error = nested(open, close, depth).unwrap_err().to_string();
            assert!(error.ends_with("values are nested deeper than 32"), "{error}");
        }
    }
}

#[test]
fn encoded_values_that_are_nested_deeper_are_not_written() {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue};
    use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
    let written = |depth: usize| {
        let mut body = AnyValue::default();
        for _ in 0..depth {
            body = AnyValue {
                value: Some(Value::ArrayValue(ArrayValue { values: vec![body] })),
            };
        }
        let log_records = vec![LogRecord {
            body: Some(body),
            ..LogRecord::default()
        }];
        let scope_logs = vec![ScopeLogs {
            log_records,
            ..ScopeLogs::default()
        }];
        let resource_logs = vec![ResourceLogs {
            scope_logs,
            ..ResourceLogs::default()
        }];
        let bytes = ExportLogsServiceRequest { resource_logs }.encode_to_vec();
        json::put(Signal::Logs, &mut Vec::new(), [&bytes[..]])
    };
    assert_eq!(written(MAX_DEPTH), Ok(()));
    assert_eq!(written(MAX_DEPTH + 1), Err(Malformed::TooDeep));
    assert_eq!(written(1_000), Err(Malformed::TooDeep));
}

#[test]
fn the_encoded_length_is_bounded() {
    let numbers = ["1"; 1000].join(",");
    let text = format!(
        "{{\"resourceMetrics\":[{{\"scopeMetrics\":[{{\"metrics\":[{{\"histogram\":{{\"dataPoints\":[\
         {{\"explicitBounds\":[{numbers}]}}]}}}}]}}]}}]}}"
    );
    let decode = |output_bytes| json::decode(Signal::Metrics, text.as_bytes(), &Limits { output_bytes });
    let length = decode(usize::MAX).unwrap().len();
    assert!(length > 8000);
    assert_eq!(decode(length).map(|encoded| encoded.len()), Ok(length));
    assert_eq!(decode(length - 1), Err(JsonError::TooLarge { limit: length - 1 }));
    assert_eq!(decode(100), Err(JsonError::TooLarge { limit: 100 }));
}
