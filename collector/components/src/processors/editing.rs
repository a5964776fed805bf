//! What the processors that edit payloads do with what becomes of them.

use collector_engine::{Processor, Sink, reason};
use collector_pdata::edit::Edit;
use collector_pdata::{Edited, Payload};
use std::time::Instant;

/// Hands every payload through an edit. Pieces that are not OTLP are dropped and counted; the others go on.
pub(super) struct Editing<E> {
    /// What is done.
    pub(super) edit: E,
    /// The reason that is counted for what the edit drops.
    pub(super) dropped: &'static str,
}

impl<E: Edit + Send> Processor for Editing<E> {
    fn process(&mut self, payload: Payload, _: Instant, sink: &mut Sink<'_>) {
        let left = account(payload.edit(&mut self.edit), self.dropped, sink);
        forward(left, sink);
    }
}

/// Counts what an edit has dropped, for the reason `dropped`, and what could not be read. What is left is returned.
pub(super) fn account(edited: Edited, dropped: &'static str, sink: &mut Sink<'_>) -> Payload {
    if let Some(error) = edited.error {
        let items = edited.malformed;
        tracing::warn!(%error, items, "a part of a payload is not OTLP and is dropped");
        sink.dropped(reason::MALFORMED, items);
    }
    sink.dropped(dropped, edited.dropped);
    edited.payload
}

/// Hands a payload on, unless there is nothing in it.
pub(super) fn forward(payload: Payload, sink: &mut Sink<'_>) {
    if !payload.is_empty() {
        sink.forward(payload);
    }
}
