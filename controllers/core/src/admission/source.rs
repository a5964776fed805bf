//! Sources: the labels that they get, and why one is refused.

use super::{Findings, names};
use controllers_api::labels::{WORKLOAD_KIND, WORKLOAD_NAME, WORKLOAD_NAMESPACE, data_stream};
use controllers_api::source::Source;
use controllers_api::workload::{ContainerOverride, PodWorkload};
use std::collections::{BTreeMap, BTreeSet};

/// The kinds of workloads that a Source may name; the last ones exist where Argo and OpenShift are.
pub const KINDS: [&str; 9] = [
    "Deployment",
    "DaemonSet",
    "StatefulSet",
    "CronJob",
    "Job",
    "Namespace",
    "StaticPod",
    "DeploymentConfig",
    "Rollout",
];

/// Another Source, as far as it matters to whether a new one may be there beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbour {
    /// Its name.
    pub name: String,
    /// The workload that it is for.
    pub workload: PodWorkload,
    /// Whether the workload's name is a pattern.
    pub is_pattern: bool,
}

impl From<&Source> for Neighbour {
    fn from(source: &Source) -> Self {
        Self {
            name: source.metadata.name.clone().unwrap_or_default(),
            workload: source.spec.workload.clone(),
            is_pattern: is_pattern(source),
        }
    }
}

/// The labels that a Source must have of its workload. There is none of the name where that is a pattern or longer than the
/// 63 bytes that a label may have.
pub fn workload_labels(source: &Source) -> BTreeMap<&'static str, &str> {
    let workload = &source.spec.workload;
    let mut labels = BTreeMap::from([
        (WORKLOAD_KIND, workload.kind.as_str()),
        (WORKLOAD_NAMESPACE, workload.namespace.as_str()),
    ]);
    if !is_pattern(source) {
        labels.insert(WORKLOAD_NAME, &workload.name);
    }
    labels.retain(|_, value| !value.is_empty() && names::is_label_value(value));
    labels
}

/// Those of [`workload_labels`] that the Source has not, also when it is changed; one that it has with another value is not
/// replaced but refused.
pub fn missing_labels(source: &Source) -> BTreeMap<&'static str, &str> {
    let mut missing = workload_labels(source);
    missing.retain(|label, _| label_of(source, label).is_none());
    missing
}

/// What is to be said of a Source. `before` is what it was, if it is changed; `neighbours` are the Sources of its namespace.
///
/// A change that touches neither spec nor labels is not looked at, nor is an object that is being deleted: finalizers must
/// come off whatever is wrong.
pub fn findings(source: &Source, before: Option<&Source>, neighbours: &[Neighbour]) -> Findings {
    let mut findings = Findings::default();
    if source.metadata.deletion_timestamp.is_some() {
        return findings;
    }
    if let Some(before) = before {
        if before.spec == source.spec && completed_labels(before) == completed_labels(source) {
            return findings;
        }
        changes(source, before, &mut findings);
    }
    workload(source, &mut findings);
    labels(source, &mut findings);
    namespace_source(source, &mut findings);
    overrides(&source.spec.container_overrides, &mut findings);
    if let Some(name) = &source.spec.otel_service_name
        && name.chars().any(char::is_control)
    {
        findings.refuse("spec.otelServiceName", "must be without control characters");
    }
    if before.is_none() {
        duplicates(source, neighbours, &mut findings);
    }
    findings
}

/// The labels with those that are filled in: filling them in is no change of the user's.
fn completed_labels(source: &Source) -> BTreeMap<&str, &str> {
    let labels = source.metadata.labels.iter().flatten();
    let labels = labels.map(|(label, value)| (label.as_str(), value.as_str()));
    missing_labels(source).into_iter().chain(labels).collect()
}

/// Whether the workload's name is a pattern.
fn is_pattern(source: &Source) -> bool {
    source.spec.match_workload_name_as_regex == Some(true)
}

fn label_of<'a>(source: &'a Source, label: &str) -> Option<&'a str> {
    source.metadata.labels.as_ref()?.get(label).map(String::as_str)
}

fn label_path(label: &str) -> String {
    format!("metadata.labels[\"{label}\"]")
}

fn changes(source: &Source, before: &Source, findings: &mut Findings) {
    if source.spec.workload != before.spec.workload {
        findings.refuse(
            "spec.workload",
            "cannot be changed: delete this Source and make another",
        );
    }
    if is_pattern(source) != is_pattern(before) {
        findings.refuse(
            "spec.matchWorkloadNameAsRegex",
            "cannot be changed: delete this Source and make another",
        );
    }
}

