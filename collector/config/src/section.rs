use crate::error::suggestion;
use crate::{Entry, Errors, Node, Position, Value, duration};
use std::time::Duration;

/// Reads the keys of one mapping into a component's settings.
///
/// Each method asks for one key: it returns the value if it is there and well formed, and otherwise notes what is wrong
/// and returns nothing (or the default), so that reading goes on and all errors are found. [`Section::finish`] then
/// reports the keys that nobody asked for.
#[derive(Debug)]
pub struct Section<'a, 'e> {
    path: String,
    position: Position,
    entries: &'a [Entry],
    asked: Vec<&'static str>,
    errors: &'e mut Errors,
}

impl<'a, 'e> Section<'a, 'e> {
    /// Opens the mapping `node`; nothing at all counts as an empty mapping.
    pub fn open(path: impl Into<String>, node: &'a Node, errors: &'e mut Errors) -> Self {
        let path = path.into();
        let entries = match &node.value {
            Value::Map(entries) => entries.as_slice(),
            Value::Null => &[],
            other => {
                let message = format!("expected a mapping, found {}", other.kind());
                errors.add(path.clone(), &node.position, message);
                &[]
            }
        };
        Section {
            path,
            position: node.position.clone(),
            entries,
            asked: Vec::new(),
            errors,
        }
    }

    /// The mapping's own key, from the root, as `exporters::otlp`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The entry of `key`, whatever it holds.
    pub fn entry(&mut self, key: &'static str) -> Option<&'a Entry> {
        self.asked.push(key);
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// Notes that something is wrong with the value of `key`, or with its absence.
    pub fn error(&mut self, key: &str, message: impl Into<String>) {
        let found = self.entries.iter().find(|entry| entry.key == key);
        let position = found.map_or(&self.position, |entry| &entry.position);
        self.errors.add(format!("{}::{key}", self.path), position, message);
    }

    /// Text.
    pub fn text(&mut self, key: &'static str) -> Option<&'a str> {
        self.read(key, "text", |value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// Text that must be there.
    pub fn required_text(&mut self, key: &'static str) -> Option<&'a str> {
        if !self.entries.iter().any(|entry| entry.key == key) {
            self.error(key, "is required");
        }
        self.text(key)
    }

    /// `true` or `false`.
    pub fn flag(&mut self, key: &'static str, default: bool) -> bool {
        let read = self.read(key, "true or false", |value| match value {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        });
        read.unwrap_or(default)
    }

    /// A whole number that is not negative.
    pub fn count(&mut self, key: &'static str, default: u64) -> u64 {
        let read = self.read(key, "a whole number that is not negative", |value| match value {
            Value::Int(number) => u64::try_from(*number).ok(),
            _ => None,
        });
        read.unwrap_or(default)
    }

    /// A number.
    pub fn number(&mut self, key: &'static str, default: f64) -> f64 {
        let read = self.read(key, "a number", |value| match value {
            Value::Int(number) => Some(*number as f64),
            Value::Float(number) => Some(*number),
            _ => None,
        });
        read.unwrap_or(default)
    }

    /// A duration as Go writes it, for example `1m30s`.
    pub fn duration(&mut self, key: &'static str, default: Duration) -> Duration {
        let read = self.read(key, "a duration such as 200ms or 1m30s", |value| match value {
            Value::Text(text) => duration::parse(text),
            Value::Int(0) => Some(Duration::ZERO),
            _ => None,
        });
        read.unwrap_or(default)
    }

    /// One of several words.
    pub fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&'static str, T)]) -> Option<T> {
        let text = self.text(key)?;
        let chosen = choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if chosen.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            let hint = suggestion(text, words.iter().copied());
            self.error(key, format!("\"{text}\" is none of {}{hint}", words.join(", ")));
        }
        chosen
    }

    /// A mapping of names to text, in the order in which it was written.
    pub fn texts(&mut self, key: &'static str) -> Vec<(&'a str, &'a str)> {
        let Some(entry) = self.entry(key) else {
            return Vec::new();
        };
        let path = format!("{}::{key}", self.path);
        let mut texts = Vec::new();
        for entry in Section::open(path.clone(), &entry.node, self.errors).entries {
            match &entry.node.value {
                Value::Text(text) => texts.push((entry.key.as_str(), text.as_str())),
                other => self.errors.add(
                    format!("{path}::{}", entry.key),
                    &entry.position,
                    format!("expected text, found {}", other.kind()),
                ),
            }
        }
        texts
    }

    /// A mapping within this one, read by `read` and then finished. A missing one is read as an empty one.
    pub fn section<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Section<'_, '_>) -> T) -> T {
        let empty = Node {
            position: self.position.clone(),
            value: Value::Null,
        };
        let node = self.entry(key).map_or(&empty, |entry| &entry.node);
        let mut inner = Section::open(format!("{}::{key}", self.path), node, self.errors);
        let value = read(&mut inner);
        inner.finish();
        value
    }

    /// Reports each key that was not asked for.
    pub fn finish(self) {
        for entry in self.entries {
            if !self.asked.contains(&entry.key.as_str()) {
                let hint = suggestion(&entry.key, self.asked.iter().copied());
                let path = format!("{}::{}", self.path, entry.key);
                self.errors.add(
                    path.trim_start_matches("::"),
                    &entry.position,
                    format!("unknown key{hint}"),
                );
            }
        }
    }

    fn read<T>(&mut self, key: &'static str, expected: &str, convert: impl Fn(&'a Value) -> Option<T>) -> Option<T> {
        let entry = self.entry(key)?;
        let converted = convert(&entry.node.value);
        if converted.is_none() {
            self.error(key, format!("expected {expected}, found {}", shown(&entry.node.value)));
        }
        converted
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("\"{}\"", text.escape_debug()),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        other => other.kind().to_owned(),
    }
}
