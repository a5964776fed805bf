//! The InstrumentationConfig of a workload: what is decided for it, and the conditions that say why and what is waited for.

use super::container::{self, Known};
use super::rules::Rules;
use super::runtime::{self, Runtime, runtime};
use super::settings::{NodeCollector, Settings};
use super::sources::Marked;
use super::workload::{Workload, WorkloadKind};
use crate::rollout::RolledBack;
use controllers_api::conditions::{ConditionType, RuntimeDetection};
use controllers_api::instrumentation_config::{AgentEnabledReason, ContainerAgentConfig, InstrumentationConfigSpec};
use controllers_api::labels::DATA_STREAM_PREFIX;
use controllers_api::workload::{ContainerOverride, RuntimeDetails};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;

/// All that decides about the configuration of a workload that is marked.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The workload.
    pub workload: &'a Workload,
    /// What Sources say of it.
    pub marked: &'a Marked,
    /// What nodes have seen in its containers.
    pub seen: &'a [RuntimeDetails],
    /// What its containers were given before.
    pub before: &'a [ContainerAgentConfig],
    /// Containers whose agent was taken out again.
    pub rolled_back: &'a BTreeMap<String, RolledBack>,
    /// The rules.
    pub rules: &'a Rules,
    /// The configuration.
    pub settings: &'a Settings,
    /// What takes what agents make.
    pub collector: &'a NodeCollector,
}

/// The InstrumentationConfig that a workload shall have.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The labels: the data streams.
    pub labels: BTreeMap<String, String>,
    /// With whom it vanishes.
    pub owner: OwnerReference,
    /// What is decided.
    pub spec: InstrumentationConfigSpec,
    /// Why, and what is waited for.
    pub conditions: Vec<Finding>,
}

/// A condition without its times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it speaks of.
    pub condition: ConditionType,
    /// Whether that holds.
    pub status: Status,
    /// Why, in a word.
    pub reason: String,
    /// Why, and what to do, in a sentence.
    pub message: String,
}

/// Whether something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// It does.
    True,
    /// It does not.
    False,
    /// It is waited for.
    Unknown,
}

impl Status {
    /// As it stands in a condition.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// Decides about a workload that is marked.
pub fn desired(situation: &Situation<'_>) -> Desired {
    let id = &situation.workload.id;
    let containers = containers(situation);
    let conditions = vec![marked(situation.marked), detection(situation), enabled(&containers)];
    let streams = situation.marked.streams.iter();
    Desired {
        namespace: id.namespace.clone(),
        name: id.config_name(),
        labels: streams
            .map(|stream| (format!("{DATA_STREAM_PREFIX}{stream}"), "true".to_owned()))
            .collect(),
        owner: situation.workload.owner.clone(),
        spec: spec(situation, containers),
        conditions,
    }
}

fn containers(situation: &Situation<'_>) -> Vec<ContainerAgentConfig> {
    let containers = situation.workload.containers.iter();
    containers
        .map(|it| {
            container::decide(&Known {
                id: &situation.workload.id,
                container: it,
                seen: situation.seen,
                said: said(situation.marked, &it.name),
                before: situation.before.iter().find(|before| before.container_name == it.name),
                rolled_back: situation.rolled_back.get(&it.name),
                rules: situation.rules,
                settings: situation.settings,
                collector: situation.collector,
            })
        })
        .collect()
}

fn said<'a>(marked: &'a Marked, container: &str) -> Option<&'a ContainerOverride> {
    marked.overrides.iter().find(|said| said.container_name == container)
}

fn spec(situation: &Situation<'_>, containers: Vec<ContainerAgentConfig>) -> InstrumentationConfigSpec {
    let marked = situation.marked;
    let enabled = || containers.iter().filter(|container| container.agent_enabled);
    let any = enabled().next().is_some();
    let optional = any && enabled().all(|container| container.pod_manifest_injection_optional == Some(true));
    let name = marked.service_name.clone();
    InstrumentationConfigSpec {
        agent_injection_enabled: any,
        container_overrides_hash: hash(&marked.overrides),
        containers_overrides: marked.overrides.clone(),
        pod_manifest_injection_optional: optional.then_some(true),
        service_name: Some(name.unwrap_or_else(|| situation.workload.id.name.clone())),
        containers,
        ..InstrumentationConfigSpec::default()
    }
}

/// Sixteen bytes of a SHA-256 in hexadecimal; none without overrides.
fn hash(overrides: &[ContainerOverride]) -> Option<String> {
    let text = serde_json::to_vec(overrides).ok().filter(|_| !overrides.is_empty())?;
    let digest = Sha256::digest(text);
    let mut hash = String::new();
    for byte in &digest[..16] {
        // A String takes whatever is written to it.
        let _ = write!(hash, "{byte:02x}");
    }
    Some(hash)
}

fn marked(marked: &Marked) -> Finding {
    Finding {
        condition: ConditionType::MarkedForInstrumentation,
        status: Status::True,
        reason: marked.reason.as_str().to_owned(),
        message: marked.message.clone(),
    }
}

