//! Where the fields of a message lie: the walk for those who look at few fields and skip the others.

use crate::proto::{BYTES, FIXED32, FIXED64, Malformed, VARINT, fields};

/// A field, by where it lies: from its key to its end, and where the body begins if it has one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At {
    pub(crate) number: u32,
    wire_type: u8,
    pub(crate) start: usize,
    pub(crate) body: usize,
    pub(crate) end: usize,
}

impl At {
    /// The body of a string, bytes or message. `message` is what was scanned.
    #[inline(always)]
    pub(crate) fn bytes<'a>(&self, message: &'a [u8]) -> Result<&'a [u8], Malformed> {
        if self.wire_type == BYTES {
            Ok(&message[self.body..self.end])
        } else {
            Err(Malformed::FieldType(self.number))
        }
    }
}

/// Walks a message.
#[derive(Debug, Clone)]
pub(crate) struct Scan<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    #[inline(always)]
    pub(crate) fn new(message: &'a [u8]) -> Self {
        Scan { message, at: 0 }
    }

    /// Walks the message that lies in `whole[start..end]`; the places are those in `whole`.
    pub(crate) fn part(whole: &'a [u8], start: usize, end: usize) -> Self {
        Scan {
            message: &whole[..end],
            at: start,
        }
    }

    /// The next field; `None` at the end. Not to be called again after an error.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Result<Option<At>, Malformed> {
        let start = self.at;
        if start >= self.message.len() {
            return Ok(None);
        }
        let (key, mut body) = varint(self.message, start)?;
        if !(1..1 << 29).contains(&(key >> 3)) {
            return Err(Malformed::FieldNumber);
        }
        let wire_type = (key & 7) as u8;
        // Nearly all fields are of this type, so it is asked for first.
        let length = if wire_type == BYTES {
            let (length, after) = varint(self.message, body)?;
            body = after;
            usize::try_from(length).map_err(|_| Malformed::Truncated)?
        } else if wire_type == FIXED64 {
            8
        } else if wire_type == VARINT {
            varint(self.message, body)?.1 - body
        } else if wire_type == FIXED32 {
            4
        } else {
            return Err(Malformed::WireType(wire_type));
        };
        if length > self.message.len() - body {
            return Err(Malformed::Truncated);
        }
        self.at = body + length;
        Ok(Some(At {
            number: (key >> 3) as u32,
            wire_type,
            start,
            body,
            end: self.at,
        }))
    }
}

/// The varint at `at`, and where it ends.
#[inline(always)]
fn varint(message: &[u8], at: usize) -> Result<(u64, usize), Malformed> {
    match message.get(at..).unwrap_or_default() {
        [first @ 0..0x80, ..] => Ok((u64::from(*first), at + 1)),
        [first, second @ 0..0x80, ..] => Ok((u64::from(first & 0x7f) | u64::from(*second) << 7, at + 2)),
        rest => long_varint(rest, at),
    }
}

#[inline(never)]
fn long_varint(from: &[u8], at: usize) -> Result<(u64, usize), Malformed> {
    let mut rest = fields(from);
    let value = rest.varint()?;
    Ok((value, at + from.len() - rest.remaining()))
}

/// Walks the repeated message field `number` of a message. Ends after the first error.
#[derive(Debug, Clone)]
pub(crate) struct Messages<'a> {
    scan: Scan<'a>,
    number: u32,
}

/// The repeated message field `number` of `message`.
#[inline(always)]
pub(crate) fn messages(message: &[u8], number: u32) -> Messages<'_> {
    Messages {
        scan: Scan::new(message),
        number,
    }
}

impl<'a> Messages<'a> {
    #[inline(always)]
    fn find(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        while let Some(at) = self.scan.next()? {
            if at.number == self.number {
                return at.bytes(self.scan.message).map(Some);
            }
        }
        Ok(None)
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<&'a [u8], Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let found = self.find();
        if found.is_err() {
            self.scan = Scan::new(&[]);
        }
        found.transpose()
    }
}

/// The last occurrence of a singular field, which is the one that counts for scalars. An encoder that splits one message
/// over several occurrences is allowed by protobuf, but there is none.
pub(crate) fn last_bytes(message: &[u8], number: u32) -> Result<&[u8], Malformed> {
    messages(message, number).try_fold(&[][..], |_, next| next)
}

/// Appends the fields of `message` but those whose number is to be left out.
pub(crate) fn put_all_but(out: &mut Vec<u8>, message: &[u8], left_out: impl Fn(u32) -> bool) -> Result<(), Malformed> {
    let mut scan = Scan::new(message);
    while let Some(at) = scan.next()? {
        if !left_out(at.number) {
            out.extend_from_slice(&message[at.start..at.end]);
        }
    }
    Ok(())
}
