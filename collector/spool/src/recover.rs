//! Opens what an earlier process left, in whatever state.

use crate::disk::{Disk, DiskFile};
use crate::error::{DiskError, Error, Operation};
use crate::format::{SEGMENT_HEADER, SegmentHeader, SegmentName, Totals, Unusable, VERSION, quarantined_name};
use crate::report::{Lost, Quarantined, Recovery, Torn, Why};
use crate::scan::{Count, Tally, read_segment_header};
use crate::segment::Segment;
use std::collections::VecDeque;

/// No more files are ever made, so that what is kept in memory of each has a bound.
pub(crate) const MAX_SEGMENTS: usize = 1 << 16;

/// A file that nothing is read from.
#[derive(Debug)]
pub(crate) struct Spent<F> {
    pub name: String,
    pub length: u64,
    /// If acknowledgements in it are not yet synced. As long as the file is there, they matter.
    pub dirty: Option<F>,
}

/// What there is to go on with.
#[derive(Debug)]
pub(crate) struct Recovered<F> {
    pub segments: VecDeque<Segment<F>>,
    /// Quarantined, and nothing more to be read.
    pub evidence: VecDeque<Spent<F>>,
    /// To be removed.
    pub spent: Vec<Spent<F>>,
    pub next_sequence: u64,
    pub recovery: Recovery,
}

/// A file as it is found.
struct Found<F> {
    id: SegmentName,
    name: String,
    length: u64,
    file: F,
    header: Result<SegmentHeader, Why>,
}

/// A file before it is opened for good: not all descriptors are kept.
struct Listed {
    id: SegmentName,
    name: String,
    header: Result<SegmentHeader, Why>,
}

/// Looks at every file, cuts off a torn end, and quarantines what is damaged. Reads everything once, in bounded memory. A
/// version from the future is found before anything is changed.
pub(crate) fn recover<D: Disk>(disk: &D) -> Result<Recovered<D::File>, Error> {
    let listed = list(disk)?;
    let mut recovered = Recovered {
        segments: VecDeque::new(),
        evidence: VecDeque::new(),
        spent: Vec::new(),
        next_sequence: listed.last().map_or(1, |last| last.id.sequence.saturating_add(1)),
        recovery: Recovery::default(),
    };
    for (index, one) in listed.iter().enumerate() {
        let found = open(disk, one)?;
        let successor = listed.get(index + 1);
        recovered.take(
            disk,
            found,
            successor.and_then(|next| ended(one, next)),
            successor.is_none(),
        );
    }
    recovered.recovery.segments = recovered.segments.len();
    Ok(recovered)
}

fn list<D: Disk>(disk: &D) -> Result<Vec<Listed>, Error> {
    let names = disk
        .list()
        .map_err(|error| DiskError::new(Operation::List, "the queue", error))?;
    let mut ours: Vec<_> = names
        .iter()
        .filter_map(|name| Some((SegmentName::parse(name)?, name)))
        .collect();
    if ours.len() > MAX_SEGMENTS {
        return Err(Error::TooManySegments {
            found: ours.len(),
            limit: MAX_SEGMENTS,
        });
    }
    ours.sort();
    ours.into_iter().map(|(id, name)| look(disk, id, name)).collect()
}

fn look<D: Disk>(disk: &D, id: SegmentName, name: &str) -> Result<Listed, Error> {
    let file = disk
        .open(name)
        .map_err(|error| DiskError::new(Operation::Open, name, error))?;
    let header = match read_segment_header(&file).map(|bytes| SegmentHeader::decode(&bytes)) {
        None => Err(Why::Unreadable),
        Some(Ok(header)) => Ok(header),
        Some(Err(Unusable::Damaged)) => Err(Why::Header),
        Some(Err(Unusable::Version(version))) => {
            return Err(Error::FutureVersion {
                name: name.to_owned(),
                version,
                known: VERSION,
            });
        }
    };
    Ok(Listed {
        id,
        name: name.to_owned(),
        header,
    })
}

fn open<D: Disk>(disk: &D, listed: &Listed) -> Result<Found<D::File>, Error> {
    let failed = |operation| move |error| DiskError::new(operation, &listed.name, error);
    let file = disk.open(&listed.name).map_err(failed(Operation::Open))?;
    Ok(Found {
        id: listed.id,
        name: listed.name.clone(),
        length: file.length().map_err(failed(Operation::Read))?,
        file,
        header: listed.header,
    })
}

/// What the file after `one` says that `one` held when it was ended.
fn ended(one: &Listed, next: &Listed) -> Option<Totals> {
    let header = next.header.ok()?;
    let follows = one.id.sequence.checked_add(1) == Some(next.id.sequence) && header.sequence == next.id.sequence;
    (follows && header.previous.length >= SEGMENT_HEADER).then_some(header.previous)
}

