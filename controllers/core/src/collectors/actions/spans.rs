//! Names of spans.

use super::{ActionError, Change, wrong};
use crate::collectors::scopes;
use crate::collectors::statements::{Group, all, equals, quoted};
use crate::destinations::Signal;
use controllers_api::action::SpanRenamerAction;
use controllers_api::workload::ProgrammingLanguage;

pub(super) fn renamer(renamer: &SpanRenamerAction) -> Result<Change, ActionError> {
    if renamer.regex_replacements.is_empty() {
        return Err(wrong(
            "spec.spanRenamer.regexReplacements",
            "must have a replacement at least",
        ));
    }
    let language = (renamer.programming_language != ProgrammingLanguage::Any)
        .then(|| scopes::language(renamer.programming_language));
    let scope = (!renamer.scope_name.is_empty()).then(|| format!("scope.name == {}", quoted(&renamer.scope_name)));
    let conditions: Vec<String> = [language, scope].into_iter().flatten().collect();
    let statements = renamer.regex_replacements.iter().map(|replacement| {
        let (pattern, text) = (&replacement.regex_pattern, &replacement.template_text);
        format!("replace_pattern(span.name, {}, {})", quoted(pattern), quoted(text))
    });
    let group = Group {
        signal: Signal::Traces,
        context: "span",
        condition: all(&conditions),
        statements: statements.collect(),
    };
    Ok(Change::of("spanRenamer.regexReplacements", vec![group]))
}

/// That a span's name says no more than its HTTP method, given the attribute of the method.
pub(super) fn is_named_by(method: &str) -> String {
    let present = format!("attributes[{}] != nil", quoted(method));
    let same = format!("name == attributes[{}]", quoted(method));
    let prefixed = equals("attributes", method, "");
    format!("{present} and {same} and not ({prefixed})")
}