/// Whether it is known what runs in the containers.
fn detection(situation: &Situation<'_>) -> Finding {
    let finding = |status, reason: RuntimeDetection, message: String| Finding {
        condition: ConditionType::RuntimeDetection,
        status,
        reason: reason.as_str().to_owned(),
        message,
    };
    let mut found = Vec::new();
    let (mut several, mut resolved, mut unseen) = (Vec::new(), Vec::new(), Vec::new());
    for container in &situation.workload.containers {
        let name = &container.name;
        if situation.settings.ignored_containers.contains(name) {
            continue;
        }
        let seen = situation.seen.iter().filter(|seen| seen.container_name == *name);
        let said = said(situation.marked, name).and_then(|said| said.runtime_info.as_ref());
        match runtime(&seen.collect::<Vec<_>>(), said) {
            Runtime::Known { details, beside } => {
                if !beside.is_empty() {
                    let chosen = runtime::name(details.language);
                    resolved.push(format!("{name}: {chosen}, beside {}", runtime::names(&beside)));
                }
                let version = details.runtime_version.as_deref().unwrap_or_default();
                let described = format!("{name}: {} {version}", runtime::name(details.language));
                found.push(described.trim_end().to_owned());
            }
            Runtime::Several(languages) => several.push(format!("{name}: {}", runtime::names(&languages))),
            Runtime::Unseen => unseen.push(name.clone()),
        }
    }
    if !several.is_empty() {
        let message = format!(
            "{}: choose one with containerOverrides.runtimeInfo.language in the Source",
            several.join("; ")
        );
        return finding(Status::False, RuntimeDetection::UnresolvedMultipleLanguages, message);
    }
    if !unseen.is_empty() {
        return waiting(situation, &unseen);
    }
    if !resolved.is_empty() {
        return finding(
            Status::True,
            RuntimeDetection::ResolvedFromMultipleLanguages,
            resolved.join("; "),
        );
    }
    finding(Status::True, RuntimeDetection::DetectedSuccessfully, found.join("; "))
}

/// Some containers were not seen yet.
fn waiting(situation: &Situation<'_>, unseen: &[String]) -> Finding {
    let (reason, message) = if situation.workload.running {
        let names = unseen.join(", ");
        let message = format!("waiting until the agent on a node has looked at the processes of {names}");
        (RuntimeDetection::WaitingForDetection, message)
    } else {
        let starts = match situation.workload.id.kind {
            WorkloadKind::CronJob | WorkloadKind::Job => "its next run",
            WorkloadKind::Deployment
            | WorkloadKind::DaemonSet
            | WorkloadKind::StatefulSet
            | WorkloadKind::StaticPod
            | WorkloadKind::DeploymentConfig
            | WorkloadKind::Rollout => "a pod that runs",
        };
        (
            RuntimeDetection::NoRunningPods,
            format!("no pod runs: waiting for {starts}"),
        )
    };
    Finding {
        condition: ConditionType::RuntimeDetection,
        status: Status::Unknown,
        reason: reason.as_str().to_owned(),
        message,
    }
}

/// Whether the workload has an agent: the reason of the container that says most.
fn enabled(containers: &[ContainerAgentConfig]) -> Finding {
    let reason_of = |container: &ContainerAgentConfig| {
        let reason = container.agent_enabled_reason;
        reason.unwrap_or(AgentEnabledReason::RuntimeDetailsUnavailable)
    };
    let first = containers.iter().map(reason_of).min_by_key(|reason| rank(*reason));
    let reason = first.unwrap_or(AgentEnabledReason::RuntimeDetailsUnavailable);
    let status = match reason {
        AgentEnabledReason::EnabledSuccessfully | AgentEnabledReason::EnabledWithOtherAgents => Status::True,
        AgentEnabledReason::WaitingForRuntimeInspection | AgentEnabledReason::WaitingForNodeCollector => {
            Status::Unknown
        }
        AgentEnabledReason::IgnoredContainer
        | AgentEnabledReason::NoCollectedSignals
        | AgentEnabledReason::InjectionConflict
        | AgentEnabledReason::UnsupportedProgrammingLanguage
        | AgentEnabledReason::NoAvailableAgent
        | AgentEnabledReason::UnsupportedRuntimeVersion
        | AgentEnabledReason::MissingDistroParameter
        | AgentEnabledReason::OtherAgentDetected
        | AgentEnabledReason::RuntimeDetailsUnavailable
        | AgentEnabledReason::CrashLoopBackOff
        | AgentEnabledReason::ImagePullBackOff => Status::False,
    };
    let messages = containers.iter().map(|container| {
        let message = container.agent_enabled_message.as_deref().unwrap_or_default();
        format!("{}: {message}", container.container_name)
    });
    Finding {
        condition: ConditionType::AgentEnabled,
        status,
        reason: reason_name(reason),
        message: messages.collect::<Vec<_>>().join("; "),
    }
}

/// Which reason speaks for a workload whose containers have different ones: a rollback first, since somebody must look at
/// it, then what works, then what is waited for, then what can be mended; an ignored container last.
fn rank(reason: AgentEnabledReason) -> u8 {
    match reason {
        AgentEnabledReason::CrashLoopBackOff | AgentEnabledReason::ImagePullBackOff => 0,
        AgentEnabledReason::EnabledSuccessfully => 1,
        AgentEnabledReason::EnabledWithOtherAgents => 2,
        AgentEnabledReason::WaitingForNodeCollector => 3,
        AgentEnabledReason::WaitingForRuntimeInspection => 4,
        AgentEnabledReason::NoCollectedSignals => 5,
        AgentEnabledReason::OtherAgentDetected => 6,
        AgentEnabledReason::InjectionConflict => 7,
        AgentEnabledReason::MissingDistroParameter => 8,
        AgentEnabledReason::UnsupportedRuntimeVersion => 9,
        AgentEnabledReason::NoAvailableAgent => 10,
        AgentEnabledReason::UnsupportedProgrammingLanguage => 11,
        AgentEnabledReason::RuntimeDetailsUnavailable => 12,
        AgentEnabledReason::IgnoredContainer => 13,
    }
}

/// A reason as it stands in the object.
fn reason_name(reason: AgentEnabledReason) -> String {
    format!("{reason:?}")
}
