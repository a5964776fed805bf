//! The environment a process was started with. Its values may be secrets, so none of them is ever in a `Debug` text.

use std::fmt;

/// No more than this much of an environment is read, in bytes.
pub const MAX_ENVIRONMENT: usize = 1 << 20;
/// No more than this many variables are kept.
const MAX_VARIABLES: usize = 16 * 1024;

/// The variables in their order; the first of a name counts, as for `getenv`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment {
    variables: Vec<(String, String)>,
    truncated: bool,
}

impl Environment {
    /// Parses NUL-separated `NAME=value` texts, such as `/proc/PID/environ`. What has no `=` is left out.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut variables = Vec::new();
        let mut truncated = bytes.len() >= MAX_ENVIRONMENT;
        for text in bytes.split(|&byte| byte == 0) {
            if variables.len() == MAX_VARIABLES {
                truncated = true;
                break;
            }
            let text = String::from_utf8_lossy(text);
            if let Some((name, value)) = text.split_once('=') {
                variables.push((name.to_owned(), value.to_owned()));
            }
        }
        Self { variables, truncated }
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// All names and values. Values may be secrets: show only names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Number of variables.
    pub fn len(&self) -> usize {
        self.variables.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.variables.is_empty()
    }

    /// Whether there were more than are kept.
    pub fn truncated(&self) -> bool {
        self.truncated
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.variables.iter().map(|(name, _)| name))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_name_counts_and_debug_shows_no_value() {
        let environment = Environment::parse(b"A=1\0TOKEN=hunter2\0A=2\0junk\0\0EMPTY=\0");
        assert_eq!(environment.get("A"), Some("1"));
        assert_eq!(environment.get("EMPTY"), Some(""));
        assert_eq!(environment.get("junk"), None);
        assert_eq!(environment.len(), 4);
        let text = format!("{environment:?}");
        assert!(text.contains("TOKEN") && !text.contains("hunter2"), "{text}");
    }
}
