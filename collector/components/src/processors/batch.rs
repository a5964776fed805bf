//! `batch`: many small payloads become few large ones, by items, bytes and time.
//!
//! ```yaml
//! processors:
//!   batch:
//!     send_batch_size: 8192         # items that are sent at once, without waiting for the timeout
//!     timeout: 200ms                # the longest that an item waits; 0 sends at once
//!     send_batch_max_size: 0        # the most items of a batch; 0 is no limit
//!     send_batch_max_bytes: 3145728 # the most bytes of a batch, unless one item has more; 0 is no limit
//! ```
//!
//! The last key is ours: OTLP receivers take 4 MiB over gRPC unless they are told otherwise. Batching only collects the
//! payloads' pieces; spans are looked at only where a payload must be cut.

use collector_config::Section;
use collector_engine::{Processor, ProcessorFactory, ProcessorRecipe, Sink, reason};
use collector_pdata::{Payload, Signal, split};
use std::time::{Duration, Instant};

/// The line in the table.
pub const FACTORY: ProcessorFactory = ProcessorFactory {
    kind: "batch",
    signals: &[Signal::Traces],
    configure,
};

#[derive(Debug, Clone, Copy)]
struct Settings {
    size: usize,
    max_size: usize,
    max_bytes: usize,
    timeout: Duration,
}

fn configure(section: &mut Section<'_, '_>) -> ProcessorRecipe {
    let settings = Settings {
        size: section.count("send_batch_size", 8192) as usize,
        max_size: section.count("send_batch_max_size", 0) as usize,
        max_bytes: section.count("send_batch_max_bytes", 3 << 20) as usize,
        timeout: section.duration("timeout", Duration::from_millis(200)),
    };
    if settings.max_size != 0 && settings.max_size < settings.size {
        section.error("send_batch_max_size", "must not be less than send_batch_size");
    }
    ProcessorRecipe::new(move |signal| Batch::new(settings, signal))
}

struct Batch {
    settings: Settings,
    open: Payload,
    since: Option<Instant>,
}

impl Batch {
    fn new(settings: Settings, signal: Signal) -> Self {
        Batch {
            settings,
            open: Payload::empty(signal),
            since: None,
        }
    }

    /// Adds a payload that fits into a batch by itself.
    fn add(&mut self, payload: Payload, now: Instant, sink: &mut Sink<'_>) {
        let Settings {
            size,
            max_size,
            max_bytes,
            timeout,
        } = self.settings;
        let over = |limit: usize, sum: usize| limit != 0 && sum > limit;
        if over(max_size, self.open.items() + payload.items()) || over(max_bytes, self.open.bytes() + payload.bytes()) {
            self.send(sink);
        }
        self.since.get_or_insert(now);
        self.open.append(payload);
        if self.open.items() >= size || timeout.is_zero() {
            self.send(sink);
        }
    }

    fn send(&mut self, sink: &mut Sink<'_>) {
        self.since = None;
        if !self.open.is_empty() {
            let next = Payload::empty(self.open.signal());
            sink.forward(std::mem::replace(&mut self.open, next));
        }
    }

    /// The most items that a part of `payload` may have, by both limits.
    fn items_of_a_part(&self, payload: &Payload) -> usize {
        let Settings {
            max_size, max_bytes, ..
        } = self.settings;
        let by_items = if max_size == 0 { usize::MAX } else { max_size };
        let by_bytes = match payload.bytes() {
            bytes if max_bytes != 0 && bytes > max_bytes => (payload.items() * max_bytes / bytes).max(1),
            _ => usize::MAX,
        };
        by_items.min(by_bytes)
    }
}

impl Processor for Batch {
    fn process(&mut self, payload: Payload, now: Instant, sink: &mut Sink<'_>) {
        let items = payload.items();
        let part = self.items_of_a_part(&payload);
        if items <= part {
            return self.add(payload, now, sink);
        }
        match split::parts(payload, part, usize::MAX) {
            Ok(parts) => parts.into_iter().for_each(|part| self.add(part, now, sink)),
            Err(error) => {
                tracing::warn!(%error, items, "a payload that had to be cut is not OTLP and is dropped");
                sink.dropped(reason::MALFORMED, items);
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.since.map(|since| since + self.settings.timeout)
    }

    fn tick(&mut self, _now: Instant, sink: &mut Sink<'_>) {
        self.send(sink);
    }

    fn flush(&mut self, sink: &mut Sink<'_>) {
        self.send(sink);
    }
}
