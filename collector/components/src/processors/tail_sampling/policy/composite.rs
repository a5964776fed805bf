//! `composite`: several policies in an order, each with its part of a rate.

use super::{Rule, View};
use collector_ottl::EvalError;

/// The first policy that samples a trace decides: within what is left of its part of this second, the trace is sampled.
#[derive(Debug, Clone)]
pub(super) struct Composite {
    /// Spans a second that one policy may take at most.
    pub(super) max_total: u64,
    pub(super) parts: Vec<Part>,
    pub(super) second: u64,
}

#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) rule: Rule,
    /// Spans a second.
    pub(super) allocated: u64,
    /// Spans in this second.
    pub(super) spent: u64,
}

impl Composite {
    pub(super) fn samples(&mut self, trace: &View<'_>) -> Result<bool, EvalError> {
        let second = trace.now / 1_000_000_000;
        if self.second != second {
            self.second = second;
            self.parts.iter_mut().for_each(|part| part.spent = 0);
        }
        for part in &mut self.parts {
            if part.rule.samples(trace)? {
                let spent = part.spent + trace.spans as u64;
                let fits = spent <= part.allocated.min(self.max_total);
                // A trace that does not fit leaves its room to a smaller one.
                if fits {
                    part.spent = spent;
                }
                return Ok(fits);
            }
        }
        Ok(false)
    }
}
