//! A token bucket.

/// Fills at a rate, and holds a burst.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    per_second: f64,
    burst: f64,
    tokens: f64,
    /// When it was last filled.
    at: u64,
}

const SECOND: f64 = 1e9;

impl Bucket {
    /// Full at first.
    pub(super) fn new(per_second: u64, burst: u64) -> Self {
        Bucket {
            per_second: per_second as f64,
            burst: burst as f64,
            tokens: burst as f64,
            at: 0,
        }
    }

    /// Takes as many tokens, or none.
    pub(super) fn take(&mut self, wanted: u64, now: u64) -> bool {
        let passed = now.saturating_sub(self.at) as f64 / SECOND;
        self.at = self.at.max(now);
        self.tokens = (self.tokens + passed * self.per_second).min(self.burst);
        let has_them = wanted as f64 <= self.tokens;
        if has_them {
            self.tokens -= wanted as f64;
        }
        has_them
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_gives_its_burst_and_then_its_rate() {
        let second = SECOND as u64;
        let mut bucket = Bucket::new(10, 20);
        assert!(!bucket.take(21, 0), "more than it ever holds");
        assert!(bucket.take(20, 0));
        assert!(!bucket.take(1, second / 20));
        assert!(bucket.take(1, second / 10));
        assert!(!bucket.take(1, second / 20), "a clock that goes back fills nothing");
        assert!(!bucket.take(21, 100 * second));
        assert!(bucket.take(20, 100 * second));
    }
}
