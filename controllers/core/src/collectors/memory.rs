//! How much memory a collector may use of what its container has.

/// The limits of the memory limiter, in MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryLimits {
    /// Never above.
    pub hard: u64,
    /// As much below the hard limit it begins to refuse.
    pub spike: u64,
}

impl MemoryLimits {
    /// For a container that is killed above `container` MiB: all but 50 MiB, or 85 %, whichever is more; and a fifth of
    /// that for what comes in while nobody looks. Never nothing, since the collector refuses a limit of nothing.
    pub fn of(container: u64) -> MemoryLimits {
        let hard = container
            .saturating_sub(50)
            .max(container.saturating_mul(85) / 100)
            .max(2);
        MemoryLimits {
            hard,
            spike: (hard / 5).max(1),
        }
    }
}

impl Default for MemoryLimits {
    /// For the smallest container that there is.
    fn default() -> Self {
        MemoryLimits::of(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_containers_keep_their_part_and_large_ones_fifty_mebibytes() {
        let of = |container| {
            let limits = MemoryLimits::of(container);
            (limits.hard, limits.spike)
        };
        assert_eq!(of(300), (255, 51));
        assert_eq!(of(600), (550, 110));
        assert_eq!(of(850), (800, 160));
        assert_eq!(of(0), (2, 1));
        assert!(of(u64::MAX).0 > of(u64::MAX).1);
    }
}
