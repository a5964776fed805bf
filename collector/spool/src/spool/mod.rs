//! The queue itself.

mod append;
mod deliver;

use crate::disk::Disk;
use crate::error::Error;
use crate::format::{MAX_RECORD_BYTES, SEGMENT_HEADER};
use crate::outstanding::Outstanding;
use crate::recover::{MAX_SEGMENTS, Recovered, Spent, recover};
use crate::report::{Counts, Held, Recovery};
use crate::scan::Count;
use crate::segment::Segment;
use std::collections::VecDeque;

/// The bounds of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The most bytes on disk, quarantined files included; beyond them `append` refuses.
    pub max_bytes: u64,
    /// The longest record, at most [`MAX_RECORD_BYTES`].
    pub max_record_bytes: u32,
    /// How long a segment grows before the next is begun. Room is given back a segment at a time.
    pub segment_bytes: u64,
    /// How many records may be handed out and not acknowledged, those given back included: the bound on memory.
    pub max_in_flight: usize,
    /// Whether [`Spool::sync`] protects against power failures and not only against being killed.
    pub fsync: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            max_bytes: 1 << 30,
            max_record_bytes: 16 << 20,
            segment_bytes: 16 << 20,
            max_in_flight: 4096,
            fsync: false,
        }
    }
}

impl Options {
    fn check(&self) -> Result<(), Error> {
        let most = MAX_RECORD_BYTES;
        let shortest = (self.max_bytes / (MAX_SEGMENTS as u64 / 2)).max(4 * SEGMENT_HEADER);
        let wrong = |option, value, expected| {
            Err(Error::Options {
                option,
                value,
                expected,
            })
        };
        if self.max_record_bytes == 0 || self.max_record_bytes > most {
            let value = u64::from(self.max_record_bytes);
            return wrong("max_record_bytes", value, format!("it may be 1 to {most}"));
        }
        if self.segment_bytes < shortest {
            return wrong(
                "segment_bytes",
                self.segment_bytes,
                format!("with max_bytes {} at least {shortest}", self.max_bytes),
            );
        }
        if self.segment_bytes > u64::from(u32::MAX) {
            return wrong("segment_bytes", self.segment_bytes, format!("at most {}", u32::MAX));
        }
        if self.max_in_flight == 0 {
            return wrong("max_in_flight", 0, "at least 1".to_owned());
        }
        Ok(())
    }
}

/// Names a record for as long as the queue is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId {
    segment: u64,
    offset: u64,
}

/// A record as it was appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// To acknowledge it by.
    pub id: RecordId,
    /// As given to `append`.
    pub items: u32,
    /// As given to `append`.
    pub meta: u8,
    /// The pieces that were given to `append`, as one.
    pub body: Vec<u8>,
}

/// A queue of records on a disk.
#[derive(Debug)]
pub struct Spool<D: Disk> {
    disk: D,
    options: Options,
    /// By sequence. Only the last may be appended to.
    segments: VecDeque<Segment<D::File>>,
    /// Quarantined files that nothing is read from, the oldest first.
    evidence: VecDeque<Spent<D::File>>,
    /// Files to be removed.
    spent: Vec<Spent<D::File>>,
    next_sequence: u64,
    /// Nothing in segments before this one is to be handed out for the first time.
    reading: u64,
    outstanding: Outstanding,
    /// Not acknowledged.
    live: Count,
    bytes: u64,
    evidence_bytes: u64,
    /// Files were made, renamed or removed since the last sync.
    directory_dirty: bool,
    counts: Counts,
}

impl<D: Disk> Spool<D> {
    /// Opens what is on the disk, in whatever state a crash has left it, and says what that was. Reads every record once.
    pub fn open(disk: D, options: Options) -> Result<(Self, Recovery), Error> {
        options.check()?;
        let recovered = recover(&disk)?;
        let mut spool = Spool::new(disk, options, &recovered);
        let mut recovery = recovered.recovery;
        spool.counts.quarantined = recovery.quarantined.len() as u64;
        spool.segments = recovered.segments;
        spool.evidence = recovered.evidence;
        spool.spent = recovered.spent;
        spool.remove_spent();
        recovery.held = spool.held();
        Ok((spool, recovery))
    }

    fn new(disk: D, options: Options, recovered: &Recovered<D::File>) -> Self {
        let evidence_bytes: u64 = recovered.evidence.iter().map(|file| file.length).sum();
        let spent_bytes: u64 = recovered.spent.iter().map(|file| file.length).sum();
        let segment_bytes: u64 = recovered.segments.iter().map(|segment| segment.length).sum();
        Spool {
            disk,
            options,
            segments: VecDeque::new(),
            evidence: VecDeque::new(),
            spent: Vec::new(),
            next_sequence: recovered.next_sequence,
            reading: 0,
            outstanding: Outstanding::default(),
            live: recovered.live(),
            bytes: evidence_bytes + spent_bytes + segment_bytes,
            evidence_bytes,
            directory_dirty: true,
            counts: Counts::default(),
        }
    }

    /// What is in the queue now.
    pub fn held(&self) -> Held {
        Held {
            records: self.live.records,
            items: self.live.items,
            bytes: self.bytes,
            evidence_bytes: self.evidence_bytes,
        }
    }

    /// What has happened since it was opened.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Records handed out and neither acknowledged nor given back.
    pub fn in_flight(&self) -> usize {
        self.outstanding.in_flight()
    }

    /// Tries to remove every file that is done with. One that cannot be is kept in mind, and counted.
    fn remove_spent(&mut self) {
        for file in std::mem::take(&mut self.spent) {
            match self.disk.remove(&file.name) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    tracing::warn!(file = file.name, %error, "a file of the queue that is done with cannot be removed");
                    self.counts.remove_failures += 1;
                    self.spent.push(file);
                }
                _ => {
                    self.bytes -= file.length;
                    self.directory_dirty = true;
                }
            }
        }
    }

    fn index_of(&self, sequence: u64) -> Option<usize> {
        let index = self.segments.partition_point(|segment| segment.sequence < sequence);
        let segment = self.segments.get(index)?;
        (segment.sequence == sequence).then_some(index)
    }

    /// Takes a segment out if all of it is done with. One that records are still appended to stays.
    fn let_go(&mut self, index: usize) {
        let segment = &self.segments[index];
        if segment.appending || !segment.is_consumed() {
            return;
        }
        let Some(segment) = self.segments.remove(index) else {
            return;
        };
        let file = Spent {
            name: segment.name,
            length: segment.length,
            dirty: segment.file.filter(|_| segment.dirty && self.options.fsync),
        };
        if segment.quarantined {
            self.evidence_bytes += file.length;
            self.evidence.push_back(file);
        } else {
            self.spent.push(file);
            self.remove_spent();
        }
    }
}
