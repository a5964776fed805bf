use crate::generate::any_value;
use collector_pdata::traces::MAX_DEPTH;
use collector_pdata::{Malformed, Value};
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value};
use proptest::prelude::*;
use prost::Message;

/// As the product reads it: of several entries with one key the first counts.
fn expected(value: &AnyValue) -> Value {
    match &value.value {
        None => Value::Null,
        Some(any_value::Value::StringValue(text)) => Value::Text(text.clone()),
        Some(any_value::Value::BoolValue(value)) => Value::Bool(*value),
        Some(any_value::Value::IntValue(value)) => Value::Int(*value),
        Some(any_value::Value::DoubleValue(value)) => Value::Double(*value),
        Some(any_value::Value::BytesValue(bytes)) => Value::Bytes(bytes.clone()),
        Some(any_value::Value::ArrayValue(array)) => Value::List(array.values.iter().map(expected).collect()),
        Some(any_value::Value::KvlistValue(list)) => {
            let mut entries: Vec<(String, Value)> = Vec::new();
            for entry in &list.values {
                if entries.iter().all(|(key, _)| *key != entry.key) {
                    entries.push((entry.key.clone(), entry.value.as_ref().map_or(Value::Null, expected)));
                }
            }
            Value::Map(entries)
        }
    }
}

proptest! {
    #[test]
    fn a_value_is_read_as_prost_wrote_it_and_written_as_it_was_read(value in any_value()) {
        let read = Value::read(&value.encode_to_vec()).unwrap();
        prop_assert_eq!(&read, &expected(&value));
        let mut out = Vec::new();
        read.put(&mut out);
        prop_assert_eq!(expected(&AnyValue::decode(&out[..]).unwrap()), read);
    }

    #[test]
    fn a_double_is_written_so_that_it_reads_back_the_same(value in any::<f64>()) {
        prop_assume!(value.is_finite());
        prop_assert_eq!(Value::Double(value).as_string().parse::<f64>(), Ok(value));
    }

    #[test]
    fn a_list_or_map_is_written_as_json(value in any_value()) {
        let value = expected(&value);
        if matches!(value, Value::List(_) | Value::Map(_)) {
            let text = value.as_string();
            prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{}", text);
        }
    }

    #[test]
    fn any_bytes_are_an_error_or_a_value(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Value::read(&bytes);
    }
}

#[test]
fn texts_are_those_of_the_upstream_collector() {
    let text = |text: &str| Value::Text(text.to_owned());
    let map = |entries: &[(&str, Value)]| {
        Value::Map(
            entries
                .iter()
                .map(|(key, value)| ((*key).to_owned(), value.clone()))
                .collect(),
        )
    };
    for (value, expected) in [
        (Value::Null, ""),
        (text("a \"b\""), "a \"b\""),
        (Value::Bool(true), "true"),
        (Value::Int(i64::MIN), "-9223372036854775808"),
        (Value::Double(1.0), "1"),
        (Value::Double(-0.5), "-0.5"),
        (Value::Double(1e20), "100000000000000000000"),
        (Value::Double(1e21), "1e+21"),
        (Value::Double(-1.5e300), "-1.5e+300"),
        (Value::Double(1e-6), "0.000001"),
        (Value::Double(1.5e-7), "1.5e-7"),
        (Value::Double(f64::NAN), "NaN"),
        (Value::Double(f64::NEG_INFINITY), "-Infinity"),
        (Value::Bytes(vec![0xfb, 0xff]), "+/8="),
        (Value::List(vec![]), "[]"),
        (map(&[]), "{}"),
        (
            map(&[
                (
                    "b",
                    Value::List(vec![
                        Value::Null,
                        Value::Int(1),
                        Value::Double(2.0),
                        Value::Bytes(vec![1]),
                    ]),
                ),
                ("a", text("<\n\"é\u{2028}")),
            ]),
            "{\"a\":\"<\\n\\\"é\\u2028\",\"b\":[null,1,2,\"AQ==\"]}",
        ),
        (
            Value::List(vec![Value::Double(f64::INFINITY), map(&[])]),
            "[\"Infinity\",{}]",
        ),
    ] {
        assert_eq!(value.as_string(), expected, "{value:?}");
    }
}

#[test]
fn json_for_html_is_that_of_the_upstream_language() {
    let list = |values: &[Value]| Value::List(values.to_vec());
    let text = |text: &str| Value::Text(text.to_owned());
    for (value, expected) in [
        (Value::Null, Some("null")),
        (text("<&>\u{2029}é"), Some(r#""\u003c\u0026\u003e\u2029é""#)),
        (Value::Double(1.5e-7), Some("1.5e-07")),
        (Value::Double(-1e21), Some("-1e+21")),
        (Value::Double(1e100), Some("1e+100")),
        (Value::Double(1e20), Some("100000000000000000000")),
        (
            list(&[Value::Double(0.5), Value::Bytes(vec![1])]),
            Some(r#"[0.5,"AQ=="]"#),
        ),
        (
            Value::Map(vec![("<".to_owned(), list(&[text("a")]))]),
            Some(r#"{"\u003c":["a"]}"#),
        ),
        (Value::Double(f64::NAN), None),
        (list(&[list(&[Value::Double(f64::INFINITY)])]), None),
    ] {
        assert_eq!(value.to_html_json().as_deref(), expected, "{value:?}");
    }
}

#[test]
fn text_that_is_not_utf8_is_replaced() {
    assert_eq!(Value::read(b"\x0a\x03a\xffb"), Ok(Value::Text("a\u{fffd}b".into())));
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| (0..depth).fold(Value::Bool(true), |inner, _| Value::List(vec![inner]));
    for (depth, result) in [
        (MAX_DEPTH, Ok(nested(MAX_DEPTH))),
        (MAX_DEPTH + 1, Err(Malformed::TooDeep)),
    ] {
        let mut out = Vec::new();
        nested(depth).put(&mut out);
        assert_eq!(Value::read(&out), result);
    }
}
