//! How many requests are shown when there are many. Pure.

use collector_pdata::Signal;
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_secs(1);

/// Lets the first requests of each second pass and, of those after them, every Nth. Each signal counts for itself.
#[derive(Debug, Clone)]
pub(super) struct Sampler {
    initial: u64,
    thereafter: u64,
    windows: [Window; Signal::ALL.len()],
}

#[derive(Debug, Clone, Copy, Default)]
struct Window {
    end: Option<Instant>,
    seen: u64,
}

impl Sampler {
    pub(super) fn new(initial: u64, thereafter: u64) -> Self {
        Sampler {
            initial,
            thereafter,
            windows: [Window::default(); Signal::ALL.len()],
        }
    }

    pub(super) fn admits(&mut self, signal: Signal, now: Instant) -> bool {
        let window = &mut self.windows[signal as usize];
        if window.end.is_none_or(|end| now >= end) {
            *window = Window {
                end: Some(now + WINDOW),
                seen: 0,
            };
        }
        window.seen += 1;
        match window.seen.checked_sub(self.initial) {
            None | Some(0) => true,
            Some(beyond) => self.thereafter != 0 && beyond % self.thereafter == 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of ten requests of one second pass.
    fn passed(initial: u64, thereafter: u64) -> Vec<usize> {
        let (mut sampler, now) = (Sampler::new(initial, thereafter), Instant::now());
        let admitted = |_: &usize| sampler.admits(Signal::Traces, now);
        (1..=10).filter(admitted).collect()
    }

    #[test]
    fn the_first_of_a_second_pass_and_then_every_nth() {
        assert_eq!(passed(2, 1), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(passed(2, 3), [1, 2, 5, 8]);
        assert_eq!(passed(0, 4), [4, 8]);
        assert_eq!(passed(3, 0), [1, 2, 3]);
        assert_eq!(passed(0, 0), [0; 0]);
    }

    #[test]
    fn each_second_and_each_signal_begins_anew() {
        let (mut sampler, now) = (Sampler::new(1, 0), Instant::now());
        assert!(sampler.admits(Signal::Traces, now));
        assert!(!sampler.admits(Signal::Traces, now + Duration::from_millis(999)));
        assert!(sampler.admits(Signal::Logs, now + Duration::from_millis(999)));
        assert!(sampler.admits(Signal::Traces, now + Duration::from_secs(1)));
    }
}
