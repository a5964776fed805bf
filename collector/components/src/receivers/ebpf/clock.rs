use rustix::time::{ClockId, clock_gettime};

const SECOND: u64 = 1_000_000_000;

/// Turns times of CLOCK_MONOTONIC, which the kernel's probes read, into Unix times. The offset between the two moves when
/// the wall clock is set, so it is sampled anew each second.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    /// Unix time minus monotonic time.
    offset: u64,
    sampled_at: u64,
}

impl Clock {
    /// Samples the offset if the last sample is older than a second.
    pub(crate) fn refresh(&mut self) {
        let before = now(ClockId::Monotonic);
        if self.sampled_at != 0 && before.wrapping_sub(self.sampled_at) < SECOND {
            return;
        }
        let wall = now(ClockId::Realtime);
        let between = before + (now(ClockId::Monotonic) - before) / 2;
        self.offset = wall.wrapping_sub(between);
        self.sampled_at = between;
    }

    /// The Unix time of `monotonic`, both in nanoseconds.
    pub(crate) fn unix(&self, monotonic: u64) -> u64 {
        self.offset.wrapping_add(monotonic)
    }
}

fn now(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    time.tv_sec as u64 * SECOND + time.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_monotonic_time_becomes_the_wall_clock_of_the_same_moment() {
        let mut clock = Clock::default();
        clock.refresh();
        let converted = clock.unix(now(ClockId::Monotonic));
        let apart = now(ClockId::Realtime).abs_diff(converted);
        assert!(apart < SECOND, "{apart} ns apart");
    }
}
