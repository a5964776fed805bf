//! What was decided of traces that are held no more, for the spans that come late.

use super::held::TraceId;
use std::collections::{HashMap, VecDeque};

/// Decisions by trace. There is room for a number of kept and for a number of dropped traces; whichever has been there
/// longest without being asked for makes room.
#[derive(Debug)]
pub(super) struct Decisions {
    known: HashMap<TraceId, Known>,
    kept: Ring,
    dropped: Ring,
}

/// What became of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// By which policy.
    Kept(u16),
    Dropped,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    decision: Decision,
    was_asked_for: bool,
}

#[derive(Debug)]
struct Ring {
    ids: VecDeque<TraceId>,
    limit: usize,
}

impl Decisions {
    pub(super) fn new(kept: usize, dropped: usize) -> Self {
        let ring = |limit| Ring {
            ids: VecDeque::new(),
            limit,
        };
        Decisions {
            known: HashMap::new(),
            kept: ring(kept),
            dropped: ring(dropped),
        }
    }

    /// The decision of a trace, if it is remembered.
    pub(super) fn of(&mut self, id: &TraceId) -> Option<Decision> {
        let known = self.known.get_mut(id)?;
        known.was_asked_for = true;
        Some(known.decision)
    }

    /// Remembers a decision of a trace of which there was none.
    pub(super) fn remember(&mut self, id: TraceId, decision: Decision) {
        let ring = match decision {
            Decision::Kept(_) => &mut self.kept,
            Decision::Dropped => &mut self.dropped,
        };
        if ring.limit == 0 {
            return;
        }
        if ring.ids.len() >= ring.limit {
            ring.make_room(&mut self.known);
        }
        ring.ids.push_back(id);
        self.known.insert(
            id,
            Known {
                decision,
                was_asked_for: false,
            },
        );
    }
}

impl Ring {
    /// Those that were asked for get one more round.
    fn make_room(&mut self, known: &mut HashMap<TraceId, Known>) {
        while let Some(id) = self.ids.pop_front() {
            match known.get_mut(&id) {
                Some(entry) if entry.was_asked_for => {
                    entry.was_asked_for = false;
                    self.ids.push_back(id);
                }
                _ => {
                    known.remove(&id);
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_decision_that_nobody_asked_for_makes_room() {
        let mut decisions = Decisions::new(2, 1);
        decisions.remember([1; 16], Decision::Kept(0));
        decisions.remember([2; 16], Decision::Kept(7));
        decisions.remember([9; 16], Decision::Dropped);
        assert_eq!(decisions.of(&[1; 16]), Some(Decision::Kept(0)));
        decisions.remember([3; 16], Decision::Kept(0));
        assert_eq!(decisions.of(&[2; 16]), None);
        assert_eq!(decisions.of(&[1; 16]), Some(Decision::Kept(0)));
        assert_eq!(
            decisions.of(&[9; 16]),
            Some(Decision::Dropped),
            "it has a room of its own"
        );
        decisions.remember([8; 16], Decision::Dropped);
        decisions.remember([7; 16], Decision::Dropped);
        assert_eq!((decisions.of(&[9; 16]), decisions.known.len()), (None, 3));
    }

    #[test]
    fn without_room_nothing_is_remembered() {
        let mut decisions = Decisions::new(0, 1);
        decisions.remember([1; 16], Decision::Kept(0));
        assert_eq!(decisions.of(&[1; 16]), None);
    }
}
