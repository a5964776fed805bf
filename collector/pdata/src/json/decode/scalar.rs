//! Texts, ids, bytes, truth values, and numbers in all the forms that JSON has them.

use super::number::{integer, whole};
use super::output::Output;
use crate::json::schema::{Field, Kind};
use crate::proto::{put_bytes, put_key};
use serde::de::{Deserializer, Error, Unexpected, Visitor};
use std::fmt::{Formatter, Result as FmtResult};

/// Reads one value and appends it, with its key unless the field is packed.
pub(super) struct ScalarVisitor<'o> {
    pub field: &'static Field,
    pub out: &'o mut Output,
}

impl ScalarVisitor<'_> {
    pub fn deserialize<'de, D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.field.kind {
            // As bytes, so that what is not Unicode can be replaced.
            Kind::Text => deserializer.deserialize_bytes(self),
            Kind::Id(_) | Kind::Bytes => deserializer.deserialize_str(self),
            Kind::Bool => deserializer.deserialize_bool(self),
            _ => deserializer.deserialize_any(self),
        }
    }

    fn put_bytes<E: Error>(self, bytes: &[u8]) -> Result<(), E> {
        if !bytes.is_empty() || self.field.keeps_default() {
            put_bytes(&mut self.out.bytes, self.field.number, bytes);
        }
        self.out.check()
    }

    fn put_bits<E: Error>(self, bits: u64) -> Result<(), E> {
        if bits != 0 || self.field.keeps_default() {
            let out = &mut self.out.bytes;
            let kind = self.field.kind;
            if !self.field.packed() {
                put_key(out, self.field.number, kind.wire_type());
            }
            super::number::put_bits(out, kind, bits);
        }
        self.out.check()
    }

    fn put_integer<E: Error>(self, number: i128, found: Unexpected<'_>) -> Result<(), E> {
        match integer(self.field.kind, number) {
            Some(bits) => self.put_bits(bits),
            None => Err(E::invalid_value(found, &self)),
        }
    }
}

impl Visitor<'_> for ScalarVisitor<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut Formatter<'_>) -> FmtResult {
        match self.field.kind {
            Kind::Text => formatter.write_str("text")?,
            Kind::Id(length) => write!(formatter, "{} hexadecimal digits", 2 * length)?,
            Kind::Bytes => formatter.write_str("base64")?,
            Kind::Bool => formatter.write_str("true or false")?,
            Kind::Enum([]) | Kind::Message(_) => {}
            Kind::Enum([first, ..]) => write!(formatter, "an integer or a name like {first}")?,
            Kind::Double => formatter.write_str("a number, \"NaN\", \"Infinity\" or \"-Infinity\"")?,
            Kind::Uint32 | Kind::Fixed32 => formatter.write_str("an integer of 32 bits without a sign")?,
            Kind::Int32 | Kind::Sint32 => formatter.write_str("an integer of 32 bits")?,
            Kind::Uint64 | Kind::Fixed64 => formatter.write_str("an integer of 64 bits without a sign")?,
            Kind::Int64 | Kind::Sfixed64 => formatter.write_str("an integer of 64 bits")?,
        }
        write!(formatter, " for `{}`", self.field.key)
    }

    fn visit_bytes<E: Error>(self, text: &[u8]) -> Result<(), E> {
        match std::str::from_utf8(text) {
            Ok(_) => self.put_bytes(text),
            Err(_) => self.put_bytes(String::from_utf8_lossy(text).as_bytes()),
        }
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        match self.field.kind {
            Kind::Bool => self.put_bits(u64::from(value)),
            _ => Err(E::invalid_type(Unexpected::Bool(value), &self)),
        }
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        match self.field.kind {
            Kind::Double => self.put_bits((number as f64).to_bits()),
            _ => self.put_integer(i128::from(number), Unexpected::Unsigned(number)),
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        match self.field.kind {
            Kind::Double => self.put_bits((number as f64).to_bits()),
            _ => self.put_integer(i128::from(number), Unexpected::Signed(number)),
        }
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        match (self.field.kind, whole(number)) {
            (Kind::Double, _) => self.put_bits(number.to_bits()),
            (_, Some(whole)) => self.put_integer(whole, Unexpected::Float(number)),
            (_, None) => Err(E::invalid_value(Unexpected::Float(number), &self)),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let found = Unexpected::Str(text);
        match self.field.kind {
            Kind::Id(length) => match hex(text, length) {
                Some(id) => self.put_bytes(&id),
                None => Err(E::invalid_value(found, &self)),
            },
            Kind::Bytes => match base64(text) {
                Some(bytes) => self.put_bytes(&bytes),
                None => Err(E::invalid_value(found, &self)),
            },
            kind => match super::number::text(kind, text) {
                Some(bits) => self.put_bits(bits),
                None => Err(E::invalid_value(found, &self)),
            },
        }
    }
}

/// An id of `length` bytes, or none at all.
fn hex(text: &str, length: usize) -> Option<Vec<u8>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    if text.len() != 2 * length {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| Some((digit(pair[0])? << 4 | digit(pair[1])?) as u8))
        .collect()
}

/// Base64 in either alphabet, padded or not.
fn base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').as_bytes();
    let padding = text.len() - digits.len();
    if digits.len() % 4 == 1 || padding > 0 && !text.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for group in digits.chunks(4) {
        let mut bits = 0;
        for place in 0..4 {
            bits = bits << 6 | group.get(place).map_or(Some(0), |digit| base64_digit(*digit))?;
        }
        let [_, decoded @ ..] = u32::to_be_bytes(bits);
        bytes.extend_from_slice(&decoded[..group.len() * 6 / 8]);
    }
    Some(bytes)
}

fn base64_digit(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}
