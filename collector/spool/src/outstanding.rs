//! The records that were handed out and not acknowledged.

use crate::RecordId;
use std::collections::BTreeMap;

/// Records by id, with their items. Bounded, because nothing is handed out beyond the options' `max_in_flight`.
#[derive(Debug, Default)]
pub(crate) struct Outstanding {
    in_flight: BTreeMap<RecordId, u32>,
    /// Given back, to be handed out again before anything new.
    released: BTreeMap<RecordId, u32>,
}

impl Outstanding {
    pub fn len(&self) -> usize {
        self.in_flight.len() + self.released.len()
    }

    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    pub fn hand_out(&mut self, id: RecordId, items: u32) {
        self.released.remove(&id);
        self.in_flight.insert(id, items);
    }

    /// The items of the record, if it was in flight.
    pub fn settle(&mut self, id: RecordId) -> Option<u32> {
        self.in_flight.remove(&id)
    }

    /// Whether it was in flight.
    pub fn release(&mut self, id: RecordId) -> bool {
        let items = self.in_flight.remove(&id);
        items.is_some_and(|items| self.released.insert(id, items).is_none())
    }

    pub fn first_released(&self) -> Option<RecordId> {
        self.released.keys().next().copied()
    }

    /// Gives up a released record that cannot be read any more.
    pub fn abandon(&mut self, id: RecordId) -> Option<u32> {
        self.released.remove(&id)
    }
}
