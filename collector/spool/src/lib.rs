//! A queue of byte records on disk: a checksummed segment log that starts after any crash.
//!
//! A [`Spool`] holds payloads that wait for an exporter. [`Spool::append`] puts a record at the end, [`Spool::next`] hands
//! out in order what was not yet handed out, and [`Spool::acknowledge`], in any order, lets go of a record for good. What
//! was appended and never acknowledged comes again after a restart, so a record is delivered at least once, and twice
//! only if it was in flight. The queue never grows beyond its bound in bytes: it refuses.
//!
//! # What survives what
//! | | the process is killed | the power fails |
//! |---|---|---|
//! | `append` has returned | kept | may be lost |
//! | `append`, then `sync` has returned, `fsync` off | kept | may be lost |
//! | `append`, then `sync` has returned, `fsync` on | kept | kept |
//! | `acknowledge` has returned | never comes again | may come again |
//! | `acknowledge`, then `sync` has returned, `fsync` on | never comes again | never comes again |
//!
//! One `sync` covers everything before it, so several appends may share one.
//!
//! # Damage
//! A torn end of the last segment is what a crash leaves, and is cut off. Anything else that does not match its checksum
//! is damage: the segment is renamed to `NAME.quarantined-WHY` and reported, what can be read of it is delivered all the
//! same, and the file stays for examination until the queue needs its room. The layout of the files is described in
//! `format.rs`.
//!
//! The queue reaches the disk only through the trait [`Disk`]: [`Directory`] is the real one, and [`sim`] simulates one
//! that fails. It knows neither threads nor time; who shares it puts it behind a lock of their own.

#![forbid(unsafe_code)]

mod directory;
mod disk;
mod error;
mod format;
mod outstanding;
mod recover;
mod report;
mod scan;
mod segment;
#[cfg(feature = "sim")]
pub mod sim;
mod spool;

pub use directory::{Directory, OpenError};
pub use disk::{Disk, DiskFile};
pub use error::{AcknowledgeError, AppendError, DiskError, Error, Operation, SyncError};
pub use format::{MAX_RECORD_BYTES, VERSION};
pub use report::{Counts, Held, Lost, Quarantined, Recovery, Torn, Why};
pub use spool::{Options, Record, RecordId, Spool};
