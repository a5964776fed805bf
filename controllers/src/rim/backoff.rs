//! How long an object that failed waits: longer each time, for itself alone.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// After an error. What is wrong is mostly wrong for a while.
const FIRST: Duration = Duration::from_millis(250);
/// After a conflict: only the cache was behind, which is soon over.
const FIRST_CONFLICT: Duration = Duration::from_millis(10);
/// No object waits longer, so that what was put right is noticed.
const LONGEST: Duration = Duration::from_secs(300);

/// Consecutive failures of each key.
#[derive(Debug)]
pub struct Backoff<K>(HashMap<K, u32>);

impl<K> Default for Backoff<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Clone + Eq + Hash> Backoff<K> {
    /// Counts a failure and says how long to wait; `conflict` if the object had changed meanwhile.
    pub fn failed(&mut self, key: &K, conflict: bool) -> Duration {
        let failures = self.0.entry(key.clone()).or_default();
        let first = if conflict { FIRST_CONFLICT } else { FIRST };
        let wait = first.saturating_mul(1_u32.checked_shl(*failures).unwrap_or(u32::MAX));
        *failures = failures.saturating_add(1);
        // A part by chance, so that what failed together does not come again together.
        wait.min(LONGEST).mul_f64(0.75 + fastrand::f64() / 4.0)
    }

    /// Forgets the failures.
    pub fn succeeded(&mut self, key: &K) {
        self.0.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_waits_for_itself_longer_each_time_and_never_too_long() {
        let mut backoff = Backoff::default();
        let waits: Vec<Duration> = (0..40).map(|_| backoff.failed(&"bad", false)).collect();
        assert!(waits[0] <= FIRST && waits[1] > waits[0] && waits[39] <= LONGEST && waits[39] > LONGEST / 2);
        assert!(backoff.failed(&"other", true) <= FIRST_CONFLICT);
        backoff.succeeded(&"bad");
        assert!(backoff.failed(&"bad", false) <= FIRST);
    }
}
