//! The policies that look at attributes, of resources and of spans.

use super::View;
use collector_ottl::EvalError;
use collector_pdata::attributes::{self, field};
use collector_pdata::proto::Malformed;
use collector_pdata::traces::AnyValue;
use regex::Regex;
use std::collections::HashSet;
use std::ptr;

/// Samples a trace if one of its resources or spans has the attribute as it is wanted, or if none has.
#[derive(Debug, Clone)]
pub(super) struct Attribute {
    pub(super) key: Box<[u8]>,
    pub(super) wanted: Wanted,
    pub(super) is_inverted: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Wanted {
    /// An integer within, both ends included.
    Integer {
        min: i64,
        max: i64,
    },
    /// One of these texts.
    Text(HashSet<Box<[u8]>>),
    /// A text that one of these is found in.
    Pattern(Vec<Regex>),
    Bool(bool),
}

impl Attribute {
    pub(super) fn samples(&self, trace: &View<'_>) -> Result<bool, EvalError> {
        Ok(self.is_found(trace)? != self.is_inverted)
    }

    fn is_found(&self, trace: &View<'_>) -> Result<bool, EvalError> {
        let mut seen = None;
        for segment in trace.segments {
            let origin = segment.origin();
            if !seen.is_some_and(|seen| ptr::eq(seen, origin)) {
                seen = Some(origin);
                if self.is_on_resource(origin.encoded_resource()?)? {
                    return Ok(true);
                }
            }
        }
        trace.any_span(|span| Ok(self.is_on_span(span)?))
    }

    fn is_on_resource(&self, resource: &[u8]) -> Result<bool, Malformed> {
        match attributes::find(resource, field::RESOURCE, &self.key)? {
            Some(value) => Ok(self.wanted.is(AnyValue::read(value)?)),
            None => Ok(false),
        }
    }

    fn is_on_span(&self, span: &[u8]) -> Result<bool, Malformed> {
        let Some(value) = attributes::find(span, field::SPAN, &self.key)? else {
            return Ok(false);
        };
        let value = AnyValue::read(value)?;
        // As upstream has it, an empty text on a span matches nothing, whatever the pattern.
        let is_empty = matches!(value, Some(AnyValue::Text(b"")));
        Ok(!is_empty && self.wanted.is(value))
    }
}

impl Wanted {
    fn is(&self, value: Option<AnyValue<'_>>) -> bool {
        match (self, value) {
            (Wanted::Integer { min, max }, Some(AnyValue::Int(value))) => (*min..=*max).contains(&value),
            (Wanted::Text(texts), Some(AnyValue::Text(text))) => texts.contains(text),
            (Wanted::Pattern(patterns), Some(AnyValue::Text(text))) => {
                let text = String::from_utf8_lossy(text);
                patterns.iter().any(|pattern| pattern.is_match(&text))
            }
            (Wanted::Bool(wanted), Some(AnyValue::Bool(value))) => *wanted == value,
            _ => false,
        }
    }
}
