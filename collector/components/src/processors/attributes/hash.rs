//! The action `hash`: the SHA-256 of a value's bytes, in hexadecimal.

use collector_pdata::Malformed;
use collector_pdata::edit::Change;
use collector_pdata::traces::AnyValue;
use sha2::{Digest, Sha256};

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Appends the `AnyValue` of the hash of the value `old`. Text is hashed as its bytes; an integer and a double as eight
/// bytes, least significant first; true and false as one byte. Lists, maps, bytes and nothing become the empty text.
pub(super) fn put(old: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
    let digest = match AnyValue::read(old)? {
        Some(AnyValue::Text(text)) => Sha256::digest(text),
        Some(AnyValue::Bool(flag)) => Sha256::digest([u8::from(flag)]),
        Some(AnyValue::Int(number)) => Sha256::digest(number.to_le_bytes()),
        Some(AnyValue::Double(number)) => Sha256::digest(number.to_le_bytes()),
        None | Some(AnyValue::Array(_) | AnyValue::Map(_) | AnyValue::Bytes(_)) => {
            out.extend_from_slice(&[1 << 3 | 2, 0]);
            return Ok(Change::Replace);
        }
    };
    // The key of `string_value`, its length, and two digits for each byte.
    let mut text = [0; 66];
    text[..2].copy_from_slice(&[1 << 3 | 2, 64]);
    for (digits, byte) in text[2..].chunks_exact_mut(2).zip(digest) {
        digits[0] = DIGITS[usize::from(byte >> 4)];
        digits[1] = DIGITS[usize::from(byte & 15)];
    }
    out.extend_from_slice(&text);
    Ok(Change::Replace)
}
