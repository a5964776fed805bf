//! Personal data, masked in the values of attributes and in the bodies of logs.

use super::{ActionError, Change, Signals, wrong};
use crate::collectors::scopes;
use crate::collectors::statements::{Group, literal_pattern, quoted};
use crate::destinations::Signal;
use controllers_api::action::PiiMaskingAction;
use controllers_api::attributes::{DataFormat, PiiCategory};

/// What stands in the place of what was masked.
const MASK: &str = "****";

/// A pattern, and what each match becomes.
struct Masking {
    pattern: String,
    replacement: String,
}

pub(super) fn masking(masking: &PiiMaskingAction, signals: &Signals) -> Result<Change, ActionError> {
    let categories = masking.pii_categories.iter().map(|category| Masking {
        pattern: category_pattern(*category).to_owned(),
        replacement: MASK.to_owned(),
    });
    let patterns = masking.custom_regex_maskings.iter().map(|custom| Masking {
        pattern: custom.regex.clone(),
        replacement: MASK.to_owned(),
    });
    let formats = masking
        .custom_format_maskings
        .iter()
        .map(|custom| format_masking(custom.data_format, &custom.lookup_key));
    let maskings: Vec<Masking> = categories.chain(patterns).chain(formats).collect();
    if maskings.is_empty() {
        let message = "one of piiCategories, customRegexMaskings, customFormatMaskings must have an entry";
        return Err(wrong("spec.piiMasking", message));
    }
    if maskings.iter().any(|masking| masking.pattern.is_empty()) {
        let message = "an expression must not be empty: it would match everywhere";
        return Err(wrong("spec.piiMasking.customRegexMaskings", message));
    }
    let condition = scopes::condition(masking.scopes.as_ref());
    let groups = signals.iter().flat_map(|signal| groups(*signal, &maskings));
    let groups = groups.map(|group| Group {
        condition: condition.clone(),
        ..group
    });
    Ok(Change::of("piiMasking", groups.collect()))
}

fn groups(signal: Signal, maskings: &[Masking]) -> Vec<Group> {
    let contexts: &[&'static str] = match signal {
        Signal::Traces => &["span", "spanevent"],
        Signal::Metrics => &["datapoint"],
        Signal::Logs => &["log"],
        Signal::Profiles => &[],
    };
    let group = |context: &&'static str| Group {
        signal,
        context,
        condition: None,
        statements: maskings
            .iter()
            .flat_map(|masking| statements(context, masking))
            .collect(),
    };
    contexts.iter().map(group).collect()
}

fn statements(context: &str, masking: &Masking) -> Vec<String> {
    let (pattern, replacement) = (quoted(&masking.pattern), quoted(&masking.replacement));
    let mut statements = vec![format!(
        "replace_all_patterns({context}.attributes, \"value\", {pattern}, {replacement})"
    )];
    if context == "log" {
        statements.push(format!(
            "replace_pattern(log.body, {pattern}, {replacement}) where IsString(log.body)"
        ));
    }
    statements
}

/// What personal data of a kind looks like. Cards by the first digits of the networks, with spaces or hyphens between groups.
fn category_pattern(category: PiiCategory) -> &'static str {
    match category {
        PiiCategory::CreditCard => {
            r"\b(?:4\d{3}|5[1-5]\d{2}|2[2-7]\d{2}|6011|65\d{2})[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}\b|\b3[47]\d{2}[ -]?\d{6}[ -]?\d{5}\b"
        }
        PiiCategory::Email => r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}",
        PiiCategory::Jwt => r"\beyJ[A-Za-z0-9_-]+\.eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*",
        PiiCategory::Uuid => r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b",
    }
}

fn format_masking(format: DataFormat, key: &str) -> Masking {
    let value = value_after(format, key);
    Masking {
        pattern: format!("({})(?:{})", value.before, value.value),
        replacement: match format {
            DataFormat::Json => format!("${{1}}\"{MASK}\""),
            DataFormat::Sql => format!("${{1}}'{MASK}'"),
            DataFormat::ResourcePath => format!("${{1}}{MASK}"),
        },
    }
}

/// How a key and its value are written in a format: patterns without groups that capture.
pub(super) struct KeyAndValue {
    pub(super) before: String,
    pub(super) value: &'static str,
}

pub(super) fn value_after(format: DataFormat, key: &str) -> KeyAndValue {
    let key = literal_pattern(key);
    match format {
        DataFormat::Json => KeyAndValue {
            before: format!(r#""{key}"\s*:\s*"#),
            value: r#""(?:[^"\\]|\\.)*"|[^\s,}\]]+"#,
        },
        DataFormat::Sql => KeyAndValue {
            before: format!(r"(?i:\b{key}\b)\s*=\s*"),
            value: r"'(?:[^']|'')*'|[^\s,;)]+",
        },
        DataFormat::ResourcePath => KeyAndValue {
            before: format!("/{key}/"),
            value: "[^/?#]+",
        },
    }
}
