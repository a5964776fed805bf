//! Attributes that are extracted from the values of others.

use super::masking::value_after;
use super::{ActionError, Change, Signals, wrong};
use crate::collectors::statements::{Group, matches, quoted};
use crate::destinations::Signal;
use collector_ottl::go_regex;
use controllers_api::action::{ExtractAttributeAction, Extraction};

/// The attributes that are looked at, the first that matches wins: where applications put paths, statements and payloads.
/// The language has no way to go through attributes that it cannot name.
const SOURCES: [&str; 12] = [
    "url.path",
    "url.full",
    "url.query",
    "http.target",
    "http.url",
    "http.route",
    "db.query.text",
    "db.statement",
    "http.request.body",
    "http.response.body",
    "messaging.message.body",
    "rpc.request.body",
];

pub(super) fn extraction(action: &ExtractAttributeAction, signals: &Signals) -> Result<Change, ActionError> {
    if action.extractions.is_empty() {
        return Err(wrong(
            "spec.extractAttribute.extractions",
            "must have an extraction at least",
        ));
    }
    let mut groups = Vec::new();
    for (index, extraction) in action.extractions.iter().enumerate() {
        let pattern = pattern(index, extraction)?;
        groups.extend(signals.iter().filter_map(|signal| group(*signal, extraction, &pattern)));
    }
    Ok(Change::of("extractAttribute.extractions", groups))
}

/// The part that is wanted is the pattern's first group.
fn pattern(index: usize, extraction: &Extraction) -> Result<String, ActionError> {
    let field = |name: &str| format!("spec.extractAttribute.extractions[{index}].{name}");
    if extraction.target_attribute_name.is_empty() {
        return Err(wrong(field("targetAttributeName"), "must not be empty"));
    }
    match (&extraction.regex, extraction.data_format, &extraction.lookup_key) {
        (Some(regex), None, None) => {
            let compiled = go_regex(regex).map_err(|message| wrong(field("regex"), message))?;
            Ok(match compiled.captures_len() {
                1 => format!("({regex})"),
                _ => format!("(?:{regex})"),
            })
        }
        (None, Some(format), Some(key)) if !key.is_empty() => {
            let value = value_after(format, key);
            Ok(format!("{}({})", value.before, value.value))
        }
        _ => Err(wrong(
            field("regex"),
            "either regex must be given, or both dataFormat and lookupKey",
        )),
    }
}

fn group(signal: Signal, extraction: &Extraction, pattern: &str) -> Option<Group> {
    let context = match signal {
        Signal::Traces => "span",
        Signal::Metrics => "datapoint",
        Signal::Logs => "log",
        Signal::Profiles => return None,
    };
    let target = format!("attributes[{}]", quoted(&extraction.target_attribute_name));
    let whole = quoted(&format!("(?s)^.*?{pattern}.*$"));
    let mut statements = Vec::new();
    for (number, source) in SOURCES.iter().enumerate() {
        let found = format!("cache[\"found{number}\"]");
        let is_there = matches("attributes", source, pattern);
        statements.extend([
            format!(
                "set({found}, attributes[{}]) where {target} == nil and {is_there}",
                quoted(source)
            ),
            format!("replace_pattern({found}, {whole}, \"$1\") where {found} != nil"),
            // Of JSON and SQL, the text within the quotes.
            format!("replace_pattern({found}, \"^[\\\"'](.*)[\\\"']$\", \"$1\") where {found} != nil"),
            format!("set({target}, {found}) where {target} == nil and {found} != nil"),
        ]);
    }
    if signal == Signal::Logs {
        statements.extend([
            format!(
                "set(cache[\"body\"], body) where {target} == nil and IsString(body) and IsMatch(body, {})",
                quoted(pattern)
            ),
            format!("replace_pattern(cache[\"body\"], {whole}, \"$1\") where cache[\"body\"] != nil"),
            "replace_pattern(cache[\"body\"], \"^[\\\"'](.*)[\\\"']$\", \"$1\") where cache[\"body\"] != nil"
                .to_owned(),
            format!("set({target}, cache[\"body\"]) where {target} == nil and cache[\"body\"] != nil"),
        ]);
    }
    Some(Group {
        signal,
        context,
        condition: None,
        statements,
    })
}
