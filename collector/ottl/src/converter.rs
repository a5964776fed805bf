//! The converters: functions from values to a value.

use crate::error::EvalError;
use crate::go::{go_float, lower_of, upper_of};
use crate::lex::decode_hex;
use crate::operand::{Evaluated, Operand, hex, mismatch, new_text, text_like};
use crate::path::{Path, Shape};
use crate::record::Record;
use crate::value::ValueRef;
use regex::Regex;
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// The longest text that [`Converter::Concat`] gives, in bytes.
const MAX_CONCAT: usize = 16 << 20;

/// The most parts that [`Converter::Split`] gives; each takes many times the memory of its text.
const MAX_PARTS: usize = 1 << 16;

/// A call of a converter.
#[derive(Debug, Clone)]
pub(crate) enum Converter {
    IsMatch(Operand, Regex),
    Concat(Operand, Operand),
    One(One, Operand),
    Split(Operand, Operand),
    Substring(Operand, Operand, Operand),
    HasPrefix(Operand, Operand),
    HasSuffix(Operand, Operand),
    Coalesce(Vec<Operand>),
    IsRootSpan(Path),
}

/// A converter of one value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct One {
    pub(crate) name: &'static str,
    /// The parameter's name.
    pub(crate) parameter: &'static str,
    /// What it gives.
    pub(crate) gives: Shape,
    pub(crate) call: for<'a> fn(ValueRef<'a>) -> Evaluated<'a>,
}

const fn one(
    name: &'static str,
    parameter: &'static str,
    gives: Shape,
    call: for<'a> fn(ValueRef<'a>) -> Evaluated<'a>,
) -> One {
    One {
        name,
        parameter,
        gives,
        call,
    }
}

/// Every converter of one value. Those that may give `nil` give any value.
pub(crate) const ONES: &[One] = &[
    one("Bool", "target", Shape::Any, to_bool),
    one("Double", "target", Shape::Any, to_double),
    one("FNV", "target", Shape::Int, fnv),
    one("Hex", "target", Shape::Text, to_hex),
    one("Int", "target", Shape::Any, to_int),
    one("IsBool", "target", Shape::Bool, |value| {
        is(matches!(value, ValueRef::Bool(_)))
    }),
    one("IsDouble", "target", Shape::Bool, |value| {
        is(matches!(value, ValueRef::Double(_)))
    }),
    one("IsInt", "target", Shape::Bool, |value| {
        is(matches!(value, ValueRef::Int(_)))
    }),
    one("IsList", "target", Shape::Bool, |value| {
        is(matches!(value, ValueRef::List(_)))
    }),
    one("IsMap", "target", Shape::Bool, |value| {
        is(matches!(value, ValueRef::Map(_)))
    }),
    one("IsString", "target", Shape::Bool, |value| {
        is(matches!(value, ValueRef::Text(_)))
    }),
    one("Len", "target", Shape::Int, length),
    one("SHA256", "target", Shape::Text, sha256),
    one("SpanID", "target", Shape::Bytes, |value| id(value, 8, "SpanID")),
    one("String", "target", Shape::Any, to_text),
    one("ToLowerCase", "target", Shape::Text, lower),
    one("ToUpperCase", "target", Shape::Text, upper),
    one("TraceID", "target", Shape::Bytes, |value| id(value, 16, "TraceID")),
];

impl Converter {
    pub(crate) fn call<'a>(&'a self, record: &'a dyn Record) -> Evaluated<'a> {
        match self {
            Converter::IsMatch(target, pattern) => {
                let target = text_like(target.evaluate(record)?, "IsMatch")?;
                is(target.is_some_and(|text| pattern.is_match(&text)))
            }
            Converter::Concat(values, delimiter) => concat(values, delimiter, record),
            Converter::One(one, value) => (one.call)(value.evaluate(record)?),
            Converter::Split(target, delimiter) => {
                let target = target.text(record, "Split")?;
                split(&target, &delimiter.text(record, "Split")?)
            }
            Converter::Substring(target, start, length) => {
                let (start, length) = (start.int(record, "Substring")?, length.int(record, "Substring")?);
                substring(&target.text(record, "Substring")?, start, length)
            }
            Converter::HasPrefix(target, prefix) => {
                let target = target.text(record, "HasPrefix")?;
                is(target.starts_with(&*prefix.text(record, "HasPrefix")?))
            }
            Converter::HasSuffix(target, suffix) => {
                let target = target.text(record, "HasSuffix")?;
                is(target.ends_with(&*suffix.text(record, "HasSuffix")?))
            }
            Converter::Coalesce(values) => coalesce(values, record),
            Converter::IsRootSpan(parent) => match record.get(parent)? {
                ValueRef::Bytes(id) => is(id.iter().all(|byte| *byte == 0)),
                _ => is(true),
            },
        }
    }
}

