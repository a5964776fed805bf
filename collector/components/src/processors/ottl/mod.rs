//! What the components that speak the transformation language share: reading texts from a configuration, and evaluating
//! them on encoded items by an error mode.

mod events;
mod groups;
mod outer;

pub use events::{edit_events, events};
pub use groups::{Group, GroupKind, read_conditions, read_groups};
pub use outer::{Outer, Shown};

use collector_config::Section;
use collector_ottl::{Condition, Context, EvalError, Record};
use collector_pdata::Signal;

/// The reason that is counted for the items of a payload that an error ended.
pub const EVALUATION_FAILED: &str = "evaluation_failed";

/// What happens when a text cannot be evaluated on an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorMode {
    /// It is logged, and the next text is evaluated.
    Ignore,
    /// The next text is evaluated.
    Silent,
    /// The payload is dropped.
    Propagate,
}

impl ErrorMode {
    /// Reads `error_mode`.
    pub fn read(section: &mut Section<'_, '_>, default: ErrorMode) -> ErrorMode {
        let modes = [
            ("ignore", ErrorMode::Ignore),
            ("silent", ErrorMode::Silent),
            ("propagate", ErrorMode::Propagate),
        ];
        section.choice("error_mode", &modes).unwrap_or(default)
    }
}

/// What went wrong while one payload was looked at.
#[derive(Debug, Default)]
pub struct Failures {
    ended: Option<EvalError>,
    logged: Option<EvalError>,
    count: usize,
}

impl Failures {
    /// Takes an error as `mode` says.
    pub fn note(&mut self, mode: ErrorMode, error: EvalError) {
        match mode {
            ErrorMode::Silent => {}
            ErrorMode::Ignore => {
                self.count += 1;
                self.logged.get_or_insert(error);
            }
            ErrorMode::Propagate => {
                self.ended.get_or_insert(error);
            }
        }
    }

    /// Whether the payload is to be dropped.
    pub fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Logs what there is to log, one line for a payload: a text that fails on one item fails on many. Whether the
    /// payload is to be dropped.
    pub fn report(self, processor: &'static str) -> bool {
        if let Some(error) = self.logged {
            let count = self.count;
            tracing::warn!(%error, count, processor, "could not be evaluated; the first error is shown");
        }
        if let Some(error) = &self.ended {
            tracing::error!(%error, processor, "could not be evaluated; the payload is dropped");
        }
        self.ended.is_some()
    }
}

/// Whether one of `conditions` holds. One that cannot be evaluated does not.
pub fn any_holds(conditions: &[Condition], mode: ErrorMode, record: &dyn Record, failures: &mut Failures) -> bool {
    conditions.iter().any(|condition| match condition.holds(record) {
        Ok(holds) => holds,
        Err(error) => {
            failures.note(mode, error);
            false
        }
    })
}

/// The contexts of a signal, from the outside in.
pub fn contexts(signal: Signal) -> &'static [Context] {
    match signal {
        Signal::Traces => &[Context::Resource, Context::Scope, Context::Span, Context::SpanEvent],
        Signal::Metrics => &[Context::Resource, Context::Scope, Context::Metric, Context::DataPoint],
        Signal::Logs => &[Context::Resource, Context::Scope, Context::Log],
    }
}

/// How deep in its signal a context lies.
pub fn depth(signal: Signal, context: Context) -> usize {
    let contexts = contexts(signal).iter();
    contexts.take_while(|other| **other != context).count()
}
