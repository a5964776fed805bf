//! Texts of the transformation language, and the settings of a `transform` that runs them.

use crate::destinations::Signal;
use collector_config::Node;
use collector_ottl::{Condition, Context, Statement};
use std::fmt::Write;

/// Statements that are run together on the items of one context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// The signal in whose list they stand.
    pub(super) signal: Signal,
    /// The context: `resource`, `scope`, `span`, `spanevent`, `datapoint` or `log`.
    pub(super) context: &'static str,
    /// Nothing means always.
    pub(super) condition: Option<String>,
    /// In their order.
    pub(super) statements: Vec<String>,
}

/// The contexts of a signal whose attributes a user thinks of: resource, scope, and items.
pub(super) fn contexts(signal: Signal) -> &'static [&'static str] {
    match signal {
        Signal::Traces => &["resource", "scope", "span"],
        Signal::Metrics => &["resource", "scope", "datapoint"],
        Signal::Logs => &["resource", "scope", "log"],
        Signal::Profiles => &[],
    }
}

/// The settings of a `transform`.
///
/// # Errors
/// The collector would not take a statement, which then has a part that a user wrote; what it says against it.
pub(super) fn transform(groups: &[Group]) -> Result<Node, String> {
    for group in groups {
        check(group)?;
    }
    let list = |signal: Signal| {
        let groups = groups.iter().filter(move |group| group.signal == signal);
        groups.map(written).collect::<Vec<_>>()
    };
    let lists = [
        ("trace_statements", list(Signal::Traces)),
        ("metric_statements", list(Signal::Metrics)),
        ("log_statements", list(Signal::Logs)),
    ];
    let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
    let lists = lists.map(|(key, list)| (key, Node::list(list)));
    let mode = ("error_mode", Node::from("ignore"));
    Ok(Node::map(std::iter::once(mode).chain(lists)))
}

fn check(group: &Group) -> Result<(), String> {
    let context = Context::named(group.context).ok_or_else(|| format!("there is no context {}", group.context))?;
    if let Some(condition) = &group.condition {
        check_condition(context, condition)?;
    }
    for statement in &group.statements {
        Statement::compile(context, statement).map_err(|errors| reason(&errors.to_string()))?;
    }
    Ok(())
}

/// Whether the collector takes a condition.
///
/// # Errors
/// What it says against it.
pub(super) fn check_condition(context: Context, condition: &str) -> Result<(), String> {
    let compiled = Condition::compile(context, condition).map(drop);
    compiled.map_err(|errors| reason(&errors.to_string()))
}

/// A user did not write the statement, so its columns say nothing.
fn reason(errors: &str) -> String {
    let of_one = |error: &str| match error.strip_prefix("column ").and_then(|rest| rest.split_once(": ")) {
        Some((_, message)) => message.to_owned(),
        None => error.to_owned(),
    };
    let mut reasons: Vec<String> = errors.split("; ").map(of_one).collect();
    reasons.dedup();
    reasons.join("; ")
}

fn written(group: &Group) -> Node {
    let texts = |texts: &[String]| Node::list(texts.iter().map(|text| literal(text)));
    let condition = group.condition.as_ref();
    let condition = condition.map(|condition| ("conditions", texts(std::slice::from_ref(condition))));
    let context = ("context", Node::from(group.context));
    let statements = ("statements", texts(&group.statements));
    Node::map(std::iter::once(context).chain(condition).chain([statements]))
}

/// Text that holds no reference for the collector.
pub(super) fn literal(text: &str) -> Node {
    text.replace('$', "$$").into()
}

/// `attributes["key"] == "value"`, where `map` says whose attributes.
pub(super) fn equals(map: &str, key: &str, value: &str) -> String {
    format!("{map}[{}] == {}", quoted(key), quoted(value))
}

/// That an attribute is there and matches.
pub(super) fn matches(map: &str, key: &str, pattern: &str) -> String {
    let key = quoted(key);
    // An absent attribute is no text: the comparison keeps the match from failing.
    format!("{map}[{key}] != nil and IsMatch({map}[{key}], {})", quoted(pattern))
}

/// Alternatives as one operand.
pub(super) fn any(alternatives: &[String]) -> Option<String> {
    joined(alternatives, " or ")
}

/// Conditions that hold together, as one operand.
pub(super) fn all(conditions: &[String]) -> Option<String> {
    joined(conditions, " and ")
}

fn joined(conditions: &[String], word: &str) -> Option<String> {
    match conditions {
        [] => None,
        [one] => Some(one.clone()),
        many => Some(
            many.iter()
                .map(|condition| format!("({condition})"))
                .collect::<Vec<_>>()
                .join(word),
        ),
    }
}

/// A literal of the language.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A replacement that stands for itself: a dollar would name a group.
pub(super) fn plain_replacement(text: &str) -> String {
    text.replace('$', "$$")
}

/// A pattern that matches the text and nothing else.
pub(super) fn literal_pattern(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_read_back_as_it_was() {
        for text in ["plain", "a\"b\\c", "line\nbreak\ttab\u{1}", "ü$1"] {
            let condition = equals("attributes", text, text);
            assert_eq!(check_condition(Context::Span, &condition), Ok(()), "{condition}");
        }
    }

    #[test]
    fn a_pattern_that_does_not_compile_is_told_of_without_columns() {
        let group = Group {
            signal: Signal::Traces,
            context: "span",
            condition: None,
            statements: vec![format!("replace_pattern(name, {}, \"x\")", quoted("a(b"))],
        };
        let error = transform(&[group]).unwrap_err();
        assert!(error.contains("unclosed group") && !error.contains("column"), "{error}");
    }
}
