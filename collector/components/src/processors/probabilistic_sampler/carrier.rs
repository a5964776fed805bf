//! Where an item carries threshold and randomness.

use super::threshold::{Randomness, Threshold};

/// A trace state, or the attributes of a log record.
pub(super) trait Carrier {
    /// The threshold that it arrived with.
    fn threshold(&self) -> Option<Threshold>;

    /// The randomness that it arrived with.
    fn randomness(&self) -> Option<Randomness>;

    /// Gives it another threshold.
    fn set_threshold(&mut self, threshold: Option<Threshold>);

    /// Gives it another randomness.
    fn set_randomness(&mut self, randomness: Randomness);
}
