//! The policies: what each says of a trace, and what all of them decide.

mod attribute;
mod bucket;
mod composite;
mod condition;
mod read;
mod status;

use super::held::TraceId;
use attribute::Attribute;
use bucket::Bucket;
use collector_ottl::EvalError;
use collector_pdata::by_trace::Segment;
use collector_pdata::proto::{Malformed, fields};
use composite::Composite;
use condition::Conditions;
pub(super) use read::read_policies;

/// A trace that is to be decided.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'t> {
    pub(super) id: TraceId,
    pub(super) segments: &'t [Segment],
    pub(super) spans: usize,
    /// Of its encoded spans.
    pub(super) bytes: usize,
    /// Nanoseconds on the processor's clock.
    pub(super) now: u64,
}

/// All policies of a processor, and what those of a rate have spent.
#[derive(Debug, Clone, Default)]
pub(super) struct Policies {
    /// They come first: what one of them drops, no other keeps.
    drops: Vec<Policy>,
    others: Vec<Policy>,
    on_first_match: bool,
}

#[derive(Debug, Clone)]
struct Policy {
    name: Box<str>,
    rule: Rule,
    /// It must be asked about every trace, since it counts.
    counts: bool,
}

/// What a policy looks at.
#[derive(Debug, Clone)]
enum Rule {
    Always,
    /// Milliseconds.
    Latency {
        threshold: u64,
        upper: u64,
    },
    Attribute(Attribute),
    Probabilistic {
        salt: Box<[u8]>,
        threshold: u64,
    },
    /// One bit for each status code.
    Status(u8),
    Spans(Bucket),
    Bytes(Bucket),
    SpanCount {
        min: u64,
        max: u64,
    },
    TraceState {
        key: Box<[u8]>,
        values: Vec<Box<[u8]>>,
    },
    TraceFlags,
    Conditions(Box<Conditions>),
    And(Vec<Rule>),
    Not(Box<Rule>),
    Composite(Box<Composite>),
}

impl Policies {
    /// The policy that keeps the trace: the first in the configuration's order. A policy that cannot be evaluated has
    /// nothing to say.
    pub(super) fn decide(&mut self, trace: &View<'_>) -> Option<u16> {
        if self.drops.iter_mut().any(|policy| policy.samples(trace)) {
            return None;
        }
        let mut keeper = None;
        for (number, policy) in self.others.iter_mut().enumerate() {
            if keeper.is_some() && (self.on_first_match || !policy.counts) {
                continue;
            }
            if policy.samples(trace) && keeper.is_none() {
                keeper = Some(number as u16);
            }
        }
        keeper
    }

    /// The name of a policy that has kept a trace.
    pub(super) fn name(&self, number: u16) -> &str {
        self.others.get(usize::from(number)).map_or("", |policy| &policy.name)
    }
}

impl Policy {
    fn samples(&mut self, trace: &View<'_>) -> bool {
        self.rule.samples(trace).unwrap_or_else(|error| {
            tracing::debug!(policy = &*self.name, %error, "a policy could not be evaluated on a trace");
            false
        })
    }
}

impl Rule {
    fn samples(&mut self, trace: &View<'_>) -> Result<bool, EvalError> {
        Ok(match self {
            Rule::Always => true,
            Rule::Latency { threshold, upper } => {
                let took = trace.milliseconds()?;
                // As upstream has it, the threshold itself is only in the range that has no upper end.
                if *upper == 0 {
                    took >= *threshold
                } else {
                    took > *threshold && took <= *upper
                }
            }
            Rule::Attribute(attribute) => attribute.samples(trace)?,
            Rule::Probabilistic { salt, threshold } => fnv1a(&[salt, &trace.id]) <= *threshold,
            Rule::Status(codes) => trace.any_span(|span| Ok(status::is_in(*codes, span)?))?,
            Rule::Spans(bucket) => bucket.take(trace.spans as u64, trace.now),
            Rule::Bytes(bucket) => bucket.take(trace.bytes as u64, trace.now),
            Rule::SpanCount { min, max } => {
                let spans = trace.spans as u64;
                spans >= *min && (*max == 0 || spans <= *max)
            }
            Rule::TraceState { key, values } => trace.any_span(|span| Ok(status::has_state(key, values, span)?))?,
            Rule::TraceFlags => trace.any_span(|span| Ok(status::is_flagged(span)?))?,
            Rule::Conditions(conditions) => conditions.hold(trace)?,
            Rule::And(rules) => {
                for rule in rules {
                    if !rule.samples(trace)? {
                        return Ok(false);
                    }
                }
                true
            }
            Rule::Not(rule) => !rule.samples(trace)?,
            Rule::Composite(composite) => composite.samples(trace)?,
        })
    }

    fn counts(&self) -> bool {
        match self {
            Rule::Spans(_) | Rule::Bytes(_) | Rule::Composite(_) => true,
            Rule::And(rules) => rules.iter().any(Rule::counts),
            Rule::Not(rule) => rule.counts(),
            _ => false,
        }
    }
}

impl View<'_> {
    /// Whether `test` holds for one of the encoded spans.
    fn any_span(&self, mut test: impl FnMut(&[u8]) -> Result<bool, EvalError>) -> Result<bool, EvalError> {
        for segment in self.segments {
            for span in segment.encoded() {
                if test(span?)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// From the first start to the last end. A time of zero is none.
    fn milliseconds(&self) -> Result<u64, Malformed> {
        let (mut first, mut last) = (u64::MAX, 0);
        for span in self.segments.iter().flat_map(Segment::encoded) {
            for field in fields(span?) {
                let field = field?;
                match field.number {
                    7 => first = first.min(field.fixed64()?.wrapping_sub(1)),
                    8 => last = last.max(field.fixed64()?),
                    _ => {}
                }
            }
        }
        Ok(last.saturating_sub(first.saturating_add(1)) / 1_000_000)
    }
}

/// The hash by which upstream's policy of the same name decides, so that both keep the same traces.
fn fnv1a(parts: &[&[u8]]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.iter());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a_of_64_bits() {
        // The vectors of the hash's authors.
        assert_eq!(fnv1a(&[b""]), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(&[b"foo", b"bar"]), 0x8594_4171_f739_67e8);
    }
}
