use std::fmt;
use std::sync::Arc;

/// A value of a configuration, and where it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it was written.
    pub position: Position,
    /// What was written.
    pub value: Value,
    /// The text that was written where it was taken for something else: `1.10` for the number 1.1.
    pub(crate) original: Option<Arc<str>>,
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

/// A value that holds no others.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// Text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// Another number.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
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

    /// A scalar as its text, be it a number or not; what came out of an expansion, as it was there.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => self.original.as_deref(),
        }
    }

    /// A scalar with its type.
    pub fn scalar(&self) -> Option<Scalar> {
        match &self.value {
            Value::Text(text) => Some(Scalar::Text(text.clone())),
            Value::Int(number) => Some(Scalar::Int(*number)),
            Value::Float(number) => Some(Scalar::Float(*number)),
            Value::Bool(flag) => Some(Scalar::Bool(*flag)),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// Gives all of it the place `at`.
    pub(crate) fn place(&mut self, at: &Position) {
        self.position = at.clone();
        match &mut self.value {
            Value::List(nodes) => nodes.iter_mut().for_each(|node| node.place(at)),
            Value::Map(entries) => {
                for entry in entries {
                    entry.position = at.clone();
                    entry.node.place(at);
                }
            }
            _ => {}
        }
    }
}

impl From<Value> for Node {
    fn from(value: Value) -> Self {
        let original = match &value {
            Value::Int(number) => Some(number.to_string().into()),
            Value::Float(number) => Some(format!("{number:?}").into()),
            Value::Bool(flag) => Some(flag.to_string().into()),
            _ => None,
        };
        Node {
            position: Position::default(),
            value,
            original,
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
