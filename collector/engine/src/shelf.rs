//! Claims of items that wait on disk: what is left there at the end is stored, not lost.

use crate::counts::{ExporterCounts, PipelineCounts, Trouble};
use crate::fanout::Claim;
use crate::ledger::Ledger;
use collector_pdata::Signal;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The claims of one pipeline's items that an exporter has on disk, as one, so that any number of records needs no more
/// memory than one. Letting go of it counts what is left as stored.
#[derive(Debug)]
pub struct Shelf(Claim);

impl Shelf {
    /// A shelf for items of the same pipeline as these, which are on disk now.
    pub fn new(mut claim: Claim) -> Self {
        claim.is_stored = true;
        Shelf(claim)
    }

    /// Whether it is for items of this claim's pipeline.
    pub fn is_for(&self, claim: &Claim) -> bool {
        Arc::ptr_eq(&self.0.counts, &claim.counts)
    }

    /// Whether there is nothing on it.
    pub fn is_empty(&self) -> bool {
        self.0.items == 0
    }

    /// Adds items that are on disk now. Those of another pipeline are given back.
    pub fn put(&mut self, mut claim: Claim) -> Result<(), Claim> {
        if !self.is_for(&claim) {
            return Err(claim);
        }
        self.0.items += std::mem::take(&mut claim.items);
        self.0.bytes += std::mem::take(&mut claim.bytes);
        Ok(())
    }

    /// Takes the duty for so many items and bytes, as far as they are there. If that claim is let go of, they count as
    /// stored.
    pub fn take(&mut self, items: usize, bytes: u64) -> Claim {
        let bytes = bytes.min(self.0.bytes);
        self.0.bytes -= bytes;
        let mut claim = self.0.split(items);
        claim.bytes = bytes;
        claim
    }
}

/// Where an exporter counts items that were on disk when it was opened.
pub struct Recovery {
    exporter: String,
    ledger: Arc<Ledger>,
    trouble: Arc<Trouble>,
    signals: [Option<Arc<PipelineCounts>>; 3],
}

impl Recovery {
    pub(crate) fn new(exporter: String, ledger: Arc<Ledger>, trouble: Arc<Trouble>) -> Self {
        Recovery {
            exporter,
            ledger,
            trouble,
            signals: [None, None, None],
        }
    }

    /// The duty for items that are read from disk; they count as received from now on, and as stored if it is let go of.
    pub fn claim(&mut self, signal: Signal, items: usize, bytes: u64) -> Claim {
        let pipeline = self.signals[signal as usize]
            .get_or_insert_with(|| self.ledger.recovered(signal, &self.exporter, self.trouble.clone()));
        let counts = pipeline.exporters.first().cloned().unwrap_or_default();
        for counter in [&pipeline.received, &counts.received, &pipeline.forwarded] {
            counter.fetch_add(items as u64, Ordering::Release);
        }
        counts.held_bytes.fetch_add(bytes, Ordering::Relaxed);
        claim(counts, items, bytes)
    }
}

fn claim(counts: Arc<ExporterCounts>, items: usize, bytes: u64) -> Claim {
    Claim {
        items,
        bytes,
        counts,
        abandoned: crate::reason::SHUTDOWN,
        is_stored: true,
    }
}

impl fmt::Debug for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recovery")
            .field("exporter", &self.exporter)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(counts: &Arc<ExporterCounts>, items: usize) -> Claim {
        counts.received.fetch_add(items as u64, Ordering::Relaxed);
        counts.held_bytes.fetch_add(10, Ordering::Relaxed);
        let mut fresh = claim(counts.clone(), items, 10);
        fresh.is_stored = false;
        fresh
    }

    #[test]
    fn what_is_on_a_shelf_at_the_end_is_stored_and_not_dropped() {
        let counts = Arc::<ExporterCounts>::default();
        let mut shelf = Shelf::new(fresh(&counts, 5));
        shelf.put(fresh(&counts, 7)).unwrap();
        shelf.take(3, 10).exported();
        let in_flight = shelf.take(4, 4);
        assert!(in_flight.is_stored());
        drop(in_flight);
        drop(shelf);
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        assert_eq!((count(&counts.exported), count(&counts.stored)), (3, 9));
        assert_eq!(count(&counts.held_bytes), 0);
    }

    #[test]
    fn a_shelf_is_for_one_pipeline() {
        let (ours, theirs) = (Arc::default(), Arc::default());
        let mut shelf = Shelf::new(fresh(&ours, 5));
        assert_eq!(shelf.put(fresh(&theirs, 1)).unwrap_err().items(), 1);
    }

    #[test]
    fn what_is_found_on_disk_has_an_account_of_its_own() {
        let ledger = Arc::<Ledger>::default();
        let mut recovery = Recovery::new("otlp".to_owned(), ledger.clone(), Arc::default());
        recovery.claim(Signal::Logs, 3, 30).exported();
        drop(recovery.claim(Signal::Logs, 4, 40));
        let account = ledger.snapshot();
        assert!(account.balances());
        let expected = "logs/(disk) -> otlp: received 7, exported 3, dropped 0, stored 4, held 0";
        assert_eq!(account.to_string(), expected);
    }
}
