use collector_engine::Source;
use probe_ring::{CounterSnapshot, Counters};
use probe_wire::layout::{COUNTERS, Counter};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The kernel's counters and the reader's, as a part of the account: `seen = emitted + drops` and
/// `emitted = decoded + undecodable + not_selected + pending`.
#[derive(Debug, Default)]
pub struct RingSource {
    kernel: Mutex<Kernel>,
    /// Records that became spans, or will.
    pub(crate) decoded: AtomicU64,
    /// Records that could not be read.
    pub(crate) undecodable: AtomicU64,
    /// Records of processes that the kernel side met first and that turned out not to be selected.
    pub(crate) not_selected: AtomicU64,
    /// Spans whose entity was never announced; not a drop.
    pub(crate) unknown_entity: AtomicU64,
}

#[derive(Debug, Default)]
struct Kernel {
    mapped: Option<Counters>,
    /// The final counts of rings that were replaced.
    before: [u64; COUNTERS.len()],
}

impl RingSource {
    /// Counts from `counters` from now on. If they are another ring's, what the former has counted is kept: the counters
    /// of a ring that was only handed over anew cannot have gone back.
    pub(crate) fn set_kernel(&self, counters: Counters) {
        let mut kernel = self.kernel.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(former) = &kernel.mapped {
            let former = former.snapshot();
            if counters.snapshot().get(Counter::Seen) < former.get(Counter::Seen) {
                for (sum, (counter, _)) in kernel.before.iter_mut().zip(COUNTERS) {
                    *sum += former.get(counter);
                }
            }
        }
        kernel.mapped = Some(counters);
    }
}

impl Source for RingSource {
    fn counters(&self) -> Vec<(&'static str, u64)> {
        // The reader's counts first: a record read in between then shows as pending, not as read before it was written.
        let decoded = self.decoded.load(Ordering::Acquire);
        let undecodable = self.undecodable.load(Ordering::Acquire);
        let not_selected = self.not_selected.load(Ordering::Acquire);
        let kernel = self.kernel.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = kernel
            .mapped
            .as_ref()
            .map_or_else(CounterSnapshot::default, Counters::snapshot);
        let value = |index: usize| kernel.before[index] + snapshot.get(COUNTERS[index].0);
        let mut counters: Vec<(&'static str, u64)> = COUNTERS
            .iter()
            .enumerate()
            .map(|(index, (_, name))| (*name, value(index)))
            .collect();
        let emitted = value(Counter::Emitted as usize);
        counters.push(("decoded", decoded));
        counters.push(("undecodable", undecodable));
        counters.push(("not_selected", not_selected));
        counters.push(("pending", emitted.saturating_sub(decoded + undecodable + not_selected)));
        counters.push(("unknown_entity", self.unknown_entity.load(Ordering::Relaxed)));
        counters
    }
}
