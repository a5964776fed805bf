//! Deliveries as records of a queue on disk, and whose they are.

use crate::exporters::delivery::queue::Sizer;
use collector_engine::{Claim, Delivery, Recovery, Shelf};
use collector_pdata::{Payload, Signal};
use collector_spool::{AppendError, Disk, Error, RecordId, Spool};
use kit::logging::chain;

/// The reason that is counted for items whose records were damaged after they were written.
pub(crate) const DAMAGED: &str = "damaged_on_disk";

/// A record's byte of meta has the signal in its lowest bits and the shelf's place in the others.
const SIGNAL_BITS: u32 = 2;
const MAX_SHELVES: usize = 1 << (u8::BITS - SIGNAL_BITS);

/// `queue_size`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Capacity {
    pub(super) sizer: Sizer,
    pub(super) size: u64,
}

/// The queue on disk.
pub(super) struct Store<D: Disk> {
    spool: Spool<D>,
    capacity: Capacity,
    /// By the place in the meta of this process's records.
    shelves: Vec<Shelf>,
    /// The first record of this process: all before it are from an earlier one.
    first_own: Option<RecordId>,
    recovery: Recovery,
    lost_items: u64,
}

/// A delivery that is not on disk.
#[derive(Debug)]
pub(super) struct NotPut {
    pub(super) delivery: Box<Delivery>,
    pub(super) why: String,
    /// There may be room for it when something else is gone.
    pub(super) later: bool,
}

impl<D: Disk> Store<D> {
    pub(super) fn new(spool: Spool<D>, capacity: Capacity, recovery: Recovery) -> Self {
        Store {
            lost_items: spool.counts().lost_items,
            spool,
            capacity,
            shelves: Vec::new(),
            first_own: None,
            recovery,
        }
    }

    /// Puts a delivery at the end. It survives the process when this has returned, and a loss of power too if the storage
    /// is to be synced; whoever waits for that is told.
    pub(super) fn put(&mut self, mut delivery: Delivery) -> Result<(), NotPut> {
        let not_put = |delivery, why: String, later| {
            let delivery = Box::new(delivery);
            Err(NotPut { delivery, why, later })
        };
        if let Some(why) = self.is_full(&delivery.payload) {
            return not_put(delivery, why, true);
        }
        let Some(place) = self.place(&delivery.claim) else {
            return not_put(delivery, "too many pipelines have items in it".to_owned(), false);
        };
        let payload = &delivery.payload;
        let pieces: Vec<&[u8]> = payload.chunks().iter().map(|chunk| &chunk[..]).collect();
        let items = u32::try_from(payload.items()).unwrap_or(u32::MAX);
        let meta = payload.signal() as u8 | ((place as u8) << SIGNAL_BITS);
        match self.spool.append(&pieces, items, meta) {
            Ok(id) => {
                self.first_own.get_or_insert(id);
                self.sync(&mut delivery);
                self.shelve(place, delivery.claim);
                Ok(())
            }
            Err(error) => {
                let later = match error {
                    AppendError::Full { needed, limit, .. } => needed <= limit,
                    AppendError::NoSpace(_) => true,
                    AppendError::TooLarge { .. } | AppendError::Disk(_) => false,
                };
                not_put(delivery, chain(&error), later)
            }
        }
    }

    /// Its sender is not told that it is kept if that may not be so.
    fn sync(&mut self, delivery: &mut Delivery) {
        match self.spool.sync() {
            Ok(()) => delivery.kept(),
            Err(error) => tracing::warn!(
                error = chain(&error),
                "the queue on disk may not survive a loss of power"
            ),
        }
    }

    fn is_full(&self, payload: &Payload) -> Option<String> {
        let held = self.spool.held();
        let (now, more) = match self.capacity.sizer {
            Sizer::Requests => (held.records, 1),
            Sizer::Items => (held.items, payload.items() as u64),
            // Bytes are bounded by the queue itself.
            Sizer::Bytes => return None,
        };
        // Something larger than the whole queue has it for itself.
        let full = now > 0 && now.saturating_add(more) > self.capacity.size;
        full.then(|| {
            format!(
                "it holds {now} of at most {} {:?}",
                self.capacity.size, self.capacity.sizer
            )
            .to_lowercase()
        })
    }

    /// The place of the shelf for this claim's pipeline: its own, or the next that is free.
    fn place(&self, claim: &Claim) -> Option<usize> {
        let own = self.shelves.iter().position(|shelf| shelf.is_for(claim));
        let free = || self.shelves.iter().position(Shelf::is_empty);
        let new = || (self.shelves.len() < MAX_SHELVES).then_some(self.shelves.len());
        own.or_else(new).or_else(free)
    }

    fn shelve(&mut self, place: usize, claim: Claim) {
        let Some(shelf) = self.shelves.get_mut(place) else {
            return self.shelves.push(Shelf::new(claim));
        };
        if let Err(claim) = shelf.put(claim) {
            *shelf = Shelf::new(claim);
        }
    }

    /// The next record to be delivered, with the duty to say what became of its items. Must be called again after an error.
    pub(super) fn next(&mut self) -> Result<Option<(RecordId, Delivery)>, Error> {
        loop {
            let next = self.spool.next();
            self.count_lost();
            let Some(record) = next? else {
                return Ok(None);
            };
            let Some(signal) = signal(record.meta) else {
                tracing::warn!(
                    meta = record.meta,
                    "a record of the queue on disk is of no known signal; it is dropped"
                );
                self.done(record.id);
                continue;
            };
            let (items, bytes) = (record.items as usize, record.body.len() as u64);
            let own = self.first_own.is_some_and(|first| record.id >= first);
            let shelf = self.shelves.get_mut(usize::from(record.meta >> SIGNAL_BITS));
            let claim = match shelf.filter(|_| own) {
                Some(shelf) => shelf.take(items, bytes),
                None => self.recovery.claim(signal, items, bytes),
            };
            let payload = Payload::new(signal, record.body.into(), items);
            return Ok(Some((record.id, Delivery::part(payload, claim))));
        }
    }

    /// Records that cannot be read any more have an end too. Of which pipeline they were is not known any more.
    fn count_lost(&mut self) {
        let lost = self.spool.counts().lost_items;
        let mut more = usize::try_from(lost - self.lost_items).unwrap_or(usize::MAX);
        self.lost_items = lost;
        for shelf in &mut self.shelves {
            if more > 0 {
                let claim = shelf.take(more, 0);
                more -= claim.items();
                claim.dropped(DAMAGED);
            }
        }
    }

    /// A record's items have an end.
    pub(super) fn done(&mut self, id: RecordId) {
        if let Err(error) = self.spool.acknowledge(id) {
            tracing::warn!(
                error = chain(&error),
                "a request that was delivered may come again after a restart"
            );
        }
    }

    /// What has been quarantined since the process began to use the queue.
    pub(super) fn quarantined(&self) -> u64 {
        self.spool.counts().quarantined
    }

    pub(super) fn items(&self) -> u64 {
        self.spool.held().items
    }
}

fn signal(meta: u8) -> Option<Signal> {
    let index = usize::from(meta & ((1 << SIGNAL_BITS) - 1));
    Signal::ALL.get(index).copied()
}
