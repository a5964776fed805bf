//! Reading a component's settings out of one mapping.

mod endpoint;
mod lists;
mod scalars;

pub use endpoint::Endpoint;

use crate::error::suggestion;
use crate::{Entry, Errors, Node, Position, Value};

/// Reads the keys of one mapping into a component's settings.
///
/// Each method asks for one key: it returns the value if it is there and well formed, and otherwise notes what is wrong
/// and returns nothing (or the default), so that reading goes on and all errors are found. A key without a value counts
/// as not there. [`Section::finish`] then reports the keys that nobody asked for.
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

    /// The value of `key`, whatever it is, for who reads it in a way of its own.
    pub fn any(&mut self, key: &'static str) -> Option<&'a Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// Whether `key` is written, with or without a value.
    pub fn is_written(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key)
    }

    /// Notes that something is wrong with the value of `key`, or with its absence; an empty key means the mapping itself.
    pub fn error(&mut self, key: &str, message: impl Into<String>) {
        let (path, position) = (self.child(key), self.position_of(key).clone());
        self.errors.add(path, &position, message);
    }

    /// Notes that something is wrong with an element of the list under `key`.
    pub fn error_in_list(&mut self, key: &str, index: usize, element: &Node, message: impl Into<String>) {
        let path = format!("{}::{index}", self.child(key));
        self.errors.add(path, &element.position, message);
    }

    /// Notes what the reader should know about the value of `key`, although nothing is wrong with it.
    pub fn warn(&mut self, key: &str, message: impl Into<String>) {
        let (path, position) = (self.child(key), self.position_of(key).clone());
        self.errors.warn(path, &position, message);
    }

    /// Accepts keys whose meaning makes no difference here.
    pub fn accept(&mut self, keys: &[&'static str]) {
        self.asked.extend(keys);
    }

    /// Accepts a key that upstream knows and that has no effect here; the user is told so.
    pub fn without_effect(&mut self, key: &'static str) {
        if self.entry(key).is_some() {
            self.warn(key, "has no effect in this collector");
        }
    }

    /// Refuses a key that upstream knows, since what it asks for would not happen. `consequence` says what that would do
    /// to the data, as a sentence without its full stop.
    pub fn unsupported(&mut self, key: &'static str, consequence: &str) {
        if self.present(key).is_some() {
            self.error(key, format!("is not supported by this collector: {consequence}"));
        }
    }

    /// A mapping within this one, read by `read` and then finished. A missing one is read as an empty one.
    pub fn section<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Section<'_, '_>) -> T) -> T {
        let empty = Node {
            position: self.position.clone(),
            ..Node::from(Value::Null)
        };
        let node = self.entry(key).map_or(&empty, |entry| &entry.node);
        read_section(self.child(key), node, self.errors, read)
    }

    /// As [`Section::section`], but nothing if `key` is not written. Written without a value, it is an empty one.
    pub fn optional_section<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Section<'_, '_>) -> T,
    ) -> Option<T> {
        let entry = self.entry(key)?;
        // A key without a value has no other place than its own.
        let node = Node {
            position: entry.position.clone(),
            ..entry.node.clone()
        };
        Some(read_section(self.child(key), &node, self.errors, read))
    }

    /// Reports each key that was not asked for.
    pub fn finish(self) {
        for entry in self.entries {
            if !self.asked.contains(&entry.key.as_str()) {
                let hint = suggestion(&entry.key, self.asked.iter().copied());
                let message = format!("unknown key{hint}");
                self.errors.add(self.child(&entry.key), &entry.position, message);
            }
        }
    }

    fn child(&self, key: &str) -> String {
        match (self.path.as_str(), key) {
            (path, "") => path.to_owned(),
            ("", key) => key.to_owned(),
            (path, key) => format!("{path}::{key}"),
        }
    }

    fn position_of(&self, key: &str) -> &Position {
        let found = self.entries.iter().find(|entry| entry.key == key);
        found.map_or(&self.position, |entry| &entry.position)
    }

    /// The entry of `key` if it has a value.
    fn present(&mut self, key: &'static str) -> Option<&'a Entry> {
        self.entry(key)
            .filter(|entry| !matches!(entry.node.value, Value::Null) || entry.node.original.is_some())
    }
}

fn read_section<'a, T>(
    path: String,
    node: &'a Node,
    errors: &mut Errors,
    read: impl FnOnce(&mut Section<'a, '_>) -> T,
) -> T {
    let mut inner = Section::open(path, node, errors);
    let value = read(&mut inner);
    inner.finish();
    value
}
