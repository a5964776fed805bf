//! From YAML to nodes. The parser gives values and places; here each number keeps the text it was written as.

use crate::{Entry, Errors, Node, Position, Value};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};
use std::fmt;
use std::sync::Arc;

/// The longest document, in bytes.
pub(crate) const MAX_BYTES: usize = 16 << 20;
pub(crate) const MAX_DEPTH: usize = 64;
const MAX_NODES: usize = 250_000;

impl Node {
    /// Reads YAML; `file` is the name that errors give. An empty document is an empty mapping.
    pub fn parse(text: &str, file: &str) -> Result<Node, Errors> {
        let at = Position {
            file: file.into(),
            line: 0,
        };
        if text.len() > MAX_BYTES {
            let mut errors = Errors::default();
            errors.add("", &at, format!("is longer than {MAX_BYTES} bytes"));
            return Err(errors);
        }
        let node = parse(text, &at.file)?;
        if matches!(node.value, Value::Null) {
            return Ok(Node::map([]));
        }
        Ok(node)
    }
}

/// Reads YAML of any kind; an empty document is [`Value::Null`].
pub(crate) fn parse(text: &str, file: &Arc<str>) -> Result<Node, Errors> {
    let blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    if text.lines().all(blank) {
        return Ok(Node::from(Value::Null));
    }
    let parsed: Result<Spanned<Parsed>, _> = serde_saphyr::from_str_with_options(text, options());
    let source = Source { text, file };
    parsed
        .map(|parsed| source.node(parsed))
        .map_err(|error| syntax_error(&error, file.clone()))
}

/// As upstream's parser where the two differ: `yes` and `on` are text, and `0644` is octal. The bounds stop documents
/// that unfold into far more than they are.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        strict_booleans: true,
        legacy_octal_numbers: true,
        with_snippet: false,
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_NODES,
            max_replay_stack_depth: 16,
        },
        budget: serde_saphyr::budget! {
            max_events: 2 * MAX_NODES,
            max_nodes: MAX_NODES,
            max_depth: MAX_DEPTH,
            max_documents: 1,
            max_total_scalar_bytes: MAX_BYTES,
            max_total_comment_bytes: MAX_BYTES,
        },
    }
}

fn syntax_error(error: &serde_saphyr::Error, file: Arc<str>) -> Errors {
    let line = error.location().map_or(0, |location| location.line());
    // The parser's own text goes on with an excerpt of the file; its first line is the reason.
    let text = error.without_snippet().to_string();
    let message = text.lines().next().unwrap_or("not valid YAML").to_owned();
    let mut errors = Errors::default();
    errors.add("", &Position { file, line }, message);
    errors
}

enum Parsed {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Spanned<Parsed>>),
    Map(Vec<(Spanned<String>, Spanned<Parsed>)>),
}

struct Source<'a> {
    text: &'a str,
    file: &'a Arc<str>,
}

impl Source<'_> {
    fn node(&self, parsed: Spanned<Parsed>) -> Node {
        let value = match parsed.value {
            Parsed::Null => Value::Null,
            Parsed::Bool(flag) => Value::Bool(flag),
            Parsed::Int(number) => Value::Int(number),
            Parsed::Float(number) => Value::Float(number),
            Parsed::Text(text) => Value::Text(text),
            Parsed::List(nodes) => Value::List(nodes.into_iter().map(|node| self.node(node)).collect()),
            Parsed::Map(entries) => Value::Map(entries.into_iter().map(|(key, node)| self.entry(key, node)).collect()),
        };
        let mut node = Node::from(value);
        node.position = self.position(&parsed.referenced);
        if let (Some(original), Some(written)) = (&mut node.original, self.written(&parsed.defined)) {
            *original = written.into();
        }
        node
    }

    fn entry(&self, key: Spanned<String>, node: Spanned<Parsed>) -> Entry {
        Entry {
            position: self.position(&key.referenced),
            key: key.value,
            node: self.node(node),
        }
    }

    fn position(&self, location: &Location) -> Position {
        Position {
            file: self.file.clone(),
            line: location.line(),
        }
    }

    /// A plain scalar as it was written.
    fn written(&self, location: &Location) -> Option<&str> {
        let span = location.span();
        let start = usize::try_from(span.byte_offset()?).ok()?;
        let length = usize::try_from(span.byte_len()?).ok()?;
        let text = self.text.get(start..start.checked_add(length)?)?.trim();
        // A tag such as !!int may stand before the scalar; its text is then not the scalar's.
        (!text.is_empty() && !text.contains(char::is_whitespace)).then_some(text)
    }
}

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ParsedVisitor)
    }
}

struct ParsedVisitor;

impl<'de> Visitor<'de> for ParsedVisitor {
    type Value = Parsed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a configuration value")
    }

    fn visit_unit<E>(self) -> Result<Parsed, E> {
        Ok(Parsed::Null)
    }

    fn visit_none<E>(self) -> Result<Parsed, E> {
        Ok(Parsed::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Parsed, D::Error> {
        Parsed::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Parsed, E> {
        Ok(Parsed::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Parsed, E> {
        Ok(Parsed::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Parsed, E> {
        Ok(i64::try_from(value).map_or(Parsed::Float(value as f64), Parsed::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Parsed, E> {
        Ok(Parsed::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Parsed, E> {
        Ok(Parsed::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Parsed, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = sequence.next_element()? {
            nodes.push(node);
        }
        Ok(Parsed::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parsed, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Parsed::Map(entries))
    }
}
