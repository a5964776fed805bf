//! An attribute's value that belongs to nobody's buffer: for those who compute with values.

use crate::proto::{BYTES, FIXED64, Malformed, VARINT, put_bytes, put_key, put_message, put_varint};
use crate::view::AnyValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::HashSet;
use std::fmt::{self, Display, Formatter};

/// An `AnyValue`.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// No value.
    #[default]
    Null,
    /// Text. Bytes that were not UTF-8 are replaced when a value is read.
    Text(String),
    /// `true` or `false`.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A double.
    Double(f64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// An `ArrayValue`.
    List(Vec<Value>),
    /// A `KeyValueList`, in its order. A key is there once.
    Map(Vec<(String, Value)>),
}

impl Value {
    /// Reads an encoded `AnyValue`, nested no deeper than [`MAX_DEPTH`](crate::traces::MAX_DEPTH). Of several entries with
    /// one key the first counts.
    pub fn read(any_value: &[u8]) -> Result<Value, Malformed> {
        Value::of(AnyValue::read(any_value)?)
    }

    /// Reads what a view shows.
    pub fn of(view: Option<AnyValue<'_>>) -> Result<Value, Malformed> {
        Ok(match view {
            None => Value::Null,
            Some(AnyValue::Text(text)) => Value::Text(String::from_utf8_lossy(text).into_owned()),
            Some(AnyValue::Bool(value)) => Value::Bool(value),
            Some(AnyValue::Int(value)) => Value::Int(value),
            Some(AnyValue::Double(value)) => Value::Double(value),
            Some(AnyValue::Bytes(bytes)) => Value::Bytes(bytes.to_vec()),
            Some(AnyValue::Array(nested)) => {
                let values = nested.values().map(|value| Value::of(value?));
                Value::List(values.collect::<Result<_, Malformed>>()?)
            }
            Some(AnyValue::Map(nested)) => {
                let mut keys = HashSet::new();
                let mut entries = Vec::new();
                for attribute in nested.attributes() {
                    let attribute = attribute?;
                    if keys.insert(attribute.key) {
                        let key = String::from_utf8_lossy(attribute.key).into_owned();
                        entries.push((key, Value::of(attribute.value)?));
                    }
                }
                Value::Map(entries)
            }
        })
    }

    /// Appends the encoded `AnyValue`, its body without a key and length.
    pub fn put(&self, out: &mut Vec<u8>) {
        match self {
            Value::Null => {}
            Value::Text(text) => put_bytes(out, 1, text.as_bytes()),
            Value::Bool(value) => {
                put_key(out, 2, VARINT);
                out.push(u8::from(*value));
            }
            Value::Int(value) => {
                put_key(out, 3, VARINT);
                put_varint(out, *value as u64);
            }
            Value::Double(value) => {
                put_key(out, 4, FIXED64);
                out.extend_from_slice(&value.to_le_bytes());
            }
            Value::List(values) => put_message(out, 5, |out| {
                values
                    .iter()
                    .for_each(|value| put_message(out, 1, |out| value.put(out)));
            }),
            Value::Map(entries) => put_message(out, 6, |out| {
                for (key, value) in entries {
                    put_message(out, 1, |out| {
                        put_bytes(out, 1, key.as_bytes());
                        put_message(out, 2, |out| value.put(out));
                    });
                }
            }),
            Value::Bytes(bytes) => {
                put_key(out, 7, BYTES);
                put_varint(out, bytes.len() as u64);
                out.extend_from_slice(bytes);
            }
        }
    }

    /// The value as the OpenTelemetry Collector's `AsString` writes it; see [`Display`].
    pub fn as_string(&self) -> String {
        self.to_string()
    }

    fn fmt_json(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => out.write_str("null"),
            Value::Text(text) => fmt_quoted(text, out),
            Value::Bytes(bytes) => write!(out, "\"{}\"", STANDARD.encode(bytes)),
            Value::Double(value) if value.is_nan() => out.write_str("\"NaN\""),
            Value::Double(value) if value.is_infinite() => {
                out.write_str(if *value > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" })
            }
            Value::List(values) => fmt_list(values, out),
            Value::Map(entries) => fmt_map(entries, out),
            Value::Bool(_) | Value::Int(_) | Value::Double(_) => Display::fmt(self, out),
        }
    }
}

/// As the OpenTelemetry Collector's `AsString`: a text is itself, nothing is the empty text, bytes are base64, a double
/// is the shortest text that reads back the same, and lists and maps are JSON with sorted keys. One thing differs: where
/// a list or map holds a double that JSON has no number for, theirs is empty and ours has the word in quotes.
impl Display for Value {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => Ok(()),
            Value::Text(text) => out.write_str(text),
            Value::Bool(value) => write!(out, "{value}"),
            Value::Int(value) => write!(out, "{value}"),
            Value::Double(value) => fmt_double(*value, out),
            Value::Bytes(bytes) => out.write_str(&STANDARD.encode(bytes)),
            Value::List(_) | Value::Map(_) => self.fmt_json(out),
        }
    }
}

fn fmt_list(values: &[Value], out: &mut Formatter<'_>) -> fmt::Result {
    for (index, value) in values.iter().enumerate() {
        out.write_str(if index == 0 { "[" } else { "," })?;
        value.fmt_json(out)?;
    }
    out.write_str(if values.is_empty() { "[]" } else { "]" })
}

fn fmt_map(entries: &[(String, Value)], out: &mut Formatter<'_>) -> fmt::Result {
    let mut sorted: Vec<&(String, Value)> = entries.iter().collect();
    sorted.sort_by_key(|(key, _)| key);
    for (index, (key, value)) in sorted.into_iter().enumerate() {
        out.write_str(if index == 0 { "{" } else { "," })?;
        fmt_quoted(key, out)?;
        out.write_str(":")?;
        value.fmt_json(out)?;
    }
    out.write_str(if entries.is_empty() { "{}" } else { "}" })
}

fn fmt_quoted(text: &str, out: &mut Formatter<'_>) -> fmt::Result {
    out.write_str(&serde_json::to_string(text).map_err(|_| fmt::Error)?)
}

/// JavaScript's rule for where the exponent begins, which Go's JSON follows; the words for what is no number are Go's too.
fn fmt_double(value: f64, out: &mut Formatter<'_>) -> fmt::Result {
    let size = value.abs();
    if value.is_nan() {
        out.write_str("json: unsupported value: NaN")
    } else if value.is_infinite() {
        let sign = if value > 0.0 { '+' } else { '-' };
        write!(out, "json: unsupported value: {sign}Inf")
    } else if size >= 1e21 {
        out.write_str(&format!("{value:e}").replace('e', "e+"))
    } else if size != 0.0 && size < 1e-6 {
        write!(out, "{value:e}")
    } else {
        write!(out, "{value}")
    }
}
