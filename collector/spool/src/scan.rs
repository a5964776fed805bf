//! Walks through a segment record by record, and finds the way again behind what is damaged.

use crate::format::{self, ALIGNMENT, RECORD_HEADER, RecordHeader, SEGMENT_HEADER, Totals};
use crate::report::{Lost, Why};
use crate::{DiskFile, MAX_RECORD_BYTES};
use crc32fast::Hasher;

/// What is read at a time, and so the memory that a walk takes.
const WINDOW: u64 = 256 << 10;
/// How often the disk is asked for the same bytes.
pub(crate) const READ_ATTEMPTS: u32 = 3;
/// What is skipped where the disk will not read: the block of common file systems.
const BLOCK: u64 = 4096;
/// After so many unreadable blocks the rest is given up: each may cost seconds.
const UNREADABLE_BLOCKS: u32 = 64;

/// Records and their items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Count {
    pub records: u64,
    pub items: u64,
}

impl Count {
    pub fn add(&mut self, items: u32) {
        self.records += 1;
        self.items += u64::from(items);
    }

    pub fn remove(&mut self, items: u32) {
        self.records = self.records.saturating_sub(1);
        self.items = self.items.saturating_sub(u64::from(items));
    }

    pub fn minus(self, other: Count) -> Count {
        Count {
            records: self.records.saturating_sub(other.records),
            items: self.items.saturating_sub(other.items),
        }
    }

    pub fn plus(self, other: Count) -> Count {
        Count {
            records: self.records + other.records,
            items: self.items + other.items,
        }
    }
}

/// What is at a place of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A record whose checksums hold.
    Record { at: u64, header: RecordHeader },
    /// A record of which only the header can be relied on.
    BadBody { at: u64, header: RecordHeader, why: Why },
    /// No record; one begins at `to`, or that is the end.
    Gap { at: u64, to: u64, why: Why },
    /// Nothing more.
    End,
}

impl Step {
    /// Where the next step begins.
    pub fn next(&self) -> Option<u64> {
        match *self {
            Step::Record { at, header } | Step::BadBody { at, header, .. } => Some(at + header.frame()),
            Step::Gap { to, .. } => Some(to),
            Step::End => None,
        }
    }
}

/// A walk over the records of one file, from `at` to `end`.
pub(crate) struct Walk<'a, F> {
    window: Window<'a, F>,
    salt: u64,
    at: u64,
}

impl<'a, F: DiskFile> Walk<'a, F> {
    pub fn new(file: &'a F, salt: u64, at: u64, end: u64) -> Self {
        Walk {
            window: Window::new(file, end),
            salt,
            at,
        }
    }

    pub fn step(&mut self) -> Step {
        let at = self.at;
        if at >= self.window.end {
            return Step::End;
        }
        let step = match self.header(at) {
            Ok(header) => self.record(at, header),
            Err(why) => Step::Gap {
                at,
                to: self.resynchronise(at, why),
                why,
            },
        };
        self.at = step.next().unwrap_or(at);
        step
    }

    /// The header at `at`, if there is one and its whole record can be in the file.
    fn header(&mut self, at: u64) -> Result<RecordHeader, Why> {
        let end = self.window.end;
        if at + RECORD_HEADER as u64 > end {
            return Err(Why::Frame);
        }
        let bytes = self.window.bytes(at, RECORD_HEADER).ok_or(Why::Unreadable)?;
        RecordHeader::decode(bytes, self.salt, at)
            .filter(|header| at + header.frame() <= end)
            .ok_or(Why::Frame)
    }

    fn record(&mut self, at: u64, header: RecordHeader) -> Step {
        match self.body_crc(at + RECORD_HEADER as u64, header.length) {
            Some(crc) if crc == header.body_crc => Step::Record { at, header },
            Some(_) => Step::BadBody {
                at,
                header,
                why: Why::Checksum,
            },
            None => Step::BadBody {
                at,
                header,
                why: Why::Unreadable,
            },
        }
    }

    fn body_crc(&mut self, mut at: u64, length: u32) -> Option<u32> {
        debug_assert!(length <= MAX_RECORD_BYTES, "a header that claims more is none");
        let mut crc = Hasher::new();
        let end = at + u64::from(length);
        while at < end {
            let some = (end - at).min(WINDOW);
            crc.update(self.window.bytes(at, some as usize)?);
            at += some;
        }
        Some(crc.finalize())
    }

    /// The next place behind `at` where a record begins, or the end. A place counts only if it bears the segment's salt and
    /// its own offset under a checksum, which nothing inside a payload can.
    fn resynchronise(&mut self, at: u64, why: Why) -> u64 {
        let end = self.window.end;
        let mut left = UNREADABLE_BLOCKS;
        let mut place = match why {
            Why::Unreadable => next_block(at),
            _ => at + ALIGNMENT,
        };
        while place < end && left > 0 {
            place = match self.header(place) {
                Ok(_) => return place,
                Err(Why::Unreadable) => {
                    left -= 1;
                    next_block(place)
                }
                Err(_) => place + ALIGNMENT,
            };
        }
        end
    }
}

fn next_block(at: u64) -> u64 {
    (at + 1).next_multiple_of(BLOCK)
}

