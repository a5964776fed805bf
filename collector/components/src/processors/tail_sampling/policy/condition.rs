//! `ottl_condition`: samples a trace if one of the conditions holds for one of its spans or of their events.

use super::View;
use collector_ottl::otlp::{Layer, Layers};
use collector_ottl::{Condition, EvalError};
use collector_pdata::ItemKind;
use collector_pdata::by_trace::Origin;
use collector_pdata::proto::{Malformed, fields};
use std::ptr;

#[derive(Debug, Clone)]
pub(super) struct Conditions {
    pub(super) of_spans: Vec<Condition>,
    pub(super) of_events: Vec<Condition>,
    pub(super) on_error: OnError,
}

/// What a condition that cannot be evaluated does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnError {
    /// It is logged, and the condition does not hold.
    Ignore,
    /// The condition does not hold.
    Silent,
    /// The policy says nothing of the trace.
    Propagate,
}

impl Conditions {
    pub(super) fn hold(&self, trace: &View<'_>) -> Result<bool, EvalError> {
        let mut last: Option<&Origin> = None;
        let mut outer = Vec::new();
        for segment in trace.segments {
            if !last.is_some_and(|last| ptr::eq(last, segment.origin())) {
                last = Some(segment.origin());
                outer = vec![
                    Layer::resource(first_message(segment.origin().resource_spans())?),
                    Layer::scope(first_message(segment.origin().scope_spans())?),
                ];
            }
            for span in segment.encoded() {
                if self.hold_for_span(&mut outer, span?)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn hold_for_span(&self, outer: &mut [Layer<'static>], span: &[u8]) -> Result<bool, EvalError> {
        let inner = &mut [Layer::item(ItemKind::Span, span)];
        if self.any(&self.of_spans, &Layers { outer, inner })? {
            return Ok(true);
        }
        if self.of_events.is_empty() {
            return Ok(false);
        }
        for field in fields(span) {
            let field = field?;
            if field.number == 11 {
                let inner = &mut [Layer::item(ItemKind::Span, span), Layer::span_event(field.bytes()?)];
                if self.any(&self.of_events, &Layers { outer, inner })? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn any(&self, conditions: &[Condition], layers: &Layers<'_, '_>) -> Result<bool, EvalError> {
        for condition in conditions {
            match condition.holds(layers) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) => match self.on_error {
                    OnError::Propagate => return Err(error),
                    OnError::Ignore => tracing::debug!(%error, "a condition could not be evaluated on a span"),
                    OnError::Silent => {}
                },
            }
        }
        Ok(false)
    }
}

/// The resource of a `ResourceSpans`, or the scope of a `ScopeSpans`.
fn first_message(of: &[u8]) -> Result<&[u8], Malformed> {
    let mut found = &[][..];
    for field in fields(of) {
        let field = field?;
        if field.number == 1 {
            found = field.bytes()?;
        }
    }
    Ok(found)
}
