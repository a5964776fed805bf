//! What the webhook answers when a pod is made.

use super::owner::owners;
use super::patch::{Operation, difference};
use super::{BadRecord, Plan, Refusal, inject};
use crate::instrumentor::WorkloadId;
use controllers_api::labels;
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use std::collections::BTreeMap;
use thiserror::Error;

/// The answer: the pod is always let in.
#[derive(Debug)]
pub enum Admission {
    /// With these changes.
    Changed {
        /// To the pod as it was sent.
        patch: Vec<Operation>,
        /// Each container that was to get an agent and cannot.
        refused: BTreeMap<String, Refusal>,
    },
    /// As it is.
    Unchanged(Skipped),
}

/// Why a pod is let in as it is.
#[derive(Debug, Error)]
pub enum Skipped {
    /// No workload made it that could be instrumented.
    #[error("the pod belongs to no workload")]
    NoWorkload,
    /// Nobody asks for its workload.
    #[error("no Source asks for the pod's workload")]
    NotInstrumented,
    /// Its workload's pods get nothing: eBPF sees them as they are, or no agent may run.
    #[error("the workload's pods stay as they are")]
    NothingToInject,
    /// The workload's template carries the agents already.
    #[error("the pod comes from a template with the agents in it")]
    AlreadyInjected,
    /// What was put into the template cannot be read.
    #[error(transparent)]
    BadRecord(#[from] BadRecord),
}

impl Skipped {
    /// One word, to count by.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoWorkload => "no_workload",
            Self::NotInstrumented => "not_instrumented",
            Self::NothingToInject => "nothing_to_inject",
            Self::AlreadyInjected => "already_injected",
            Self::BadRecord(_) => "bad_record",
        }
    }
}

/// Decides on a pod that is made in `namespace`. `plan_of` knows what the pods of each instrumented workload get.
pub fn admit(namespace: &str, pod: &Pod, plan_of: impl Fn(&WorkloadId) -> Option<Plan>) -> Admission {
    match changed(namespace, pod, plan_of) {
        Ok(admission) => admission,
        Err(skipped) => Admission::Unchanged(skipped),
    }
}

fn changed(namespace: &str, pod: &Pod, plan_of: impl Fn(&WorkloadId) -> Option<Plan>) -> Result<Admission, Skipped> {
    let owners = owners(namespace, &pod.metadata);
    if owners.is_empty() {
        return Err(Skipped::NoWorkload);
    }
    let plan = owners.iter().find_map(plan_of).ok_or(Skipped::NotInstrumented)?;
    let hash = plan.hash().ok_or(Skipped::NothingToInject)?;
    if pod
        .metadata
        .labels
        .iter()
        .flatten()
        .any(|(name, value)| name == labels::AGENTS_META_HASH && *value == hash)
    {
        return Err(Skipped::AlreadyInjected);
    }
    let before = PodTemplateSpec {
        metadata: Some(pod.metadata.clone()),
        spec: pod.spec.clone(),
    };
    let mut injected = inject(&before, &plan)?;
    // Nothing is ever taken out of a pod, so it needs no record.
    if let Some(annotations) = injected
        .template
        .metadata
        .as_mut()
        .and_then(|it| it.annotations.as_mut())
    {
        annotations.remove(labels::INJECTED);
    }
    let json = |template: &PodTemplateSpec| serde_json::to_value(template).unwrap_or_default();
    Ok(Admission::Changed {
        patch: difference("", &json(&before), &json(&injected.template)),
        refused: injected.refused,
    })
}
