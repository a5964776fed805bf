//! From a question to its answer: which kind is asked about decides which function of `controllers_core::admission` judges.

use crate::rim::Metrics;
use controllers_api::action::Action;
use controllers_api::destination::Destination;
use controllers_api::instrumentation_rule::InstrumentationRule;
use controllers_api::labels::{WORKLOAD_KIND, WORKLOAD_NAME};
use controllers_api::source::Source;
use controllers_core::admission::registration::{MUTATE_PODS, MUTATE_SOURCES, VALIDATED};
use controllers_core::admission::review::{self, ObjectError, Operation, Request};
use controllers_core::admission::source::{Neighbour, missing_labels, workload_labels};
use controllers_core::admission::{Findings, Problem, action, destination, instrumentation_rule, source};
use controllers_core::injection::Admission;
use k8s_openapi::api::core::v1::Pod;
use kube_client::api::{Api, ListParams};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

/// How long the other Sources of a namespace are waited for.
const LOOK: Duration = Duration::from_secs(3);

/// What answers.
pub struct Answers {
    pub(super) client: kube_client::Client,
    pub(super) metrics: Metrics,
    pub(super) pods: Box<Pods>,
}

/// What becomes of a pod that is made in a namespace.
pub type Pods = dyn Fn(&str, &Pod) -> Admission + Send + Sync;

/// An answer.
#[derive(Debug)]
pub enum Answer {
    /// An AdmissionReview with its response.
    Review(Value),
    /// The question was none, and why.
    NoReview(String),
}

/// What an answer counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Allowed,
    Changed,
    Refused,
    Unreadable,
    /// Allowed as it is, for this reason.
    Skipped(&'static str),
}

impl Verdict {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Changed => "changed",
            Self::Refused => "refused",
            Self::Unreadable => "unreadable",
            Self::Skipped(reason) => reason,
        }
    }
}

impl Answers {
    /// Whether there is a webhook of this path.
    pub fn knows(path: &str) -> bool {
        path == MUTATE_SOURCES || path == MUTATE_PODS || VALIDATED.iter().any(|(_, known)| *known == path)
    }

    /// The answer to a question; `path` is one that is known.
    pub async fn answer(&self, path: &str, body: &[u8]) -> Answer {
        let request = match Request::parse(body) {
            Ok(request) => request,
            Err(error) => {
                self.metrics.admitted(path, Verdict::Unreadable.as_str());
                return Answer::NoReview(error.to_string());
            }
        };
        let (answer, verdict) = match path {
            MUTATE_SOURCES => default_labels(&request),
            MUTATE_PODS => self.pod(&request),
            "/validate/sources" => self.source(&request).await,
            "/validate/actions" => judge::<Action>(&request, action::findings),
            "/validate/instrumentationrules" => judge::<InstrumentationRule>(&request, instrumentation_rule::findings),
            "/validate/destinations" => judge::<Destination>(&request, destination::findings),
            _ => return Answer::NoReview("there is no such webhook".to_owned()),
        };
        self.metrics.admitted(path, verdict.as_str());
        if verdict == Verdict::Refused {
            let message = answer["response"]["status"]["message"].as_str();
            tracing::info!(
                kind = request.head.kind.kind,
                namespace = request.head.namespace,
                name = request.head.name,
                message,
                "refused"
            );
        }
        Answer::Review(answer)
    }

    /// A pod is always let in, whatever is wrong.
    fn pod(&self, request: &Request<'_>) -> (Value, Verdict) {
        let Ok(pod) = request.object::<Pod>() else {
            return (nothing(request), Verdict::Unreadable);
        };
        match (self.pods)(&request.head.namespace, &pod) {
            Admission::Changed { patch, refused } => {
                for (container, refusal) in refused {
                    let namespace = &request.head.namespace;
                    tracing::warn!(namespace, container, %refusal, "a container of a pod gets no agent");
                }
                (review::allowed(&request.head.uid, &patch, &[]), Verdict::Changed)
            }
            Admission::Unchanged(skipped) => (nothing(request), Verdict::Skipped(skipped.reason())),
        }
    }

