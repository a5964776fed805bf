//! What can go wrong, by what a caller does about it.

use std::fmt;
use std::io;

/// What was asked of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Listing the directory.
    List,
    /// Making a file.
    Create,
    /// Opening a file.
    Open,
    /// Reading a file.
    Read,
    /// Writing a file.
    Write,
    /// Making a file durable.
    Sync,
    /// Making the directory durable.
    SyncDirectory,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operation::List => "list",
            Operation::Create => "create",
            Operation::Open => "open",
            Operation::Read => "read",
            Operation::Write => "write",
            Operation::Sync => "sync",
            Operation::SyncDirectory => "sync the directory of",
        })
    }
}

/// The disk refused.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {name}")]
pub struct DiskError {
    /// What it refused.
    pub operation: Operation,
    /// The file, or `the queue` for its directory.
    pub name: String,
    /// Why.
    pub source: io::Error,
}

impl DiskError {
    pub(crate) fn new(operation: Operation, name: &str, source: io::Error) -> Self {
        DiskError {
            operation,
            name: name.to_owned(),
            source,
        }
    }

    /// The disk or its owner's share of it is full.
    pub fn is_no_space(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self.source.kind(), StorageFull | QuotaExceeded)
    }
}

/// Why a queue cannot be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk refused. Reading may be tried again: after three failures in a row the place is given up as damaged.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A later version wrote it. Nothing was changed.
    #[error(
        "{name} has the format {version} and this program knows up to {known}: start the version that wrote it, or move the queue's files away"
    )]
    FutureVersion {
        /// The file.
        name: String,
        /// Its version.
        version: u32,
        /// Ours.
        known: u32,
    },
    /// More files than are ever made. Nothing was changed.
    #[error("the queue's directory holds {found} segments and at most {limit} are expected: move some of them away")]
    TooManySegments {
        /// How many are there.
        found: usize,
        /// How many there may be.
        limit: usize,
    },
    /// The options contradict each other.
    #[error("{option} is {value}: {expected}")]
    Options {
        /// Which one.
        option: &'static str,
        /// What it is.
        value: u64,
        /// What it may be.
        expected: String,
    },
}

/// Why a record was not taken. The queue stays usable after each of these.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// It will never fit.
    #[error("a record of {bytes} bytes is larger than max_record_bytes, {limit}")]
    TooLarge {
        /// Of the record.
        bytes: u64,
        /// The largest.
        limit: u64,
    },
    /// The bound on bytes is reached. Acknowledging makes room.
    #[error("the queue holds {held} of at most {limit} bytes, and the record needs {needed} more")]
    Full {
        /// Bytes on disk.
        held: u64,
        /// Bytes that there may be.
        limit: u64,
        /// Bytes that the record would add.
        needed: u64,
    },
    /// The disk is full. Acknowledging may make room, or somebody else.
    #[error("no space left for the record")]
    NoSpace(#[source] DiskError),
    /// The disk refused otherwise.
    #[error("the record could not be written")]
    Disk(#[source] DiskError),
}

impl From<DiskError> for AppendError {
    fn from(error: DiskError) -> Self {
        if error.is_no_space() {
            AppendError::NoSpace(error)
        } else {
            AppendError::Disk(error)
        }
    }
}

/// What was written since the last sync that succeeded may not survive a power failure, and no later sync makes up for it:
/// after a failed one the kernel may hold the pages for clean. The records are in the queue all the same, and a new segment
/// is begun, so that later ones are not concerned.
#[derive(Debug, thiserror::Error)]
#[error("{records} records with {items} items are not known to be durable")]
pub struct SyncError {
    /// Appended since the last sync that succeeded, in the files concerned.
    pub records: u64,
    /// The items of those.
    pub items: u64,
    /// The first thing that failed.
    pub source: DiskError,
}

/// Why a record may come again.
#[derive(Debug, thiserror::Error)]
pub enum AcknowledgeError {
    /// It was never handed out, or is acknowledged already.
    #[error("the record is not in flight")]
    NotInFlight,
    /// It does not come again from this [`crate::Spool`], but may after a restart.
    #[error("the acknowledgement could not be written")]
    NotPersisted(#[source] DiskError),
}
