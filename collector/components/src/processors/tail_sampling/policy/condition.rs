//! `ottl_condition`: samples a trace if one of the conditions holds for one of its spans or of their events.

use super::View;
use crate::processors::ottl::{ErrorMode, events};
use collector_ottl::otlp::{Layer, Layers};
use collector_ottl::{Condition, EvalError};
use collector_pdata::ItemKind;
use collector_pdata::by_trace::Origin;
use std::ptr;

#[derive(Debug, Clone)]
pub(super) struct Conditions {
    pub(super) of_spans: Vec<Condition>,
    pub(super) of_events: Vec<Condition>,
    /// With [`ErrorMode::Propagate`], the policy says nothing of the trace.
    pub(super) error_mode: ErrorMode,
}

impl Conditions {
    pub(super) fn hold(&self, trace: &View<'_>) -> Result<bool, EvalError> {
        let mut last: Option<&Origin> = None;
        let mut outer = Vec::new();
        for segment in trace.segments {
            if !last.is_some_and(|last| ptr::eq(last, segment.origin())) {
                last = Some(segment.origin());
                outer = vec![
                    Layer::resource(segment.origin().encoded_resource()?),
                    Layer::scope(segment.origin().encoded_scope()?),
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
        for event in events(span) {
            let inner = &mut [Layer::item(ItemKind::Span, span), Layer::span_event(event?)];
            if self.any(&self.of_events, &Layers { outer, inner })? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn any(&self, conditions: &[Condition], layers: &Layers<'_, '_>) -> Result<bool, EvalError> {
        for condition in conditions {
            match condition.holds(layers) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) => match self.error_mode {
                    ErrorMode::Propagate => return Err(error),
                    ErrorMode::Ignore => tracing::debug!(%error, "a condition could not be evaluated on a span"),
                    ErrorMode::Silent => {}
                },
            }
        }
        Ok(false)
    }
}
