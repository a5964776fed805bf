//! What can go wrong: in a text, and on a record.

use collector_pdata::Malformed;
use std::fmt;

/// What is wrong with a text, at one place of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {message}")]
pub struct CompileError {
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong, and the closest known word where there is one.
    pub message: String,
}

/// All that is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompileErrors(pub Vec<CompileError>);

impl fmt::Display for CompileErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CompileErrors {}

/// Why a condition or a statement could not be evaluated on a record. What to do then is the caller's `error_mode`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// A function or a field was given a value of a type that it does not take.
    #[error("{what} takes {expected}, not {found}")]
    Type {
        /// The function or the path.
        what: &'static str,
        /// Type or types that it takes.
        expected: &'static str,
        /// Type of the value that it was given.
        found: &'static str,
    },
    /// A number was divided by zero.
    #[error("a number is divided by zero")]
    DivisionByZero,
    /// A value without entries was indexed.
    #[error("a value of type {found} has no entry {key}")]
    Index {
        /// The key, as it is written in the language.
        key: String,
        /// Type of the value.
        found: &'static str,
    },
    /// An index is beyond a list's end.
    #[error("index {index} is beyond the end of a list of {length}")]
    OutOfRange {
        /// The index.
        index: usize,
        /// Elements of the list.
        length: usize,
    },
    /// An argument has the right type and a value that makes no sense.
    #[error("{what}: {why}")]
    Argument {
        /// The function or the path.
        what: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The record has no such field: a sum has no buckets.
    #[error("this record has no {0}")]
    NoField(&'static str),
    /// The record's bytes could not be read.
    #[error("the record could not be read: {0}")]
    Malformed(#[from] Malformed),
}

/// The word of `known` that is closest to `word`, if one is close.
pub(crate) fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 2).clamp(1, 3);
    known
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// ` (did you mean ...?)`, or nothing.
pub(crate) fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    closest(word, known).map_or(String::new(), |near| format!("; did you mean `{near}`?"))
}

/// Edit distance without regard to case, over words that are short.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.to_lowercase().chars().take(100).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let changed = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
