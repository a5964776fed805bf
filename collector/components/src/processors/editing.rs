//! A processor that is one edit of every payload.

use collector_engine::{Processor, Sink, reason};
use collector_pdata::Payload;
use collector_pdata::edit::Edit;
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
        let edited = payload.edit(&mut self.edit);
        if let Some(error) = edited.error {
            let items = edited.malformed;
            tracing::warn!(%error, items, "a part of a payload is not OTLP and is dropped");
            sink.dropped(reason::MALFORMED, items);
        }
        if edited.dropped > 0 {
            sink.dropped(self.dropped, edited.dropped);
        }
        if !edited.payload.is_empty() {
            sink.forward(edited.payload);
        }
    }
}
