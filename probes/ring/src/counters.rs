use crate::RingError;
use crate::ring::Mapping;
use probe_wire::layout::{COUNTER_SLOTS, COUNTERS, COUNTERS_SIZE, Counter};
use rustix::fd::OwnedFd;
use rustix::mm::ProtFlags;
use std::sync::atomic::Ordering;

/// The mapped counters of the eBPF programs (an array map made with `BPF_F_MMAPABLE`).
#[derive(Debug)]
pub struct Counters {
    mapping: Mapping,
}

/// All counters at one moment, summed over the CPUs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CounterSnapshot([u64; COUNTERS_SIZE / 8]);

impl Counters {
    /// Maps the counters behind `fd`.
    pub fn map(fd: &OwnedFd) -> Result<Self, RingError> {
        Mapping::new(fd, 0, COUNTER_SLOTS * COUNTERS_SIZE, ProtFlags::READ)
            .map(|mapping| Counters { mapping })
            .map_err(|source| RingError::Map {
                part: "counters",
                source,
            })
    }

    /// Reads all counters. They grow while they are read; a sum of several is exact only when the probes are detached.
    pub fn snapshot(&self) -> CounterSnapshot {
        let mut sums = [0; COUNTERS_SIZE / 8];
        for slot in 0..COUNTER_SLOTS {
            for (index, sum) in sums.iter_mut().enumerate() {
                *sum += self
                    .mapping
                    .counter(slot * COUNTERS_SIZE + index * 8)
                    .load(Ordering::Relaxed) as u64;
            }
        }
        CounterSnapshot(sums)
    }
}

impl CounterSnapshot {
    /// One counter's value.
    pub fn get(&self, counter: Counter) -> u64 {
        self.0[counter as usize]
    }

    /// Name and value of each counter.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        COUNTERS.iter().map(|(counter, name)| (*name, self.get(*counter)))
    }
}
