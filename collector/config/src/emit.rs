//! From nodes to YAML, which is parsed back to the same nodes, and to JSON.

use crate::{Entry, Node, Value};
use std::fmt::Write;

impl Node {
    /// As YAML. References are not escaped: what is text here is text for [`Node::parse`], but may be a reference for
    /// [`crate::Loaded::load`]; see [`Node::escaped`].
    pub fn to_yaml(&self) -> String {
        let mut out = String::new();
        match &self.value {
            Value::Map(entries) if !entries.is_empty() => map(&mut out, entries, 0),
            Value::List(nodes) if !nodes.is_empty() => list(&mut out, nodes, 0),
            _ => {
                scalar(&mut out, self);
                out.push('\n');
            }
        }
        out
    }

    /// As JSON, in one line. A number that JSON cannot say is text.
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        json(&mut out, self);
        out
    }

    /// The same, with a second `$` wherever one could begin a reference, so that it is read as it is now.
    pub fn escaped(&self) -> Node {
        let value = match &self.value {
            Value::Text(text) if text.contains("${") || text.contains("$$") => Value::Text(text.replace('$', "$$")),
            Value::List(nodes) => Value::List(nodes.iter().map(Node::escaped).collect()),
            Value::Map(entries) => Value::Map(
                entries
                    .iter()
                    .map(|entry| Entry {
                        node: entry.node.escaped(),
                        ..entry.clone()
                    })
                    .collect(),
            ),
            other => other.clone(),
        };
        Node { value, ..self.clone() }
    }
}

fn map(out: &mut String, entries: &[Entry], depth: usize) {
    for (index, entry) in entries.iter().enumerate() {
        // The first entry of a mapping in a list stands behind the list's dash.
        if index > 0 || depth == 0 || out.ends_with('\n') {
            indent(out, depth);
        }
        key(out, &entry.key, depth);
        match &entry.node.value {
            Value::Map(inner) if !inner.is_empty() => {
                out.push('\n');
                map(out, inner, depth + 1);
            }
            Value::List(nodes) if !nodes.is_empty() => {
                out.push('\n');
                list(out, nodes, depth + 1);
            }
            Value::Null => out.push('\n'),
            _ => {
                out.push(' ');
                scalar(out, &entry.node);
                out.push('\n');
            }
        }
    }
}

/// A key and its colon. YAML takes a key of more than 1024 characters only where it is marked as one.
fn key(out: &mut String, key: &str, depth: usize) {
    let start = out.len();
    text(out, key);
    if out.len() - start > 1024 {
        out.insert_str(start, "? ");
        out.push('\n');
        indent(out, depth);
    }
    out.push(':');
}

fn list(out: &mut String, nodes: &[Node], depth: usize) {
    for (index, node) in nodes.iter().enumerate() {
        if index > 0 || depth == 0 || out.ends_with('\n') {
            indent(out, depth);
        }
        out.push_str("- ");
        match &node.value {
            Value::Map(entries) if !entries.is_empty() => map(out, entries, depth + 1),
            Value::List(nodes) if !nodes.is_empty() => list(out, nodes, depth + 1),
            _ => {
                scalar(out, node);
                out.push('\n');
            }
        }
    }
}

/// Two columns a level, as wide as a list's dash.
fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

fn scalar(out: &mut String, node: &Node) {
    match &node.value {
        Value::Null => out.push_str("null"),
        Value::List(_) => out.push_str("[]"),
        Value::Map(_) => out.push_str("{}"),
        Value::Text(written) => text(out, written),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => out.push_str(&number(node)),
    }
}

/// As it was written, since somebody may want the text of it, if that is safe to write.
fn number(node: &Node) -> String {
    let plain = |text: &&str| text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    if let Some(original) = node.original.as_deref().filter(plain).filter(|text| !text.is_empty()) {
        return original.to_owned();
    }
    match node.value {
        Value::Float(number) => format!("{number:?}"),
        Value::Int(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        _ => String::new(),
    }
}

/// Without quotes only where no reader of YAML, be it old or new, could take it for something else.
fn text(out: &mut String, text: &str) {
    if is_plain(text) {
        out.push_str(text)
    } else {
        quoted(out, text)
    }
}

fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 11] = [
        "null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf",
    ];
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_' || first == '/')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c))
        && !WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// In double quotes, with escapes that YAML and JSON share.
fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            // Neither the controls nor the separators of lines, the mark of byte order and the non-characters.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') => {
                // Writing to a string does not fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn json(out: &mut String, node: &Node) {
    match &node.value {
        Value::Null => out.push_str("null"),
        Value::Text(text) => quoted(out, text),
        Value::Float(number) if !number.is_finite() => quoted(out, &number.to_string()),
        Value::Float(number) => out.push_str(&format!("{number:?}")),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::List(nodes) => {
            out.push('[');
            for (index, node) in nodes.iter().enumerate() {
                separate(out, index);
                json(out, node);
            }
            out.push(']');
        }
        Value::Map(entries) => {
            out.push('{');
            for (index, entry) in entries.iter().enumerate() {
                separate(out, index);
                quoted(out, &entry.key);
                out.push(':');
                json(out, &entry.node);
            }
            out.push('}');
        }
    }
}

fn separate(out: &mut String, index: usize) {
    if index > 0 {
        out.push(',');
    }
}
