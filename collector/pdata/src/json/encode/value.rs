//! Attributes and values. They are most of a request, so they are written from their views, which is faster than by their
//! tables. It also is what bounds the nesting: no other message of OTLP has itself within it.

use super::text::{Separator, put_base64, put_double, put_signed, put_string};
use crate::attributes::pair;
use crate::proto::Malformed;
use crate::view::AnyValue;

/// Appends an encoded `KeyValue`.
pub(super) fn put_attribute(out: &mut Vec<u8>, encoded: &[u8]) -> Result<(), Malformed> {
    let (key, value) = pair(encoded)?;
    put_pair(out, key, AnyValue::read(value)?)
}

/// Appends an encoded `AnyValue`.
pub(super) fn put_any_value(out: &mut Vec<u8>, encoded: &[u8]) -> Result<(), Malformed> {
    put_value(out, AnyValue::read(encoded)?)
}

fn put_pair(out: &mut Vec<u8>, key: &[u8], value: Option<AnyValue<'_>>) -> Result<(), Malformed> {
    out.extend_from_slice(b"{\"key\":");
    put_string(out, key);
    out.extend_from_slice(b",\"value\":");
    put_value(out, value)?;
    out.push(b'}');
    Ok(())
}

/// The view bounds the nesting, and so the recursion here.
fn put_value(out: &mut Vec<u8>, value: Option<AnyValue<'_>>) -> Result<(), Malformed> {
    match value {
        None => out.extend_from_slice(b"{"),
        Some(AnyValue::Text(text)) => {
            out.extend_from_slice(b"{\"stringValue\":");
            put_string(out, text);
        }
        Some(AnyValue::Bool(true)) => out.extend_from_slice(b"{\"boolValue\":true"),
        Some(AnyValue::Bool(false)) => out.extend_from_slice(b"{\"boolValue\":false"),
        Some(AnyValue::Int(value)) => {
            out.extend_from_slice(b"{\"intValue\":\"");
            put_signed(out, value);
            out.push(b'"');
        }
        Some(AnyValue::Double(value)) => {
            out.extend_from_slice(b"{\"doubleValue\":");
            put_double(out, value);
        }
        Some(AnyValue::Bytes(bytes)) => {
            out.extend_from_slice(b"{\"bytesValue\":\"");
            put_base64(out, bytes);
            out.push(b'"');
        }
        Some(AnyValue::Array(nested)) => {
            out.extend_from_slice(b"{\"arrayValue\":{\"values\":[");
            let mut list = Separator::default();
            for value in nested.values() {
                list.put(out);
                put_value(out, value?)?;
            }
            out.extend_from_slice(b"]}");
        }
        Some(AnyValue::Map(nested)) => {
            out.extend_from_slice(b"{\"kvlistValue\":{\"values\":[");
            let mut list = Separator::default();
            for attribute in nested.attributes() {
                let attribute = attribute?;
                list.put(out);
                put_pair(out, attribute.key, attribute.value)?;
            }
            out.extend_from_slice(b"]}");
        }
    }
    out.push(b'}');
    Ok(())
}
