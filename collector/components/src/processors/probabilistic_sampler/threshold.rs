//! Thresholds and randomness of 56 bits: an item is kept if its randomness is not below the threshold.
//!
//! <https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/>

/// Hexadecimal digits of 56 bits.
pub(super) const DIGITS: u32 = 14;

/// One more than the largest randomness.
const ALL: u64 = 1 << 56;

/// The least probability that has a threshold.
pub(super) const LEAST_PROBABILITY: f64 = 1.0 / ALL as f64;

/// From [`Threshold::ALWAYS`] to [`Threshold::NEVER`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Threshold(u64);

/// Below 2^56.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Randomness(u64);

impl Threshold {
    pub(super) const ALWAYS: Threshold = Threshold(0);
    pub(super) const NEVER: Threshold = Threshold(ALL);

    /// The threshold that keeps none of the first so many of 2^14 parts.
    pub(super) fn reject(parts: u32) -> Threshold {
        Threshold(u64::from(parts) << 42)
    }

    /// The threshold of a probability, rounded to `precision` digits that are not all the same; `None` if there is none.
    pub(super) fn of(probability: f64, precision: u32) -> Option<Threshold> {
        if !(LEAST_PROBABILITY..=1.0).contains(&probability) {
            return None;
        }
        if probability == 1.0 {
            return Some(Threshold::ALWAYS);
        }
        // Leading digits that are all 0 or all f say nothing yet, and do not count.
        let leading = leading_digits(probability).max(leading_digits(1.0 - probability));
        let precision = (precision + leading).min(DIGITS);
        let mut threshold = ALL - (probability * ALL as f64).round() as u64;
        let shift = 4 * (DIGITS - precision);
        if shift != 0 {
            threshold = (threshold + (1 << (shift - 1))) >> shift << shift;
        }
        Some(Threshold(threshold))
    }

    /// Reads `th`: one to fourteen digits, the rest being zeros.
    pub(super) fn parse(text: &str) -> Option<Threshold> {
        let missing = DIGITS.checked_sub(text.len() as u32)?;
        Some(Threshold(hexadecimal(text)? << (4 * missing)))
    }

    pub(super) fn probability(self) -> f64 {
        (ALL - self.0) as f64 / ALL as f64
    }

    pub(super) fn keeps(self, randomness: Randomness) -> bool {
        self.0 <= randomness.0
    }

    /// What `th` says: digits without the last zeros; nothing for [`Threshold::NEVER`].
    pub(super) fn to_text(self) -> String {
        match self {
            Threshold::ALWAYS => "0".to_owned(),
            Threshold::NEVER => String::new(),
            Threshold(bits) => format!("{bits:014x}").trim_end_matches('0').to_owned(),
        }
    }
}

impl Randomness {
    /// That which every threshold but [`Threshold::NEVER`] keeps.
    pub(super) const MOST: Randomness = Randomness(ALL - 1);

    /// The random part of a trace id, by W3C's Trace Context of level 2.
    pub(super) fn of_trace_id(id: &[u8; 16]) -> Randomness {
        let bits = id[8..].iter().fold(0, |bits, byte| bits << 8 | u64::from(*byte));
        Randomness(bits & (ALL - 1))
    }

    /// What upstream's hash of `bytes` says. 14 of its bits decide; they are turned round, so that the comparison is the
    /// same as for other randomness. The bits below make it a value that can be written down and tells something.
    pub(super) fn of_hash(seed: u32, bytes: &[u8]) -> Randomness {
        let hash = fnv1a(fnv1a(FNV_BASIS, &seed.to_le_bytes()), bytes);
        let deciding = u64::from(hash & 0x3fff);
        let rest = u64::from(hash >> 18);
        let mixed = rest ^ rest << 10;
        Randomness((0x3fff - deciding) << 42 | mixed << 14 | deciding)
    }

    /// Reads `rv`: fourteen digits.
    pub(super) fn parse(text: &str) -> Option<Randomness> {
        (text.len() == DIGITS as usize).then(|| hexadecimal(text).map(Randomness))?
    }

    /// What `rv` says.
    pub(super) fn to_text(self) -> String {
        format!("{:014x}", self.0)
    }
}

/// For a probability below a half: how many of its first digits are 0.
fn leading_digits(probability: f64) -> u32 {
    // The exponent e with probability = f * 2^e and f from a half to one; it is not above 0 here.
    let exponent = (probability.to_bits() >> 52 & 0x7ff) as i32 - 1022;
    (-exponent).max(0) as u32 / 4
}

fn hexadecimal(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_number.then(|| u64::from_str_radix(text, 16).ok())?
}

const FNV_BASIS: u32 = 0x811c_9dc5;
const FNV_PRIME: u32 = 0x0100_0193;

fn fnv1a(hash: u32, bytes: &[u8]) -> u32 {
    let step = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(FNV_PRIME);
    bytes.iter().fold(hash, step)
}
