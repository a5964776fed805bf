//! From a request's body to the pipelines, the same for both transports.

use super::rejection::Rejection;
use super::validate;
use crate::net::compress::{Encoding, decompress};
use bytes::Bytes;
use collector_engine::Output;
use collector_pdata::json::{self, Limits};
use collector_pdata::{Payload, Signal};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The most that unfinished requests may hold in one receiver, over all connections. A request that came in one piece,
/// as most do, is not counted: HTTP/2's windows bound those.
const MAX_UNFINISHED: usize = 256 << 20;

/// How long a sender waits for its request to be on disk, if it is to be there. It has the request still, so that nothing
/// is lost if the queue takes it later than that, but it may come twice.
const KEEPING: Duration = Duration::from_secs(5);

/// A buffer for a body takes no more than this before data is there, whatever the sender has announced.
const FIRST_ROOM: usize = 256 << 10;

/// One worker's way to the pipelines.
#[derive(Clone)]
pub(crate) struct Intake {
    pub(crate) output: Output,
    pub(crate) unfinished: Arc<Unfinished>,
    /// The most bytes of a message, before and after decompression.
    pub(crate) limit: usize,
}

impl Intake {
    /// Takes a body: decompresses, validates, counts and hands it on. One without items succeeds and goes nowhere.
    /// Where an exporter has its queue on disk, the request is not taken before it is there.
    pub(crate) async fn take(&self, signal: Signal, body: Body) -> Result<(), Rejection> {
        let payload = self.payload(signal, body).inspect_err(|_| self.malformed())?;
        if payload.items() == 0 {
            return Ok(());
        }
        let kept = self.output.try_send_kept(payload).map_err(Rejection::Refused)?;
        if kept.is_empty() {
            return Ok(());
        }
        match tokio::time::timeout(KEEPING, kept.wait()).await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(Rejection::NotKept),
        }
    }

    /// Counts a request whose items could not be counted.
    pub(crate) fn malformed(&self) {
        self.output.counts().malformed_request();
    }

    fn payload(&self, signal: Signal, body: Body) -> Result<Payload, Rejection> {
        let bytes = match body.encoding {
            Some(encoding) => Bytes::from(decompress(encoding, &body.bytes, self.limit)?),
            None if body.bytes.len() > self.limit => return Err(Rejection::TooLarge(self.limit)),
            None => body.bytes,
        };
        let bytes = match body.format {
            Format::Protobuf => bytes,
            Format::Json => json::decode(signal, &bytes, &self.json_limits())?.into(),
        };
        let items = validate::count(signal, &bytes)?;
        Ok(Payload::new(signal, bytes, items))
    }

    /// A message may grow as it is encoded, since a number of one digit takes eight bytes.
    fn json_limits(&self) -> Limits {
        Limits {
            output_bytes: self.limit.saturating_mul(2),
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

/// A request's body as it was sent.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) format: Format,
    pub(crate) encoding: Option<Encoding>,
    pub(crate) bytes: Bytes,
}

/// How a message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Protobuf,
    Json,
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