fn workload(source: &Source, findings: &mut Findings) {
    let workload = &source.spec.workload;
    let lies_in = source.metadata.namespace.as_deref().unwrap_or_default();
    if workload.namespace != lies_in {
        findings.refuse(
            "spec.workload.namespace",
            format!(
                "is \"{}\", but the Source lies in \"{lies_in}\": a Source lies in the namespace of its workload, so make \
                 it in \"{}\" or change this field",
                workload.namespace, workload.namespace
            ),
        );
    }
    if !KINDS.contains(&workload.kind.as_str()) {
        findings.refuse(
            "spec.workload.kind",
            format!("is \"{}\": it must be one of {}", workload.kind, KINDS.join(", ")),
        );
    }
    if is_pattern(source) {
        if let Err(error) = names::whole(&workload.name) {
            findings.refuse("spec.workload.name", error);
        }
    } else if !names::is_object_name(&workload.name) {
        findings.refuse(
            "spec.workload.name",
            format!(
                "\"{}\" cannot be the name of a workload, which has small letters, digits, hyphens and dots: for a pattern, \
                 set matchWorkloadNameAsRegex",
                workload.name
            ),
        );
    }
}

fn labels(source: &Source, findings: &mut Findings) {
    let expected = workload_labels(source);
    for (label, value) in &expected {
        match label_of(source, label) {
            Some(found) if found != *value => findings.refuse(
                label_path(label),
                format!("is \"{found}\", but spec.workload says \"{value}\": leave the label out, it is filled in"),
            ),
            Some(_) | None => {}
        }
    }
    if !expected.contains_key(WORKLOAD_NAME) && label_of(source, WORKLOAD_NAME).is_some() {
        findings.refuse(
            label_path(WORKLOAD_NAME),
            "must not be set where spec.workload.name is a pattern or does not fit into a label: remove it",
        );
    }
    let labels = source.metadata.labels.iter().flatten();
    for (label, value) in labels.filter(|(label, _)| data_stream(label).is_some()) {
        if value != "true" {
            findings.warn(
                label_path(label),
                format!("has no effect with the value \"{value}\": set it to \"true\""),
            );
        }
    }
}

fn namespace_source(source: &Source, findings: &mut Findings) {
    let spec = &source.spec;
    if spec.workload.kind != "Namespace" {
        if is_pattern(source) && spec.otel_service_name.as_deref().is_some_and(|name| !name.is_empty()) {
            findings.warn(
                "spec.otelServiceName",
                "gives all workloads that match the pattern one service name",
            );
        }
        return;
    }
    if spec.workload.name != spec.workload.namespace {
        findings.refuse(
            "spec.workload.name",
            format!(
                "is \"{}\", but the namespace is \"{}\": for kind Namespace both are the name of the namespace",
                spec.workload.name, spec.workload.namespace
            ),
        );
    }
    if spec.otel_service_name.as_deref().is_some_and(|name| !name.is_empty()) {
        findings.refuse(
            "spec.otelServiceName",
            "must be empty for kind Namespace: set it in a Source for a single workload",
        );
    }
    if is_pattern(source) {
        findings.refuse(
            "spec.matchWorkloadNameAsRegex",
            "must not be set for kind Namespace: a Namespace Source is for all workloads",
        );
    }
    if !spec.container_overrides.is_empty() {
        findings.warn(
            "spec.containerOverrides",
            "has no effect for kind Namespace: set it in a Source for a single workload",
        );
    }
}

fn overrides(overrides: &[ContainerOverride], findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for (index, container) in overrides.iter().enumerate() {
        let path = |field: &str| format!("spec.containerOverrides[{index}].{field}");
        let name = &container.container_name;
        if !names::is_dns_label(name) {
            findings.refuse(
                path("containerName"),
                format!("\"{name}\" cannot be the name of a container"),
            );
        } else if !seen.insert(name) {
            findings.refuse(
                path("containerName"),
                format!("\"{name}\" has an entry already: put both into one"),
            );
        }
        if let Some(runtime) = &container.runtime_info
            && runtime.container_name != *name
        {
            findings.warn(
                path("runtimeInfo.containerName"),
                format!("is not \"{name}\", and is not looked at"),
            );
        }
    }
}

fn duplicates(source: &Source, neighbours: &[Neighbour], findings: &mut Findings) {
    let own = Neighbour::from(source);
    let other = neighbours
        .iter()
        .find(|other| other.name != own.name && other.workload == own.workload && other.is_pattern == own.is_pattern);
    if let Some(other) = other {
        findings.refuse(
            "spec.workload",
            format!(
                "{} \"{}\" has the Source \"{}\" already: change or delete that one",
                own.workload.kind, own.workload.name, other.name
            ),
        );
    }
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
