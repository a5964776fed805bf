//! The one look at a request's bytes before they are accepted: counts the items, and refuses what no consumer could read.
//!
//! Every message that OTLP knows is walked to its end. Checked are: lengths within their message, varints, wire types (also
//! those of unknown fields, which pass), UTF-8, the length of ids, and the nesting of values. So components downstream may
//! rely on well-formed payloads. It costs about as much as reading the bytes once.

use super::schema::{Holds, Kind};
use collector_pdata::{Malformed, Signal, proto, traces::MAX_DEPTH};

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Invalid {
    #[error("the message is cut short within {0:?}")]
    Truncated(Kind),
    #[error("a varint in {0:?} is longer than 64 bits")]
    Varint(Kind),
    #[error("{0:?} has a field with a number out of range")]
    FieldNumber(Kind),
    #[error("{0:?} has a field of wire type {1}, which is none of protobuf's today")]
    WireType(Kind, u8),
    #[error("field {1} of {0:?} has the wrong wire type")]
    FieldType(Kind, u32),
    #[error("field {1} of {0:?} is not UTF-8")]
    Utf8(Kind, u32),
    #[error("field {1} of {0:?} is an id of the wrong length")]
    IdLength(Kind, u32),
    #[error("values are nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

/// The items of an encoded export request: spans, data points or log records.
pub(crate) fn count(signal: Signal, request: &[u8]) -> Result<usize, Invalid> {
    let kind = match signal {
        Signal::Traces => Kind::TracesRequest,
        Signal::Metrics => Kind::MetricsRequest,
        Signal::Logs => Kind::LogsRequest,
    };
    let mut walk = Walk { items: 0 };
    walk.message(kind, request, 0)?;
    Ok(walk.items)
}

struct Walk {
    items: usize,
}

impl Walk {
    fn message(&mut self, kind: Kind, bytes: &[u8], depth: usize) -> Result<(), Invalid> {
        let fields = kind.fields();
        let mut cursor = Cursor { kind, rest: bytes };
        while !cursor.rest.is_empty() {
            if let Some((number, value)) = cursor.short_bytes() {
                let holds = fields.get(number as usize - 1).copied().unwrap_or(Holds::Unknown);
                self.bytes(holds, value, depth)
                    .map_err(|error| error.at(kind, number))?;
                continue;
            }
            let (number, wire_type) = cursor.key()?;
            let holds = fields.get(number as usize - 1).copied().unwrap_or(Holds::Unknown);
            match wire_type {
                2 => {
                    let value = cursor.bytes()?;
                    self.bytes(holds, value, depth)
                        .map_err(|error| error.at(kind, number))?;
                }
                0 => {
                    cursor.varint()?;
                    cursor.expect(holds, number, [Holds::Varint, Holds::PackedVarint])?;
                }
                1 => {
                    cursor.skip(8)?;
                    cursor.expect(holds, number, [Holds::Fixed64, Holds::PackedFixed64])?;
                }
                5 => {
                    cursor.skip(4)?;
                    cursor.expect(holds, number, [Holds::Fixed32, Holds::Fixed32])?;
                }
                other => return Err(Invalid::WireType(kind, other)),
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn bytes(&mut self, holds: Holds, value: &[u8], depth: usize) -> Result<(), Wrong> {
        match holds {
            Holds::Message(Kind::KeyValue) if is_plain(value) => {}
            Holds::Message(kind) => self.message(kind, value, deeper(kind, depth)?)?,
            Holds::Item(kind) => {
                self.items += 1;
                self.message(kind, value, depth)?;
            }
            Holds::Text if !is_text(value) => return Err(Wrong::Utf8),
            Holds::Id(length) if value.len() != usize::from(length) && !value.is_empty() => {
                return Err(Wrong::IdLength);
            }
            Holds::PackedFixed64 if !value.len().is_multiple_of(8) => return Err(Wrong::FieldType),
            Holds::PackedVarint => packed_varints(value)?,
            Holds::Varint | Holds::Fixed64 | Holds::Fixed32 => return Err(Wrong::FieldType),
            Holds::Text | Holds::Id(_) | Holds::PackedFixed64 | Holds::Bytes | Holds::Unknown => {}
        }
        Ok(())
    }
}

fn deeper(kind: Kind, depth: usize) -> Result<usize, Wrong> {
    let depth = depth + usize::from(kind.is_nested_value());
    if depth > MAX_DEPTH {
        return Err(Wrong::Within(Invalid::TooDeep));
    }
    Ok(depth)
}

fn packed_varints(value: &[u8]) -> Result<(), Wrong> {
    let mut cursor = Cursor {
        kind: Kind::Buckets,
        rest: value,
    };
    while !cursor.rest.is_empty() {
        cursor.varint()?;
    }
    Ok(())
}

/// Whether a `KeyValue` is one of the two usual ones and sound: a short ASCII key, then a short ASCII text or an integer.
/// Since tags and short lengths are ASCII as well, one look over the whole serves for key and text.
#[inline(always)]
fn is_plain(value: &[u8]) -> bool {
    let [0x0a, key_length, rest @ ..] = value else {
        return false;
    };
    let Some((key, rest)) = rest.split_at_checked(usize::from(*key_length)) else {
        return false;
    };
    match rest {
        [0x12, length, 0x0a, text_length, text @ ..] => {
            usize::from(*length) == text.len() + 2 && usize::from(*text_length) == text.len() && is_ascii(value)
        }
        [0x12, 2, 0x10 | 0x18, 0..0x80] | [0x12, 3, 0x18, 0x80..=0xff, 0..0x80] => *key_length < 0x80 && is_ascii(key),
        _ => false,
    }
}

#[inline(always)]
fn is_text(value: &[u8]) -> bool {
    is_ascii(value) || std::str::from_utf8(value).is_ok()
}

/// The standard library's is made for long texts; these are short, and a call costs as much as the look.
#[inline(always)]
fn is_ascii(text: &[u8]) -> bool {
    const HIGH: u128 = u128::from_ne_bytes([0x80; 16]);
    let high = |chunk: &[u8; 16]| u128::from_ne_bytes(*chunk) & HIGH;
    if let Some(last) = text.last_chunk::<16>() {
        let all = text
            .as_chunks::<16>()
            .0
            .iter()
            .fold(high(last), |all, chunk| all | high(chunk));
        return all == 0;
    }
    if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        return (u64::from_ne_bytes(*first) | u64::from_ne_bytes(*last)) & HIGH as u64 == 0;
    }
    text.iter().fold(0, |all, byte| all | byte) < 0x80
}

/// What is wrong with a field's value.
enum Wrong {
    Utf8,
    IdLength,
    FieldType,
    Within(Invalid),
}

impl From<Invalid> for Wrong {
    fn from(invalid: Invalid) -> Self {
        Wrong::Within(invalid)
    }
}

impl Wrong {
    fn at(self, kind: Kind, number: u32) -> Invalid {
        match self {
            Wrong::Utf8 => Invalid::Utf8(kind, number),
            Wrong::IdLength => Invalid::IdLength(kind, number),
            Wrong::FieldType => Invalid::FieldType(kind, number),
            Wrong::Within(invalid) => invalid,
        }
    }
}

struct Cursor<'a> {
    kind: Kind,
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// The next field if it is one of bytes whose key and length are of one byte each, as nearly all are.
    #[inline(always)]
    fn short_bytes(&mut self) -> Option<(u32, &'a [u8])> {
        let [key @ 0x08..0x80, length @ 0..0x80, rest @ ..] = self.rest else {
            return None;
        };
        if key & 7 != 2 {
            return None;
        }
        let (value, rest) = rest.split_at_checked(usize::from(*length))?;
        self.rest = rest;
        Some((u32::from(key >> 3), value))
    }

    #[inline(always)]
    fn key(&mut self) -> Result<(u32, u8), Invalid> {
        let key = self.varint()?;
        let number = u32::try_from(key >> 3)
            .ok()
            .filter(|number| (1..1 << 29).contains(number));
        Ok((number.ok_or(Invalid::FieldNumber(self.kind))?, (key & 7) as u8))
    }

    #[inline(always)]
    fn varint(&mut self) -> Result<u64, Invalid> {
        proto::varint(&mut self.rest).map_err(|error| match error {
            Malformed::Truncated => Invalid::Truncated(self.kind),
            _ => Invalid::Varint(self.kind),
        })
    }

    #[inline(always)]
    fn bytes(&mut self) -> Result<&'a [u8], Invalid> {
        let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        let (bytes, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(Invalid::Truncated(self.kind))?;
        self.rest = rest;
        Ok(bytes)
    }

    #[inline(always)]
    fn skip(&mut self, length: usize) -> Result<(), Invalid> {
        self.rest = self.rest.get(length..).ok_or(Invalid::Truncated(self.kind))?;
        Ok(())
    }

    #[inline(always)]
    fn expect(&self, holds: Holds, number: u32, allowed: [Holds; 2]) -> Result<(), Invalid> {
        if holds == allowed[0] || holds == allowed[1] || holds == Holds::Unknown {
            return Ok(());
        }
        Err(Invalid::FieldType(self.kind, number))
    }
}

#[cfg(test)]
mod tests;
