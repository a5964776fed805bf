//! The decision about one item, whatever it is.

use super::Mode;
use super::carrier::Carrier;
use super::threshold::{LEAST_PROBABILITY, Randomness, Threshold};

/// What is configured.
pub(super) struct Written {
    pub(super) mode: Mode,
    pub(super) percentage: f32,
    pub(super) seed: u32,
    pub(super) precision: u32,
}

/// How the threshold of an item is found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Sampler {
    Never,
    /// Compares a hash.
    Hash {
        seed: u32,
        threshold: Threshold,
    },
    /// Multiplies what others have sampled already.
    Proportional {
        ratio: f64,
        precision: u32,
    },
    /// Raises thresholds up to one value.
    Equalizing(Threshold),
}

/// How it is decided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decision {
    pub(super) sampler: Sampler,
    pub(super) fail_closed: bool,
}

/// What an item brings.
pub(super) struct Evidence<C> {
    /// `None` if there is none to be had.
    pub(super) randomness: Option<Randomness>,
    /// Where the outcome is written; `None` if what is there must be left alone.
    pub(super) carrier: Option<C>,
    /// There is something that must not be there, or cannot be read.
    pub(super) is_faulty: bool,
}

impl Sampler {
    pub(super) fn new(written: &Written) -> Sampler {
        let percentage = written.percentage.min(100.0);
        let ratio = (f64::from(percentage) / 100.0).max(LEAST_PROBABILITY);
        let precision = written.precision;
        match written.mode {
            // What is wrong with it has been reported.
            _ if percentage <= 0.0 || percentage.is_nan() => Sampler::Never,
            Mode::HashSeed => Sampler::by_hash(percentage, written.seed),
            Mode::Proportional => Sampler::Proportional { ratio, precision },
            Mode::Equalizing => Threshold::of(ratio, precision).map_or(Sampler::Never, Sampler::Equalizing),
        }
    }

    /// Upstream multiplies in 32 bits and cuts off; doing it better would decide differently.
    fn by_hash(percentage: f32, seed: u32) -> Sampler {
        const PARTS: u32 = 1 << 14;
        match (percentage * (PARTS as f32 / 100.0)) as u32 {
            0 => Sampler::Never,
            accepted => Sampler::Hash {
                seed,
                threshold: Threshold::reject(PARTS.saturating_sub(accepted)),
            },
        }
    }

    fn threshold(&self, arrived: Option<Threshold>) -> Threshold {
        match self {
            Sampler::Never => Threshold::NEVER,
            Sampler::Hash { threshold, .. } => *threshold,
            Sampler::Equalizing(threshold) => arrived.map_or(*threshold, |arrived| arrived.max(*threshold)),
            Sampler::Proportional { ratio, precision } => {
                let before = arrived.map_or(1.0, Threshold::probability);
                // A probability that is too small to be told is none.
                Threshold::of(before * ratio, *precision).unwrap_or(Threshold::NEVER)
            }
        }
    }
}

impl Decision {
    /// Whether the item is kept. If so, what is to be written is in the carrier. `priority` is a threshold that goes before
    /// all others.
    pub(super) fn keeps<C: Carrier>(&self, evidence: &mut Evidence<C>, priority: Option<Threshold>) -> bool {
        let carrier = evidence.carrier.as_mut();
        let is_consistent = !evidence.is_faulty && is_consistent(evidence.randomness, carrier);
        let arrived = evidence.carrier.as_ref().and_then(Carrier::threshold);
        let threshold = match (is_consistent, self.fail_closed) {
            (true, _) => self.sampler.threshold(arrived),
            (false, true) => Threshold::NEVER,
            (false, false) => Threshold::ALWAYS,
        };
        let threshold = priority.unwrap_or(threshold);
        let kept = threshold.keeps(evidence.randomness.unwrap_or(Randomness::MOST));
        if let Some(carrier) = evidence.carrier.as_mut().filter(|_| kept) {
            // What was sampled before cannot become more probable.
            if carrier.threshold().is_none_or(|arrived| arrived <= threshold) {
                carrier.set_threshold(Some(threshold));
            }
        }
        kept
    }
}

/// Whether the item has randomness, and its threshold lets it be here at all. One that does not is taken away.
fn is_consistent<C: Carrier>(randomness: Option<Randomness>, carrier: Option<&mut C>) -> bool {
    let Some(randomness) = randomness else {
        return false;
    };
    match carrier {
        Some(carrier) if carrier.threshold().is_some_and(|arrived| !arrived.keeps(randomness)) => {
            carrier.set_threshold(None);
            false
        }
        _ => true,
    }
}
