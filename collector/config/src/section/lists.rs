use super::{Section, read_section};
use crate::{Node, Secret, Value};

impl<'a> Section<'a, '_> {
    /// A list of text. As upstream, text that is no list is cut at its commas.
    pub fn texts_list(&mut self, key: &'static str) -> Vec<&'a str> {
        match self.present(key).map(|entry| &entry.node.value) {
            Some(Value::Text(text)) if text.is_empty() => Vec::new(),
            Some(Value::Text(text)) => text.split(',').collect(),
            _ => self.listed_texts(key),
        }
    }

    fn listed_texts(&mut self, key: &'static str) -> Vec<&'a str> {
        let (path, nodes) = (self.child(key), self.list(key));
        let read = |(index, node): (usize, &'a Node)| {
            let text = node.text();
            if text.is_none() {
                let message = format!("expected text, found {}", node.value.kind());
                self.errors.add(format!("{path}::{index}"), &node.position, message);
            }
            text
        };
        nodes.iter().enumerate().filter_map(read).collect()
    }

    /// A list of mappings, each read by `read` and then finished.
    pub fn sections<T>(&mut self, key: &'static str, mut read: impl FnMut(&mut Section<'a, '_>) -> T) -> Vec<T> {
        let (path, nodes) = (self.child(key), self.list(key));
        let nodes = nodes.iter().enumerate();
        nodes
            .map(|(index, node)| read_section(format!("{path}::{index}"), node, self.errors, &mut read))
            .collect()
    }

    /// A mapping of names to mappings, each read by `read` and then finished, in the order in which they were written.
    pub fn named_sections<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&'a str, &mut Section<'a, '_>) -> T,
    ) -> Vec<T> {
        let Some(entry) = self.entry(key) else {
            return Vec::new();
        };
        let path = self.child(key);
        let entries = Section::open(path.clone(), &entry.node, self.errors).entries;
        let mut named = |name: &'a str, node: &'a Node| {
            read_section(format!("{path}::{name}"), node, self.errors, |section| {
                read(name, section)
            })
        };
        entries.iter().map(|entry| named(&entry.key, &entry.node)).collect()
    }

    /// Names and text, in the order in which they were written: a mapping, or a list of `{name, value}`.
    pub fn texts(&mut self, key: &'static str) -> Vec<(&'a str, &'a str)> {
        let Some(entry) = self.entry(key) else {
            return Vec::new();
        };
        if matches!(entry.node.value, Value::List(_)) {
            let pair = |section: &mut Section<'a, '_>| (section.required_text("name"), section.text("value"));
            let pairs = self.sections(key, pair);
            // A name alone has the empty text, as upstream.
            return pairs
                .into_iter()
                .filter_map(|(name, value)| Some((name?, value.unwrap_or_default())))
                .collect();
        }
        let path = self.child(key);
        let mut texts = Vec::new();
        for entry in Section::open(path.clone(), &entry.node, self.errors).entries {
            match entry.node.text() {
                Some(text) => texts.push((entry.key.as_str(), text)),
                None => {
                    let message = format!("expected text, found {}", entry.node.value.kind());
                    self.errors
                        .add(format!("{path}::{}", entry.key), &entry.position, message);
                }
            }
        }
        texts
    }

    /// As [`Section::texts`], for values that must not be shown.
    pub fn secrets(&mut self, key: &'static str) -> Vec<(&'a str, Secret)> {
        let texts = self.texts(key).into_iter();
        texts.map(|(name, text)| (name, Secret::from(text))).collect()
    }

    fn list(&mut self, key: &'static str) -> &'a [Node] {
        let Some(entry) = self.entry(key) else { return &[] };
        match &entry.node.value {
            Value::List(nodes) => nodes,
            Value::Null => &[],
            other => {
                self.error(key, format!("expected a list, found {}", other.kind()));
                &[]
            }
        }
    }
}
