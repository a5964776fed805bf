//! Replaces references by what they refer to, in the values and not in the keys.
//!
//! A text that is one reference takes the kind of what it refers to, a number or a mapping as well, and keeps the text
//! beside it for a setting that wants text. A reference within other text stands for text. What comes in may refer to
//! more; both the depth of that and its size have a bound.

use super::Provider;
use super::reference::{Part, Reference, parts};
use crate::parse::{MAX_BYTES, parse};
use crate::{Errors, Node, Position, Value};
use std::sync::Arc;

const MAX_DEPTH: usize = 32;
/// What a node and a reference count for beside their text.
const COST: usize = 64;

pub(super) fn expand(root: &mut Node, provider: &dyn Provider, errors: &mut Errors) {
    let mut expansion = Expansion {
        provider,
        errors,
        path: Vec::new(),
        left: MAX_BYTES,
    };
    expansion.node(root, 0);
}

/// Why a text cannot be expanded; nothing if that has been said already.
type Failure = Option<String>;

struct Expansion<'a> {
    provider: &'a dyn Provider,
    errors: &'a mut Errors,
    path: Vec<String>,
    left: usize,
}

impl Expansion<'_> {
    fn node(&mut self, node: &mut Node, depth: usize) {
        match &mut node.value {
            Value::Map(entries) => {
                for entry in entries {
                    self.path.push(entry.key.clone());
                    self.node(&mut entry.node, depth);
                    self.path.pop();
                }
            }
            Value::List(nodes) => {
                for (index, node) in nodes.iter_mut().enumerate() {
                    self.path.push(index.to_string());
                    self.node(node, depth);
                    self.path.pop();
                }
            }
            Value::Text(text) if text.contains('$') => match self.text(text, &node.position, depth) {
                Ok(expanded) => *node = expanded,
                Err(Some(message)) => {
                    let path = self.path.join("::");
                    self.errors.add(path, &node.position, message);
                }
                Err(None) => {}
            },
            _ => {}
        }
    }

    fn text(&mut self, text: &str, at: &Position, depth: usize) -> Result<Node, Failure> {
        if depth > MAX_DEPTH {
            return Err(Some(format!(
                "references lead to references more than {MAX_DEPTH} times"
            )));
        }
        let parts = parts(text);
        if let [Part::Reference(inner)] = parts.as_slice() {
            return self.whole(inner, at, depth);
        }
        let mut expanded = String::new();
        for part in parts {
            match part {
                Part::Literal(text) => expanded.push_str(text),
                Part::Dollar => expanded.push('$'),
                Part::Reference(inner) => expanded.push_str(&self.embedded(inner, at, depth)?),
            }
        }
        Ok(Node {
            position: at.clone(),
            ..Node::from(expanded)
        })
    }

    /// A reference that is all of a text.
    fn whole(&mut self, inner: &str, at: &Position, depth: usize) -> Result<Node, Failure> {
        let Retrieved { text, file } = self.retrieve(inner, at, depth)?;
        let mut node = self.typed(&text, &file, inner, at);
        match &node.value {
            // As upstream, text stays as it is, with the quotes that it may have.
            Value::Text(_) => return self.text(&text, at, depth + 1),
            Value::List(_) | Value::Map(_) => {
                self.spend(COST.saturating_mul(size(&node)), at)?;
                if file.is_none() {
                    node.place(at);
                }
                self.node(&mut node, depth + 1);
            }
            _ => {}
        }
        Ok(Node {
            position: at.clone(),
            value: node.value,
            original: (!text.contains("${")).then(|| text.into()),
        })
    }

    fn embedded(&mut self, inner: &str, at: &Position, depth: usize) -> Result<String, Failure> {
        let retrieved = self.retrieve(inner, at, depth)?.text;
        if !retrieved.contains('$') {
            return Ok(retrieved);
        }
        let node = self.text(&retrieved, at, depth + 1)?;
        node.text().map(str::to_owned).ok_or_else(|| {
            let kind = node.value.kind();
            Some(format!("${{{inner}}} stands within text, but leads to {kind}"))
        })
    }

    fn typed(&mut self, text: &str, file: &Option<Arc<str>>, inner: &str, at: &Position) -> Node {
        let name = file.clone().unwrap_or_default();
        // The parser's reason may show a piece of the file, which may be secret.
        parse(text, &name).unwrap_or_else(|_| {
            if file.is_some() && text.contains('\n') {
                let path = self.path.join("::");
                self.errors
                    .warn(path, at, format!("${{{inner}}} is not YAML, and is taken as text"));
            }
            Node::from(text)
        })
    }

    fn retrieve(&mut self, inner: &str, at: &Position, depth: usize) -> Result<Retrieved, Failure> {
        let inner = match inner.contains('$') {
            true => self.inner(inner, at, depth + 1)?,
            false => inner.to_owned(),
        };
        let invalid = |message| Some(format!("invalid reference ${{{inner}}}: {message}"));
        let retrieved = match Reference::parse(&inner).map_err(invalid)? {
            Reference::Env { name, default } => Retrieved {
                text: self.env(name, default, at),
                file: None,
            },
            Reference::Yaml(text) => Retrieved {
                text: text.to_owned(),
                file: None,
            },
            Reference::File(path) => self.file(path)?,
        };
        self.spend(COST + retrieved.text.len(), at)?;
        Ok(retrieved)
    }

    /// A reference whose own text has references.
    fn inner(&mut self, inner: &str, at: &Position, depth: usize) -> Result<String, Failure> {
        let expanded = self.text(inner, at, depth)?;
        expanded
            .text()
            .map(str::to_owned)
            .ok_or_else(|| Some(format!("invalid reference ${{{inner}}}")))
    }

    fn env(&mut self, name: &str, default: Option<&str>, at: &Position) -> String {
        let value = self.provider.env(name).or_else(|| default.map(str::to_owned));
        value.unwrap_or_else(|| {
            let path = self.path.join("::");
            let message = format!("the environment variable {name} is not set; nothing stands in its place");
            self.errors.warn(path, at, message);
            String::new()
        })
    }

    fn file(&self, path: &str) -> Result<Retrieved, Failure> {
        let read = self.provider.file(path);
        let mut text = read.map_err(|error| Some(format!("cannot read the file {path}: {error}")))?;
        // The line's end belongs to the file, not to the token that is kept in it.
        if text.ends_with('\n') {
            text.truncate(text.len() - if text.ends_with("\r\n") { 2 } else { 1 });
        }
        Ok(Retrieved {
            text,
            file: Some(path.into()),
        })
    }

    fn spend(&mut self, amount: usize, at: &Position) -> Result<(), Failure> {
        if self.left == 0 {
            return Err(None);
        }
        self.left = self.left.saturating_sub(amount);
        if self.left == 0 {
            let message = format!("the references lead to more than {MAX_BYTES} bytes");
            self.errors.add(self.path.join("::"), at, message);
            return Err(None);
        }
        Ok(())
    }
}

struct Retrieved {
    text: String,
    file: Option<Arc<str>>,
}

/// How many nodes there are.
fn size(node: &Node) -> usize {
    match &node.value {
        Value::List(nodes) => 1 + nodes.iter().map(size).sum::<usize>(),
        Value::Map(entries) => 1 + entries.iter().map(|entry| size(&entry.node)).sum::<usize>(),
        _ => 1,
    }
}
