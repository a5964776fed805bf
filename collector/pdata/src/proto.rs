//! The protobuf wire format: a bounded walk over fields, and the few writes that encoding needs.

/// Why encoded bytes could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The bytes end within a field.
    #[error("the bytes end within a field")]
    Truncated,
    /// A varint of more than ten bytes, or beyond 64 bits.
    #[error("a varint is too long")]
    Varint,
    /// A field number of 0 or beyond 2^29.
    #[error("a field number is out of range")]
    FieldNumber,
    /// A group, or a wire type that does not exist.
    #[error("wire type {0} is not one of OTLP's")]
    WireType(u8),
    /// A field that is not of the type its number has.
    #[error("field {0} has the wrong wire type")]
    FieldType(u32),
    /// An id that is neither empty nor of its length.
    #[error("an id has {0} bytes")]
    IdLength(usize),
    /// Values nested deeper than [`crate::traces::MAX_DEPTH`].
    #[error("values are nested too deep")]
    TooDeep,
}

/// One field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its number.
    pub number: u32,
    /// Its value.
    pub value: FieldValue<'a>,
}

/// A field's value by wire type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldValue<'a> {
    /// int32, int64, uint32, uint64, bool, enum.
    Varint(u64),
    /// fixed64, sfixed64, double.
    Fixed64(u64),
    /// string, bytes, message, packed.
    Bytes(&'a [u8]),
    /// fixed32, sfixed32, float.
    Fixed32(u32),
}

impl<'a> Field<'a> {
    /// The value of a string, bytes or message.
    #[inline]
    pub fn bytes(&self) -> Result<&'a [u8], Malformed> {
        match self.value {
            FieldValue::Bytes(bytes) => Ok(bytes),
            _ => Err(Malformed::FieldType(self.number)),
        }
    }

    /// The value of an integer, a bool or an enum.
    #[inline]
    pub fn varint(&self) -> Result<u64, Malformed> {
        match self.value {
            FieldValue::Varint(value) => Ok(value),
            _ => Err(Malformed::FieldType(self.number)),
        }
    }

    /// The value of a fixed64 or a double.
    #[inline]
    pub fn fixed64(&self) -> Result<u64, Malformed> {
        match self.value {
            FieldValue::Fixed64(value) => Ok(value),
            _ => Err(Malformed::FieldType(self.number)),
        }
    }

    /// The value of a fixed32.
    #[inline]
    pub fn fixed32(&self) -> Result<u32, Malformed> {
        match self.value {
            FieldValue::Fixed32(value) => Ok(value),
            _ => Err(Malformed::FieldType(self.number)),
        }
    }
}

/// Walks the fields of one message. Ends after the first error.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

/// The fields of `message`, in the order in which they were encoded.
#[inline]
pub fn fields(message: &[u8]) -> Fields<'_> {
    Fields { rest: message }
}

impl<'a> Fields<'a> {
    /// How many bytes are left to walk.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    #[inline(always)]
    fn read(&mut self) -> Result<Field<'a>, Malformed> {
        let key = self.varint()?;
        if !(1..1 << 29).contains(&(key >> 3)) {
            return Err(Malformed::FieldNumber);
        }
        let number = (key >> 3) as u32;
        let value = match (key & 7) as u8 {
            0 => FieldValue::Varint(self.varint()?),
            1 => FieldValue::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed::Truncated)?;
                let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Malformed::Truncated)?;
                self.rest = rest;
                FieldValue::Bytes(bytes)
            }
            5 => FieldValue::Fixed32(u32::from_le_bytes(self.array()?)),
            other => return Err(Malformed::WireType(other)),
        };
        Ok(Field { number, value })
    }

    #[inline(always)]
    pub(crate) fn varint(&mut self) -> Result<u64, Malformed> {
        varint(&mut self.rest)
    }

    /// A fixed64 without a key, as packed fields have it.
    pub(crate) fn fixed64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    #[inline(always)]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(*array)
    }
}

/// Takes a varint off the front of `rest`, which is left alone if there is none. Keys and most lengths take one byte or two,
/// so these are read without a loop.
#[inline(always)]
pub fn varint(rest: &mut &[u8]) -> Result<u64, Malformed> {
    match *rest {
        [byte @ ..0x80, after @ ..] => {
            *rest = after;
            Ok(u64::from(*byte))
        }
        [low, high @ ..0x80, after @ ..] => {
            *rest = after;
            Ok(u64::from(low & 0x7f) | u64::from(*high) << 7)
        }
        _ => long_varint(rest),
    }
}

