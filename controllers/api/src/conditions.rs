//! Types and reasons of conditions: the vocabulary in which every object says what it waits for. The reasons of `AgentEnabled` are
//! [`AgentEnabledReason`](crate::instrumentation_config::AgentEnabledReason), since single containers have them too.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The status of a kind that has nothing but conditions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConditionsStatus {
    /// What is waited for, and what went wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// What a condition speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConditionType {
    /// A Source asks for the workload.
    MarkedForInstrumentation,
    /// The processes were looked at.
    RuntimeDetection,
    /// An agent runs in the workload, or shall.
    AgentEnabled,
    /// The workload was restarted, where that is needed.
    WorkloadRollout,
    /// The pods have what the agent needs.
    PodsManifestInjection,
    /// The gateway sends to the destination.
    DestinationConfigured,
    /// A Source or a rule does what its author asks for.
    Accepted,
}

impl ConditionType {
    /// As it stands in the object.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MarkedForInstrumentation => "MarkedForInstrumentation",
            Self::RuntimeDetection => "RuntimeDetection",
            Self::AgentEnabled => "AgentEnabled",
            Self::WorkloadRollout => "WorkloadRollout",
            Self::PodsManifestInjection => "PodsManifestInjection",
            Self::DestinationConfigured => "DestinationConfigured",
            Self::Accepted => "Accepted",
        }
    }
}

/// Reasons of the condition of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MarkedForInstrumentation {
    /// A Source of the workload.
    WorkloadSource,
    /// A Source of its namespace.
    NamespaceSource,
    /// A Source excludes the workload.
    WorkloadSourceDisabled,
    /// There is no Source.
    NoSource,
    /// It could not be found out, and is tried again.
    RetirableError,
}

impl MarkedForInstrumentation {
    /// As it stands in the object.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WorkloadSource => "WorkloadSource",
            Self::NamespaceSource => "NamespaceSource",
            Self::WorkloadSourceDisabled => "WorkloadSourceDisabled",
            Self::NoSource => "NoSource",
            Self::RetirableError => "RetirableError",
        }
    }
}

/// Reasons of the condition of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuntimeDetection {
    /// Every container is known.
    DetectedSuccessfully,
    /// Several languages in a container, one of which was chosen.
    ResolvedFromMultipleLanguages,
    /// Several languages in a container, none of which could be chosen.
    UnresolvedMultipleLanguages,
    /// No node has reported yet.
    WaitingForDetection,
    /// There is no pod to look at.
    NoRunningPods,
    /// The processes could not be looked at.
    Error,
}

impl RuntimeDetection {
    /// As it stands in the object.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DetectedSuccessfully => "DetectedSuccessfully",
            Self::ResolvedFromMultipleLanguages => "ResolvedFromMultipleLanguages",
            Self::UnresolvedMultipleLanguages => "UnresolvedMultipleLanguages",
            Self::WaitingForDetection => "WaitingForDetection",
            Self::NoRunningPods => "NoRunningPods",
            Self::Error => "Error",
        }
    }
}

/// Reasons of the condition of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WorkloadRollout {
    /// The restart has begun.
    RolloutTriggeredSuccessfully,
    /// The workload could not be changed.
    FailedToPatch,
    /// A rollout that is under way comes first.
    PreviousRolloutOngoing,
    /// Restarts are switched off: the user does it.
    Disabled,
    /// The workload must be restarted by its owner.
    WaitingForRestart,
    /// Workloads of this kind cannot be restarted.
    WorkloadNotSupporting,
    /// The pods may stay as they are.
    NotRequired,
    /// As many rollouts as allowed are under way.
    WaitingInQueue,
    /// Every pod is up to date.
    RolloutFinished,
}

impl WorkloadRollout {
    /// As it stands in the object.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RolloutTriggeredSuccessfully => "RolloutTriggeredSuccessfully",
            Self::FailedToPatch => "FailedToPatch",
            Self::PreviousRolloutOngoing => "PreviousRolloutOngoing",
            Self::Disabled => "Disabled",
            Self::WaitingForRestart => "WaitingForRestart",
            Self::WorkloadNotSupporting => "WorkloadNotSupporting",
            Self::NotRequired => "NotRequired",
            Self::WaitingInQueue => "WaitingInQueue",
            Self::RolloutFinished => "RolloutFinished",
        }
    }
}

/// Reasons of the condition of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PodsManifestInjection {
    /// There is no pod.
    NoPods,
    /// Every pod has what it needs.
    PodsAppliedSuccessfully,
    /// Nothing is injected into the pods.
    PodsManifestInjectionNotRequired,
    /// The pods are being replaced.
    RolloutInProgress,
}

impl PodsManifestInjection {
    /// As it stands in the object.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoPods => "NoPods",
            Self::PodsAppliedSuccessfully => "PodsAppliedSuccessfully",
            Self::PodsManifestInjectionNotRequired => "PodsManifestInjectionNotRequired",
            Self::RolloutInProgress => "RolloutInProgress",
        }
    }
}

/// Reasons of the condition `Accepted` of a Source and of an InstrumentationRule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Accepted {
    /// A Source instruments what it is about.
    Instruments,
    /// A Source excludes what it is about.
    Excludes,
    /// There is nothing that a Source is about.
    NoWorkload,
    /// Other Sources decide about all that a Source is about.
    PassedOver,
    /// The configuration ignores the namespace.
    NamespaceIgnored,
    /// It cannot be read.
    Invalid,
    /// All of a rule has its effect.
    InEffect,
    /// Something in a rule has no effect.
    PartlyInEffect,
    /// The rule is switched off.
    Disabled,
}

impl Accepted {
    /// As it stands in the object.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Instruments => "Instruments",
            Self::Excludes => "Excludes",
            Self::NoWorkload => "NoWorkload",
            Self::PassedOver => "PassedOver",
            Self::NamespaceIgnored => "NamespaceIgnored",
            Self::Invalid => "Invalid",
            Self::InEffect => "InEffect",
            Self::PartlyInEffect => "PartlyInEffect",
            Self::Disabled => "Disabled",
        }
    }
}
