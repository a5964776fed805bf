//! The end that is read from.

use super::{Record, RecordId, Spool};
use crate::disk::Disk;
use crate::error::{AcknowledgeError, Error};
use crate::format::RecordHeader;
use crate::recover::quarantine;
use crate::scan::Count;
use crate::segment::Reading;

impl<D: Disk> Spool<D> {
    /// The first record that was given back, or else the next that was not yet handed out, in the order of appending. `None`
    /// if there is none, or if `max_in_flight` are out. After an error nothing has moved, and it may be called again; where
    /// reading fails three times in a row the place counts as damaged, and the next call goes on behind it.
    #[expect(
        clippy::should_implement_trait,
        reason = "it may fail, and give something after it gave nothing"
    )]
    pub fn next(&mut self) -> Result<Option<Record>, Error> {
        while let Some(id) = self.outstanding.first_released() {
            if let Some(record) = self.read_released(id)? {
                return Ok(Some(record));
            }
        }
        if self.outstanding.len() >= self.options.max_in_flight {
            return Ok(None);
        }
        loop {
            let index = self.segments.partition_point(|segment| segment.sequence < self.reading);
            let Some(segment) = self.segments.get_mut(index) else {
                return Ok(None);
            };
            match segment.read_next(&self.disk)? {
                Reading::Record { at, header, body } => return Ok(Some(self.hand_out(index, at, header, body))),
                Reading::Damaged => self.skip_damage(index),
                Reading::End if segment.appending => return Ok(None),
                Reading::End => self.pass(index),
            }
        }
    }

    fn hand_out(&mut self, index: usize, at: u64, header: RecordHeader, body: Vec<u8>) -> Record {
        let segment = &mut self.segments[index];
        segment.outstanding.add(header.items);
        let id = RecordId {
            segment: segment.sequence,
            offset: at,
        };
        self.outstanding.hand_out(id, header.items);
        record(id, header, body)
    }

    fn read_released(&mut self, id: RecordId) -> Result<Option<Record>, Error> {
        let Some(index) = self.index_of(id.segment) else {
            self.outstanding.abandon(id);
            return Ok(None);
        };
        match self.segments[index].read_again(&self.disk, id.offset)? {
            Reading::Record { header, body, .. } => {
                self.outstanding.hand_out(id, header.items);
                Ok(Some(record(id, header, body)))
            }
            Reading::Damaged | Reading::End => {
                self.abandon(index, id);
                Ok(None)
            }
        }
    }

    /// A record that was readable once is not any more.
    fn abandon(&mut self, index: usize, id: RecordId) {
        let items = self.outstanding.abandon(id).unwrap_or(0);
        self.segments[index].outstanding.remove(items);
        let live = self.segments[index].live;
        self.quarantine(index);
        // A segment that was quarantined before is not counted anew.
        if self.segments[index].live == live {
            self.segments[index].live.remove(items);
            self.live.remove(items);
            self.counts.lost_records += 1;
            self.counts.lost_items += u64::from(items);
        }
        self.let_go(index);
    }

    fn skip_damage(&mut self, index: usize) {
        let segment = &mut self.segments[index];
        let place = segment.read;
        let Some(why) = segment.skip_damage(&self.disk) else {
            return;
        };
        tracing::debug!(
            segment = segment.name,
            offset = place,
            why = why.as_str(),
            "skipping damage"
        );
        self.quarantine(index);
    }

    /// Marks a segment that turned out to be damaged after it was opened, or written.
    fn quarantine(&mut self, index: usize) {
        let segment = &mut self.segments[index];
        if segment.quarantined {
            return;
        }
        segment.appending = false;
        let totals = Some(segment.totals()).filter(|totals| totals.length > 0);
        let tally = segment.tally(&self.disk);
        let lost = tally.lost(totals);
        quarantine(&self.disk, segment, &tally, lost);
        self.directory_dirty = true;
        self.counts.quarantined += 1;
        self.recount(index, tally.live);
    }

    /// What is neither in flight nor to be read is lost.
    fn recount(&mut self, index: usize, unread: Count) {
        let segment = &mut self.segments[index];
        let lost = segment.live.minus(segment.outstanding.plus(unread));
        segment.live = segment.live.minus(lost);
        self.live = self.live.minus(lost);
        self.counts.lost_records += lost.records;
        self.counts.lost_items += lost.items;
    }

    /// Reading has come to the end of a segment that nothing is appended to.
    fn pass(&mut self, index: usize) {
        self.recount(index, Count::default());
        let segment = &self.segments[index];
        self.reading = segment.sequence + 1;
        self.let_go(index);
    }

    /// Lets go of a record for good: it will not come again, also after the process was killed; for power failures see
    /// [`Spool::sync`]. In any order. Room is given back when all records of a segment are acknowledged.
    pub fn acknowledge(&mut self, id: RecordId) -> Result<(), AcknowledgeError> {
        let Some(items) = self.outstanding.settle(id) else {
            return Err(AcknowledgeError::NotInFlight);
        };
        let Some(index) = self.index_of(id.segment) else {
            return Err(AcknowledgeError::NotInFlight);
        };
        let segment = &mut self.segments[index];
        segment.outstanding.remove(items);
        segment.live.remove(items);
        self.live.remove(items);
        let written = segment.write_stamp(&self.disk, id.offset);
        self.let_go(index);
        written.map_err(AcknowledgeError::NotPersisted)
    }

    /// Gives a record back: `next` hands it out again, before anything new. It keeps its id. Says whether it was in flight.
    pub fn release(&mut self, id: RecordId) -> bool {
        self.outstanding.release(id)
    }
}

fn record(id: RecordId, header: RecordHeader, body: Vec<u8>) -> Record {
    Record {
        id,
        items: header.items,
        meta: header.meta,
        body,
    }
}