fn is<'a>(value: bool) -> Evaluated<'a> {
    Ok(ValueRef::Bool(value))
}

fn coalesce<'a>(values: &'a [Operand], record: &'a dyn Record) -> Evaluated<'a> {
    for value in values {
        let value = value.evaluate(record)?;
        if value != ValueRef::Nil {
            return Ok(value);
        }
    }
    Ok(ValueRef::Nil)
}

/// `nil` in between is written as `<nil>`, as upstream does.
fn concat<'a>(values: &'a Operand, delimiter: &'a Operand, record: &'a dyn Record) -> Evaluated<'a> {
    let delimiter = delimiter.text(record, "Concat")?;
    let mut joined = String::new();
    let mut first = true;
    let mut add = |value: ValueRef<'_>| {
        if !std::mem::take(&mut first) {
            joined.push_str(&delimiter);
        }
        joined.push_str(&text_like(value, "Concat")?.unwrap_or(Cow::Borrowed("<nil>")));
        let why = "the text grows beyond 16 MiB";
        let what = "Concat";
        if joined.len() > MAX_CONCAT {
            return Err(EvalError::Argument { what, why });
        }
        Ok(())
    };
    match values {
        Operand::List(values) => {
            for value in values {
                add(value.evaluate(record)?)?;
            }
        }
        other => match other.evaluate(record)? {
            ValueRef::List(values) => values.iter().try_for_each(|value| add(ValueRef::from(value)))?,
            other => return Err(mismatch("Concat", "a list", &other)),
        },
    }
    Ok(new_text(joined))
}

fn split<'a>(target: &str, delimiter: &str) -> Evaluated<'a> {
    let text = |part: &str| collector_pdata::Value::Text(part.to_owned());
    // One more than may be, so that it shows.
    let parts: Vec<_> = match delimiter {
        // Between the characters, not also before the first and after the last.
        "" => {
            let characters = target.chars().take(MAX_PARTS + 1);
            characters.map(|c| text(c.encode_utf8(&mut [0; 4]))).collect()
        }
        _ => target.split(delimiter).take(MAX_PARTS + 1).map(text).collect(),
    };
    let (what, why) = ("Split", "the text has more than 65536 parts");
    match parts.len() > MAX_PARTS {
        true => Err(EvalError::Argument { what, why }),
        false => Ok(ValueRef::List(Cow::Owned(parts))),
    }
}

/// Counted in bytes. A border within a character moves to the character's beginning.
fn substring<'a>(target: &str, start: i64, length: i64) -> Evaluated<'a> {
    let what = "Substring";
    let range = usize::try_from(start).ok().zip(usize::try_from(length).ok());
    let range = range.filter(|(_, length)| *length > 0);
    let (start, length) = range.ok_or(EvalError::Argument {
        what,
        why: "the start must not be below 0, and the length must be above it",
    })?;
    let end = start.checked_add(length).filter(|end| *end <= target.len());
    let end = end.ok_or(EvalError::Argument {
        what,
        why: "the text is shorter than the start and the length ask for",
    })?;
    let part = &target[target.floor_char_boundary(start)..target.floor_char_boundary(end)];
    Ok(new_text(part.to_owned()))
}

