//! Looks at, and edits, the attributes of one encoded message.
//!
//! Values go in and out as encoded `AnyValue`s, so nothing is decoded for being moved; [`Value`](crate::Value) reads and
//! writes them. Keys and texts are as they were encoded, which need not be UTF-8.

use crate::edit::Change;
use crate::proto::{Malformed, field_len, fields, put_bytes, put_bytes_key, put_message};
use crate::scan::{Scan, messages};
use std::ops::Range;

/// The number of the field with the attributes, for the messages that are not items; for items it is
/// [`ItemKind::attributes_field`](crate::ItemKind::attributes_field).
pub mod field {
    /// Of a `Resource`.
    pub const RESOURCE: u32 = 1;
    /// Of an `InstrumentationScope`.
    pub const SCOPE: u32 = 3;
    /// Of a `Span`.
    pub const SPAN: u32 = 9;
    /// Of a span's `Event`.
    pub const EVENT: u32 = 3;
    /// Of a span's `Link`.
    pub const LINK: u32 = 4;
    /// Of a `LogRecord`.
    pub const LOG_RECORD: u32 = 6;
    /// Of a `NumberDataPoint`.
    pub const NUMBER_DATA_POINT: u32 = 7;
    /// Of a `HistogramDataPoint`.
    pub const HISTOGRAM_DATA_POINT: u32 = 9;
    /// Of an `ExponentialHistogramDataPoint`.
    pub const EXPONENTIAL_HISTOGRAM_DATA_POINT: u32 = 1;
    /// Of a `SummaryDataPoint`.
    pub const SUMMARY_DATA_POINT: u32 = 7;
    /// Of an `Exemplar`, which has only those that its point has not.
    pub const EXEMPLAR: u32 = 7;
    /// Of a `Metric`'s metadata.
    pub const METADATA: u32 = 12;
}

/// An attribute's key and encoded `AnyValue`.
pub type Pair<'a> = (&'a [u8], &'a [u8]);

/// The attributes in field `number` of `message`, in order.
#[inline]
pub fn pairs(message: &[u8], number: u32) -> impl Iterator<Item = Result<Pair<'_>, Malformed>> {
    messages(message, number).map(|attribute| pair(attribute?))
}

/// Key and value of an encoded `KeyValue`.
#[inline]
pub fn pair(attribute: &[u8]) -> Result<Pair<'_>, Malformed> {
    let (key, value) = split(attribute)?;
    Ok((&attribute[key], &attribute[value]))
}

