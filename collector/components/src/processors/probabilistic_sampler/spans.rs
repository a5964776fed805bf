//! Spans, whose trace state carries threshold and randomness.

use super::carrier::Carrier;
use super::decision::{Decision, Evidence, Sampler};
use super::threshold::{Randomness, Threshold};
use super::tracestate::TraceState;
use collector_ottl::go_float;
use collector_pdata::Malformed;
use collector_pdata::attributes::{field, find};
use collector_pdata::edit::{Change, put_with};
use collector_pdata::traces::{AnyValue, Span};

/// The number of a span's field `trace_state`.
const TRACE_STATE: u32 = 3;

#[derive(Clone)]
pub(super) struct Spans {
    decision: Decision,
}

impl Spans {
    pub(super) fn new(decision: Decision) -> Self {
        Spans { decision }
    }

    #[cfg(test)]
    pub(super) fn decision(&self) -> Decision {
        self.decision
    }

    /// Decides about an encoded span, and appends it with its new trace state to `out` if it is kept.
    pub(super) fn sample(&self, raw: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
        let span = Span::read(raw)?;
        let mut evidence = evidence(&self.decision.sampler, &span);
        if !self.decision.keeps(&mut evidence, priority(raw)?) {
            return Ok(Change::Drop);
        }
        let Some(state) = evidence.carrier.map(|state| state.to_text()) else {
            return Ok(Change::Keep);
        };
        if state.as_bytes() == span.trace_state {
            return Ok(Change::Keep);
        }
        put_with(out, raw, TRACE_STATE, state.as_bytes())?;
        Ok(Change::Replace)
    }
}

fn evidence<'a>(sampler: &Sampler, span: &Span<'a>) -> Evidence<TraceState<'a>> {
    let (mut state, is_whole) = TraceState::read(span.trace_state);
    let trace_id = Some(&span.trace_id).filter(|id| **id != [0; 16]);
    match sampler {
        Sampler::Never => Evidence {
            randomness: Some(Randomness::MOST),
            carrier: Some(state),
            is_faulty: !is_whole,
        },
        Sampler::Hash { seed, .. } => {
            let randomness = trace_id.map(|id| Randomness::of_hash(*seed, id));
            // Whoever samples consistently should not be followed by a sampler that does not.
            let is_faulty = !is_whole || state.randomness().is_some() || state.threshold().is_some();
            if !is_faulty {
                state.set_randomness(randomness.unwrap_or(Randomness::MOST));
            }
            Evidence {
                randomness,
                carrier: (!is_faulty).then_some(state),
                is_faulty,
            }
        }
        Sampler::Proportional { .. } | Sampler::Equalizing(_) => {
            let own = trace_id.map(Randomness::of_trace_id);
            Evidence {
                // Without a trace state that can be read, nothing is known.
                randomness: state.randomness().or(own).filter(|_| is_whole),
                carrier: is_whole.then_some(state),
                is_faulty: !is_whole,
            }
        }
    }
}

/// What the attribute `sampling.priority` asks for, by the conventions of OpenTracing.
fn priority(span: &[u8]) -> Result<Option<Threshold>, Malformed> {
    let Some(value) = find(span, field::SPAN, b"sampling.priority")? else {
        return Ok(None);
    };
    let number = match AnyValue::read(value)? {
        Some(AnyValue::Int(number)) => Some(number as f64),
        Some(AnyValue::Double(number)) => Some(number),
        Some(AnyValue::Text(text)) => std::str::from_utf8(text).ok().and_then(go_float),
        _ => None,
    };
    Ok(match number {
        Some(0.0) => Some(Threshold::NEVER),
        Some(number) if number > 0.0 => Some(Threshold::ALWAYS),
        _ => None,
    })
}