/// What cannot be converted is an error, but nothing stays nothing.
fn to_int(value: ValueRef<'_>) -> Evaluated<'_> {
    Ok(match value {
        ValueRef::Bool(value) => ValueRef::Int(value.into()),
        ValueRef::Double(value) => ValueRef::Int(value as i64),
        ValueRef::Text(text) => ValueRef::Int(text.parse().or(unreadable("Int"))?),
        ValueRef::Int(_) | ValueRef::Nil => value,
        other => return Err(mismatch("Int", CONVERTIBLE, &other)),
    })
}

fn to_double(value: ValueRef<'_>) -> Evaluated<'_> {
    Ok(match value {
        ValueRef::Bool(value) => ValueRef::Double(f64::from(u8::from(value))),
        ValueRef::Int(value) => ValueRef::Double(value as f64),
        ValueRef::Text(text) => ValueRef::Double(go_float(&text).map_or(unreadable("Double"), Ok)?),
        ValueRef::Double(_) | ValueRef::Nil => value,
        other => return Err(mismatch("Double", CONVERTIBLE, &other)),
    })
}

fn to_bool(value: ValueRef<'_>) -> Evaluated<'_> {
    Ok(match value {
        ValueRef::Bool(_) | ValueRef::Nil => value,
        ValueRef::Int(value) => ValueRef::Bool(value != 0),
        ValueRef::Double(value) => ValueRef::Bool(value != 0.0),
        ValueRef::Text(text) => ValueRef::Bool(match &*text {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => true,
            "0" | "f" | "F" | "false" | "FALSE" | "False" => false,
            _ => unreadable("Bool")?,
        }),
        other => return Err(mismatch("Bool", CONVERTIBLE, &other)),
    })
}

const CONVERTIBLE: &str = "a number, a bool or a text";

fn unreadable<T>(what: &'static str) -> Result<T, EvalError> {
    let why = "the text cannot be read as one";
    Err(EvalError::Argument { what, why })
}

fn to_text(value: ValueRef<'_>) -> Evaluated<'_> {
    Ok(text_like(value, "String")?.map_or(ValueRef::Nil, ValueRef::Text))
}

fn length(value: ValueRef<'_>) -> Evaluated<'_> {
    let length = match &value {
        ValueRef::Text(text) => text.len(),
        ValueRef::Bytes(bytes) => bytes.len(),
        ValueRef::List(values) => values.len(),
        ValueRef::Map(entries) => entries.len(),
        other => return Err(mismatch("Len", "a text, bytes, a list or a map", other)),
    };
    Ok(ValueRef::Int(length as i64))
}

fn text<'a>(value: ValueRef<'a>, what: &'static str) -> Result<Cow<'a, str>, EvalError> {
    match value {
        ValueRef::Text(text) => Ok(text),
        other => Err(mismatch(what, "a text", &other)),
    }
}

fn lower(value: ValueRef<'_>) -> Evaluated<'_> {
    Ok(new_text(text(value, "ToLowerCase")?.chars().map(lower_of).collect()))
}

fn upper(value: ValueRef<'_>) -> Evaluated<'_> {
    Ok(new_text(text(value, "ToUpperCase")?.chars().map(upper_of).collect()))
}

fn sha256(value: ValueRef<'_>) -> Evaluated<'_> {
    let text = text(value, "SHA256")?;
    Ok(new_text(hex(&Sha256::digest(text.as_bytes()))))
}

/// FNV-1a of 64 bits, its bits taken as a signed number.
fn fnv(value: ValueRef<'_>) -> Evaluated<'_> {
    let text = text(value, "FNV")?;
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    Ok(ValueRef::Int(hash as i64))
}

/// Numbers as their eight bytes, the most significant first.
fn to_hex(value: ValueRef<'_>) -> Evaluated<'_> {
    Ok(new_text(match value {
        ValueRef::Text(text) => hex(text.as_bytes()),
        ValueRef::Bytes(bytes) => hex(&bytes),
        ValueRef::Int(value) => hex(&value.to_be_bytes()),
        ValueRef::Double(value) => hex(&value.to_bits().to_be_bytes()),
        ValueRef::Bool(value) => hex(&[value.into()]),
        ValueRef::Nil => String::new(),
        other => return Err(mismatch("Hex", "a text, bytes, a number or a bool", &other)),
    }))
}

/// An id of bytes, or of the hexadecimal digits of a text.
fn id<'a>(value: ValueRef<'a>, length: usize, what: &'static str) -> Evaluated<'a> {
    let bytes = match value {
        ValueRef::Bytes(bytes) => bytes,
        ValueRef::Text(text) => Cow::Owned(decode_hex(&text).unwrap_or_default()),
        other => return Err(mismatch(what, "bytes or a text of hexadecimal digits", &other)),
    };
    if bytes.len() != length {
        let why = "an id has 16 bytes for a trace and 8 for a span";
        return Err(EvalError::Argument { what, why });
    }
    Ok(ValueRef::Bytes(bytes))
}