    async fn source(&self, request: &Request<'_>) -> (Value, Verdict) {
        let mut neighbours = Vec::new();
        let mut unknown = None;
        if request.head.operation == Operation::Create
            && let Ok(source) = request.object::<Source>()
        {
            match self.neighbours(&source).await {
                Ok(found) => neighbours = found,
                Err(error) => unknown = Some(error),
            }
        }
        judge::<Source>(request, |object, before| {
            let mut findings = source::findings(object, before, &neighbours);
            if let Some(error) = &unknown {
                tracing::warn!(error, "the other Sources could not be looked at");
                findings.warnings.push(Problem {
                    path: "spec.workload".to_owned(),
                    message: "it could not be checked whether the workload has another Source".to_owned(),
                });
            }
            findings
        })
    }

    /// The Sources that may be for the same workload. They are asked for and not taken from a cache: of two Sources in one file
    /// the second comes before a cache has the first.
    async fn neighbours(&self, source: &Source) -> Result<Vec<Neighbour>, String> {
        let namespace = source.metadata.namespace.as_deref().unwrap_or_default();
        let labels = workload_labels(source);
        let kind = labels.get(WORKLOAD_KIND).copied().unwrap_or_default();
        let name = match labels.get(WORKLOAD_NAME) {
            Some(name) => format!("{WORKLOAD_NAME}={name}"),
            None => format!("!{WORKLOAD_NAME}"),
        };
        let selector = format!("{WORKLOAD_KIND}={kind},{name}");
        let sources: Api<Source> = Api::namespaced(self.client.clone(), namespace);
        let parameters = ListParams::default().labels(&selector);
        let listed = tokio::time::timeout(LOOK, sources.list(&parameters)).await;
        let listed = listed.map_err(|_| "no answer in time".to_owned())?;
        let listed = listed.map_err(|error| kit::logging::chain(&error))?;
        Ok(listed.items.iter().map(Neighbour::from).collect())
    }
}

fn default_labels(request: &Request<'_>) -> (Value, Verdict) {
    // One that cannot be read is refused by its schema, with a better reason.
    let Ok(source) = request.object::<Source>() else {
        return (nothing(request), Verdict::Unreadable);
    };
    if source.metadata.deletion_timestamp.is_some() {
        return (nothing(request), Verdict::Allowed);
    }
    let missing = missing_labels(&source);
    let verdict = match missing.is_empty() {
        true => Verdict::Allowed,
        false => Verdict::Changed,
    };
    let patch = review::add_labels(missing, source.metadata.labels.is_some());
    (review::allowed(&request.head.uid, &patch, &[]), verdict)
}

fn judge<T: DeserializeOwned>(
    request: &Request<'_>,
    findings: impl FnOnce(&T, Option<&T>) -> Findings,
) -> (Value, Verdict) {
    if matches!(request.head.operation, Operation::Delete | Operation::Connect) {
        return (nothing(request), Verdict::Allowed);
    }
    let read = || -> Result<_, ObjectError> { Ok((request.object::<T>()?, request.old_object::<T>())) };
    match read() {
        Ok((object, before)) => {
            // What was there before may be older than the rules of today; then the object counts as new.
            let found = findings(&object, before.ok().flatten().as_ref());
            let verdict = match found.problems.is_empty() {
                true => Verdict::Allowed,
                false => Verdict::Refused,
            };
            (review::judged(request, &found), verdict)
        }
        Err(error) => (review::unreadable(&request.head.uid, &error), Verdict::Unreadable),
    }
}

fn nothing(request: &Request<'_>) -> Value {
    review::allowed(&request.head.uid, &[] as &[review::Patch], &[])
}

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answers").finish_non_exhaustive()
    }
}
