//! The action `convert`.

use super::apply::replace;
use collector_ottl::go_float;
use collector_pdata::edit::Change;
use collector_pdata::{Malformed, Value};

/// The type that a value gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Int,
    Double,
    Text,
}

impl Target {
    /// Appends the value `old` as this type. What cannot be converted stays.
    pub(super) fn put(self, old: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
        let old = Value::read(old)?;
        let converted = match self {
            Target::Int => to_int(&old).map(Value::Int),
            Target::Double => to_double(&old).map(Value::Double),
            Target::Text if matches!(old, Value::Text(_)) => None,
            Target::Text => Some(Value::Text(old.as_string())),
        };
        Ok(converted.map_or(Change::Keep, |value| replace(&value, out)))
    }
}

fn to_int(value: &Value) -> Option<i64> {
    match value {
        Value::Double(number) => Some(*number as i64),
        Value::Bool(flag) => Some(i64::from(*flag)),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    }
}

fn to_double(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        Value::Text(text) => go_float(text),
        _ => None,
    }
}
