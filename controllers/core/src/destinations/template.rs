//! From a template's nodes and what was filled in to a component's settings.
//!
//! `{{FIELD}}` stands for what was filled in: alone, for the value with its kind, else for its text. What refers to a field
//! that was not filled in is left out, and so is a mapping or list of which nothing is left. A mapping's key `if` is a
//! condition of the whole mapping; a mapping with only the key `first` stands for the first element that is not left out.

use super::condition::Condition;
use super::fields::Filled;
use collector_config::{Entry, Node, Value};

/// The settings, or nothing if they are left out.
pub(super) fn expand(node: &Node, filled: &Filled) -> Option<Node> {
    match &node.value {
        Value::Text(text) => expand_text(text, filled),
        Value::List(nodes) => list(nodes, filled),
        Value::Map(entries) => map(entries, filled),
        _ => Some(node.clone()),
    }
}

/// A text, or nothing if it refers to what was not filled in.
pub(super) fn expand_line(text: &str, filled: &Filled) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}")?;
        out.push_str(before);
        out.push_str(&filled.text(name.trim())?);
        rest = after;
    }
    Some(out + rest)
}

/// The names of all fields that are referred to.
pub(super) fn references(node: &Node, found: &mut Vec<String>) {
    match &node.value {
        Value::Text(text) => found.extend(names(text)),
        Value::List(nodes) => nodes.iter().for_each(|node| references(node, found)),
        Value::Map(entries) => {
            for entry in entries {
                match (entry.key.as_str(), entry.node.text()) {
                    ("if", Some(text)) => found.extend(Condition::parse(text).fields().map(str::to_owned)),
                    _ => references(&entry.node, found),
                }
            }
        }
        _ => {}
    }
}

pub(super) fn names(text: &str) -> impl Iterator<Item = String> {
    text.split("{{")
        .skip(1)
        .filter_map(|part| part.split_once("}}"))
        .map(|(name, _)| {
            name.trim()
                .trim_end_matches(".insecure")
                .trim_end_matches(".domain")
                .to_owned()
        })
}

fn expand_text(text: &str, filled: &Filled) -> Option<Node> {
    let alone = text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    match alone.filter(|name| !name.contains("{{")) {
        Some(name) => filled.node(name.trim()),
        None => expand_line(text, filled).map(Node::from),
    }
}

fn list(nodes: &[Node], filled: &Filled) -> Option<Node> {
    let left: Vec<Node> = nodes.iter().filter_map(|node| expand(node, filled)).collect();
    (!left.is_empty() || nodes.is_empty()).then(|| Node::list(left))
}

fn map(entries: &[Entry], filled: &Filled) -> Option<Node> {
    if let [first] = entries
        && first.key == "first"
        && let Value::List(nodes) = &first.node.value
    {
        return nodes.iter().find_map(|node| expand(node, filled));
    }
    let conditions = entries.iter().filter(|entry| entry.key == "if");
    if conditions
        .filter_map(|entry| entry.node.text())
        .any(|text| !Condition::parse(text).holds(filled))
    {
        return None;
    }
    let settings = entries.iter().filter(|entry| entry.key != "if");
    let left: Vec<_> = settings
        .filter_map(|entry| Some((entry.key.as_str(), expand(&entry.node, filled)?)))
        .collect();
    (!left.is_empty() || entries.is_empty()).then(|| Node::map(left))
}
