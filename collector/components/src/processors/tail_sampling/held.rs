//! The traces that are held, in the order in which they came.

use collector_pdata::by_trace::{Segment, Taken};
use std::collections::{HashMap, VecDeque};
use std::slice;

/// As it is encoded; all zero if it was empty.
pub(super) type TraceId = [u8; 16];

/// What a trace takes beside its segments: its entries in the map, which is half full at worst, and in the queue.
const TRACE_BYTES: usize = 160;
/// What a segment takes beside its spans: pointers, and what the allocator rounds up.
const SEGMENT_BYTES: usize = 48;

/// Traces without a decision. Their number and bytes are bounded by who decides.
#[derive(Debug, Default)]
pub(super) struct Held {
    traces: HashMap<TraceId, Trace>,
    /// The oldest first. Those that are not held any more stay until they are at the front, or too many.
    arrivals: VecDeque<Arrival>,
    bytes: usize,
}

/// A trace without a decision.
#[derive(Debug)]
pub(super) struct Trace {
    segments: Segments,
    /// When its first span came, on the processor's clock.
    since: u64,
    bytes: usize,
    spans: u32,
    has_root: bool,
}

/// Most traces come in one request and from one resource, and then need no list.
#[derive(Debug)]
enum Segments {
    One(Segment),
    Many(Box<List>),
}

#[derive(Debug)]
struct List(Vec<Segment>);

/// When a trace, or its root, came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    pub(super) id: TraceId,
    /// When the trace's first span came: another trace of the same id has another.
    since: u64,
    /// Nanoseconds on the processor's clock.
    pub(super) at: u64,
}

/// What became of a segment that was added.
#[derive(Debug, Clone, Copy)]
pub(super) struct Added {
    /// The bytes of the whole trace.
    pub(super) bytes: usize,
    /// Set if the trace had no root before.
    pub(super) root: Option<Arrival>,
}

impl Held {
    /// How many traces.
    pub(super) fn len(&self) -> usize {
        self.traces.len()
    }

    /// All that the traces take, but for the resources and scopes, which they share.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn contains(&self, id: &TraceId) -> bool {
        self.traces.contains_key(id)
    }

    /// Adds spans to their trace, which begins with them if it is not held.
    pub(super) fn add(&mut self, taken: Taken, now: u64) -> Added {
        let id = taken.trace_id;
        let bytes = taken.segment.len() + SEGMENT_BYTES;
        self.bytes += bytes;
        let Some(trace) = self.traces.get_mut(&id) else {
            return self.begin(taken, now);
        };
        let is_first_root = taken.has_root && !trace.has_root;
        trace.has_root |= taken.has_root;
        trace.bytes += bytes;
        trace.spans += taken.spans as u32;
        trace.segments.push(taken.segment);
        Added {
            bytes: trace.bytes,
            root: is_first_root.then_some(Arrival {
                id,
                since: trace.since,
                at: now,
            }),
        }
    }

    fn begin(&mut self, taken: Taken, now: u64) -> Added {
        let bytes = taken.segment.len() + SEGMENT_BYTES + TRACE_BYTES;
        let arrival = Arrival {
            id: taken.trace_id,
            since: now,
            at: now,
        };
        self.bytes += TRACE_BYTES;
        self.traces.insert(
            taken.trace_id,
            Trace {
                segments: Segments::One(taken.segment),
                since: now,
                bytes,
                spans: taken.spans as u32,
                has_root: taken.has_root,
            },
        );
        self.arrivals.push_back(arrival);
        self.tidy();
        Added {
            bytes,
            root: taken.has_root.then_some(arrival),
        }
    }

    /// The trace that has been here the longest.
    pub(super) fn oldest(&mut self) -> Option<Arrival> {
        while let Some(arrival) = self.arrivals.front().copied() {
            if self.is_held(&arrival) {
                return Some(arrival);
            }
            self.arrivals.pop_front();
        }
        None
    }

    /// When the trace came that is next; it may have been decided since.
    pub(super) fn next_at(&self) -> Option<u64> {
        self.arrivals.front().map(|arrival| arrival.at)
    }

    /// Whether it is still the same trace that is held.
    pub(super) fn is_held(&self, arrival: &Arrival) -> bool {
        self.traces
            .get(&arrival.id)
            .is_some_and(|trace| trace.since == arrival.since)
    }

    /// Gives a trace out.
    pub(super) fn remove(&mut self, id: &TraceId) -> Option<Trace> {
        let trace = self.traces.remove(id)?;
        self.bytes -= trace.bytes;
        Some(trace)
    }

    /// Traces that are decided before their time leave their arrivals behind.
    fn tidy(&mut self) {
        const FEW: usize = 1024;
        if self.arrivals.len() > FEW + 2 * self.traces.len() {
            let mut arrivals = std::mem::take(&mut self.arrivals);
            arrivals.retain(|arrival| self.is_held(arrival));
            self.arrivals = arrivals;
        }
    }
}

impl Trace {
    pub(super) fn segments(&self) -> &[Segment] {
        match &self.segments {
            Segments::One(segment) => slice::from_ref(segment),
            Segments::Many(list) => &list.0,
        }
    }

    pub(super) fn into_segments(self) -> Vec<Segment> {
        match self.segments {
            Segments::One(segment) => vec![segment],
            Segments::Many(list) => list.0,
        }
    }

    pub(super) fn spans(&self) -> usize {
        self.spans as usize
    }

    /// With what it takes beside its spans.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Segments {
    fn push(&mut self, segment: Segment) {
        match self {
            Segments::Many(list) => list.0.push(segment),
            Segments::One(first) => *self = Segments::Many(Box::new(List(vec![first.clone(), segment]))),
        }
    }
}

#[cfg(test)]
impl Held {
    pub(super) fn spans(&self) -> usize {
        self.traces.values().map(Trace::spans).sum()
    }

    pub(super) fn arrivals_kept(&self) -> usize {
        self.arrivals.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_of_one_segment_takes_little_more_than_its_spans() {
        assert_eq!(size_of::<Segments>(), size_of::<Segment>());
        let entry = size_of::<(TraceId, Trace)>() + 1;
        assert!(2 * entry + size_of::<Arrival>() <= TRACE_BYTES + 24, "{entry}");
    }
}
