//! A Source as far as it decides about workloads.

use super::workload::{WorkloadId, WorkloadKind};
use controllers_api::labels;
use controllers_api::source::Source as Object;
use controllers_api::workload::ContainerOverride;
use regex::{Regex, RegexBuilder};
use std::collections::BTreeMap;

/// Namespace and name of a Source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceKey {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

/// A Source, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Which one.
    pub key: SourceKey,
    /// What it is about.
    pub target: Target,
    /// Whether it excludes what it is about.
    pub excludes: bool,
    /// `service.name`, if it is not the workload's own name.
    pub service_name: Option<String>,
    /// Decisions for single containers.
    pub overrides: Vec<ContainerOverride>,
    /// Data streams by name; false takes the workload out of a stream of its namespace.
    pub streams: BTreeMap<String, bool>,
}

/// What a Source is about. Always in the Source's own namespace.
#[derive(Debug, Clone)]
pub enum Target {
    /// One workload.
    Workload(WorkloadId),
    /// Every workload of a kind whose whole name matches.
    Matching(WorkloadKind, Regex),
    /// Every workload of the namespace.
    Namespace,
}

/// Why a Source has no effect.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It is about another namespace than its own, in which its author may have no say.
    #[error("spec.workload.namespace is \"{0}\": create the Source in that namespace")]
    OtherNamespace(String),
    /// The kind is none that can be instrumented.
    #[error("spec.workload.kind \"{0}\" cannot be instrumented")]
    Kind(String),
    /// For a Namespace, name and namespace differ.
    #[error("for kind Namespace, spec.workload.name must be the namespace, and is \"{0}\"")]
    NamespaceName(String),
    /// The expression does not compile, or is too large.
    #[error("spec.workload.name \"{pattern}\" is no regular expression: {reason}")]
    Pattern {
        /// As it was written.
        pattern: String,
        /// What is wrong, on one line.
        reason: String,
    },
}

/// The largest compiled expression in bytes: far more than names of workloads need, and little for hundreds of Sources.
const PATTERN_SIZE: usize = 64 * 1024;

impl Source {
    /// Reads an object, whether or not an admission webhook has judged it.
    pub fn read(object: &Object) -> Result<Self, SourceError> {
        let namespace = object.metadata.namespace.clone().unwrap_or_default();
        let workload = &object.spec.workload;
        if workload.namespace != namespace {
            return Err(SourceError::OtherNamespace(workload.namespace.clone()));
        }
        let target = target(object)?;
        let labels = object.metadata.labels.iter().flatten();
        let streams =
            labels.filter_map(|(label, value)| Some((labels::data_stream(label)?.to_owned(), value == "true")));
        let service_name = object.spec.otel_service_name.clone();
        Ok(Self {
            key: SourceKey {
                namespace,
                name: object.metadata.name.clone().unwrap_or_default(),
            },
            target,
            excludes: object.spec.disable_instrumentation.unwrap_or(false),
            service_name: service_name.filter(|name| !name.is_empty()),
            overrides: object.spec.container_overrides.clone(),
            streams: streams.collect(),
        })
    }
}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Workload(id), Self::Workload(other)) => id == other,
            (Self::Matching(kind, regex), Self::Matching(other, pattern)) => {
                kind == other && regex.as_str() == pattern.as_str()
            }
            (Self::Namespace, Self::Namespace) => true,
            (Self::Workload(_) | Self::Matching(..) | Self::Namespace, _) => false,
        }
    }
}

fn target(object: &Object) -> Result<Target, SourceError> {
    let workload = &object.spec.workload;
    if workload.kind == "Namespace" {
        if workload.name != workload.namespace {
            return Err(SourceError::NamespaceName(workload.name.clone()));
        }
        return Ok(Target::Namespace);
    }
    let kind = WorkloadKind::parse(&workload.kind).ok_or_else(|| SourceError::Kind(workload.kind.clone()))?;
    if object.spec.match_workload_name_as_regex == Some(true) {
        return Ok(Target::Matching(kind, pattern(&workload.name)?));
    }
    Ok(Target::Workload(WorkloadId {
        namespace: workload.namespace.clone(),
        kind,
        name: workload.name.clone(),
    }))
}

/// An expression that must match the whole name.
fn pattern(text: &str) -> Result<Regex, SourceError> {
    // The text alone is compiled first: an expression such as `a)|(b` only becomes one by what is put around it.
    let compiled = Regex::new(text).and_then(|_| {
        RegexBuilder::new(&format!("^(?:{text})$"))
            .size_limit(PATTERN_SIZE)
            .build()
    });
    compiled.map_err(|error| SourceError::Pattern {
        pattern: text.to_owned(),
        reason: error.to_string().split_whitespace().collect::<Vec<_>>().join(" "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use controllers_api::source::SourceSpec;
    use controllers_api::workload::PodWorkload;

    fn object(kind: &str, name: &str, namespace: &str, regex: bool) -> Object {
        let workload = PodWorkload {
            kind: kind.to_owned(),
            name: name.to_owned(),
            namespace: namespace.to_owned(),
        };
        let spec = SourceSpec {
            workload,
            match_workload_name_as_regex: Some(regex),
            ..SourceSpec::default()
        };
        let mut object = Object::new("s", spec);
        object.metadata.namespace = Some("shop".to_owned());
        object
    }

    #[test]
    fn what_no_webhook_has_refused_is_refused_here() {
        let cases = [
            (
                object("Deployment", "cart", "other", false),
                "create the Source in that namespace",
            ),
            (object("ReplicaSet", "cart", "shop", false), "cannot be instrumented"),
            (object("Namespace", "cart", "shop", false), "must be the namespace"),
            (object("Deployment", "cart-(", "shop", true), "is no regular expression"),
            (object("Deployment", "a)|(b", "shop", true), "is no regular expression"),
            (
                object("Deployment", "(a{1000}){1000}", "shop", true),
                "is no regular expression",
            ),
        ];
        for (object, reason) in cases {
            let error = Source::read(&object).unwrap_err().to_string();
            assert!(error.contains(reason) && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn an_expression_must_match_the_whole_name() {
        let read = Source::read(&object("Deployment", "cart|pay.*", "shop", true)).unwrap();
        let Target::Matching(WorkloadKind::Deployment, regex) = read.target else {
            panic!("{:?}", read.target);
        };
        assert!(regex.is_match("cart") && regex.is_match("payment"));
        assert!(!regex.is_match("cart-2") && !regex.is_match("a-cart"));
    }

    #[test]
    fn labels_put_a_source_into_data_streams_or_take_it_out() {
        let mut object = object("Namespace", "shop", "shop", false);
        let label = |name: &str, value: &str| (format!("{}{name}", labels::DATA_STREAM_PREFIX), value.to_owned());
        object.metadata.labels = Some(BTreeMap::from([label("a", "true"), label("b", "false")]));
        let streams = Source::read(&object).unwrap().streams;
        assert_eq!(
            streams,
            BTreeMap::from([("a".to_owned(), true), ("b".to_owned(), false)])
        );
    }
}
