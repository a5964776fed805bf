//! The settings.

use super::outbox::Record;
use super::policy::{Policies, read_policies};
use crate::process::usable_memory;
use collector_config::Section;
use std::time::Duration;

#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) decision_wait: u64,
    /// Nanoseconds; `None` waits as long as without a root.
    pub(super) after_root: Option<u64>,
    pub(super) num_traces: usize,
    pub(super) max_bytes: usize,
    /// Of a trace, before it is dropped.
    pub(super) max_trace_bytes: usize,
    pub(super) drops_pending: bool,
    pub(super) record: Record,
    /// How many decisions to keep and to drop are remembered.
    pub(super) remembered: (usize, usize),
    pub(super) policies: Policies,
}

const RECORDS: &[(&str, Record)] = &[("none", Record::None), ("root", Record::Root), ("all", Record::All)];

/// Less would be all taken by what is in flight.
const LEAST_BYTES: u64 = 1 << 20;

impl Settings {
    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        let decision_wait = section.duration("decision_wait", Duration::from_secs(30));
        if decision_wait.is_zero() {
            section.error("decision_wait", "must be more than 0s");
        }
        let num_traces = section.count("num_traces", 50_000) as usize;
        if num_traces == 0 {
            section.error("num_traces", "must be more than 0");
        }
        let max_bytes = section.bytes("max_bytes", (usable_memory() / 4).max(LEAST_BYTES));
        if max_bytes < LEAST_BYTES {
            section.error("max_bytes", "must be at least 1MiB");
        }
        read_without_use(section);
        let on_first_match = section.flag("sample_on_first_match", false);
        let after_root = section.duration("decision_wait_after_root_received", Duration::ZERO);
        Settings {
            decision_wait: nanoseconds(decision_wait),
            after_root: (!after_root.is_zero()).then_some(nanoseconds(after_root)),
            num_traces,
            max_bytes: usize::try_from(max_bytes).unwrap_or(usize::MAX),
            max_trace_bytes: limit(section.bytes("maximum_trace_size_bytes", 0)),
            drops_pending: section.flag("drop_pending_traces_on_shutdown", false),
            record: section.choice("record_policy", RECORDS).unwrap_or(Record::Root),
            remembered: section.section("decision_cache", |section| read_cache(section, num_traces)),
            policies: read_policies(section, on_first_match),
        }
    }
}

/// Upstream's keys that change nothing here, or that would change what is sampled.
fn read_without_use(section: &mut Section<'_, '_>) {
    section.accept(&["expected_new_traces_per_sec", "num_shards"]);
    section.without_effect("block_on_overflow");
    section.choice("sampling_strategy", &[("trace-complete", ())]);
    section.unsupported("tail_storage", "traces would be held in memory");
}

/// Upstream knows the decision of a trace as long as it is among the last `num_traces`, whatever the caches.
fn read_cache(section: &mut Section<'_, '_>, num_traces: usize) -> (usize, usize) {
    let mut size = |key| match section.count(key, 0) {
        0 => num_traces,
        size => size as usize,
    };
    (size("sampled_cache_size"), size("non_sampled_cache_size"))
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Zero is no limit.
fn limit(written: u64) -> usize {
    match usize::try_from(written) {
        Ok(0) | Err(_) => usize::MAX,
        Ok(written) => written,
    }
}