/// The encoded `AnyValue` of the first attribute `key` in field `number` of `message`.
pub fn find<'a>(message: &'a [u8], number: u32, key: &[u8]) -> Result<Option<&'a [u8]>, Malformed> {
    for pair in pairs(message, number) {
        let (found, value) = pair?;
        if found == key {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// Edits one attribute, faster than an [`Editor`] does: asks `edit`, if `key` is there, what is to become of its encoded
/// `AnyValue`, and appends the new message to `out`. Another value is appended to the buffer that `edit` gets, which holds
/// other bytes before. Unless the value is kept, the key is there once afterwards, or not at all.
pub fn modify(
    message: &[u8],
    number: u32,
    key: &[u8],
    out: &mut Vec<u8>,
    edit: impl FnOnce(&[u8], &mut Vec<u8>) -> Result<Change, Malformed>,
) -> Result<Change, Malformed> {
    let (start, mut copied) = (out.len(), 0);
    let mut edit = Some(edit);
    let mut scan = Scan::new(message);
    while let Some(at) = scan.next()? {
        if at.number != number {
            continue;
        }
        let attribute = at.bytes(message)?;
        let (found, value) = split(attribute)?;
        if &attribute[found] != key {
            continue;
        }
        out.extend_from_slice(&message[copied..at.start]);
        copied = at.end;
        if let Some(edit) = edit.take()
            && put_edited(out, number, key, &attribute[value], edit)? == Change::Keep
        {
            out.truncate(start);
            return Ok(Change::Keep);
        }
    }
    if edit.is_some() {
        return Ok(Change::Keep);
    }
    out.extend_from_slice(&message[copied..]);
    Ok(Change::Replace)
}

/// Appends the attribute with another value, if it gets one.
fn put_edited(
    out: &mut Vec<u8>,
    number: u32,
    key: &[u8],
    old: &[u8],
    edit: impl FnOnce(&[u8], &mut Vec<u8>) -> Result<Change, Malformed>,
) -> Result<Change, Malformed> {
    let start = out.len();
    let mut change = Ok(Change::Keep);
    put_message(out, number, |out| {
        put_bytes(out, 1, key);
        put_message(out, 2, |out| change = edit(old, out));
    });
    if change != Ok(Change::Replace) {
        out.truncate(start);
    }
    change
}

/// Appends an attribute, as field `number`, to an encoded message. `value` is an encoded `AnyValue`.
pub fn put(message: &mut Vec<u8>, number: u32, key: &[u8], value: &[u8]) {
    put_bytes_key(message, number, field_len(key.len()) + field_len(value.len()));
    put_bytes(message, 1, key);
    put_bytes(message, 2, value);
}

/// Appends the encoded `AnyValue` of a text.
pub fn put_text(out: &mut Vec<u8>, text: &str) {
    put_bytes(out, 1, text.as_bytes());
}

/// Buffers for edits, to be kept from one message to the next.
#[derive(Debug, Default)]
pub struct Editor {
    entries: Vec<Entry>,
    added: Vec<u8>,
    scratch: Vec<u8>,
}

/// An attribute, by where its parts lie.
#[derive(Debug)]
struct Entry {
    /// Its field in the message; empty if it is new.
    field: Range<usize>,
    /// In the message, or in what was added if it is new.
    key: Range<usize>,
    /// In the message, or in what was added if it was written.
    value: Range<usize>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Untouched,
    Written,
    Deleted,
}

impl Entry {
    fn is_new(&self) -> bool {
        self.field.is_empty()
    }
}

/// The attributes of one message, being edited. Each call sees what the calls before it did.
///
/// Where a message has one key several times, reading sees the first; writing or deleting a key leaves it there once or
/// not at all, so that nothing survives its deletion.
#[derive(Debug)]
pub struct Open<'e, 'm> {
    entries: &'e mut Vec<Entry>,
    /// Keys and values that are not in the message.
    added: &'e mut Vec<u8>,
    scratch: &'e mut Vec<u8>,
    message: &'m [u8],
    number: u32,
    changed: bool,
}

impl Editor {
    /// Reads where the attributes in field `number` of `message` lie.
    pub fn open<'e, 'm>(&'e mut self, message: &'m [u8], number: u32) -> Result<Open<'e, 'm>, Malformed> {
        self.entries.clear();
        self.added.clear();
        let mut scan = Scan::new(message);
        while let Some(at) = scan.next()? {
            if at.number == number {
                let (key, value) = split(at.bytes(message)?)?;
                self.entries.push(Entry {
                    field: at.start..at.end,
                    key: at.body + key.start..at.body + key.end,
                    value: at.body + value.start..at.body + value.end,
                    state: State::Untouched,
                });
            }
        }
        Ok(Open {
            entries: &mut self.entries,
            added: &mut self.added,
            scratch: &mut self.scratch,
            message,
            number,
            changed: false,
        })
    }
}

impl Open<'_, '_> {
    /// The encoded `AnyValue` of `key`.
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.index(key).map(|index| self.value(&self.entries[index]))
    }

    /// Keys and encoded values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let present = self.entries.iter().filter(|entry| entry.state != State::Deleted);
        present.map(|entry| (self.key(entry), self.value(entry)))
    }

    /// Adds `key` if it is absent. Whether it was.
    pub fn insert(&mut self, key: &[u8], value: &[u8]) -> bool {
        let absent = self.index(key).is_none();
        if absent {
            self.add(key, value);
        }
        absent
    }

    /// Gives `key` another value if it is present. Whether it was.
    pub fn update(&mut self, key: &[u8], value: &[u8]) -> bool {
        let Some(index) = self.index(key) else {
            return false;
        };
        self.write(index, value);
        self.delete_after(index + 1, key);
        true
    }

    /// Gives `key` a value, whether or not it is present.
    pub fn upsert(&mut self, key: &[u8], value: &[u8]) {
        if !self.update(key, value) {
            self.add(key, value);
        }
    }

    /// Asks `edit`, if `key` is present, what is to become of its encoded value; it gets room for another one.
    pub fn modify(
        &mut self,
        key: &[u8],
        edit: impl FnOnce(&[u8], &mut Vec<u8>) -> Result<Change, Malformed>,
    ) -> Result<(), Malformed> {
        let Some(index) = self.index(key) else {
            return Ok(());
        };
        self.scratch.clear();
        match edit(value(self.message, self.added, &self.entries[index]), self.scratch)? {
            Change::Keep => {}
            Change::Replace => {
                self.write_scratch(index);
                self.delete_after(index + 1, key);
            }
            Change::Drop => {
                self.delete_after(index, key);
            }
        }
        Ok(())
    }

    /// Removes `key`. Whether it was present.
    pub fn delete(&mut self, key: &[u8]) -> bool {
        self.delete_after(0, key)
    }

    /// Keeps only the attributes for which `keep` says so of their key and encoded value.
    pub fn retain(&mut self, mut keep: impl FnMut(&[u8], &[u8]) -> bool) {
        for index in 0..self.entries.len() {
            let entry = &self.entries[index];
            if entry.state != State::Deleted && !keep(self.key(entry), self.value(entry)) {
                self.entries[index].state = State::Deleted;
                self.changed = true;
            }
        }
    }

    /// Asks `edit` about every attribute: it gets the key, the encoded value and room for another one.
    pub fn for_each(
        &mut self,
        mut edit: impl FnMut(&[u8], &[u8], &mut Vec<u8>) -> Result<Change, Malformed>,
    ) -> Result<(), Malformed> {
        for index in 0..self.entries.len() {
            let entry = &self.entries[index];
            if entry.state == State::Deleted {
                continue;
            }
            let (key, value) = (
                key(self.message, self.added, entry),
                value(self.message, self.added, entry),
            );
            self.scratch.clear();
            match edit(key, value, self.scratch)? {
                Change::Keep => {}
                Change::Replace => self.write_scratch(index),
                Change::Drop => {
                    self.entries[index].state = State::Deleted;
                    self.changed = true;
                }
            }
        }
        Ok(())
    }

    /// Appends the new message to `out`, unless nothing was changed. Of an attribute with a new value only key and value
    /// remain; all other fields stay, in their order, and new attributes come last.
    pub fn finish(self, out: &mut Vec<u8>) -> Change {
        if !self.changed {
            return Change::Keep;
        }
        out.reserve(self.message.len() + self.added.len() + 16);
        let mut copied = 0;
        for entry in self.entries.iter().filter(|entry| entry.state != State::Untouched) {
            if !entry.is_new() {
                out.extend_from_slice(&self.message[copied..entry.field.start]);
                copied = entry.field.end;
                if entry.state == State::Written {
                    put(out, self.number, self.key(entry), self.value(entry));
                }
            }
        }
        out.extend_from_slice(&self.message[copied..]);
        for entry in self.entries.iter().filter(|entry| entry.is_new()) {
            if entry.state == State::Written {
                put(out, self.number, self.key(entry), self.value(entry));
            }
        }
        Change::Replace
    }

    fn index(&self, key: &[u8]) -> Option<usize> {
        self.entries
            .iter()
            .position(|entry| entry.state != State::Deleted && self.key(entry) == key)
    }

    #[inline]
    fn key(&self, entry: &Entry) -> &[u8] {
        key(self.message, self.added, entry)
    }

    #[inline]
    fn value(&self, entry: &Entry) -> &[u8] {
        value(self.message, self.added, entry)
    }

    fn keep_bytes(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.added.len();
        self.added.extend_from_slice(bytes);
        start..self.added.len()
    }

    fn write(&mut self, index: usize, value: &[u8]) {
        let value = self.keep_bytes(value);
        let entry = &mut self.entries[index];
        entry.value = value;
        entry.state = State::Written;
        self.changed = true;
    }

    fn write_scratch(&mut self, index: usize) {
        let value = std::mem::take(self.scratch);
        self.write(index, &value);
        *self.scratch = value;
    }

    fn add(&mut self, key: &[u8], value: &[u8]) {
        let (key, value) = (self.keep_bytes(key), self.keep_bytes(value));
        self.entries.push(Entry {
            field: 0..0,
            key,
            value,
            state: State::Written,
        });
        self.changed = true;
    }

    fn delete_after(&mut self, first: usize, key: &[u8]) -> bool {
        let mut found = false;
        for index in first..self.entries.len() {
            let entry = &self.entries[index];
            if entry.state != State::Deleted && self.key(entry) == key {
                self.entries[index].state = State::Deleted;
                found = true;
            }
        }
        self.changed |= found;
        found
    }
}

