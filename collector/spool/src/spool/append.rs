//! The end that is written to.

use super::{RecordId, Spool};
use crate::disk::{Disk, DiskFile};
use crate::error::{AppendError, DiskError, Operation, SyncError};
use crate::format::{self, RecordHeader, SEGMENT_HEADER, SegmentHeader, Totals};
use crate::recover::{MAX_SEGMENTS, Spent};
use crate::scan::Count;
use crate::segment::Segment;
use crc32fast::Hasher;

impl<D: Disk> Spool<D> {
    /// Puts a record at the end: `pieces` one after the other, with a number of items and a byte that come back with it. One
    /// write to the disk. When this has returned, the record survives the end of the process; for power failures see
    /// [`Spool::sync`]. After an error nothing of it is in the queue, and the queue is as usable as before. (If the disk,
    /// having failed to write, will not cut the file either, and the process is killed before the next append, the record
    /// may come all the same.)
    pub fn append(&mut self, pieces: &[&[u8]], items: u32, meta: u8) -> Result<RecordId, AppendError> {
        let mut appended = self.try_append(pieces, items, meta);
        while matches!(appended, Err(AppendError::NoSpace(_))) && self.give_way() {
            appended = self.try_append(pieces, items, meta);
        }
        match appended {
            Err(AppendError::Full { .. }) => self.counts.refused_full += 1,
            Err(AppendError::NoSpace(_)) => self.counts.refused_no_space += 1,
            Err(AppendError::Disk(_)) => self.counts.refused_disk += 1,
            Ok(_) | Err(AppendError::TooLarge { .. }) => {}
        }
        appended
    }

    fn try_append(&mut self, pieces: &[&[u8]], items: u32, meta: u8) -> Result<RecordId, AppendError> {
        let length: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
        let limit = u64::from(self.options.max_record_bytes);
        if length > limit {
            return Err(AppendError::TooLarge { bytes: length, limit });
        }
        let frame = format::frame(length);
        self.make_room(frame)?;
        if self.needs_segment(frame) {
            self.begin_segment()?;
        }
        self.write(pieces, length as u32, items, meta)
    }

    fn appending(&self) -> Option<&Segment<D::File>> {
        self.segments.back().filter(|segment| segment.appending)
    }

    fn needs_segment(&self, frame: u64) -> bool {
        self.appending().is_none_or(|segment| {
            let full = segment.end + frame > self.options.segment_bytes && segment.end > SEGMENT_HEADER;
            // Something may be left behind the end that could not be cut off.
            full || segment.length != segment.end
        })
    }

    /// What a record adds to the bytes on disk.
    fn cost(&self, frame: u64) -> u64 {
        frame + if self.needs_segment(frame) { SEGMENT_HEADER } else { 0 }
    }

    fn has_room(&self, frame: u64) -> bool {
        let files = self.segments.len() + self.evidence.len() + self.spent.len();
        self.bytes + self.cost(frame) <= self.options.max_bytes && files < MAX_SEGMENTS
    }

    fn make_room(&mut self, frame: u64) -> Result<(), AppendError> {
        while !self.has_room(frame) {
            if !self.give_way() {
                return Err(AppendError::Full {
                    held: self.bytes,
                    limit: self.options.max_bytes,
                    needed: self.cost(frame),
                });
            }
        }
        Ok(())
    }

    /// Removes something that only lies about: what could not be removed before, a last segment that is read to its end, or
    /// the oldest of the quarantined files that nothing is read from. Says whether that gave room.
    fn give_way(&mut self) -> bool {
        let before = self.bytes;
        self.remove_spent();
        // An empty one would only be begun again.
        let lies_about = |segment: &Segment<D::File>| segment.is_consumed() && segment.end > SEGMENT_HEADER;
        if self.bytes == before && self.appending().is_some_and(lies_about) {
            self.end_segment();
        }
        while self.bytes == before {
            let Some(oldest) = self.evidence.pop_front() else {
                return false;
            };
            tracing::warn!(file = oldest.name, "a quarantined file is removed to make room");
            self.evidence_bytes -= oldest.length;
            self.spent.push(oldest);
            self.remove_spent();
        }
        true
    }

    /// Nothing more is appended to the last segment.
    pub(super) fn end_segment(&mut self) {
        let Some(segment) = self.segments.back_mut() else {
            return;
        };
        segment.appending = false;
        if !(segment.dirty && self.options.fsync) && segment.read == SEGMENT_HEADER {
            // It may be long until this one is read, and there may be many.
            segment.file = None;
        }
        self.let_go(self.segments.len() - 1);
    }

