//! Numbers that are encoded next to each other in one field.

use crate::proto::{FIXED64, FieldValue, Malformed};

/// The numbers of a packed field of varints or of fixed64s, the only ones that OTLP has. Ends after the first error.
pub(super) fn packed(bytes: &[u8], wire_type: u8) -> impl Iterator<Item = Result<FieldValue<'static>, Malformed>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let value = match wire_type {
            FIXED64 => fixed64(&mut rest).map(FieldValue::Fixed64),
            _ => varint(&mut rest).map(FieldValue::Varint),
        };
        if value.is_err() {
            rest = &[];
        }
        Some(value)
    })
}

fn fixed64(rest: &mut &[u8]) -> Result<u64, Malformed> {
    let (bytes, after) = rest.split_first_chunk().ok_or(Malformed::Truncated)?;
    *rest = after;
    Ok(u64::from_le_bytes(*bytes))
}

fn varint(rest: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0;
    for (index, byte) in rest.iter().enumerate().take(10) {
        // The tenth byte holds the 64th bit and nothing else.
        if index == 9 && *byte > 1 {
            return Err(Malformed::Varint);
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            *rest = &rest[index + 1..];
            return Ok(value);
        }
    }
    Err(Malformed::Truncated)
}