#[inline(never)]
fn long_varint(rest: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0;
    for (index, byte) in rest.iter().enumerate().take(10) {
        // The tenth byte holds the 64th bit and nothing else.
        if index == 9 && *byte > 1 {
            break;
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            *rest = &rest[index + 1..];
            return Ok(value);
        }
    }
    Err(if rest.len() < 10 {
        Malformed::Truncated
    } else {
        Malformed::Varint
    })
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

/// The numbers that are encoded next to each other in one field, varints or fixed64s: OTLP packs no others. Ends after the
/// first error.
pub fn packed(bytes: &[u8], wire_type: u8) -> impl Iterator<Item = Result<FieldValue<'static>, Malformed>> {
    let mut rest = fields(bytes);
    std::iter::from_fn(move || {
        if rest.remaining() == 0 {
            return None;
        }
        let value = match wire_type {
            FIXED64 => rest.fixed64().map(FieldValue::Fixed64),
            _ => rest.varint().map(FieldValue::Varint),
        };
        if value.is_err() {
            rest = fields(&[]);
        }
        Some(value)
    })
}

/// A sint32 as the unsigned number that is encoded: small ones of either sign become small.
pub fn zigzag(number: i32) -> u64 {
    u64::from((number << 1 ^ number >> 31) as u32)
}

/// The sint32 that was encoded so.
pub fn unzigzag(encoded: u64) -> i32 {
    let encoded = encoded as u32;
    (encoded >> 1) as i32 ^ -((encoded & 1) as i32)
}

/// Wire type of integers.
pub const VARINT: u8 = 0;
/// Wire type of fixed64 and double.
pub const FIXED64: u8 = 1;
/// Wire type of strings, bytes and messages.
pub const BYTES: u8 = 2;
/// Wire type of fixed32 and float.
pub const FIXED32: u8 = 5;

/// Appends a varint.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Length of a varint.
pub(crate) fn varint_len(value: u64) -> usize {
    ((64 - (value | 1).leading_zeros()) as usize).div_ceil(7)
}

/// Length of a field of bytes with a number below 16.
pub(crate) fn field_len(length: usize) -> usize {
    1 + varint_len(length as u64) + length
}

/// Appends a field's key.
pub fn put_key(out: &mut Vec<u8>, number: u32, wire_type: u8) {
    put_varint(out, u64::from(number << 3) | u64::from(wire_type));
}

/// Appends a field of bytes.
#[inline]
pub fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_bytes_key(out, number, bytes.len());
    out.extend_from_slice(bytes);
}

/// Appends key and length of a field of bytes. Those of items and attributes nearly always are two or three bytes.
#[inline]
pub(crate) fn put_bytes_key(out: &mut Vec<u8>, number: u32, length: usize) {
    let key = (number << 3) as u8 | BYTES;
    match (number, length) {
        (..16, ..0x80) => out.extend_from_slice(&[key, length as u8]),
        (..16, ..0x4000) => out.extend_from_slice(&[key, length as u8 | 0x80, (length >> 7) as u8]),
        _ => {
            put_key(out, number, BYTES);
            put_varint(out, length as u64);
        }
    }
}

/// Appends an integer field.
pub fn put_varint_field(out: &mut Vec<u8>, number: u32, value: u64) {
    put_key(out, number, VARINT);
    put_varint(out, value);
}

/// Appends a fixed64 field.
pub fn put_fixed64(out: &mut Vec<u8>, number: u32, value: u64) {
    put_key(out, number, FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a double field.
pub fn put_double(out: &mut Vec<u8>, number: u32, value: f64) {
    put_fixed64(out, number, value.to_bits());
}

/// Appends a message field whose body `put_body` appends, and does nothing else to `out`. The body moves by a byte or more
/// if its length takes them.
pub(crate) fn put_message(out: &mut Vec<u8>, number: u32, put_body: impl FnOnce(&mut Vec<u8>)) {
    put_bytes_key(out, number, 0);
    let start = out.len();
    put_body(out);
    let end = out.len();
    let length = end - start;
    let more = varint_len(length as u64) - 1;
    if more > 0 {
        out.resize(end + more, 0);
        out.copy_within(start..end, start + more);
    }
    put_length(&mut out[start - 1..start + more], length as u64);
}

/// Fills `room`, all of it, with a varint; padded if it would be shorter.
pub(crate) fn put_length(room: &mut [u8], length: u64) {
    let last = room.len() - 1;
    for (index, byte) in room.iter_mut().enumerate() {
        let more = if index < last { 0x80 } else { 0 };
        *byte = (length >> (7 * index)) as u8 & 0x7f | more;
    }
}
