//! Numbers: what fits, and how it is encoded.

use crate::json::schema::Kind;
use crate::proto::{put_varint, zigzag};

/// The bits of an integer, sign-extended as varints are; nothing if it does not fit.
pub(super) fn integer(kind: Kind, number: i128) -> Option<u64> {
    match kind {
        Kind::Uint32 | Kind::Fixed32 => u32::try_from(number).ok().map(u64::from),
        Kind::Uint64 | Kind::Fixed64 => u64::try_from(number).ok(),
        Kind::Enum(_) | Kind::Int32 | Kind::Sint32 => i32::try_from(number).ok().map(|number| i64::from(number) as u64),
        Kind::Int64 | Kind::Sfixed64 => i64::try_from(number).ok().map(|number| number as u64),
        Kind::Text | Kind::Id(_) | Kind::Bytes | Kind::Bool | Kind::Double | Kind::Message(_) => None,
    }
}

/// The integer that is written as `1.0` or `1e3`. Beyond 2^53 it would not be the one that was meant.
pub(super) fn whole(number: f64) -> Option<i128> {
    const EXACT: f64 = (1_u64 << 53) as f64;
    (number.trunc() == number && number.abs() <= EXACT).then_some(number as i128)
}

/// The bits of a number in quotes, or of an enum's name.
pub(super) fn text(kind: Kind, text: &str) -> Option<u64> {
    match (kind, text) {
        (Kind::Double, "NaN") => Some(f64::NAN.to_bits()),
        (Kind::Double, "Infinity") => Some(f64::INFINITY.to_bits()),
        (Kind::Double, "-Infinity") => Some(f64::NEG_INFINITY.to_bits()),
        (Kind::Double, text) => {
            let number = text.parse().ok().filter(|number: &f64| number.is_finite())?;
            Some(number.to_bits())
        }
        (Kind::Enum(names), text) => names.iter().position(|name| *name == text).map(|at| at as u64),
        (kind, text) => integer(kind, text.parse().ok()?),
    }
}

/// Appends a number of `kind`, without its key.
pub(super) fn put_bits(out: &mut Vec<u8>, kind: Kind, bits: u64) {
    match kind {
        Kind::Fixed32 => out.extend_from_slice(&(bits as u32).to_le_bytes()),
        Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => out.extend_from_slice(&bits.to_le_bytes()),
        Kind::Sint32 => put_varint(out, zigzag(bits as i32)),
        _ => put_varint(out, bits),
    }
}
