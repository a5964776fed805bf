use crate::edit::{Edit, rewrite};
use crate::proto::Malformed;
use bytes::Bytes;

/// What a payload carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// An `ExportTraceServiceRequest`; its items are spans.
    Traces,
    /// An `ExportMetricsServiceRequest`; its items are data points.
    Metrics,
    /// An `ExportLogsServiceRequest`; its items are log records.
    Logs,
}

impl Signal {
    /// All of them, in the order of their numbers.
    pub const ALL: [Signal; 3] = [Signal::Traces, Signal::Metrics, Signal::Logs];

    /// Its name in configurations, accounts and URLs.
    pub fn name(self) -> &'static str {
        match self {
            Signal::Traces => "traces",
            Signal::Metrics => "metrics",
            Signal::Logs => "logs",
        }
    }
}

/// The encoded body of an export request, in pieces that are each a body of its own. Cloning shares the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    signal: Signal,
    chunks: Vec<Bytes>,
    bytes: usize,
    items: usize,
}

impl Payload {
    /// A payload without items.
    pub fn empty(signal: Signal) -> Self {
        Payload {
            signal,
            chunks: Vec::new(),
            bytes: 0,
            items: 0,
        }
    }

    /// A payload of one piece; `items` is what is counted of it, and is the caller's word.
    pub fn new(signal: Signal, chunk: Bytes, items: usize) -> Self {
        Payload {
            signal,
            bytes: chunk.len(),
            chunks: vec![chunk],
            items,
        }
    }

    /// What it carries.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// Spans, data points or log records.
    pub fn items(&self) -> usize {
        self.items
    }

    /// The encoded length.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The pieces, in order.
    pub fn chunks(&self) -> &[Bytes] {
        &self.chunks
    }

    /// No items and no bytes.
    pub fn is_empty(&self) -> bool {
        self.items == 0 && self.bytes == 0
    }

    /// Joins `other`'s items to these. Both carry the same signal.
    pub fn append(&mut self, other: Payload) {
        debug_assert_eq!(self.signal, other.signal, "a payload carries one signal");
        self.bytes += other.bytes;
        self.items += other.items;
        self.chunks.extend(other.chunks);
    }

    /// Edits all pieces. Those that nothing happens to are handed on as they are; one that is not OTLP is left out, and
    /// the others go on.
    pub fn edit<E: Edit + ?Sized>(self, edit: &mut E) -> Edited {
        let mut edited = Edited {
            payload: Payload::empty(self.signal),
            dropped: 0,
            malformed: 0,
            error: None,
        };
        for chunk in self.chunks {
            match rewrite(self.signal, &chunk, edit) {
                Ok(rewritten) => {
                    edited.dropped += rewritten.dropped;
                    if rewritten.kept > 0 {
                        let chunk = rewritten.request.unwrap_or(chunk);
                        edited.payload.append(Payload::new(self.signal, chunk, rewritten.kept));
                    }
                }
                Err(error) => edited.error = Some(error),
            }
        }
        if edited.error.is_some() {
            edited.malformed = self.items.saturating_sub(edited.payload.items + edited.dropped);
        }
        edited
    }
}

/// A payload after an edit. If the payload's items were counted right, they are those that it has now, the dropped and
/// the malformed ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// What is left; without pieces if nothing is.
    pub payload: Payload,
    /// Items that the edit dropped.
    pub dropped: usize,
    /// Items of pieces that could not be read.
    pub malformed: usize,
    /// Why the last of these could not be read.
    pub error: Option<Malformed>,
}
