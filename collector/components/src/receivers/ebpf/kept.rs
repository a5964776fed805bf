//! What was read from the ring and is under way: it stays in the ring until it was delivered, or dropped and counted.
//!
//! Delivery is told by the payload's bytes: when the last reference to them is gone, every exporter is done with them. A
//! processor that writes spans anew ends that early; then a crash loses what it holds.

use bytes::Bytes;
use collector_pdata::Payload;
use probe_ring::Hold;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A position in the ring up to which all may be overwritten.
pub(crate) trait Release {
    fn release(&self);
}

impl Release for Hold {
    fn release(&self) {
        Hold::release(self);
    }
}

/// The passes over the ring whose spans are under way.
#[derive(Debug)]
pub(crate) struct Kept<H> {
    passes: Arc<Mutex<Passes<H>>>,
}

#[derive(Debug)]
struct Passes<H> {
    /// In the order in which they were read.
    waiting: VecDeque<Pass<H>>,
    /// The number of the first of them.
    first: u64,
}

#[derive(Debug)]
struct Pass<H> {
    hold: H,
    /// Nothing of what was read before its end waits to be encoded.
    complete: bool,
    delivered: bool,
}

impl<H> Default for Kept<H> {
    fn default() -> Self {
        let passes = Passes {
            waiting: VecDeque::new(),
            first: 0,
        };
        Kept {
            passes: Arc::new(Mutex::new(passes)),
        }
    }
}

impl<H: Release + Send + 'static> Kept<H> {
    /// Notes a pass that ended at `hold`. Its spans are to be sent on as what this returns.
    pub(crate) fn pass(&self, hold: H, complete: bool, payload: Option<Payload>) -> Option<Payload> {
        let number = self.lock().add(Pass {
            hold,
            complete,
            delivered: payload.is_none(),
        });
        let payload = payload?;
        let ticket = Arc::new(Ticket {
            passes: self.passes.clone(),
            number,
        });
        let mut tracked = Payload::empty(payload.signal());
        let mut items = payload.items();
        for chunk in payload.chunks() {
            let bytes = Bytes::from_owner(Tracked {
                bytes: chunk.clone(),
                _ticket: ticket.clone(),
            });
            // The items of a payload are not told apart by its pieces.
            tracked.append(Payload::new(payload.signal(), bytes, std::mem::take(&mut items)));
        }
        Some(tracked)
    }

    /// Lets go of the oldest passes, though they are under way, while there is `too_much`.
    pub(crate) fn shrink(&self, too_much: impl Fn() -> bool) {
        let mut passes = self.lock();
        while !passes.waiting.is_empty() && too_much() {
            passes.pop();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Passes<H>> {
        self.passes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<H: Release> Passes<H> {
    /// Returns the number of the pass. One without spans takes the place of another, so that only payloads, whose number
    /// is bounded, make this grow.
    fn add(&mut self, pass: Pass<H>) -> u64 {
        match self.waiting.back_mut() {
            Some(last) if last.delivered && pass.delivered => *last = pass,
            _ => self.waiting.push_back(pass),
        }
        let number = self.first + self.waiting.len() as u64 - 1;
        self.settle();
        number
    }

    fn delivered(&mut self, number: u64) {
        let index = number.checked_sub(self.first).map(|index| index as usize);
        if let Some(pass) = index.and_then(|index| self.waiting.get_mut(index)) {
            pass.delivered = true;
            self.settle();
        }
    }

    /// Releases up to the last complete pass of those that were delivered without a gap.
    fn settle(&mut self) {
        let delivered = self.waiting.iter().take_while(|pass| pass.delivered).count();
        let Some(last) = (0..delivered).rev().find(|index| self.waiting[*index].complete) else {
            return;
        };
        self.waiting[last].hold.release();
        self.waiting.drain(..=last);
        self.first += last as u64 + 1;
    }

    fn pop(&mut self) {
        if let Some(pass) = self.waiting.pop_front() {
            pass.hold.release();
            self.first += 1;
        }
    }
}

/// The bytes of a payload, and the word that they were let go of.
struct Tracked<H: Release + Send + 'static> {
    bytes: Bytes,
    _ticket: Arc<Ticket<H>>,
}

impl<H: Release + Send + 'static> AsRef<[u8]> for Tracked<H> {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

struct Ticket<H: Release + Send + 'static> {
    passes: Arc<Mutex<Passes<H>>>,
    number: u64,
}

impl<H: Release + Send + 'static> Drop for Ticket<H> {
    fn drop(&mut self) {
        let mut passes = self.passes.lock().unwrap_or_else(PoisonError::into_inner);
        passes.delivered(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use collector_pdata::Signal;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Positions are numbers here; the highest released one is kept.
    struct Position(u64, Arc<AtomicU64>);

    impl Release for Position {
        fn release(&self) {
            self.1.fetch_max(self.0, Ordering::Relaxed);
        }
    }

    #[derive(Default)]
    struct Fixture {
        kept: Kept<Position>,
        released: Arc<AtomicU64>,
    }

    impl Fixture {
        fn pass(&self, end: u64, complete: bool, items: usize) -> Option<Payload> {
            let payload = (items > 0).then(|| Payload::new(Signal::Traces, Bytes::from_static(b"span"), items));
            self.kept.pass(Position(end, self.released.clone()), complete, payload)
        }

        fn released(&self) -> u64 {
            self.released.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn a_pass_is_released_when_it_and_all_before_it_are_delivered() {
        let fixture = Fixture::default();
        let (first, second, third) = (
            fixture.pass(10, true, 1),
            fixture.pass(20, true, 2),
            fixture.pass(30, true, 3),
        );
        drop(second);
        assert_eq!(fixture.released(), 0);
        drop(first);
        assert_eq!(fixture.released(), 20);
        let copy = third.clone();
        drop(third);
        assert_eq!(fixture.released(), 20, "an exporter still has it");
        drop(copy);
        assert_eq!(fixture.released(), 30);
    }

    #[test]
    fn what_is_sent_on_is_what_was_read() {
        let fixture = Fixture::default();
        let payload = fixture.pass(10, true, 7).unwrap();
        assert_eq!((payload.items(), payload.bytes()), (7, 4));
        assert_eq!(&payload.chunks()[0][..], b"span");
    }

    #[test]
    fn a_pass_without_spans_is_released_at_once_unless_records_wait() {
        let fixture = Fixture::default();
        assert!(fixture.pass(10, true, 0).is_none());
        assert_eq!(fixture.released(), 10);
        assert!(fixture.pass(20, false, 0).is_none());
        drop(fixture.pass(30, false, 1));
        assert_eq!(fixture.released(), 10, "a record waits for its entity");
        drop(fixture.pass(40, true, 1));
        assert_eq!(fixture.released(), 40);
    }

    #[test]
    fn a_pause_does_not_make_the_list_grow() {
        let fixture = Fixture::default();
        let payload = fixture.pass(10, true, 1);
        for end in 11..1000 {
            fixture.pass(end, end % 2 == 0, 0);
        }
        assert_eq!(fixture.kept.lock().waiting.len(), 2);
        assert!(fixture.pass(1000, true, 0).is_none());
        drop(payload);
        assert_eq!(fixture.released(), 1000);
    }

    #[test]
    fn the_oldest_are_let_go_of_when_there_are_too_many() {
        let fixture = Fixture::default();
        let payloads: Vec<_> = (1..=4).map(|end| fixture.pass(10 * end, true, 1)).collect();
        fixture.kept.shrink(|| fixture.released() < 20);
        assert_eq!(fixture.released(), 20);
        drop(payloads);
        assert_eq!(fixture.released(), 40);
    }
}