    fn begin_segment(&mut self) -> Result<(), AppendError> {
        let sequence = self.next_sequence;
        let previous = match self.segments.back() {
            Some(last) if last.sequence + 1 == sequence => last.totals(),
            _ => Totals::default(),
        };
        if self.appending().is_some() {
            self.end_segment();
        }
        let header = SegmentHeader {
            sequence,
            salt: self.disk.random(),
            previous,
        };
        // Also if this fails: a name is used once.
        self.next_sequence += 1;
        let mut segment = Segment::new(sequence, format::segment_name(sequence), header.salt);
        segment.file = Some(self.create(&segment.name, &header)?);
        segment.appending = true;
        segment.dirty = true;
        self.bytes += segment.length;
        self.segments.push_back(segment);
        Ok(())
    }

    fn create(&mut self, name: &str, header: &SegmentHeader) -> Result<D::File, DiskError> {
        let file = self
            .disk
            .create(name)
            .map_err(|error| DiskError::new(Operation::Create, name, error))?;
        self.directory_dirty = true;
        if let Err(error) = file.write_at(&[&header.encode()], 0) {
            let length = file.length().unwrap_or(SEGMENT_HEADER);
            self.bytes += length;
            self.spent.push(Spent {
                name: name.to_owned(),
                length,
                dirty: None,
            });
            self.remove_spent();
            return Err(DiskError::new(Operation::Write, name, error));
        }
        Ok(file)
    }

    fn write(&mut self, pieces: &[&[u8]], length: u32, items: u32, meta: u8) -> Result<RecordId, AppendError> {
        let Some(segment) = self.segments.back_mut() else {
            unreachable!("a segment was begun");
        };
        let before = segment.appended.unwrap_or_default();
        let header = RecordHeader {
            length,
            items,
            records_before: before.records as u32,
            items_before: before.items,
            meta,
            body_crc: crc(pieces),
            acknowledged: false,
        };
        let offset = segment.end;
        if let Err(error) = segment.put(&self.disk, &header, pieces) {
            self.bytes += segment.length - segment.end;
            return Err(error.into());
        }
        self.bytes += header.frame();
        self.live.add(items);
        Ok(RecordId {
            segment: segment.sequence,
            offset,
        })
    }

    /// Makes durable what was appended and acknowledged before, if the options say so; otherwise does nothing. After an
    /// error see [`SyncError`]: it is not to be called again for the same records.
    pub fn sync(&mut self) -> Result<(), SyncError> {
        if !self.options.fsync {
            return Ok(());
        }
        let (unsynced, mut doubtful, mut failure) = self.sync_files();
        if self.directory_dirty {
            match self.disk.sync_directory() {
                Ok(()) => self.directory_dirty = false,
                Err(error) => {
                    doubtful = unsynced;
                    failure.get_or_insert(DiskError::new(Operation::SyncDirectory, "the queue", error));
                }
            }
        }
        let Some(source) = failure else { return Ok(()) };
        self.counts.sync_failures += 1;
        if self.appending().is_some() {
            self.end_segment();
        }
        Err(SyncError {
            records: doubtful.records,
            items: doubtful.items,
            source,
        })
    }

    /// What was appended since the last sync, what of it is in files that would not sync, and the first failure.
    fn sync_files(&mut self) -> (Count, Count, Option<DiskError>) {
        let (mut all, mut doubtful, mut failure) = (Count::default(), Count::default(), None);
        for segment in self.segments.iter_mut().filter(|segment| segment.dirty) {
            let unsynced = std::mem::take(&mut segment.unsynced);
            all = all.plus(unsynced);
            if let Err(error) = segment.sync(&self.disk) {
                doubtful = doubtful.plus(unsynced);
                failure.get_or_insert(error);
            }
        }
        for file in self.spent.iter_mut().chain(&mut self.evidence) {
            if let Some(Err(error)) = file.dirty.take().map(|open| open.sync()) {
                failure.get_or_insert(DiskError::new(Operation::Sync, &file.name, error));
            }
        }
        (all, doubtful, failure)
    }
}

fn crc(pieces: &[&[u8]]) -> u32 {
    let mut crc = Hasher::new();
    pieces.iter().for_each(|piece| crc.update(piece));
    crc.finalize()
}
