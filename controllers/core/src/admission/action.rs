//! Actions: why one is refused.

use super::{Findings, names};
use controllers_api::action::{
    Action, ActionSpec, ClusterInfoAction, DeleteAttributeAction, ExtractAttributeAction, Extraction,
    K8sAttributesAction, PiiMaskingAction, RenameAttributeAction, SpanRenamerAction, UrlTemplatizationAction,
};
use controllers_api::signals::Signal;
use std::collections::BTreeSet;

/// The kinds of change, one of which an Action is.
pub const CHANGES: [&str; 10] = [
    "addClusterInfo",
    "deleteAttribute",
    "renameAttribute",
    "k8sAttributes",
    "piiMasking",
    "urlTemplatization",
    "spanRenamer",
    "extractAttribute",
    "dbQueryTemplatization",
    "inferDbAttributes",
];

/// What is to be said of an Action. A change that leaves the spec as it is (`before`) is not looked at, nor is an object that
/// is being deleted.
pub fn findings(action: &Action, before: Option<&Action>) -> Findings {
    let mut findings = Findings::default();
    let is_untouched = before.is_some_and(|before| before.spec == action.spec);
    if is_untouched || action.metadata.deletion_timestamp.is_some() {
        return findings;
    }
    let spec = &action.spec;
    one_change(spec, &mut findings);
    signals(spec, &mut findings);
    if let Some(change) = &spec.add_cluster_info {
        cluster_info(change, &mut findings);
    }
    if let Some(change) = &spec.delete_attribute {
        deletion(change, &mut findings);
    }
    if let Some(change) = &spec.rename_attribute {
        renames(change, &mut findings);
    }
    if let Some(change) = &spec.k8s_attributes {
        k8s_attributes(change, &mut findings);
    }
    if let Some(change) = &spec.pii_masking {
        masking(change, &mut findings);
    }
    if let Some(change) = &spec.url_templatization {
        templates(change, &mut findings);
    }
    if let Some(change) = &spec.span_renamer {
        span_renamer(change, &mut findings);
    }
    if let Some(change) = &spec.extract_attribute {
        extractions(change, &mut findings);
    }
    findings
}

/// The kinds of change that are given, in the order of [`CHANGES`].
fn given(spec: &ActionSpec) -> Vec<&'static str> {
    let is_given = [
        spec.add_cluster_info.is_some(),
        spec.delete_attribute.is_some(),
        spec.rename_attribute.is_some(),
        spec.k8s_attributes.is_some(),
        spec.pii_masking.is_some(),
        spec.url_templatization.is_some(),
        spec.span_renamer.is_some(),
        spec.extract_attribute.is_some(),
        spec.db_query_templatization.is_some(),
        spec.infer_db_attributes.is_some(),
    ];
    let given = CHANGES.into_iter().zip(is_given);
    given.filter_map(|(name, is_given)| is_given.then_some(name)).collect()
}

fn one_change(spec: &ActionSpec, findings: &mut Findings) {
    let given = given(spec);
    match given.len() {
        1 => {}
        0 => findings.refuse("spec", format!("says no change: give one of {}", CHANGES.join(", "))),
        _ => findings.refuse("spec", format!("says {}: make an Action for each", given.join(" and "))),
    }
}

fn signals(spec: &ActionSpec, findings: &mut Findings) {
    if spec.signals.is_empty() {
        findings.refuse("spec.signals", "is empty: give at least one of TRACES, METRICS, LOGS");
        return;
    }
    let is_of_spans = [
        "urlTemplatization",
        "spanRenamer",
        "dbQueryTemplatization",
        "inferDbAttributes",
    ];
    let change = given(spec).into_iter().find(|change| is_of_spans.contains(change));
    if let Some(change) = change
        && !spec.signals.contains(&Signal::Traces)
    {
        findings.refuse(
            "spec.signals",
            format!("has no TRACES, and {change} changes nothing but spans: add TRACES"),
        );
    }
}

fn cluster_info(change: &ClusterInfoAction, findings: &mut Findings) {
    let base = "spec.addClusterInfo.clusterAttributes";
    if change.cluster_attributes.is_empty() {
        findings.refuse(base, "is empty: give the attributes to add");
    }
    let mut seen = BTreeSet::new();
    for (index, attribute) in change.cluster_attributes.iter().enumerate() {
        let path = format!("{base}[{index}].attributeName");
        let name = attribute.attribute_name.as_str();
        if attribute_name(name, &path, findings) && !seen.insert(name) {
            findings.refuse(path, format!("\"{name}\" is added already: leave one of them"));
        }
    }
}

