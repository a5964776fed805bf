//! Walks an encoded message along its table.
//!
//! Of a field that is not repeated the last occurrence counts, for messages too. Protobuf would join several parts of a
//! message, but no encoder writes them, the views do not either, and a stranger could make it costly.

use super::text::{Separator, put_base64, put_decimal, put_double, put_hex, put_key, put_signed, put_string};
use super::value::{put_any_value, put_attribute};
use crate::json::schema::common::{ANY_VALUE, KEY_VALUE};
use crate::json::schema::{Field, Kind, Message, NUMBERS, Rule};
use crate::proto::{self, BYTES, FIXED32, FIXED64, FieldValue, Malformed, VARINT, fields, packed, unzigzag};
use std::ptr;

/// Appends a message as a JSON object.
pub(super) fn put_message(out: &mut Vec<u8>, message: &'static Message, encoded: &[u8]) -> Result<(), Malformed> {
    let last = last_values(message, encoded)?;
    out.push(b'{');
    let mut object = Separator::default();
    for field in message.fields {
        match (field.rule, last[field.number as usize]) {
            (Rule::Repeated, last) if last.is_some() || field.always => {
                put_key(out, &mut object, field.key);
                put_list(out, field, fields(encoded))?;
            }
            (_, last) => put_field(out, &mut object, field, last)?,
        }
    }
    out.push(b'}');
    Ok(())
}

/// Looks once at every field; what is there last is kept by number.
fn last_values<'a>(message: &Message, encoded: &'a [u8]) -> Result<[Option<FieldValue<'a>>; NUMBERS], Malformed> {
    let mut last = [None; NUMBERS];
    let mut chosen = 0;
    let mut next = 0;
    for item in fields(encoded) {
        let item = item?;
        let Some(at) = message.find_number(item.number, next) else {
            continue;
        };
        next = at;
        let field = &message.fields[at];
        expect_type(field, &item)?;
        if field.rule == Rule::OneOf && chosen != item.number {
            last[chosen as usize] = None;
            chosen = item.number;
        }
        last[item.number as usize] = Some(item.value);
    }
    Ok(last)
}

/// A number that may be repeated is taken packed and not.
fn expect_type(field: &Field, item: &proto::Field<'_>) -> Result<(), Malformed> {
    let found = match item.value {
        FieldValue::Varint(_) => VARINT,
        FieldValue::Fixed64(_) => FIXED64,
        FieldValue::Bytes(_) => BYTES,
        FieldValue::Fixed32(_) => FIXED32,
    };
    match found == field.kind.wire_type() || found == BYTES && field.packed() {
        true => Ok(()),
        false => Err(Malformed::FieldType(item.number)),
    }
}

fn put_field(
    out: &mut Vec<u8>,
    object: &mut Separator,
    field: &'static Field,
    last: Option<FieldValue<'_>>,
) -> Result<(), Malformed> {
    let shown = last.filter(|value| field.keeps_default() || !is_default(field.kind, *value));
    if shown.is_none() && !field.always {
        return Ok(());
    }
    put_key(out, object, field.key);
    put_value(out, field.kind, shown.unwrap_or(absent(field.kind)))
}

fn absent(kind: Kind) -> FieldValue<'static> {
    match kind.wire_type() {
        BYTES => FieldValue::Bytes(&[]),
        FIXED32 => FieldValue::Fixed32(0),
        FIXED64 => FieldValue::Fixed64(0),
        _ => FieldValue::Varint(0),
    }
}

fn is_default(kind: Kind, value: FieldValue<'_>) -> bool {
    match (kind, value) {
        (Kind::Message(_), _) => false,
        (Kind::Id(length), FieldValue::Bytes(id)) => {
            id.is_empty() || id.len() == length && id.iter().all(|byte| *byte == 0)
        }
        (_, value) => value == absent(kind),
    }
}

/// The items that are `field`'s, as an array.
pub(super) fn put_list<'a>(
    out: &mut Vec<u8>,
    field: &'static Field,
    items: impl Iterator<Item = Result<proto::Field<'a>, Malformed>>,
) -> Result<(), Malformed> {
    out.push(b'[');
    let mut list = Separator::default();
    for item in items {
        let item = item?;
        if item.number != field.number {
            continue;
        }
        expect_type(field, &item)?;
        match item.value {
            FieldValue::Bytes(packed) if field.packed() => put_packed(out, &mut list, field.kind, packed)?,
            value => {
                list.put(out);
                put_value(out, field.kind, value)?;
            }
        }
    }
    out.push(b']');
    Ok(())
}

fn put_packed(out: &mut Vec<u8>, list: &mut Separator, kind: Kind, bytes: &[u8]) -> Result<(), Malformed> {
    for value in packed(bytes, kind.wire_type()) {
        list.put(out);
        put_value(out, kind, value?)?;
    }
    Ok(())
}

/// The type is one that `expect_type` took.
fn put_value(out: &mut Vec<u8>, kind: Kind, value: FieldValue<'_>) -> Result<(), Malformed> {
    match value {
        FieldValue::Bytes(bytes) => return put_bytes(out, kind, bytes),
        FieldValue::Varint(bits) => put_varint(out, kind, bits),
        FieldValue::Fixed32(bits) => put_decimal(out, u64::from(bits)),
        FieldValue::Fixed64(bits) if matches!(kind, Kind::Double) => put_double(out, f64::from_bits(bits)),
        FieldValue::Fixed64(bits) => put_long(out, matches!(kind, Kind::Sfixed64), bits),
    }
    Ok(())
}

fn put_bytes(out: &mut Vec<u8>, kind: Kind, bytes: &[u8]) -> Result<(), Malformed> {
    match kind {
        Kind::Message(message) if ptr::eq(message, &KEY_VALUE) => return put_attribute(out, bytes),
        Kind::Message(message) if ptr::eq(message, &ANY_VALUE) => return put_any_value(out, bytes),
        Kind::Message(message) => return put_message(out, message, bytes),
        Kind::Id(length) if !bytes.is_empty() && bytes.len() != length => {
            return Err(Malformed::IdLength(bytes.len()));
        }
        Kind::Id(_) => put_hex(out, bytes),
        Kind::Bytes => {
            out.push(b'"');
            put_base64(out, bytes);
            out.push(b'"');
        }
        _ => put_string(out, bytes),
    }
    Ok(())
}

/// Numbers of 32 bits stand for themselves, those of 64 bits are quoted.
fn put_varint(out: &mut Vec<u8>, kind: Kind, bits: u64) {
    match kind {
        Kind::Bool if bits != 0 => out.extend_from_slice(b"true"),
        Kind::Bool => out.extend_from_slice(b"false"),
        Kind::Uint32 => put_decimal(out, u64::from(bits as u32)),
        Kind::Sint32 => put_signed(out, i64::from(unzigzag(bits))),
        Kind::Int64 => put_long(out, true, bits),
        Kind::Uint64 => put_long(out, false, bits),
        _ => put_signed(out, i64::from(bits as i32)),
    }
}

fn put_long(out: &mut Vec<u8>, signed: bool, bits: u64) {
    out.push(b'"');
    match signed {
        true => put_signed(out, bits as i64),
        false => put_decimal(out, bits),
    }
    out.push(b'"');
}
