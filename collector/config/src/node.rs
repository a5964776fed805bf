use crate::{ConfigError, Errors};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;
use std::fmt;
use std::sync::Arc;

/// A value of a configuration, and where it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it was written.
    pub position: Position,
    /// What was written.
    pub value: Value,
}

/// What YAML can say.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing, or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Another number.
    Float(f64),
    /// Text.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order in which it was written. No key is twice.
    Map(Vec<Entry>),
}

/// A key of a mapping and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key was written.
    pub position: Position,
    /// Its value.
    pub node: Node,
}

/// A place in a configuration file. The default is a configuration that was made in code.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The file's name, as the user gave it; empty if there is none.
    pub file: Arc<str>,
    /// From 1; 0 if there is none.
    pub line: u64,
}

impl fmt::Display for Position {
    /// `file:12: `, as far as it is known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file.is_empty(), self.line) {
            (true, 0) => Ok(()),
            (true, line) => write!(f, "line {line}: "),
            (false, 0) => write!(f, "{}: ", self.file),
            (false, line) => write!(f, "{}:{line}: ", self.file),
        }
    }
}

impl Node {
    /// Reads YAML; `file` is the name that errors give. An empty document is an empty mapping.
    pub fn parse(text: &str, file: &str) -> Result<Node, Errors> {
        if text
            .lines()
            .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
        {
            return Ok(Node::map([]));
        }
        let file: Arc<str> = file.into();
        let mut node: Node = serde_saphyr::from_str(text).map_err(|error| syntax_error(&error, file.clone()))?;
        node.name_file(&file);
        Ok(node)
    }

    /// A mapping made in code.
    pub fn map<'a>(entries: impl IntoIterator<Item = (&'a str, Node)>) -> Node {
        let entries = entries.into_iter().map(|(key, node)| Entry {
            key: key.to_owned(),
            position: Position::default(),
            node,
        });
        Value::Map(entries.collect()).into()
    }

    /// A sequence made in code.
    pub fn list(nodes: impl IntoIterator<Item = Node>) -> Node {
        Value::List(nodes.into_iter().collect()).into()
    }

    fn name_file(&mut self, file: &Arc<str>) {
        self.position.file = file.clone();
        match &mut self.value {
            Value::List(nodes) => nodes.iter_mut().for_each(|node| node.name_file(file)),
            Value::Map(entries) => {
                for entry in entries {
                    entry.position.file = file.clone();
                    entry.node.name_file(file);
                }
            }
            _ => {}
        }
    }
}

fn syntax_error(error: &serde_saphyr::Error, file: Arc<str>) -> Errors {
    let line = error.location().map_or(0, |location| location.line());
    // The parser's own text goes on with an excerpt of the file; its first line is the reason.
    let text = error.without_snippet().to_string();
    let message = text.lines().next().unwrap_or("not valid YAML").to_owned();
    Errors(vec![ConfigError {
        path: String::new(),
        position: Position { file, line },
        message,
    }])
}

impl From<Value> for Node {
    fn from(value: Value) -> Self {
        Node {
            position: Position::default(),
            value,
        }
    }
}

impl From<&str> for Node {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned()).into()
    }
}

impl From<String> for Node {
    fn from(text: String) -> Self {
        Value::Text(text).into()
    }
}

impl From<bool> for Node {
    fn from(value: bool) -> Self {
        Value::Bool(value).into()
    }
}

impl From<i64> for Node {
    fn from(value: i64) -> Self {
        Value::Int(value).into()
    }
}

impl Value {
    /// What a person calls this kind of value.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Int(_) | Value::Float(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Node {
            position: at(&spanned.referenced),
            value: spanned.value,
        })
    }
}

fn at(location: &serde_saphyr::Location) -> Position {
    Position {
        file: Arc::default(),
        line: location.line(),
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a configuration value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        let value = i64::try_from(value).map_err(|_| E::custom(format_args!("the number {value} is too large")))?;
        Ok(Value::Int(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = sequence.next_element()? {
            nodes.push(node);
        }
        Ok(Value::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let position = at(&key.referenced);
            entries.push(Entry {
                key: key.value,
                position,
                node: map.next_value()?,
            });
        }
        Ok(Value::Map(entries))
    }
}
