//! `sending_queue`, with upstream's names and defaults: what stands before an exporter is the engine's affair, how many
//! requests are on their way at the same time is the exporter's.
//!
//! Read and without effect, which the user is told: `batch`, since joining requests is the work of the `batch` processor,
//! and `wait_for_result`, since senders are answered when a pipeline, or the queue's disk, has what they have sent.

use collector_config::{ComponentId, Section};
use collector_engine::{Limits, Overflow, Placement, Queue, reason};
use std::time::Duration;

/// What a queue's size is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sizer {
    /// Requests.
    Requests,
    /// Spans, data points, log records.
    Items,
    /// Encoded bytes.
    Bytes,
}

/// The queue before an exporter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSettings {
    /// Whether there is one.
    pub enabled: bool,
    /// How many requests are on their way at the same time, at least one.
    pub num_consumers: usize,
    /// The most that it holds, in `sizer`.
    pub queue_size: u64,
    /// What `queue_size` counts.
    pub sizer: Sizer,
    /// Whether the pipeline waits for room, where it would be refused otherwise.
    pub block_on_overflow: bool,
    /// The extension that keeps it on disk.
    pub storage: Option<ComponentId>,
    /// The exporter's id, which its folder in the storage is named after.
    pub owner: String,
}

const SIZERS: [(&str, Sizer); 3] = [
    ("requests", Sizer::Requests),
    ("items", Sizer::Items),
    ("bytes", Sizer::Bytes),
];

/// The bytes that a queue in memory holds at most, where its size is not given in bytes.
const MAX_BYTES: u32 = 128 << 20;

/// What waits in memory for its way to the disk, in requests and bytes.
const TO_DISK: Limits = Limits {
    items: 64,
    bytes: 16 << 20,
};

impl QueueSettings {
    /// Reads the exporter's `sending_queue`.
    pub fn configure(section: &mut Section<'_, '_>) -> QueueSettings {
        let path = section.path();
        let owner = path.rsplit("::").next().unwrap_or(path).to_owned();
        section.section("sending_queue", |queue| {
            let settings = QueueSettings {
                enabled: queue.flag("enabled", true),
                num_consumers: at_least_one(queue, "num_consumers", 10) as usize,
                queue_size: at_least_one(queue, "queue_size", 1000),
                sizer: queue.choice("sizer", &SIZERS).unwrap_or(Sizer::Requests),
                block_on_overflow: queue.flag("block_on_overflow", false),
                storage: storage(queue),
                owner,
            };
            wait_for_result(queue, settings.storage.is_some());
            batch(queue);
            settings
        })
    }

    /// The storage, if the queue is in one.
    pub fn on_disk(&self) -> Option<&ComponentId> {
        self.storage.as_ref().filter(|_| self.enabled)
    }

    /// What stands before the exporter in memory: the whole queue, or little on the way to the disk.
    pub fn before(&self) -> Queue {
        let whole = self.in_memory();
        match self.on_disk() {
            None => whole,
            Some(_) => Queue {
                limits: TO_DISK,
                counts_requests: true,
                ..whole
            },
        }
    }

    /// On how many workers the exporter runs: a folder belongs to one.
    pub fn placement(&self) -> Placement {
        match self.on_disk() {
            None => Placement::Every,
            Some(_) => Placement::One,
        }
    }

    /// The queue in memory. What comes while it is full is refused at the pipeline's entry, or dropped where another
    /// exporter goes on, so that the memory stays flat.
    pub fn in_memory(&self) -> Queue {
        let size = u32::try_from(self.queue_size).unwrap_or(u32::MAX);
        let (items, bytes) = match (self.enabled, self.sizer) {
            // Without a queue there is still the request that waits for a free consumer; and nothing overflows.
            (false, _) => (1, MAX_BYTES),
            (true, Sizer::Bytes) => (u32::MAX, size),
            (true, Sizer::Requests | Sizer::Items) => (size, MAX_BYTES),
        };
        Queue {
            limits: Limits { items, bytes },
            counts_requests: !self.enabled || self.sizer == Sizer::Requests,
            overflow: if self.block_on_overflow || !self.enabled {
                Overflow::Wait
            } else {
                Overflow::Drop
            },
            abandoned: reason::EXPORT_FAILED,
        }
    }

    /// How many requests one of so many workers has on their way at the same time.
    pub fn consumers_of(&self, workers: usize) -> usize {
        let workers = if self.on_disk().is_some() { 1 } else { workers };
        self.num_consumers.div_ceil(workers.max(1)).max(1)
    }
}

fn at_least_one(section: &mut Section<'_, '_>, key: &'static str, default: u64) -> u64 {
    let count = section.count(key, default);
    if count == 0 {
        section.error(key, "must be at least 1");
    }
    count.max(1)
}

