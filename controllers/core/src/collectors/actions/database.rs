//! Statements of databases.

use super::{ActionError, Change, wrong};
use crate::collectors::scopes;
use crate::collectors::statements::{Group, quoted};
use crate::destinations::Signal;
use controllers_api::action::{DbQueryTemplatizationAction, InferDbAttributesAction};
use controllers_api::workload::SourceScopes;

/// The attributes that a statement may be in, by the present semantic conventions and by those before.
const STATEMENTS: [&str; 2] = ["db.query.text", "db.statement"];

pub(super) fn templatization(action: &DbQueryTemplatizationAction) -> Result<Change, ActionError> {
    let casts = action.remove_postgres_cast_operator.unwrap_or_default();
    // Neither asked for is the Action without settings, which says what it does by its name.
    let literals = action.templatize_literals.unwrap_or(!casts);
    if !casts && !literals {
        let message = "one of templatizeLiterals and removePostgresCastOperator must be true";
        return Err(wrong("spec.dbQueryTemplatization", message));
    }
    let mut replacements: Vec<(&str, &str)> = Vec::new();
    if casts {
        replacements.push((r#"::\s*(?:"[^"]+"|[A-Za-z_][\w.]*)(?:\s*\([\d\s,]*\))?(?:\[\])*"#, ""));
    }
    if literals {
        replacements.extend([
            (r"'(?:[^'\\]|''|\\.)*'", "?"),
            (r"\b0[xX][0-9a-fA-F]+\b", "?"),
            // A number, but none that is part of a name or of a parameter such as $1.
            (r"(^|[^\w$.@:])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b", "${1}?"),
            // Lists of values, whose length varies.
            (r"\(\s*\?(?:\s*,\s*\?)+\s*\)", "(?)"),
            (r"\(\?\)(?:\s*,\s*\(\?\))+", "(?)"),
        ]);
    }
    let statements = STATEMENTS.iter().flat_map(|key| {
        let path = format!("attributes[{}]", quoted(key));
        let statement = move |(pattern, text): &(&str, &str)| {
            let (pattern, text) = (quoted(pattern), quoted(text));
            format!("replace_pattern({path}, {pattern}, {text}) where {path} != nil")
        };
        replacements.iter().map(statement).collect::<Vec<_>>()
    });
    let statements = statements.collect();
    Ok(of_spans("dbQueryTemplatization", action.scopes.as_ref(), statements))
}

/// The operation, and what it is done to, by the semantic conventions of database spans.
pub(super) fn inference(action: &InferDbAttributesAction) -> Change {
    const OPERATION: &str =
        r"(?is)^\s*(select|insert|update|delete|merge|replace|create|alter|drop|truncate|call|exec|execute|with)\b.*$";
    const NAME: &str = r#"["`\[]?([\w$]+(?:["`\]]?\.["`\[]?[\w$]+)*)["`\]]?"#;
    let collection = format!(r"(?is)^.*?\b(?:from|into|update|join|table(?:\s+if\s+(?:not\s+)?exists)?)\s+{NAME}.*$");
    let (query, operation, name) = (
        "cache[\"query\"]",
        "attributes[\"db.operation.name\"]",
        "attributes[\"db.collection.name\"]",
    );
    let mut statements: Vec<String> = STATEMENTS
        .iter()
        .map(|key| {
            let path = format!("attributes[{}]", quoted(key));
            format!("set({query}, {path}) where {query} == nil and {path} != nil and IsString({path})")
        })
        .collect();
    for (target, pattern, cached) in [
        (operation, OPERATION, "cache[\"operation\"]"),
        (name, &collection, "cache[\"collection\"]"),
    ] {
        let pattern = quoted(pattern);
        statements.extend([
            format!("set({cached}, {query}) where {target} == nil and {query} != nil and IsMatch({query}, {pattern})"),
            format!("replace_pattern({cached}, {pattern}, \"$1\") where {cached} != nil"),
        ]);
    }
    statements.extend([
        format!("set({operation}, ToUpperCase(cache[\"operation\"])) where cache[\"operation\"] != nil"),
        "replace_pattern(cache[\"collection\"], \"[\\\"`\\\\[\\\\]]\", \"\") where cache[\"collection\"] != nil"
            .to_owned(),
        format!("set({name}, cache[\"collection\"]) where cache[\"collection\"] != nil"),
    ]);
    of_spans("inferDbAttributes", action.scopes.as_ref(), statements)
}

fn of_spans(field: &'static str, scopes: Option<&SourceScopes>, statements: Vec<String>) -> Change {
    let group = Group {
        signal: Signal::Traces,
        context: "span",
        condition: scopes::condition(scopes),
        statements,
    };
    Change::of(field, vec![group])
}