impl<F: DiskFile> Recovered<F> {
    fn take<D: Disk<File = F>>(&mut self, disk: &D, found: Found<F>, totals: Option<Totals>, last: bool) {
        let header = match found.header {
            Ok(header) => header,
            Err(why) => return self.take_unreadable(disk, found, totals, why),
        };
        let end = totals.map_or(found.length, |totals| totals.length.min(found.length));
        let mut tally = Tally::of(&found.file, header.salt, 0, end);
        note_missing(&mut tally, &found, totals);
        let mut segment = segment(&found, header.salt, end, &tally);
        // The successor, which says so, may be gone the next time.
        if end < found.length && found.file.truncate(end).is_ok() {
            segment.length = end;
        }
        if tally.bad.is_some() && !found.id.quarantined {
            if last && tally.is_torn() {
                self.cut(&found, &mut segment, &tally);
            } else {
                self.quarantine(disk, &mut segment, &tally, totals);
            }
        }
        if segment.quarantined {
            segment.appended = None;
        }
        self.keep(segment, found.id.quarantined);
    }

    fn keep(&mut self, segment: Segment<F>, before: bool) {
        self.recovery.quarantined_before += usize::from(before);
        if segment.live.records > 0 {
            return self.segments.push_back(segment);
        }
        let spent = Spent {
            name: segment.name,
            length: segment.length,
            dirty: None,
        };
        if segment.quarantined {
            self.evidence.push_back(spent);
        } else {
            self.spent.push(spent);
        }
    }

    fn cut(&mut self, found: &Found<F>, segment: &mut Segment<F>, tally: &Tally) {
        let torn = Torn {
            name: found.name.clone(),
            offset: tally.good_end,
            bytes: found.length - tally.good_end,
        };
        tracing::warn!(
            segment = torn.name,
            offset = torn.offset,
            bytes = torn.bytes,
            "the end is torn and is cut off"
        );
        segment.end = tally.good_end;
        // If it cannot be cut, the next segment's header says where this one ends.
        if found.file.truncate(segment.end).is_ok() {
            segment.length = segment.end;
        }
        self.recovery.torn = Some(torn);
    }

    fn quarantine<D: Disk<File = F>>(
        &mut self,
        disk: &D,
        segment: &mut Segment<F>,
        tally: &Tally,
        totals: Option<Totals>,
    ) {
        let quarantined = quarantine(disk, segment, tally, tally.lost(totals));
        self.recovery.quarantined.push(quarantined);
    }

    /// Nothing can be told from chance in a segment without a header.
    fn take_unreadable<D: Disk<File = F>>(&mut self, disk: &D, found: Found<F>, totals: Option<Totals>, why: Why) {
        let mut segment = segment(&found, 0, found.length, &Tally::default());
        let holds_nothing = why == Why::Header && found.length <= SEGMENT_HEADER && totals.is_none();
        if !found.id.quarantined && !holds_nothing {
            let bytes = found.length.max(totals.map_or(0, |totals| totals.length));
            let tally = Tally::nothing(why, bytes);
            let quarantined = quarantine(disk, &mut segment, &tally, tally.lost(totals));
            self.recovery.quarantined.push(quarantined);
        }
        self.keep(segment, found.id.quarantined);
    }
}

fn segment<F: DiskFile>(found: &Found<F>, salt: u64, end: u64, tally: &Tally) -> Segment<F> {
    let mut segment = Segment::new(found.id.sequence, found.name.clone(), salt);
    segment.end = end;
    segment.length = found.length;
    segment.appended = Some(tally.good);
    segment.live = tally.live;
    segment.quarantined = found.id.quarantined;
    segment
}

/// The successor says that there was more.
fn note_missing<F>(tally: &mut Tally, found: &Found<F>, totals: Option<Totals>) {
    let missing = totals.map_or(0, |totals| totals.length.saturating_sub(found.length));
    if missing > 0 {
        tally.bad_bytes += missing;
        if tally.after == 0 {
            let at = tally.bad.map_or(found.length, |(at, _)| at);
            tally.bad = Some((at, Why::Short));
        }
    }
}

/// Renames a damaged segment, and says so. It is read under whichever name it has.
pub(crate) fn quarantine<D: Disk>(disk: &D, segment: &mut Segment<D::File>, tally: &Tally, lost: Lost) -> Quarantined {
    let (offset, why) = tally.bad.unwrap_or((segment.read, Why::Unreadable));
    let name = quarantined_name(&segment.name, why.as_str());
    match disk.rename(&segment.name, &name) {
        Ok(()) => segment.name = name,
        Err(error) => tracing::warn!(segment = segment.name, %error, "a damaged segment cannot be renamed"),
    }
    segment.quarantined = true;
    segment.appended = None;
    let quarantined = Quarantined {
        name: segment.name.clone(),
        why,
        offset,
        bytes: tally.bad_bytes,
        records_before: tally.before,
        records_after: tally.after,
        lost,
    };
    warn(&quarantined);
    quarantined
}

fn warn(quarantined: &Quarantined) {
    tracing::warn!(
        segment = quarantined.name,
        offset = quarantined.offset,
        unreadable_bytes = quarantined.bytes,
        records_before = quarantined.records_before,
        records_after = quarantined.records_after,
        lost_records = quarantined.lost.records,
        lost_items = quarantined.lost.items,
        exact = quarantined.lost.exact,
        "a segment of the queue is damaged ({}) and was quarantined",
        quarantined.why.as_str()
    );
}

impl<F> Recovered<F> {
    /// What there is to deliver.
    pub fn live(&self) -> Count {
        let counts = self.segments.iter().map(|segment| segment.live);
        counts.fold(Count::default(), Count::plus)
    }
}