fn deletion(change: &DeleteAttributeAction, findings: &mut Findings) {
    let base = "spec.deleteAttribute.attributeNamesToDelete";
    if change.attribute_names_to_delete.is_empty() {
        findings.refuse(base, "is empty: give the names of attributes");
    }
    for (index, name) in change.attribute_names_to_delete.iter().enumerate() {
        attribute_name(name, &format!("{base}[{index}]"), findings);
    }
}

fn renames(change: &RenameAttributeAction, findings: &mut Findings) {
    let base = "spec.renameAttribute.renames";
    if change.renames.is_empty() {
        findings.refuse(base, "is empty: give old names with new ones");
    }
    let mut targets = BTreeSet::new();
    for (old, new) in &change.renames {
        let path = format!("{base}[\"{old}\"]");
        if old.trim().is_empty() {
            findings.refuse(&path, "the old name is empty");
        }
        if !attribute_name(new, &path, findings) {
            continue;
        }
        if old == new {
            findings.refuse(&path, "the new name is the old one: remove the entry");
        } else if change.renames.contains_key(new) {
            findings.warn(
                &path,
                format!("\"{new}\" is renamed too: which comes first is not defined, so make an Action for each step"),
            );
        }
        if !targets.insert(new) {
            findings.warn(
                &path,
                format!("\"{new}\" is the new name of several: the last one wins"),
            );
        }
    }
}

fn k8s_attributes(change: &K8sAttributesAction, findings: &mut Findings) {
    let base = "spec.k8sAttributes";
    let mut targets = BTreeSet::new();
    for (index, label) in change.labels_attributes.iter().enumerate() {
        let path = format!("{base}.labelsAttributes[{index}]");
        metadata_key(&label.label_key, "label", &format!("{path}.labelKey"), findings);
        target(
            &label.attribute_key,
            format!("{path}.attributeKey"),
            &mut targets,
            findings,
        );
    }
    for (index, annotation) in change.annotations_attributes.iter().enumerate() {
        let path = format!("{base}.annotationsAttributes[{index}]");
        let key = annotation.annotation_key.as_str();
        metadata_key(key, "annotation", &format!("{path}.annotationKey"), findings);
        target(
            &annotation.attribute_key,
            format!("{path}.attributeKey"),
            &mut targets,
            findings,
        );
        if !["pod", "namespace", "node", ""].contains(&annotation.r#from.as_str()) {
            findings.refuse(
                format!("{path}.from"),
                format!("is \"{}\": it must be one of pod, namespace, node", annotation.r#from),
            );
        }
    }
}

fn metadata_key(key: &str, what: &str, path: &str, findings: &mut Findings) {
    if !names::is_label_key(key) {
        findings.refuse(
            path,
            format!("\"{key}\" cannot be the key of {what}s: write it as on the object"),
        );
    }
}

fn target<'a>(name: &'a str, path: String, targets: &mut BTreeSet<&'a str>, findings: &mut Findings) {
    if attribute_name(name, &path, findings) && !targets.insert(name) {
        findings.refuse(path, format!("\"{name}\" is written already: choose another attribute"));
    }
}

fn masking(change: &PiiMaskingAction, findings: &mut Findings) {
    let base = "spec.piiMasking";
    let is_empty = change.pii_categories.is_empty()
        && change.custom_regex_maskings.is_empty()
        && change.custom_format_maskings.is_empty();
    if is_empty {
        findings.refuse(
            base,
            "masks nothing: give piiCategories, customRegexMaskings or customFormatMaskings",
        );
    }
    for (index, masking) in change.custom_regex_maskings.iter().enumerate() {
        pattern(
            &masking.regex,
            &format!("{base}.customRegexMaskings[{index}].regex"),
            findings,
        );
    }
    for (index, masking) in change.custom_format_maskings.iter().enumerate() {
        if masking.lookup_key.trim().is_empty() {
            let path = format!("{base}.customFormatMaskings[{index}].lookupKey");
            findings.refuse(path, "is empty: give the key whose value is masked");
        }
    }
}

