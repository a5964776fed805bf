//! `batch`: many small payloads become few large ones, by items, bytes and time.
//!
//! ```yaml
//! processors:
//!   batch:
//!     send_batch_size: 8192         # items that are sent without waiting for the timeout; 0 sends at once
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
    signals: &Signal::ALL,
    configure,
};

/// A limit that is not set is as large as can be.
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
        max_size: limit(section.count("send_batch_max_size", 0)),
        max_bytes: limit(section.count("send_batch_max_bytes", 3 << 20)),
        timeout: section.duration("timeout", Duration::from_millis(200)),
    };
    if settings.max_size < settings.size {
        section.error("send_batch_max_size", "must not be less than send_batch_size");
    }
    ProcessorRecipe::new(move |signal| Batch::new(settings, signal))
}

/// Zero is no limit.
fn limit(written: u64) -> usize {
    match written {
        0 => usize::MAX,
        written => written as usize,
    }
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
        if self.open.items() + payload.items() > max_size || self.open.bytes() + payload.bytes() > max_bytes {
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
}

impl Processor for Batch {
    fn process(&mut self, payload: Payload, now: Instant, sink: &mut Sink<'_>) {
        let Settings {
            max_size, max_bytes, ..
        } = self.settings;
        if payload.items() <= max_size && payload.bytes() <= max_bytes {
            return self.add(payload, now, sink);
        }
        let items = payload.items();
        match split::parts(payload, max_size, max_bytes) {
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