#[inline]
fn key<'a>(message: &'a [u8], added: &'a [u8], entry: &Entry) -> &'a [u8] {
    let source = if entry.is_new() { added } else { message };
    &source[entry.key.clone()]
}

#[inline]
fn value<'a>(message: &'a [u8], added: &'a [u8], entry: &Entry) -> &'a [u8] {
    let source = if entry.state == State::Written { added } else { message };
    &source[entry.value.clone()]
}

/// Where key and value lie in an encoded `KeyValue`. Nearly all are encoded as both, short and in this order.
#[inline]
fn split(raw: &[u8]) -> Result<(Range<usize>, Range<usize>), Malformed> {
    if let [0x0a, length @ 0..0x80, rest @ ..] = raw {
        let key = usize::from(*length);
        if let Some([0x12, length @ 0..0x80, value @ ..]) = rest.get(key..)
            && value.len() == usize::from(*length)
        {
            return Ok((2..2 + key, key + 4..raw.len()));
        }
    }
    split_any(raw)
}

/// The last occurrence counts, as for all singular fields.
#[inline(never)]
fn split_any(raw: &[u8]) -> Result<(Range<usize>, Range<usize>), Malformed> {
    let (mut key, mut value) = (0..0, 0..0);
    let mut walk = fields(raw);
    while let Some(field) = walk.next() {
        let field = field?;
        let end = raw.len() - walk.remaining();
        match field.number {
            1 => key = end - field.bytes()?.len()..end,
            2 => value = end - field.bytes()?.len()..end,
            _ => {}
        }
    }
    Ok((key, value))
}
