use crate::Position;
use std::fmt;

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The key, from the root, as `exporters::otlp::endpoint`; empty for the document as a whole.
    pub path: String,
    /// Where it was written.
    pub position: Position,
    /// What is wrong, as a sentence without its full stop.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.position)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// All that is wrong with a configuration, and what its reader should be told although nothing is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Errors {
    found: Vec<ConfigError>,
    warnings: Vec<ConfigError>,
}

impl Errors {
    /// Adds one.
    pub fn add(&mut self, path: impl Into<String>, position: &Position, message: impl Into<String>) {
        self.found.push(ConfigError {
            path: path.into(),
            position: position.clone(),
            message: message.into(),
        });
    }

    /// Adds a warning, which makes nothing invalid.
    pub fn warn(&mut self, path: impl Into<String>, position: &Position, message: impl Into<String>) {
        self.warnings.push(ConfigError {
            path: path.into(),
            position: position.clone(),
            message: message.into(),
        });
    }

    /// Adds all of `other`.
    pub fn append(&mut self, other: Errors) {
        self.found.extend(other.found);
        self.warnings.extend(other.warnings);
    }

    /// Takes the warnings out, in the order in which they were written down.
    pub fn take_warnings(&mut self) -> Vec<ConfigError> {
        let mut warnings = std::mem::take(&mut self.warnings);
        warnings.sort_by(|a, b| a.position.cmp(&b.position));
        warnings
    }

    /// The errors, in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.found.iter()
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// `value` if nothing is wrong, else the errors in the order in which they were written down.
    pub fn unless_any<T>(mut self, value: T) -> Result<T, Errors> {
        if self.found.is_empty() {
            return Ok(value);
        }
        self.found.sort_by(|a, b| a.position.cmp(&b.position));
        Err(self)
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.found.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

/// The known word that `written` was most likely meant to be.
pub fn closest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = 1 + written.chars().count() / 3;
    known
        .into_iter()
        .map(|word| (distance(written, word), word))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// `"; did you mean \"x\"?"`, or nothing.
pub(crate) fn suggestion<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    closest(written, known).map_or_else(String::new, |word| format!("; did you mean \"{word}\"?"))
}

/// Levenshtein's distance, over one row.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_word_is_found_and_a_far_one_is_not() {
        let known = ["endpoint", "timeout", "headers"];
        assert_eq!(closest("endpont", known), Some("endpoint"));
        assert_eq!(closest("end_point", known), Some("endpoint"));
        assert_eq!(closest("compression", known), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
