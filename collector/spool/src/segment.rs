//! One file of the log.

use crate::disk::{Disk, DiskFile};
use crate::error::{DiskError, Operation};
use crate::format::{ALIGNMENT, RECORD_HEADER, RecordHeader, SEGMENT_HEADER, STAMP_AT, Totals, stamp};
use crate::report::Why;
use crate::scan::{Count, READ_ATTEMPTS, Step, Tally, Walk};

const PADDING: [u8; ALIGNMENT as usize] = [0; ALIGNMENT as usize];

/// A file that records are read from, and perhaps appended to. It is opened when it is first needed.
#[derive(Debug)]
pub(crate) struct Segment<F> {
    pub sequence: u64,
    pub name: String,
    pub salt: u64,
    pub file: Option<F>,
    /// Where the accepted records end.
    pub end: u64,
    /// The length of the file.
    pub length: u64,
    /// Where the next record to be handed out begins.
    pub read: u64,
    /// Its header, if that came along with the one before it.
    peeked: Option<RecordHeader>,
    /// How often reading has failed there.
    failures: u32,
    /// Everything that was ever appended; `None` if that is not known any more.
    pub appended: Option<Count>,
    /// Not acknowledged.
    pub live: Count,
    /// Handed out and not acknowledged.
    pub outstanding: Count,
    pub appending: bool,
    pub quarantined: bool,
    /// Written since the last sync.
    pub dirty: bool,
    /// Appended since the last sync.
    pub unsynced: Count,
}

/// What was read at a place.
#[derive(Debug)]
pub(crate) enum Reading {
    Record {
        at: u64,
        header: RecordHeader,
        body: Vec<u8>,
    },
    Damaged,
    End,
}

impl<F: DiskFile> Segment<F> {
    pub fn new(sequence: u64, name: String, salt: u64) -> Self {
        Segment {
            sequence,
            name,
            salt,
            file: None,
            end: SEGMENT_HEADER,
            length: SEGMENT_HEADER,
            read: SEGMENT_HEADER,
            peeked: None,
            failures: 0,
            appended: Some(Count::default()),
            live: Count::default(),
            outstanding: Count::default(),
            appending: false,
            quarantined: false,
            dirty: false,
            unsynced: Count::default(),
        }
    }

    /// What a successor's header says of this one.
    pub fn totals(&self) -> Totals {
        self.appended.map_or(Totals::default(), |appended| Totals {
            length: self.end,
            records: appended.records,
            items: appended.items,
        })
    }

    /// Everything in it is acknowledged, also if more may be appended.
    pub fn is_consumed(&self) -> bool {
        self.live.records == 0 && self.read >= self.end
    }

    pub fn file<D: Disk<File = F>>(&mut self, disk: &D) -> Result<&F, DiskError> {
        let file = match self.file.take() {
            Some(file) => file,
            None => disk
                .open(&self.name)
                .map_err(|error| self.error(Operation::Open, error))?,
        };
        Ok(self.file.insert(file))
    }

    fn error(&self, operation: Operation, source: std::io::Error) -> DiskError {
        DiskError::new(operation, &self.name, source)
    }

    /// The next record to be handed out. The place moves on behind it, and stays if there is an error or damage.
    pub fn read_next<D: Disk<File = F>>(&mut self, disk: &D) -> Result<Reading, DiskError> {
        let reading = self.try_read_next(disk);
        self.forbear(reading)
    }

    /// Reads the record at `at` again.
    pub fn read_again<D: Disk<File = F>>(&mut self, disk: &D, at: u64) -> Result<Reading, DiskError> {
        let reading = self.try_read_again(disk, at);
        self.forbear(reading)
    }

    /// The disk is asked three times before its refusal counts as damage.
    fn forbear(&mut self, reading: Result<Reading, DiskError>) -> Result<Reading, DiskError> {
        self.failures = if reading.is_err() { self.failures + 1 } else { 0 };
        match reading {
            Err(_) if self.failures >= READ_ATTEMPTS => {
                self.failures = 0;
                Ok(Reading::Damaged)
            }
            reading => reading,
        }
    }

    fn try_read_next<D: Disk<File = F>>(&mut self, disk: &D) -> Result<Reading, DiskError> {
        while self.read < self.end {
            let at = self.read;
            let header = match self.peeked.take() {
                Some(header) => Some(header),
                None => self.read_header(disk, at)?,
            };
            match header {
                None => return Ok(Reading::Damaged),
                Some(header) if header.acknowledged => self.move_on(at + header.frame()),
                Some(header) => return self.read_body(disk, at, header),
            }
        }
        Ok(Reading::End)
    }

    fn try_read_again<D: Disk<File = F>>(&mut self, disk: &D, at: u64) -> Result<Reading, DiskError> {
        let Some(header) = self.read_header(disk, at)? else {
            return Ok(Reading::Damaged);
        };
        let mut body = vec![0; header.length as usize];
        self.read_exactly(disk, &mut body, at + RECORD_HEADER as u64)?;
        if crc32fast::hash(&body) != header.body_crc {
            return Ok(Reading::Damaged);
        }
        Ok(Reading::Record { at, header, body })
    }

