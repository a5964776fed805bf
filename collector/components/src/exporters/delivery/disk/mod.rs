//! `sending_queue::storage`: the queue of an exporter on disk, in a folder of its own.
//!
//! Everything goes through the disk: a delivery is appended, its sender is told that it is kept, and records are handed
//! out in order to as many consumers as there are. A record is let go of when its items have an end: taken by the
//! destination, or dropped and counted. What has none when the process ends comes again at the next start.
//!
//! The account needs no memory for each record: a record's byte of meta says of which pipeline it is, and the claims of
//! each pipeline are one [`collector_engine::Shelf`].

mod run;
mod store;
#[cfg(test)]
mod tests;

pub(super) use run::run;
use store::{Capacity, Store};

use super::queue::{QueueSettings, Sizer};
use collector_engine::{BoxError, Health, Host, Recovery, StorageRoot};
use collector_spool::{Directory, OpenError, Options, Spool};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The most bytes that a queue has on disk, where its size is not given in bytes.
const MAX_BYTES: u64 = 4 << 30;

/// So many files are no burden for a directory, however large the queue.
const MOST_SEGMENTS: u64 = 1 << 14;

/// How often it is tried to take a queue over from an exporter that is ending.
const TAKE_OVER: Duration = Duration::from_millis(50);

/// A queue on disk whose folder is there and can be used.
#[derive(Debug)]
pub struct DiskQueue {
    folder: PathBuf,
    options: Options,
    capacity: Capacity,
    /// Missing as long as the exporter that this one replaces has it.
    spool: Option<Spool<Directory>>,
}

/// Why a queue on disk cannot be opened.
#[derive(Debug, thiserror::Error)]
enum QueueError {
    #[error(transparent)]
    Directory(#[from] OpenError),
    #[error("cannot use the queue in {folder}")]
    Spool {
        folder: String,
        source: collector_spool::Error,
    },
}

impl DiskQueue {
    /// Opens the queue that the settings name, if they name one, and says what is in it.
    pub fn open(settings: &QueueSettings, host: &Host) -> Result<Option<DiskQueue>, BoxError> {
        let Some(id) = settings.on_disk() else {
            return Ok(None);
        };
        let StorageRoot { directory, fsync } = host.storage(id)?;
        let mut queue = DiskQueue {
            folder: directory.join(folder_name(&settings.owner)),
            options: options(settings, fsync),
            capacity: Capacity {
                sizer: settings.sizer,
                size: settings.queue_size,
            },
            spool: None,
        };
        queue.spool = match open_spool(&queue.folder, queue.options) {
            Err(QueueError::Directory(OpenError::InUse { holder, .. })) if is_ours(&holder) => None,
            opened => Some(opened?),
        };
        Ok(Some(queue))
    }

    /// The queue, when nobody else has it any more.
    async fn take(&mut self, recovery: Recovery, health: &Health) -> Result<Store<Directory>, BoxError> {
        loop {
            if let Some(spool) = self.spool.take() {
                return Ok(Store::new(spool, self.capacity, recovery));
            }
            match open_spool(&self.folder, self.options) {
                Ok(spool) => self.spool = Some(spool),
                Err(QueueError::Directory(OpenError::InUse { .. })) => {
                    tokio::time::sleep(TAKE_OVER).await;
                }
                Err(error) => {
                    health.failed(kit::logging::chain(&error));
                    return Err(error.into());
                }
            }
        }
    }
}

fn options(settings: &QueueSettings, fsync: bool) -> Options {
    let max_bytes = match settings.sizer {
        Sizer::Bytes => settings.queue_size,
        Sizer::Requests | Sizer::Items => MAX_BYTES,
    };
    let options = Options::default();
    Options {
        max_bytes,
        max_record_bytes: collector_spool::MAX_RECORD_BYTES,
        // Room is given back a segment at a time, so a small queue has small ones.
        segment_bytes: (max_bytes / 16)
            .clamp(64 << 10, options.segment_bytes)
            .max(max_bytes / MOST_SEGMENTS),
        fsync,
        ..options
    }
}

/// The holder of the lock is this process: an exporter that a reload replaces.
fn is_ours(holder: &str) -> bool {
    holder.starts_with(&format!("process {} ", std::process::id()))
}

fn open_spool(folder: &Path, options: Options) -> Result<Spool<Directory>, QueueError> {
    let directory = Directory::open(folder)?;
    let opened = Spool::open(directory, options);
    let (spool, recovery) = opened.map_err(|source| QueueError::Spool {
        folder: folder.display().to_string(),
        source,
    })?;
    let folder = folder.display().to_string();
    if recovery.held.records > 0 {
        let (requests, items) = (recovery.held.records, recovery.held.items);
        tracing::info!(folder, requests, items, "the queue on disk has items from before");
    }
    for damaged in &recovery.quarantined {
        tracing::warn!(
            folder,
            file = damaged.name,
            why = damaged.why.as_str(),
            lost_requests = damaged.lost.records,
            lost_items = damaged.lost.items,
            exact = damaged.lost.exact,
            "a file of the queue is damaged; what can be read of it is delivered"
        );
    }
    Ok(spool)
}

/// The exporter's id as a folder's name: what is no letter, digit, `_`, `-` or dot is escaped, so that no two ids have one
/// name.
fn folder_name(owner: &str) -> String {
    let mut name = String::from("exporter_");
    for byte in owner.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' => name.push(byte as char),
            _ => name.push_str(&format!("%{byte:02X}")),
        }
    }
    name
}

#[cfg(test)]
mod names {
    use super::*;

    #[test]
    fn every_id_has_a_folder_of_its_own() {
        assert_eq!(folder_name("otlp"), "exporter_otlp");
        assert_eq!(folder_name("otlp/a b"), "exporter_otlp%2Fa%20b");
        assert_eq!(folder_name("otlp/../x"), "exporter_otlp%2F..%2Fx");
        assert_ne!(folder_name("otlp/%2F"), folder_name("otlp//"));
    }
}
