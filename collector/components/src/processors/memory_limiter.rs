//! `memory_limiter`: refuses what comes in while the process has more memory than it should.
//!
//! ```yaml
//! processors:
//!   memory_limiter:
//!     check_interval: 1s           # the longest between two looks; must be set
//!     limit_mib: 2048              # or limit_percentage, of the memory that the process may use
//!     spike_limit_mib: 512         # a fifth of the limit unless said otherwise
//! ```
//!
//! It stands at its pipelines' entry, wherever it is named: above the limit less the spike limit, receivers that can refuse
//! do so, and their peers try again later. Nothing that was taken is dropped for want of memory. It looks at what the
//! process has resident that is not a file's, more often than `check_interval` while data comes in fast.

use crate::process;
use collector_config::Section;
use collector_engine::{Gate, Processor, ProcessorFactory, ProcessorRecipe, Sink};
use collector_pdata::{Payload, Signal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The line in the table.
pub const FACTORY: ProcessorFactory = ProcessorFactory {
    kind: "memory_limiter",
    signals: &Signal::ALL,
    configure,
};

const MIB: u64 = 1 << 20;

/// Data may come in at a gigabyte a second, so a look each second would be too rare.
const BUSY_INTERVAL: Duration = Duration::from_millis(20);

/// What is written, as upstream has it.
struct Settings {
    check_interval: Duration,
    limit_mib: u64,
    spike_limit_mib: u64,
    limit_percentage: u64,
    spike_limit_percentage: u64,
}

fn configure(section: &mut Section<'_, '_>) -> ProcessorRecipe {
    let settings = Settings {
        check_interval: section.duration("check_interval", Duration::ZERO),
        limit_mib: section.count("limit_mib", 0),
        spike_limit_mib: section.count("spike_limit_mib", 0),
        limit_percentage: section.count_in("limit_percentage", 0..=100, 0),
        spike_limit_percentage: section.count_in("spike_limit_percentage", 0..=100, 0),
    };
    for ignored in ["min_gc_interval_when_soft_limited", "min_gc_interval_when_hard_limited"] {
        // There is no garbage to collect here.
        section.duration(ignored, Duration::ZERO);
    }
    if settings.check_interval.is_zero() {
        section.error("check_interval", "must be set, for example to 1s");
    }
    let limit = settings
        .soft_limit(process::usable_memory())
        .unwrap_or_else(|(key, message)| {
            section.error(key, message);
            u64::MAX
        });
    let gate: Arc<dyn Gate> = Arc::new(Limiter::new(limit, settings.check_interval, || {
        process::resident().map(|resident| resident.anonymous)
    }));
    ProcessorRecipe {
        gate: Some(gate),
        ..ProcessorRecipe::new(|_| Pass)
    }
}

impl Settings {
    /// The bytes above which is refused, or what is wrong with which key.
    fn soft_limit(&self, usable: u64) -> Result<u64, (&'static str, String)> {
        let (limit, spike, spike_key) = if self.limit_mib > 0 {
            (
                self.limit_mib.saturating_mul(MIB),
                self.spike_limit_mib.saturating_mul(MIB),
                "spike_limit_mib",
            )
        } else if self.limit_percentage > 0 {
            let part = |percentage: u64| usable / 100 * percentage;
            (
                part(self.limit_percentage),
                part(self.spike_limit_percentage),
                "spike_limit_percentage",
            )
        } else {
            return Err(("limit_mib", "or limit_percentage must be set".to_owned()));
        };
        if spike >= limit {
            return Err((spike_key, "must be less than the limit".to_owned()));
        }
        let spike = if spike == 0 { limit / 5 } else { spike };
        Ok(limit - spike)
    }
}

/// Looks at the memory when the last look is too long ago.
struct Limiter {
    limit: u64,
    interval: Duration,
    resident: fn() -> Option<u64>,
    begun: Instant,
    /// Nanoseconds since `begun`.
    next_look: AtomicU64,
    is_open: AtomicBool,
}

impl Limiter {
    fn new(limit: u64, check_interval: Duration, resident: fn() -> Option<u64>) -> Self {
        Limiter {
            limit,
            interval: check_interval.min(BUSY_INTERVAL),
            resident,
            begun: Instant::now(),
            next_look: AtomicU64::new(0),
            is_open: AtomicBool::new(true),
        }
    }

    fn look(&self) {
        // A system that does not say how much is resident cannot be limited; it is not one that this runs on.
        let open = (self.resident)().is_none_or(|bytes| bytes < self.limit);
        if self.is_open.swap(open, Ordering::Relaxed) != open {
            let limit_mib = self.limit / MIB;
            if open {
                tracing::info!(limit_mib, "memory is below its limit again");
            } else {
                tracing::warn!(limit_mib, "memory is above its limit; what comes in is refused");
            }
        }
    }
}

impl Gate for Limiter {
    fn is_open(&self) -> bool {
        let now = self.begun.elapsed().as_nanos() as u64;
        let due = self.next_look.load(Ordering::Relaxed);
        let next = now + self.interval.as_nanos() as u64;
        // One of several workers looks.
        let is_mine = || {
            self.next_look
                .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        };
        if now >= due && is_mine() {
            self.look();
        }
        self.is_open.load(Ordering::Relaxed)
    }
}

/// What is refused never comes here.
struct Pass;

impl Processor for Pass {
    fn process(&mut self, payload: Payload, _: Instant, sink: &mut Sink<'_>) {
        sink.forward(payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use collector_config::{Errors, Node};

    fn errors(text: &str) -> String {
        let node = Node::parse(text, "").unwrap();
        let mut errors = Errors::default();
        let mut section = Section::open("processors::memory_limiter", &node, &mut errors);
        configure(&mut section);
        section.finish();
        errors.to_string()
    }

    fn settings(limit_mib: u64, spike_limit_mib: u64, percentage: u64, spike_percentage: u64) -> Settings {
        Settings {
            check_interval: Duration::from_secs(1),
            limit_mib,
            spike_limit_mib,
            limit_percentage: percentage,
            spike_limit_percentage: spike_percentage,
        }
    }

    #[test]
    fn the_limit_is_that_of_upstream_less_the_spike() {
        let of = |settings: Settings| settings.soft_limit(1000 * MIB).map(|bytes| bytes / MIB);
        assert_eq!(of(settings(2048, 512, 0, 0)), Ok(1536));
        assert_eq!(of(settings(100, 0, 0, 0)), Ok(80));
        assert_eq!(of(settings(0, 0, 80, 30)), Ok(500));
        assert_eq!(
            of(settings(100, 0, 80, 30)),
            Ok(80),
            "limit_mib goes before limit_percentage"
        );
        assert!(of(settings(0, 0, 0, 0)).is_err());
        assert_eq!(of(settings(100, 100, 0, 0)).unwrap_err().0, "spike_limit_mib");
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(errors("{check_interval: 1s, limit_mib: 100}"), "");
        let found = errors("{limit_percentage: 101}");
        assert!(found.contains("memory_limiter::check_interval: must be set"), "{found}");
        assert!(found.contains("memory_limiter::limit_percentage"), "{found}");
    }

    #[test]
    fn the_gate_closes_above_the_limit_and_opens_below() {
        static RESIDENT: AtomicU64 = AtomicU64::new(50);
        let limiter = Limiter::new(100, Duration::ZERO, || Some(RESIDENT.load(Ordering::Relaxed)));
        assert!(limiter.is_open());
        RESIDENT.store(100, Ordering::Relaxed);
        assert!(!limiter.is_open());
        RESIDENT.store(99, Ordering::Relaxed);
        assert!(limiter.is_open());
    }

    #[test]
    fn between_looks_the_answer_stays() {
        static LOOKS: AtomicU64 = AtomicU64::new(0);
        let limiter = Limiter::new(100, Duration::from_secs(3600), || {
            LOOKS.fetch_add(1, Ordering::Relaxed);
            Some(0)
        });
        let limiter = Limiter {
            interval: Duration::from_secs(3600),
            ..limiter
        };
        assert!((0..10).all(|_| limiter.is_open()));
        assert_eq!(LOOKS.load(Ordering::Relaxed), 1);
    }
}
