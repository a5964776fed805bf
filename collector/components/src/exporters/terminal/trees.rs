//! Traces that are not finished, as far as anybody can tell, within bounds.

use super::row::Row;
use collector_engine::Claim;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// The most spans that wait; beyond it, the oldest trace is drawn at once.
const MAX_SPANS: usize = 16 * 1024;
/// The most spans of one tree.
const MAX_TREE: usize = 2000;
/// The longest that a trace waits which never is quiet.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// A trace, and the duty for each of its spans.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) id: [u8; 16],
    pub(crate) spans: Vec<(Row, Claim)>,
}

#[derive(Debug)]
struct Open {
    spans: Vec<(Row, Claim)>,
    first: Instant,
    last: Instant,
}

/// Collects spans by trace.
#[derive(Debug)]
pub(crate) struct Trees {
    settle: Duration,
    open: HashMap<[u8; 16], Open>,
    /// The keys of `open`, by the first span's arrival.
    order: VecDeque<[u8; 16]>,
    spans: usize,
}

impl Trees {
    pub(crate) fn new(settle: Duration) -> Self {
        Trees {
            settle,
            open: HashMap::new(),
            order: VecDeque::new(),
            spans: 0,
        }
    }

    pub(crate) fn settle(&self) -> Duration {
        self.settle
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(crate) fn add(&mut self, row: Row, claim: Claim, now: Instant) {
        let order = &mut self.order;
        let id = row.trace_id;
        let open = self.open.entry(id).or_insert_with(|| {
            order.push_back(id);
            Open {
                spans: Vec::new(),
                first: now,
                last: now,
            }
        });
        open.last = now;
        open.spans.push((row, claim));
        self.spans += 1;
    }

    /// A trace that is to be drawn at `now`.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Trace> {
        if self.spans > MAX_SPANS {
            return self.pop();
        }
        let settle = self.settle;
        let due = self.order.iter().position(|id| {
            self.open.get(id).is_some_and(|open| {
                now.duration_since(open.last) >= settle
                    || now.duration_since(open.first) >= MAX_WAIT
                    || open.spans.len() >= MAX_TREE
            })
        })?;
        let id = self.order.remove(due)?;
        self.take(id)
    }

    /// The oldest trace.
    pub(crate) fn pop(&mut self) -> Option<Trace> {
        let id = self.order.pop_front()?;
        self.take(id)
    }

    fn take(&mut self, id: [u8; 16]) -> Option<Trace> {
        let open = self.open.remove(&id)?;
        self.spans -= open.spans.len();
        Some(Trace { id, spans: open.spans })
    }
}
