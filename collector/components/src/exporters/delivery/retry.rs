use collector_config::Section;
use std::time::{Duration, Instant};

/// `retry_on_failure`, with upstream's names and defaults.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retry {
    enabled: bool,
    initial_interval: Duration,
    randomization_factor: f64,
    multiplier: f64,
    max_interval: Duration,
    /// Zero is for ever.
    max_elapsed_time: Duration,
}

/// The attempts at one request.
#[derive(Debug)]
pub struct Attempts {
    retry: Retry,
    since: Instant,
    interval: Duration,
}

impl Retry {
    /// Reads the exporter's `retry_on_failure`.
    pub fn configure(section: &mut Section<'_, '_>) -> Retry {
        section.section("retry_on_failure", |section| {
            let retry = Retry {
                enabled: section.flag("enabled", true),
                initial_interval: section.duration("initial_interval", Duration::from_secs(5)),
                randomization_factor: section.number("randomization_factor", 0.5),
                multiplier: section.number("multiplier", 1.5),
                max_interval: section.duration("max_interval", Duration::from_secs(30)),
                max_elapsed_time: section.duration("max_elapsed_time", Duration::from_secs(300)),
            };
            if !(0.0..=1.0).contains(&retry.randomization_factor) {
                section.error("randomization_factor", "must be between 0 and 1");
            }
            if !(0.0..=1000.0).contains(&retry.multiplier) {
                section.error("multiplier", "must be between 0 and 1000");
            }
            retry
        })
    }

    /// The attempts at a request whose first is made `now`.
    pub fn begin(&self, now: Instant) -> Attempts {
        Attempts {
            retry: *self,
            since: now,
            interval: self.initial_interval,
        }
    }
}

impl Attempts {
    /// How long to wait before the next attempt, at least for as long as the destination asked; `None` to give up.
    pub fn next(&mut self, now: Instant, asked: Option<Duration>) -> Option<Duration> {
        if !self.retry.enabled {
            return None;
        }
        let spread = 1.0 + self.retry.randomization_factor * (2.0 * fastrand::f64() - 1.0);
        let wait = self.interval.mul_f64(spread).max(asked.unwrap_or_default());
        self.interval = self
            .interval
            .mul_f64(self.retry.multiplier)
            .min(self.retry.max_interval);
        // A destination may ask for any wait at all.
        let elapsed = now.duration_since(self.since).saturating_add(wait);
        let bounded = !self.retry.max_elapsed_time.is_zero() && elapsed > self.retry.max_elapsed_time;
        (!bounded).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use collector_config::{Errors, Node};

    fn read(text: &str) -> Result<Retry, String> {
        let node = Node::parse(text, "").unwrap();
        let mut errors = Errors::default();
        let mut section = Section::open("exporters::otlp", &node, &mut errors);
        let retry = Retry::configure(&mut section);
        section.finish();
        errors.unless_any(retry).map_err(|errors| errors.to_string())
    }

    #[test]
    fn waits_grow_with_jitter_to_their_limit_and_end() {
        let retry = read("").unwrap();
        let start = Instant::now();
        let mut attempts = retry.begin(start);
        for expected in [5.0, 7.5, 11.25, 16.875, 25.3, 30.0, 30.0] {
            let wait = attempts.next(start, None).unwrap().as_secs_f64();
            assert!(
                (expected * 0.5..=expected * 1.5).contains(&wait),
                "{wait} is far from {expected}"
            );
        }
        assert_eq!(attempts.next(start + Duration::from_secs(299), None), None);
    }

    #[test]
    fn the_destination_may_ask_for_a_longer_wait() {
        let start = Instant::now();
        let mut attempts = read("").unwrap().begin(start);
        let wait = attempts.next(start, Some(Duration::from_secs(60)));
        assert_eq!(wait, Some(Duration::from_secs(60)));
        assert_eq!(attempts.next(start, Some(Duration::from_secs(3600))), None);
        let later = start + Duration::from_secs(2);
        assert_eq!(attempts.next(later, Some(Duration::from_secs(u64::MAX))), None);
    }

    #[test]
    fn retry_can_be_switched_off_or_made_endless() {
        let start = Instant::now();
        let off = read("retry_on_failure: {enabled: false}").unwrap();
        assert_eq!(off.begin(start).next(start, None), None);
        let endless = read("retry_on_failure: {max_elapsed_time: 0}").unwrap();
        assert!(
            endless
                .begin(start)
                .next(start + Duration::from_secs(86400), None)
                .is_some()
        );
        assert!(read("retry_on_failure: {multiplier: -1}").is_err());
    }
}
