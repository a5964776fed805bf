//! From a request's body to the pipelines, the same for both transports.

use super::accept::{Accept, Transport};
use super::rejection::Rejection;
use super::validate;
use crate::net::compress::{Encoding, decompress};
use bytes::Bytes;
use collector_pdata::{Payload, Signal};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The most that unfinished requests may hold in one receiver, over all connections. A request that came in one piece,
/// as most do, is not counted: HTTP/2's windows bound those.
const MAX_UNFINISHED: usize = 256 << 20;

/// A buffer for a body takes no more than this before data is there, whatever the sender has announced.
const FIRST_ROOM: usize = 256 << 10;

/// One worker's way to the pipelines.
#[derive(Clone)]
pub(crate) struct Intake {
    pub(crate) accept: Arc<dyn Accept>,
    pub(crate) transport: Transport,
    pub(crate) unfinished: Arc<Unfinished>,
    /// The most bytes of a message, before and after decompression.
    pub(crate) limit: usize,
}

impl Intake {
    /// Takes a body that is encoded in protobuf: decompresses, validates, counts and hands it on.
    pub(crate) fn take(&self, signal: Signal, encoding: Option<Encoding>, body: Bytes) -> Result<(), Rejection> {
        let counted = self.plain(encoding, body).and_then(|body| {
            let items = validate::count(signal, &body)?;
            Ok(Payload::new(signal, body, items))
        });
        self.hand_on(signal, counted)
    }

    /// The body without its compression.
    pub(crate) fn plain(&self, encoding: Option<Encoding>, body: Bytes) -> Result<Bytes, Rejection> {
        match encoding {
            Some(encoding) => Ok(Bytes::from(decompress(encoding, &body, self.limit)?)),
            None if body.len() > self.limit => Err(Rejection::TooLarge(self.limit)),
            None => Ok(body),
        }
    }

    /// Gives a payload to the pipelines, or counts that there was none. One without items succeeds and goes nowhere.
    pub(crate) fn hand_on(&self, signal: Signal, payload: Result<Payload, Rejection>) -> Result<(), Rejection> {
        match payload {
            Ok(payload) if payload.items() == 0 => Ok(()),
            Ok(payload) => self.accept.accept(payload, self.transport).map_err(Rejection::Refused),
            Err(rejection) => {
                self.accept.rejected(signal, self.transport);
                Err(rejection)
            }
        }
    }

    /// An empty buffer for a body of `announced` bytes, if that is known.
    pub(crate) fn buffer(&self, announced: Option<usize>) -> Buffer {
        Buffer {
            data: Vec::with_capacity(announced.unwrap_or(0).min(self.limit).min(FIRST_ROOM)),
            limit: self.limit,
            unfinished: self.unfinished.clone(),
        }
    }
}

/// Counts the bytes that unfinished requests hold.
#[derive(Debug, Default)]
pub(crate) struct Unfinished(AtomicUsize);

/// A body that is put together from pieces.
#[derive(Debug)]
pub(crate) struct Buffer {
    data: Vec<u8>,
    limit: usize,
    unfinished: Arc<Unfinished>,
}

impl Buffer {
    /// Appends a piece.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), Rejection> {
        if piece.len() > self.limit - self.data.len() {
            return Err(Rejection::TooLarge(self.limit));
        }
        let held = self.unfinished.0.fetch_add(piece.len(), Ordering::Relaxed);
        // Before the check, so that what was counted is given back with the buffer.
        self.data.extend_from_slice(piece);
        if held > MAX_UNFINISHED {
            return Err(Rejection::Busy);
        }
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.data.len()
    }

    /// The whole body.
    pub(crate) fn finish(mut self) -> Bytes {
        let data = std::mem::take(&mut self.data);
        self.unfinished.0.fetch_sub(data.len(), Ordering::Relaxed);
        Bytes::from(data)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.unfinished.0.fetch_sub(self.data.len(), Ordering::Relaxed);
    }
}
