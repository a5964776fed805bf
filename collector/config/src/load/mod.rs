//! From what the user names on the command line to one configuration: read, merged, expanded.
//!
//! As upstream: each source is a mapping; later ones win, mapping by mapping; then every `${...}` is replaced. A value
//! keeps the place where it was written, so that an error about it points there. What is outside, the environment and
//! the files, comes through a [`Provider`].

mod expand;
mod merge;
mod reference;
mod source;

pub use source::Source;

use crate::parse::MAX_DEPTH;
use crate::{ConfigError, Entry, Errors, Node, Position, Value};
use std::io;

/// The environment and the files.
pub trait Provider {
    /// The variable's value, if it is set.
    fn env(&self, name: &str) -> Option<String>;
    /// The file's text. Relative paths begin at the working directory.
    fn file(&self, path: &str) -> io::Result<String>;
}

/// A whole configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// Merged, and without references.
    pub root: Node,
    /// What the user should know although nothing is wrong, such as a variable that is not set.
    pub warnings: Vec<ConfigError>,
}

impl Loaded {
    /// Reads all `sources`, or finds all that is wrong with them.
    pub fn load(sources: &[Source], provider: &dyn Provider) -> Result<Loaded, Errors> {
        let mut errors = Errors::default();
        let mut root = Node::map([]);
        for source in sources {
            match source.read(provider) {
                Ok(node) => merge::merge(&mut root, mapping(source, node, &mut errors)),
                Err(found) => errors.append(found),
            }
        }
        // A reference in half a configuration may only be wrong because of the other half.
        let mut errors = errors.unless_any(Errors::default())?;
        expand::expand(&mut root, provider, &mut errors);
        check_nesting(&root, &mut Vec::new(), &mut errors);
        let warnings = errors.take_warnings();
        errors.unless_any(Loaded { root, warnings })
    }
}

/// Paths in keys, and references, may nest what was not nested so deep in any of its sources. Who goes through nodes relies
/// on it that these have a bound, and what is printed shall be readable.
fn check_nesting<'n>(node: &'n Node, path: &mut Vec<&'n str>, errors: &mut Errors) {
    if path.len() >= MAX_DEPTH && matches!(node.value, Value::Map(_) | Value::List(_)) {
        let message = format!("is nested more than {MAX_DEPTH} levels deep");
        return errors.add(path.join(merge::SEPARATOR), &node.position, message);
    }
    let (entries, nodes): (&[Entry], &[Node]) = match &node.value {
        Value::Map(entries) => (entries, &[]),
        Value::List(nodes) => (&[], nodes),
        _ => return,
    };
    let keyed = entries.iter().map(|entry| (entry.key.as_str(), &entry.node));
    for (key, node) in keyed.chain(nodes.iter().map(|node| ("-", node))) {
        path.push(key);
        check_nesting(node, path, errors);
        path.pop();
    }
}

fn mapping(source: &Source, node: Node, errors: &mut Errors) -> Node {
    match &node.value {
        Value::Map(_) => merge::unfold(node, errors),
        Value::Null => Node::map([]),
        other => {
            let position = Position {
                file: source.name(),
                line: node.position.line,
            };
            errors.add("", &position, format!("expected a mapping, found {}", other.kind()));
            Node::map([])
        }
    }
}
