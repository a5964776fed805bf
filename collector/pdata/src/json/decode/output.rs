//! What is written: protobuf, each message's length put in once it is known.

use crate::proto::{BYTES, put_key, put_length, varint_len};
use serde::de::Error;

/// Encoded bytes up to a limit.
#[derive(Debug)]
pub(super) struct Output {
    pub bytes: Vec<u8>,
    limit: usize,
}

/// Where a field's content starts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start(usize);

impl Output {
    pub fn new(expected: usize, limit: usize) -> Self {
        Output {
            bytes: Vec::with_capacity(expected.min(limit)),
            limit,
        }
    }

    /// Over its limit: what was read last has been refused.
    pub fn is_full(&self) -> bool {
        self.bytes.len() > self.limit
    }

    /// Refuses to go on beyond the limit. No single value is longer than thrice its text, so asking after each is enough.
    pub fn check<E: Error>(&self) -> Result<(), E> {
        if self.is_full() {
            return Err(E::custom("the message is too long"));
        }
        Ok(())
    }

    /// Begins a field of bytes.
    pub fn begin(&mut self, number: u32) -> Start {
        put_key(&mut self.bytes, number, BYTES);
        self.bytes.push(0);
        Start(self.bytes.len())
    }

    /// Ends it. Most contents are short enough for the one byte that waits for their length; others are moved, at most
    /// once for each message around them, whose number is bounded.
    pub fn end(&mut self, start: Start) {
        let Start(start) = start;
        let length = self.bytes.len() - start;
        let more = varint_len(length as u64) - 1;
        if more > 0 {
            self.bytes.resize(start + length + more, 0);
            self.bytes.copy_within(start..start + length, start + more);
        }
        put_length(&mut self.bytes[start - 1..start + more], length as u64);
    }

    /// How much content there is.
    pub fn length_since(&self, start: Start) -> usize {
        self.bytes.len() - start.0
    }

    /// Takes back a field that turned out to have no content.
    pub fn cancel(&mut self, before: usize) {
        self.bytes.truncate(before);
    }
}
