use collector_engine::Source;
use probe_ring::{CounterSnapshot, Counters, Ring};
use probe_wire::layout::{COUNTERS, Counter};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The kernel's counters and the reader's, as a part of the account: `seen = emitted + drops` and
/// `emitted = read_before + decoded + undecodable + not_selected + undecided + pending`.
#[derive(Debug, Default)]
pub struct RingSource {
    kernel: Mutex<Kernel>,
    /// Records that became spans, or will.
    pub(crate) decoded: AtomicU64,
    /// Records that could not be read.
    pub(crate) undecodable: AtomicU64,
    /// Records of processes that the kernel side met first and that turned out not to be selected.
    pub(crate) not_selected: AtomicU64,
    /// Records of which was not said in time whether their process is selected, where not every one is.
    pub(crate) undecided: AtomicU64,
    /// Spans whose entity was never announced; not a drop.
    pub(crate) unknown_entity: AtomicU64,
}

#[derive(Debug, Default)]
struct Kernel {
    mapped: Option<Counters>,
    /// The final counts of rings that were replaced.
    before: [u64; COUNTERS.len()],
    /// Records that other collectors have read: the kernel counts for the life of the ring.
    read_before: u64,
}

/// How often the kernel's counters and the ring's fill are compared to find them of one moment.
const ATTEMPTS: usize = 100;

impl RingSource {
    /// Counts from `counters` from now on. If they are another ring's, what the former has counted is kept: the counters
    /// of a ring that was only handed over anew cannot have gone back. What neither was read here nor waits in `ring` was
    /// read by others.
    pub(crate) fn set_kernel(&self, counters: Counters, ring: &Ring) {
        let mut kernel = self.kernel.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(former) = &kernel.mapped {
            let former = former.snapshot();
            if counters.snapshot().get(Counter::Seen) < former.get(Counter::Seen) {
                for (sum, (counter, _)) in kernel.before.iter_mut().zip(COUNTERS) {
                    *sum += former.get(counter);
                }
            }
        }
        let (snapshot, waiting) = at_once(&counters, ring);
        let emitted = kernel.before[Counter::Emitted as usize] + snapshot.get(Counter::Emitted);
        kernel.read_before = emitted.saturating_sub(self.read() + waiting as u64);
        kernel.mapped = Some(counters);
    }

    /// Records that were read here.
    fn read(&self) -> u64 {
        let counts = [&self.decoded, &self.undecodable, &self.not_selected, &self.undecided];
        counts.iter().map(|count| count.load(Ordering::Acquire)).sum()
    }
}

/// The counters, and how many records wait in the ring in the same moment, as far as the kernel makes a pause.
fn at_once(counters: &Counters, ring: &Ring) -> (CounterSnapshot, usize) {
    let mut bytes = ring.pending();
    let mut snapshot = counters.snapshot();
    for _ in 0..ATTEMPTS {
        let now = ring.pending();
        if now == bytes {
            break;
        }
        bytes = now;
        snapshot = counters.snapshot();
    }
    (snapshot, ring.records_in(bytes))
}

impl Source for RingSource {
    fn counters(&self) -> Vec<(&'static str, u64)> {
        // The reader's counts first: a record read in between then shows as pending, not as read before it was written.
        let decoded = self.decoded.load(Ordering::Acquire);
        let undecodable = self.undecodable.load(Ordering::Acquire);
        let not_selected = self.not_selected.load(Ordering::Acquire);
        let undecided = self.undecided.load(Ordering::Acquire);
        let kernel = self.kernel.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = kernel
            .mapped
            .as_ref()
            .map_or_else(CounterSnapshot::default, Counters::snapshot);
        let read_before = kernel.read_before;
        let value = |index: usize| kernel.before[index] + snapshot.get(COUNTERS[index].0);
        let mut counters: Vec<(&'static str, u64)> = COUNTERS
            .iter()
            .enumerate()
            .map(|(index, (_, name))| (*name, value(index)))
            .collect();
        let emitted = value(Counter::Emitted as usize);
        let read = read_before + decoded + undecodable + not_selected + undecided;
        counters.push(("read_before", read_before));
        counters.push(("decoded", decoded));
        counters.push(("undecodable", undecodable));
        counters.push(("not_selected", not_selected));
        counters.push(("undecided", undecided));
        counters.push(("pending", emitted.saturating_sub(read)));
        counters.push(("unknown_entity", self.unknown_entity.load(Ordering::Relaxed)));
        counters
    }
}
