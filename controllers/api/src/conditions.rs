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
    /// The collectors make the change of an Action.
    TransformedToProcessor,
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
            Self::TransformedToProcessor => "TransformedToProcessor",
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
    /// As many rollouts as allowed are under way; the pods are replaced after those.
    WaitingInRolloutQueue,
    /// The pods will be replaced.
    WaitingForAutomaticRollout,
    /// The pods of a Job stay as they are; its next ones get what they need.
    WaitingForNextJobRun,
    /// The pods are static, and stay as they are until their owner replaces them.
    RolloutNotSupportedForStaticPods,
    /// Automatic rollouts are switched off: the user must restart the workload.
    RestartRequiredAutoRolloutDisabled,
    /// The workload could not be restarted: the user must do it.
    RestartRequiredAutoRolloutFailed,
    /// Pods were made while the webhook did not answer: the user must restart the workload.
    RestartRequiredWebhookMissed,
    /// No agent shall run, and no pod has anything of one.
    AgentDisabled,
}

impl PodsManifestInjection {
    /// As it stands in the object.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoPods => "NoPods",
            Self::PodsAppliedSuccessfully => "PodsAppliedSuccessfully",
            Self::PodsManifestInjectionNotRequired => "PodsManifestInjectionNotRequired",
            Self::RolloutInProgress => "RolloutInProgress",
            Self::WaitingInRolloutQueue => "WaitingInRolloutQueue",
            Self::WaitingForAutomaticRollout => "WaitingForAutomaticRollout",
            Self::WaitingForNextJobRun => "WaitingForNextJobRun",
            Self::RolloutNotSupportedForStaticPods => "RolloutNotSupportedForStaticPods",
            Self::RestartRequiredAutoRolloutDisabled => "RestartRequiredAutoRolloutDisabled",
            Self::RestartRequiredAutoRolloutFailed => "RestartRequiredAutoRolloutFailed",
            Self::RestartRequiredWebhookMissed => "RestartRequiredWebhookMissed",
            Self::AgentDisabled => "AgentDisabled",
        }
    }
}

/// Reasons of the condition of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DestinationConfigured {
    /// The gateway's configuration sends to it.
    Configured,
    /// It is sent to, but not all signals that it asks for.
    PartlyConfigured,
    /// The destination is switched off.
    Disabled,
    /// There is no destination of this type.
    UnknownType,
    /// The collector cannot send to this type yet; the message says the way around.
    NotSupported,
    /// It asks for no signal, or for one that this type does not take.
    NoSignals,
    /// Fields are missing or wrong; the message names each.
    InvalidFields,
    /// There is no Secret of the name in secretRef.
    SecretNotFound,
    /// Keys are missing in the Secret; the message names each.
    SecretIncomplete,
    /// There is no gateway yet that could send to it.
    WaitingForGateway,
    /// No Source is in the data streams that its selector names.
    NothingSelected,
}

impl DestinationConfigured {
    /// As it stands in the object.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Configured => "Configured",
            Self::PartlyConfigured => "PartlyConfigured",
            Self::Disabled => "Disabled",
            Self::UnknownType => "UnknownType",
            Self::NotSupported => "NotSupported",
            Self::NoSignals => "NoSignals",
            Self::InvalidFields => "InvalidFields",
            Self::SecretNotFound => "SecretNotFound",
            Self::SecretIncomplete => "SecretIncomplete",
            Self::WaitingForGateway => "WaitingForGateway",
            Self::NothingSelected => "NothingSelected",
        }
    }
}

/// Reasons of the condition of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransformedToProcessor {
    /// The collectors' configuration has it.
    ProcessorCreated,
    /// Agents do it, so the collectors need not.
    ProcessorNotRequired,
    /// The Action is switched off.
    Disabled,
    /// It cannot be expressed; the message says why and what to change.
    FailedToTransformToProcessor,
}

impl TransformedToProcessor {
    /// As it stands in the object.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ProcessorCreated => "ProcessorCreated",
            Self::ProcessorNotRequired => "ProcessorNotRequired",
            Self::Disabled => "Disabled",
            Self::FailedToTransformToProcessor => "FailedToTransformToProcessor",
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
