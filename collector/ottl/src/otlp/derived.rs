//! Fields that are another form of a field: the texts of ids, kinds and bodies, and the members of a trace state.

use crate::error::EvalError;
use crate::lex::decode_hex;
use crate::operand::{hex, mismatch, new_text};
use crate::path::Field;
use crate::symbols::SPAN_KIND_WORDS;
use crate::value::ValueRef;
use collector_pdata::Value;
use collector_pdata::traces::SPAN_KINDS;
use std::borrow::Cow;

/// The field that `field` is a form of.
pub(super) fn source(field: Field) -> Option<Field> {
    Some(match field {
        Field::TraceIdString => Field::TraceId,
        Field::SpanIdString => Field::SpanId,
        Field::ParentSpanIdString => Field::ParentSpanId,
        Field::KindString | Field::KindDeprecatedString => Field::Kind,
        Field::BodyString => Field::Body,
        _ => return None,
    })
}

/// The form that `field` is, of its source's value.
pub(super) fn read(field: Field, value: ValueRef<'_>) -> ValueRef<'_> {
    match (field, value) {
        (Field::BodyString, text @ ValueRef::Text(_)) => text,
        (Field::BodyString, value) => new_text(value.into_value().as_string()),
        (_, ValueRef::Bytes(id)) => new_text(hex(&id)),
        (_, ValueRef::Int(kind)) => {
            let words = if field == Field::KindString {
                SPAN_KIND_WORDS
            } else {
                SPAN_KINDS
            };
            let word = usize::try_from(kind).ok().and_then(|kind| words.get(kind).copied());
            ValueRef::Text(Cow::Borrowed(word.unwrap_or("")))
        }
        (_, other) => other,
    }
}

/// The value of the source that has the form `value`.
pub(super) fn write(field: Field, value: Value) -> Result<Value, EvalError> {
    let Value::Text(text) = value else {
        return Err(mismatch("the field", "a text", &ValueRef::from(&value)));
    };
    let what = "the field";
    match field {
        Field::BodyString => Ok(Value::Text(text)),
        Field::KindString | Field::KindDeprecatedString => {
            let why = "there is no span kind of that name";
            let number =
                (0..SPAN_KINDS.len()).find(|kind| [SPAN_KINDS[*kind], SPAN_KIND_WORDS[*kind]].contains(&&*text));
            let number = number.ok_or(EvalError::Argument { what, why })?;
            Ok(Value::Int(number as i64))
        }
        _ => {
            let why = "an id is written in hexadecimal digits";
            let id = decode_hex(&text).ok_or(EvalError::Argument { what, why })?;
            Ok(Value::Bytes(id))
        }
    }
}

/// One member of a W3C trace state; the empty text if there is none.
pub(super) fn member(state: ValueRef<'_>, key: &str) -> ValueRef<'static> {
    let ValueRef::Text(state) = state else {
        return ValueRef::Nil;
    };
    let found = members(&state).find(|(name, _)| *name == key);
    new_text(found.map_or(String::new(), |(_, value)| value.to_owned()))
}

/// The trace state with a member set, which comes first, as the standard says of one that was changed.
pub(super) fn with_member(state: &ValueRef<'_>, key: &str, value: &str) -> Result<String, EvalError> {
    let sound = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| (0x20..0x7f).contains(&b) && b != b',' && b != b'=')
    };
    if !sound(key) || !sound(value) {
        let why = "a member has printable characters, without `,` and `=`";
        return Err(EvalError::Argument {
            what: "trace_state",
            why,
        });
    }
    let mut out = format!("{key}={value}");
    if let ValueRef::Text(state) = state {
        for (name, value) in members(state).filter(|(name, _)| *name != key) {
            out.push_str(&format!(",{name}={value}"));
        }
    }
    Ok(out)
}

fn members(state: &str) -> impl Iterator<Item = (&str, &str)> {
    let members = state.split(',').filter_map(|member| member.split_once('='));
    members.map(|(name, value)| (name.trim(), value.trim()))
}
