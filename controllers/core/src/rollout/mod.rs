//! When the pods of a workload are replaced, so that they get what they shall have or lose what they shall not have.
//!
//! [`decide`] looks at everything as it is now and says the one next step. It remembers nothing: what was done before stands in
//! the objects. A pod says by its label which hash it was injected for; the workload's template says by an annotation (or, by
//! the method that changes templates, by its label) for which hash its pods were last replaced; and what was rolled back
//! stands on the InstrumentationConfig ([`RolledBack`]). So whoever takes over goes on where another was killed, and a
//! workload is rolled once for each hash.
//!
//! | kind | one pod first | then |
//! |---|---|---|
//! | Deployment, StatefulSet, DaemonSet, Rollout, DeploymentConfig with two pods or more | one is evicted, and its replacement passes the webhook | the annotation in the template makes the controller replace all |
//! | the same with one pod | no: the rolling update itself brings up the new one before or after the old one, as its strategy says | the annotation |
//! | the same by the method that changes templates | no: a template has one content | the changed template |
//! | the same with strategy `OnDelete` | no | whoever deletes the pods |
//! | Job, CronJob | no | its next run |
//! | StaticPod | no | not supported: the kubelet makes these pods without asking the apiserver |
//!
//! A PodDisruptionBudget that allows fewer pods to be down than the workload's own strategy would take down is respected:
//! then pods are evicted one by one, and the template stays as it is.

mod budget;
mod canary;
mod configuration;
mod decide;
mod health;
mod pod;
mod record;
mod workload;

pub use budget::allowed;
pub use configuration::Configuration;
pub use decide::{decide, is_under_way};
pub use pod::{ContainerState, PodState};
pub use record::{RolledBack, rolled_back, to_annotation};
pub use workload::{Progress, WorkloadState};

use crate::instrumentor::{Finding, WorkloadKind};
use controllers_api::instrumentation_config::PodsManifestInjectionStatus;
use k8s_openapi::jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// All that decides about the next step of a workload.
#[derive(Clone, Debug)]
pub struct Observed<'a> {
    /// Its kind.
    pub kind: WorkloadKind,
    /// What its pods shall have; nothing if they shall be as their owner wrote them.
    pub desired: Option<Desired>,
    /// The workload.
    pub workload: WorkloadState,
    /// Its pods.
    pub pods: &'a [PodState],
    /// How many of its pods may be down more than there are, by all budgets that are about them; nothing without a budget.
    pub disruptions: Option<u32>,
    /// How many other workloads are being rolled.
    pub others_under_way: usize,
    /// How much more the pods with the agents take than those without, as a part of it, where that was measured.
    pub overhead: Option<f64>,
    /// The configuration.
    pub settings: Settings,
    /// Now.
    pub now: Timestamp,
}

/// What pods shall have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// The plan's hash.
    pub hash: String,
    /// Since when that is the hash.
    pub since: Option<Timestamp>,
    /// The containers with an agent, and the hash of each.
    pub agents: BTreeMap<String, String>,
}

/// The configuration, as far as it decides about rollouts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Whether pods are replaced without somebody doing it.
    pub automatic: bool,
    /// How many workloads may be rolled at once.
    pub max_concurrent: Option<usize>,
    /// Whether agents are taken out again that make pods fail.
    pub rollback: bool,
    /// How long a pod may fail before that.
    pub grace: Duration,
    /// For how long after a pod's start its failure is put down to the agent.
    pub window: Duration,
    /// One pod first; nothing means all at once.
    pub canary: Option<Canary>,
    /// How pods get what they shall have.
    pub method: Method,
}

/// When the pod that came first is good enough for the others to follow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Canary {
    /// For how long it must have been ready.
    pub stable: Duration,
    /// How much more it may take than the others, as a part of what they take. Only where that is measured.
    pub overhead: f64,
}

/// How pods get what they shall have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// When they are made.
    #[default]
    Webhook,
    /// By the workload's template.
    Template,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            automatic: true,
            max_concurrent: None,
            rollback: true,
            grace: Duration::from_secs(300),
            window: Duration::from_secs(3600),
            canary: Some(Canary::default()),
            method: Method::default(),
        }
    }
}

impl Default for Canary {
    fn default() -> Self {
        Self {
            stable: Duration::from_secs(30),
            overhead: 0.1,
        }
    }
}

/// What is to be done, and what is said of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The next step.
    pub step: Step,
    /// The conditions `WorkloadRollout` and `PodsManifestInjection`.
    pub conditions: [Finding; 2],
    /// How far the pods have got.
    pub pods: PodsManifestInjectionStatus,
    /// When to look again even if nothing happens.
    pub again: Option<Duration>,
}

/// A step that changes something.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// None.
    Nothing,
    /// Make the template stand for this hash, or for none: the workload's controller replaces the pods.
    Template(Option<String>),
    /// Evict a pod, so that its controller makes another one.
    Replace {
        /// Its name.
        pod: String,
    },
    /// Take the agents out of these containers.
    RollBack(BTreeMap<String, RolledBack>),
}
