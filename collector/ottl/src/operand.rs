//! Compiled values and conditions, and their evaluation.

use crate::ast::{CompareOp, Key, MathOp};
use crate::converter::Converter;
use crate::error::EvalError;
use crate::path::{Path, Shape};
use crate::record::Record;
use crate::value::{ValueRef, owned_ref};
use collector_pdata::Value;
use std::borrow::Cow;

/// A value of a program.
#[derive(Debug, Clone)]
pub(crate) enum Operand {
    Literal(Value),
    Path(Path, Shape),
    List(Vec<Operand>),
    Map(Vec<(String, Operand)>),
    Converter(Box<Converter>, Vec<Key>, Shape),
    Negate(Box<Operand>),
    Math(Box<Operand>, Vec<(MathOp, Operand)>),
}

/// A condition of a program.
#[derive(Debug, Clone)]
pub(crate) enum Test {
    Constant(bool),
    Converter(Operand),
    Compare(Operand, CompareOp, Operand),
    Not(Box<Test>),
    All(Vec<Test>),
    Any(Vec<Test>),
}

pub(crate) type Evaluated<'a> = Result<ValueRef<'a>, EvalError>;

impl Operand {
    /// What it gives, as far as that is known beforehand.
    pub(crate) fn shape(&self) -> Shape {
        match self {
            Operand::Literal(value) => literal_shape(value),
            Operand::Path(_, shape) => *shape,
            Operand::Converter(_, keys, shape) if keys.is_empty() => *shape,
            Operand::Converter(..) | Operand::Negate(_) | Operand::Math(..) => Shape::Any,
            Operand::List(_) => Shape::List,
            Operand::Map(_) => Shape::Map,
        }
    }

    pub(crate) fn evaluate<'a>(&'a self, record: &'a dyn Record) -> Evaluated<'a> {
        match self {
            Operand::Literal(value) => Ok(ValueRef::from(value)),
            Operand::Path(path, _) => record.get(path),
            Operand::Converter(converter, keys, _) => converter.call(record)?.entry(keys),
            Operand::List(values) => {
                let values = values.iter().map(|value| value.owned(record));
                Ok(ValueRef::List(Cow::Owned(values.collect::<Result<_, _>>()?)))
            }
            Operand::Map(entries) => {
                let entries = entries
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), value.owned(record)?)));
                Ok(ValueRef::Map(Cow::Owned(entries.collect::<Result<_, EvalError>>()?)))
            }
            Operand::Negate(value) => negate(value.evaluate(record)?),
            Operand::Math(first, rest) => {
                let mut value = first.evaluate(record)?;
                for (op, operand) in rest {
                    value = calculate(value, *op, operand.evaluate(record)?)?;
                }
                Ok(value)
            }
        }
    }

    /// Its value, borrowing nothing.
    pub(crate) fn owned(&self, record: &dyn Record) -> Result<Value, EvalError> {
        self.evaluate(record).map(ValueRef::into_value)
    }

    /// Its text; anything else is an error that names the function `what`.
    pub(crate) fn text<'a>(&'a self, record: &'a dyn Record, what: &'static str) -> Result<Cow<'a, str>, EvalError> {
        match self.evaluate(record)? {
            ValueRef::Text(text) => Ok(text),
            other => Err(mismatch(what, "a text", &other)),
        }
    }

    /// Its whole number; anything else is an error that names the function `what`.
    pub(crate) fn int(&self, record: &dyn Record, what: &'static str) -> Result<i64, EvalError> {
        match self.evaluate(record)? {
            ValueRef::Int(value) => Ok(value),
            other => Err(mismatch(what, "an int", &other)),
        }
    }
}

pub(crate) fn mismatch(what: &'static str, expected: &'static str, found: &ValueRef<'_>) -> EvalError {
    let found = found.type_name();
    EvalError::Type { what, expected, found }
}

fn literal_shape(value: &Value) -> Shape {
    match value {
        Value::Null => Shape::Any,
        Value::Text(_) => Shape::Text,
        Value::Bool(_) => Shape::Bool,
        Value::Int(_) => Shape::Int,
        Value::Double(_) => Shape::Double,
        Value::Bytes(_) => Shape::Bytes,
        Value::List(_) => Shape::List,
        Value::Map(_) => Shape::Map,
    }
}

