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

    /// The value as the JSON that the OpenTelemetry Collector's transformation language writes, fit for HTML: `<`, `>` and
    /// `&` are escaped, and exponents have two digits at least. `None` if it holds a double that JSON has no number for.
    pub fn to_html_json(&self) -> Option<String> {
        struct Shown<'a>(&'a Value);
        impl Display for Shown<'_> {
            fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
                fmt_json(self.0, Style::Html, out)
            }
        }
        self.is_json().then(|| Shown(self).to_string())
    }

    fn is_json(&self) -> bool {
        match self {
            Value::Double(value) => value.is_finite(),
            Value::List(values) => values.iter().all(Value::is_json),
            Value::Map(entries) => entries.iter().all(|(_, value)| value.is_json()),
            _ => true,
        }
    }
}

/// For whom JSON is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    Html,
}

fn fmt_json(value: &Value, style: Style, out: &mut Formatter<'_>) -> fmt::Result {
    match value {
        Value::Null => out.write_str("null"),
        Value::Text(text) => fmt_quoted(text, style, out),
        Value::Bytes(bytes) => write!(out, "\"{}\"", STANDARD.encode(bytes)),
        Value::Double(value) if !value.is_finite() => write!(out, "\"{}\"", no_number(*value)),
        Value::Double(value) => fmt_double(*value, style, out),
        Value::List(values) => fmt_list(values, style, out),
        Value::Map(entries) => fmt_map(entries, style, out),
        Value::Bool(_) | Value::Int(_) => Display::fmt(value, out),
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
            Value::Double(value) if !value.is_finite() => out.write_str(no_number(*value)),
            Value::Double(value) => fmt_double(*value, Style::Plain, out),
            Value::Bytes(bytes) => out.write_str(&STANDARD.encode(bytes)),
            Value::List(_) | Value::Map(_) => fmt_json(self, Style::Plain, out),
        }
    }
}

fn fmt_list(values: &[Value], style: Style, out: &mut Formatter<'_>) -> fmt::Result {
    for (index, value) in values.iter().enumerate() {
        out.write_str(if index == 0 { "[" } else { "," })?;
        fmt_json(value, style, out)?;
    }
    out.write_str(if values.is_empty() { "[]" } else { "]" })
}

fn fmt_map(entries: &[(String, Value)], style: Style, out: &mut Formatter<'_>) -> fmt::Result {
    let mut sorted: Vec<&(String, Value)> = entries.iter().collect();
    sorted.sort_by_key(|(key, _)| key);
    for (index, (key, value)) in sorted.into_iter().enumerate() {
        out.write_str(if index == 0 { "{" } else { "," })?;
        fmt_quoted(key, style, out)?;
        out.write_str(":")?;
        fmt_json(value, style, out)?;
    }
    out.write_str(if entries.is_empty() { "{}" } else { "}" })
}

/// Go escapes the separators of lines and paragraphs too, since JavaScript ends a line at them.
fn fmt_quoted(text: &str, style: Style, out: &mut Formatter<'_>) -> fmt::Result {
    let quoted = serde_json::to_string(text).map_err(|_| fmt::Error)?;
    let is_escaped = |c| matches!(c, '\u{2028}' | '\u{2029}') || style == Style::Html && matches!(c, '<' | '>' | '&');
    let mut rest = quoted.as_str();
    while let Some(at) = rest.find(is_escaped) {
        let mut behind = rest[at..].chars();
        let escaped = behind.next().map_or(0, u32::from);
        write!(out, "{}\\u{escaped:04x}", &rest[..at])?;
        rest = behind.as_str();
    }
    out.write_str(rest)
}

/// JavaScript's words for what is no number.
fn no_number(value: f64) -> &'static str {
    match value {
        f64::INFINITY => "Infinity",
        f64::NEG_INFINITY => "-Infinity",
        _ => "NaN",
    }
}

/// JavaScript's rule for where the exponent begins, which Go's JSON follows.
fn fmt_double(value: f64, style: Style, out: &mut Formatter<'_>) -> fmt::Result {
    let size = value.abs();
    if size < 1e21 && (size == 0.0 || size >= 1e-6) {
        return write!(out, "{value}");
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').ok_or(fmt::Error)?;
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    match style {
        Style::Plain => write!(out, "{digits}e{sign}{exponent}"),
        Style::Html => write!(out, "{digits}e{sign}{exponent:0>2}"),
    }
}
