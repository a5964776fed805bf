//! What users may write: defaults, refusals and warnings for Sources, Actions, InstrumentationRules and Destinations, and the
//! AdmissionReviews in which the apiserver asks for them.
//!
//! A refusal names every problem at once: where it is, as a path into the object, and what to change. Rules that an
//! object alone can break stand in its schema too, which refuses first.

pub mod action;
pub mod certificates;
pub mod destination;
pub mod instrumentation_rule;
mod names;
pub mod registration;
pub mod review;
pub mod source;

use std::fmt;

pub use names::MAX_PATTERN;
pub use names::whole as pattern_of_whole_name;

/// What is wrong with an object, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field, from the object's root: `spec.renames["a"]`.
    pub path: String,
    /// What is wrong and what to change, without a full stop.
    pub message: String,
}

/// What is to be said of an object: it is refused if there is a problem.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Why it is refused.
    pub problems: Vec<Problem>,
    /// What its author should know although it is taken.
    pub warnings: Vec<Problem>,
}

impl Findings {
    /// Adds a reason to refuse.
    fn refuse(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem {
            path: path.into(),
            message: message.into(),
        });
    }

    /// Adds what is only worth knowing.
    fn warn(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.warnings.push(Problem {
            path: path.into(),
            message: message.into(),
        });
    }

    /// All problems as one sentence, joined by semicolons. Empty if there is none.
    pub fn sentence(&self) -> String {
        let problems: Vec<String> = self.problems.iter().map(Problem::to_string).collect();
        problems.join("; ")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}