    fn read_header<D: Disk<File = F>>(&mut self, disk: &D, at: u64) -> Result<Option<RecordHeader>, DiskError> {
        if at + RECORD_HEADER as u64 > self.end {
            return Ok(None);
        }
        let mut bytes = [0; RECORD_HEADER];
        self.read_exactly(disk, &mut bytes, at)?;
        Ok(self.fitting(&bytes, at))
    }

    fn fitting(&self, bytes: &[u8], at: u64) -> Option<RecordHeader> {
        RecordHeader::decode(bytes, self.salt, at).filter(|header| at + header.frame() <= self.end)
    }

    /// One call to the disk brings the body and the header after it, so that a record costs one call.
    fn read_body<D: Disk<File = F>>(&mut self, disk: &D, at: u64, header: RecordHeader) -> Result<Reading, DiskError> {
        let next = at + header.frame();
        let has_next = next + RECORD_HEADER as u64 <= self.end;
        let to_next = header.frame() as usize - RECORD_HEADER;
        let mut body = vec![
            0;
            if has_next {
                to_next + RECORD_HEADER
            } else {
                header.length as usize
            }
        ];
        self.read_exactly(disk, &mut body, at + RECORD_HEADER as u64)?;
        if crc32fast::hash(&body[..header.length as usize]) != header.body_crc {
            return Ok(Reading::Damaged);
        }
        self.move_on(next);
        if has_next {
            self.peeked = self.fitting(&body[to_next..], next);
        }
        body.truncate(header.length as usize);
        Ok(Reading::Record { at, header, body })
    }

    fn read_exactly<D: Disk<File = F>>(&mut self, disk: &D, buffer: &mut [u8], at: u64) -> Result<(), DiskError> {
        let result = self.file(disk)?.read_at(buffer, at);
        let short = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        match result {
            Ok(length) if length == buffer.len() => Ok(()),
            Ok(_) => Err(self.error(Operation::Read, short())),
            Err(error) => Err(self.error(Operation::Read, error)),
        }
    }

    fn move_on(&mut self, to: u64) {
        self.read = to;
        self.peeked = None;
    }

    /// Moves behind the damaged place that reading has come to. Gives nothing if a closer look finds a record there.
    pub fn skip_damage<D: Disk<File = F>>(&mut self, disk: &D) -> Option<Why> {
        let (salt, read, end) = (self.salt, self.read, self.end);
        let step = match self.file(disk) {
            Ok(file) => Walk::new(file, salt, read, end).step(),
            Err(_) => Step::Gap {
                at: read,
                to: end,
                why: Why::Unreadable,
            },
        };
        self.peeked = None;
        match step {
            Step::Record { .. } | Step::End => None,
            Step::BadBody { why, .. } | Step::Gap { why, .. } => {
                self.move_on(step.next().unwrap_or(end));
                Some(why)
            }
        }
    }

    /// Looks through the whole file; live is what reading has not yet come to.
    pub fn tally<D: Disk<File = F>>(&mut self, disk: &D) -> Tally {
        let (salt, read, end) = (self.salt, self.read, self.end);
        match self.file(disk) {
            Ok(file) => Tally::of(file, salt, read, end),
            Err(_) => Tally::default(),
        }
    }

    /// Puts a record at the end in one write. What a failed write has left is cut off again; if that fails too, the file is
    /// longer than its records, and must not be appended to any more.
    pub fn put<D: Disk<File = F>>(
        &mut self,
        disk: &D,
        header: &RecordHeader,
        pieces: &[&[u8]],
    ) -> Result<(), DiskError> {
        let (end, frame) = (self.end, header.frame());
        let first = header.encode(self.salt, end);
        let padding = frame as usize - RECORD_HEADER - header.length as usize;
        let mut all = Vec::with_capacity(pieces.len() + 2);
        all.push(&first[..]);
        all.extend_from_slice(pieces);
        all.push(&PADDING[..padding]);
        let file = self.file(disk)?;
        if let Err(error) = file.write_at(&all, end) {
            let length = match file.truncate(end) {
                Ok(()) => end,
                Err(_) => file.length().unwrap_or(end + frame).max(end + 1),
            };
            self.length = length;
            return Err(self.error(Operation::Write, error));
        }
        self.end += frame;
        self.length = self.end;
        self.dirty = true;
        for count in [&mut self.live, &mut self.unsynced] {
            count.add(header.items);
        }
        self.appended.get_or_insert_default().add(header.items);
        Ok(())
    }

    /// Makes durable what was written. If that fails, it does not try again: another call may succeed without it.
    pub fn sync<D: Disk<File = F>>(&mut self, disk: &D) -> Result<(), DiskError> {
        self.dirty = false;
        let synced = self.file(disk)?.sync();
        synced.map_err(|error| self.error(Operation::Sync, error))
    }

    /// Marks the record at `at` in place, which takes no room.
    pub fn write_stamp<D: Disk<File = F>>(&mut self, disk: &D, at: u64) -> Result<(), DiskError> {
        let stamp = stamp(self.salt, at).to_le_bytes();
        let written = self.file(disk)?.write_at(&[&stamp], at + STAMP_AT);
        self.dirty = true;
        written.map_err(|error| self.error(Operation::Write, error))
    }
}
