//! What a processor gives out, for those who run one without an engine.

use crate::component::Sink;
use crate::counts::PipelineCounts;
use collector_pdata::Payload;
use std::collections::BTreeMap;

/// Stands behind a processor in a test or a benchmark.
#[derive(Debug, Default)]
pub struct Collected {
    /// What was forwarded, in order.
    pub payloads: Vec<Payload>,
    counts: PipelineCounts,
    held: usize,
}

impl Collected {
    /// Where the processor puts what it has done with.
    pub fn sink(&mut self) -> Sink<'_> {
        Sink {
            out: &mut self.payloads,
            held: &mut self.held,
            counts: &self.counts,
        }
    }

    /// The items that were dropped so far, by reason.
    pub fn dropped(&self) -> BTreeMap<&'static str, u64> {
        self.counts.snapshot().dropped
    }
}