fn storage(queue: &mut Section<'_, '_>) -> Option<ComponentId> {
    let id = ComponentId::parse(queue.text("storage")?);
    id.map_err(|message| queue.error("storage", message)).ok()
}

fn wait_for_result(queue: &mut Section<'_, '_>, is_on_disk: bool) {
    if !queue.flag("wait_for_result", false) {
        return;
    }
    if is_on_disk {
        queue.error("wait_for_result", "must be false where the queue is in a storage");
    }
    queue.warn(
        "wait_for_result",
        "has no effect in this collector: senders are answered before the destination has answered; with a storage they are \
         when the queue has it on disk",
    );
}

fn batch(queue: &mut Section<'_, '_>) {
    let written = queue.optional_section("batch", |batch| {
        batch.duration("flush_timeout", Duration::from_millis(200));
        let (min, max) = (batch.count("min_size", 8192), batch.count("max_size", 0));
        batch.choice("sizer", &SIZERS[1..]);
        if max != 0 && max < min {
            batch.error("max_size", "must not be below min_size");
        }
    });
    if written.is_some() {
        queue.warn(
            "batch",
            "has no effect in this collector: requests are sent as the pipeline gives them; name the processor batch in it",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use collector_config::{Errors, Node};

    fn read_with_warnings(text: &str) -> (Result<QueueSettings, String>, Vec<String>) {
        let node = Node::parse(text, "").unwrap();
        let mut errors = Errors::default();
        let mut section = Section::open("exporters::otlp", &node, &mut errors);
        let queue = QueueSettings::configure(&mut section);
        section.finish();
        let warnings = errors.take_warnings().iter().map(ToString::to_string).collect();
        (errors.unless_any(queue).map_err(|errors| errors.to_string()), warnings)
    }

    fn read(text: &str) -> Result<QueueSettings, String> {
        read_with_warnings(text).0
    }

    #[test]
    fn the_defaults_are_upstreams() {
        let queue = read("").unwrap();
        assert!(queue.enabled && !queue.block_on_overflow && queue.storage.is_none());
        assert_eq!(
            (queue.num_consumers, queue.queue_size, queue.sizer),
            (10, 1000, Sizer::Requests)
        );
        assert_eq!(queue.in_memory().overflow, Overflow::Drop);
    }

    #[test]
    fn all_settings_are_read() {
        let queue = read(
            "sending_queue: {enabled: false, num_consumers: 2, queue_size: 5000000, sizer: bytes, storage: file_storage/otc}",
        )
        .unwrap();
        assert_eq!(queue.storage.as_ref().unwrap().to_string(), "file_storage/otc");
        assert_eq!(
            (queue.num_consumers, queue.queue_size, queue.sizer),
            (2, 5_000_000, Sizer::Bytes)
        );
        assert_eq!([1, 2, 8].map(|workers| queue.consumers_of(workers)), [2, 1, 1]);
        let memory = queue.in_memory();
        assert_eq!((memory.limits.items, memory.overflow), (1, Overflow::Wait));
        let enabled = QueueSettings {
            enabled: true,
            block_on_overflow: true,
            ..queue
        };
        let memory = enabled.in_memory();
        assert_eq!((memory.limits.bytes, memory.overflow), (5_000_000, Overflow::Wait));
    }

    #[test]
    fn settings_without_effect_are_told_of() {
        let batch = "batch: {flush_timeout: 1s, min_size: 10, max_size: 20, sizer: bytes}";
        let (queue, warnings) = read_with_warnings(&format!("sending_queue: {{wait_for_result: true, {batch}}}"));
        queue.unwrap();
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        for (warning, key) in warnings.iter().zip(["wait_for_result", "batch"]) {
            let expected = format!("exporters::otlp::sending_queue::{key}: has no effect in this collector");
            assert!(warning.contains(&expected), "{warning}");
        }
        assert_eq!(read_with_warnings("sending_queue: {wait_for_result: false}").1, [""; 0]);
    }

    #[test]
    fn settings_that_cannot_work_are_named() {
        for (settings, expected) in [
            ("num_consumers: 0", "sending_queue::num_consumers: must be at least 1"),
            (
                "sizer: spans",
                "sending_queue::sizer: \"spans\" is none of requests, items, bytes",
            ),
            (
                "storage: '1/x'",
                "sending_queue::storage: \"1\" is not a component's type",
            ),
            (
                "batch: {min_size: 5, max_size: 1}",
                "batch::max_size: must not be below min_size",
            ),
            ("wait_for_result: true, storage: a", "wait_for_result: must be false"),
        ] {
            let error = read(&format!("sending_queue: {{{settings}}}")).unwrap_err();
            assert!(error.contains(expected), "{settings}: {error}");
        }
    }
}