/// The part of a file that is in memory.
struct Window<'a, F> {
    file: &'a F,
    end: u64,
    start: u64,
    buffer: Vec<u8>,
}

impl<'a, F: DiskFile> Window<'a, F> {
    fn new(file: &'a F, end: u64) -> Self {
        Window {
            file,
            end,
            start: 0,
            buffer: Vec::new(),
        }
    }

    /// Bytes that lie before `end`; `None` if the disk will not give them.
    fn bytes(&mut self, at: u64, wanted: usize) -> Option<&[u8]> {
        let inside = at >= self.start && at + wanted as u64 <= self.start + self.buffer.len() as u64;
        if !inside && !self.fill(at, WINDOW.max(wanted as u64)) && !self.fill(at, wanted as u64) {
            return None;
        }
        let from = (at - self.start) as usize;
        self.buffer.get(from..from + wanted)
    }

    fn fill(&mut self, at: u64, wanted: u64) -> bool {
        let wanted = wanted.min(self.end - at) as usize;
        self.buffer.resize(wanted, 0);
        self.start = at;
        for _ in 0..READ_ATTEMPTS {
            if let Ok(length) = self.file.read_at(&mut self.buffer, at) {
                self.buffer.truncate(length);
                return true;
            }
        }
        self.buffer.clear();
        false
    }
}

/// What a whole walk has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    /// Not acknowledged and readable, from the given offset on.
    pub live: Count,
    /// What the headers say of everything up to the last one that is readable.
    known: Count,
    /// The first damaged place.
    pub bad: Option<(u64, Why)>,
    pub bad_bytes: u64,
    /// Readable records before that place, and after it.
    pub before: u64,
    pub after: u64,
    /// Where the last readable record ends, and everything up to there.
    pub good_end: u64,
    pub good: Count,
    /// The disk would not read some of it.
    pub unreadable: bool,
    lost: Count,
    open_end: bool,
}

impl Tally {
    /// Walks through all of a segment's records up to `end`; counts as live what begins at `from` or behind it.
    pub fn of<F: DiskFile>(file: &F, salt: u64, from: u64, end: u64) -> Self {
        let mut tally = Tally {
            good_end: SEGMENT_HEADER,
            ..Tally::default()
        };
        let mut walk = Walk::new(file, salt, SEGMENT_HEADER, end);
        loop {
            match walk.step() {
                Step::Record { at, header } => tally.record(at, header, from),
                Step::BadBody { at, header, why } => tally.bad_body(at, header, why),
                Step::Gap { at, to, why } => tally.gap(at, to, why),
                Step::End => return tally,
            }
        }
    }

    /// Of a segment in which nothing can be found.
    pub fn nothing(why: Why, bytes: u64) -> Self {
        Tally {
            bad: Some((0, why)),
            bad_bytes: bytes,
            open_end: true,
            ..Tally::default()
        }
    }

    fn record(&mut self, at: u64, header: RecordHeader, from: u64) {
        self.header(header);
        *(if self.bad.is_some() {
            &mut self.after
        } else {
            &mut self.before
        }) += 1;
        self.good_end = at + header.frame();
        self.good = self.known;
        if at >= from && !header.acknowledged {
            self.live.add(header.items);
        }
    }

    fn bad_body(&mut self, at: u64, header: RecordHeader, why: Why) {
        self.header(header);
        self.bad_place(at, header.frame(), why);
        if !header.acknowledged {
            self.lost.add(header.items);
        }
    }

    fn gap(&mut self, at: u64, to: u64, why: Why) {
        self.bad_place(at, to - at, why);
        self.open_end = true;
    }

    /// The difference between what a header says came before it, and what was seen, lay in gaps.
    fn header(&mut self, header: RecordHeader) {
        let before = Count {
            records: u64::from(header.records_before),
            items: header.items_before,
        };
        self.lost = self.lost.plus(before.minus(self.known));
        self.known = before;
        self.known.add(header.items);
        self.open_end = false;
    }

    fn bad_place(&mut self, at: u64, bytes: u64, why: Why) {
        self.bad.get_or_insert((at, why));
        self.bad_bytes += bytes;
        self.unreadable |= why == Why::Unreadable;
    }

    /// What the damage took. `totals` is what the segment held when it was ended, if that is known.
    pub fn lost(&self, totals: Option<Totals>) -> Lost {
        let ended = totals.map(|totals| Count {
            records: totals.records,
            items: totals.items,
        });
        let lost = self.lost.plus(ended.unwrap_or_default().minus(self.known));
        Lost {
            records: lost.records,
            items: lost.items,
            exact: ended.is_some() || !self.open_end,
        }
    }

    /// Whether the only damage is at the end: what a crash leaves of writes that were under way.
    pub fn is_torn(&self) -> bool {
        self.bad.is_some() && self.after == 0 && !self.unreadable
    }
}

/// The first bytes of a segment, as many as there are; `None` if the disk will not give them.
pub(crate) fn read_segment_header<F: DiskFile>(file: &F) -> Option<Vec<u8>> {
    let mut bytes = vec![0; format::SEGMENT_HEADER as usize];
    for _ in 0..READ_ATTEMPTS {
        if let Ok(length) = file.read_at(&mut bytes, 0) {
            bytes.truncate(length);
            return Some(bytes);
        }
    }
    None
}