fn templates(change: &UrlTemplatizationAction, findings: &mut Findings) {
    let base = "spec.urlTemplatization";
    if change.rules.is_empty() && change.default.is_empty() {
        findings.refuse(base, "has neither rules nor default: give at least one of them");
    }
    for (index, rule) in change.rules.iter().enumerate() {
        let base = format!("{base}.rules[{index}].templates");
        if rule.templates.is_empty() {
            findings.refuse(&base, "is empty: give paths such as /user/{id}");
        }
        for (index, template) in rule.templates.iter().enumerate() {
            if let Err(error) = template_error(template) {
                findings.refuse(format!("{base}[{index}]"), error);
            }
        }
    }
}

/// What is wrong with a template: segments that are text, `{name}`, or `{name:pattern}`.
fn template_error(template: &str) -> Result<(), String> {
    if template.trim().is_empty() {
        return Err("is empty: give a path such as /user/{id}".to_owned());
    }
    if template.contains('?') {
        return Err("has a query, and only paths are looked at: end it before the question mark".to_owned());
    }
    for segment in template.split('/') {
        let variable = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        match variable {
            None if segment.starts_with('{') || segment.ends_with('}') => {
                return Err(format!(
                    "\"{segment}\" is no variable: write it as {{name}} or {{name:pattern}}"
                ));
            }
            None => {}
            Some(variable) => {
                let (name, pattern) = variable
                    .split_once(':')
                    .map_or((variable, None), |(name, it)| (name, Some(it)));
                if name.trim().is_empty() {
                    return Err(format!(
                        "\"{segment}\" has no name: write it as {{name}} or {{name:pattern}}"
                    ));
                }
                pattern.map_or(Ok(()), |pattern| names::pattern(pattern).map(drop))?;
            }
        }
    }
    Ok(())
}

fn span_renamer(change: &SpanRenamerAction, findings: &mut Findings) {
    let base = "spec.spanRenamer";
    if change.scope_name.trim().is_empty() {
        findings.refuse(
            format!("{base}.scopeName"),
            "is empty: give the instrumentation scope whose spans are renamed",
        );
    }
    if change.regex_replacements.is_empty() {
        findings.refuse(format!("{base}.regexReplacements"), "is empty: give at least one");
    }
    for (index, replacement) in change.regex_replacements.iter().enumerate() {
        let path = format!("{base}.regexReplacements[{index}].regexPattern");
        pattern(&replacement.regex_pattern, &path, findings);
    }
}

fn extractions(change: &ExtractAttributeAction, findings: &mut Findings) {
    let base = "spec.extractAttribute.extractions";
    if change.extractions.is_empty() {
        findings.refuse(base, "is empty: give at least one");
    }
    for (index, extraction) in change.extractions.iter().enumerate() {
        let path = format!("{base}[{index}]");
        let target = &extraction.target_attribute_name;
        attribute_name(target, &format!("{path}.targetAttributeName"), findings);
        extraction_way(extraction, &path, findings);
    }
}

/// By a key in a known format, or by an expression with a group.
fn extraction_way(extraction: &Extraction, path: &str, findings: &mut Findings) {
    match (&extraction.lookup_key, &extraction.data_format, &extraction.regex) {
        (Some(key), Some(_), None) => {
            if key.trim().is_empty() {
                findings.refuse(
                    format!("{path}.lookupKey"),
                    "is empty: give the key whose value is extracted",
                );
            }
        }
        (None, None, Some(regex)) => {
            let path = format!("{path}.regex");
            if pattern(regex, &path, findings) && names::pattern(regex).is_ok_and(|regex| regex.captures_len() < 2) {
                findings.refuse(path, "has no group: put parentheses around what is extracted");
            }
        }
        _ => findings.refuse(path, "must have either lookupKey and dataFormat, or regex"),
    }
}

/// Whether it can be the name of an attribute; if not, that is said.
fn attribute_name(name: &str, path: &str, findings: &mut Findings) -> bool {
    let is_empty = name.trim().is_empty();
    if is_empty {
        findings.refuse(path, "is empty: give the name of an attribute");
    }
    !is_empty
}

/// Whether it is a regular expression; if not, that is said.
fn pattern(text: &str, path: &str, findings: &mut Findings) -> bool {
    let compiled = names::pattern(text);
    if let Err(error) = &compiled {
        findings.refuse(path, error);
    }
    compiled.is_ok()
}

#[cfg(test)]
#[path = "action_tests.rs"]
mod tests;