fn negate(value: ValueRef<'_>) -> Evaluated<'_> {
    match value {
        ValueRef::Int(value) => Ok(ValueRef::Int(value.wrapping_neg())),
        ValueRef::Double(value) => Ok(ValueRef::Double(-value)),
        other => Err(mismatch("the sign -", "a number", &other)),
    }
}

/// Whole numbers wrap around at 64 bits and divide towards zero; a double makes both operands doubles.
fn calculate<'a>(left: ValueRef<'a>, op: MathOp, right: ValueRef<'a>) -> Evaluated<'a> {
    match (&left, &right) {
        (ValueRef::Int(a), ValueRef::Int(b)) => whole(*a, op, *b).map(ValueRef::Int),
        (ValueRef::Int(a), ValueRef::Double(b)) => float(*a as f64, op, *b).map(ValueRef::Double),
        (ValueRef::Double(a), ValueRef::Int(b)) => float(*a, op, *b as f64).map(ValueRef::Double),
        (ValueRef::Double(a), ValueRef::Double(b)) => float(*a, op, *b).map(ValueRef::Double),
        (ValueRef::Int(_) | ValueRef::Double(_), other) | (other, _) => Err(mismatch("arithmetic", "numbers", other)),
    }
}

fn whole(a: i64, op: MathOp, b: i64) -> Result<i64, EvalError> {
    Ok(match op {
        MathOp::Add => a.wrapping_add(b),
        MathOp::Subtract => a.wrapping_sub(b),
        MathOp::Multiply => a.wrapping_mul(b),
        MathOp::Divide if b == 0 => return Err(EvalError::DivisionByZero),
        MathOp::Divide => a.wrapping_div(b),
    })
}

fn float(a: f64, op: MathOp, b: f64) -> Result<f64, EvalError> {
    Ok(match op {
        MathOp::Add => a + b,
        MathOp::Subtract => a - b,
        MathOp::Multiply => a * b,
        MathOp::Divide if b == 0.0 => return Err(EvalError::DivisionByZero),
        MathOp::Divide => a / b,
    })
}

impl Test {
    pub(crate) fn holds(&self, record: &dyn Record) -> Result<bool, EvalError> {
        match self {
            Test::Constant(value) => Ok(*value),
            Test::Converter(operand) => match operand.evaluate(record)? {
                ValueRef::Bool(value) => Ok(value),
                other => Err(mismatch("a condition", "a bool", &other)),
            },
            Test::Compare(left, op, right) => {
                let left = left.evaluate(record)?;
                Ok(op.holds(&left, &right.evaluate(record)?))
            }
            Test::Not(test) => test.holds(record).map(|held| !held),
            Test::All(tests) => first(tests, record, false).map(|found| !found),
            Test::Any(tests) => first(tests, record, true),
        }
    }
}

/// Whether one of `tests` comes out as `wanted`; those after it are not evaluated.
fn first(tests: &[Test], record: &dyn Record, wanted: bool) -> Result<bool, EvalError> {
    for test in tests {
        if test.holds(record)? == wanted {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A value for a constant expression, which needs no record.
pub(crate) fn constant(operand: Operand) -> Operand {
    let is_literal = |operand: &Operand| matches!(operand, Operand::Literal(_));
    match operand {
        Operand::List(values) if values.iter().all(is_literal) => {
            let values = values.into_iter().filter_map(literal);
            Operand::Literal(Value::List(values.collect()))
        }
        Operand::Map(entries) if entries.iter().all(|(_, value)| is_literal(value)) => {
            let entries = entries.into_iter();
            let entries = entries.filter_map(|(key, value)| Some((key, literal(value)?)));
            Operand::Literal(Value::Map(entries.collect()))
        }
        other => other,
    }
}

fn literal(operand: Operand) -> Option<Value> {
    match operand {
        Operand::Literal(value) => Some(value),
        _ => None,
    }
}

/// What is not text becomes one, as upstream's text-like arguments do: bytes as hexadecimal digits, numbers, lists and maps
/// as JSON. `None` for `nil`; an error where JSON has no number for a double.
pub(crate) fn text_like<'a>(value: ValueRef<'a>, what: &'static str) -> Result<Option<Cow<'a, str>>, EvalError> {
    Ok(Some(match value {
        ValueRef::Nil => return Ok(None),
        ValueRef::Text(text) => text,
        ValueRef::Bytes(bytes) => Cow::Owned(hex(&bytes)),
        other => {
            let why = "it holds a double that is no number, which JSON cannot express";
            let json = other.into_value().to_html_json();
            Cow::Owned(json.ok_or(EvalError::Argument { what, why })?)
        }
    }))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// A text that nobody else owns.
pub(crate) fn new_text<'a>(text: String) -> ValueRef<'a> {
    owned_ref(Value::Text(text))
}
