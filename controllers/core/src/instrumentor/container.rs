//! Which agent a container gets, or why it gets none.
//!
//! What only a change can lift comes before what is merely waited for, so that a user learns at once of a container that
//! will never have an agent as things are.

use super::rules::{self, Merged, Rules};
use super::runtime::{self, Runtime, runtime};
use super::settings::{Injection, NodeCollector, Settings};
use super::workload::{Container, LD_PRELOAD, WorkloadId};
use crate::distributions::{self, AGENTS, Distribution, Kind, Merge, Parameter, Version};
use crate::injection::identity;
use crate::rollout::RolledBack;
use controllers_api::instrumentation_config::{
    AgentEnabledReason, AgentMetricsConfig, ContainerAgentConfig, EnvInjectionMethod, LogsConfig,
};
use controllers_api::signals::Signal;
use controllers_api::workload::{ContainerOverride, ProgrammingLanguage, RuntimeDetails};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of a container, and of what surrounds it.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The workload that it belongs to.
    pub id: &'a WorkloadId,
    /// Its part of the pod template.
    pub container: &'a Container,
    /// What nodes have seen in all containers of the workload.
    pub seen: &'a [RuntimeDetails],
    /// What the workload's Source says of it.
    pub said: Option<&'a ContainerOverride>,
    /// What it was given before.
    pub before: Option<&'a ContainerAgentConfig>,
    /// Why its agent was taken out again, if it was.
    pub rolled_back: Option<&'a RolledBack>,
    /// The rules.
    pub rules: &'a Rules,
    /// The configuration.
    pub settings: &'a Settings,
    /// What takes what agents make.
    pub collector: &'a NodeCollector,
}

/// Why a container gets no agent.
struct Refusal {
    reason: AgentEnabledReason,
    message: String,
}

/// What a container gets, once nothing stands in the way.
struct Chosen {
    distribution: &'static Distribution,
    details: Option<Box<RuntimeDetails>>,
    /// Agents of other vendors beside which it shall run.
    beside: Vec<String>,
}

fn refuse<T>(reason: AgentEnabledReason, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal {
        reason,
        message: message.into(),
    })
}

/// Decides what a container gets.
pub fn decide(known: &Known<'_>) -> ContainerAgentConfig {
    enable(known).unwrap_or_else(|refusal| ContainerAgentConfig {
        container_name: known.container.name.clone(),
        agent_enabled: false,
        agent_enabled_reason: Some(refusal.reason),
        agent_enabled_message: Some(refusal.message),
        ..ContainerAgentConfig::default()
    })
}

fn enable(known: &Known<'_>) -> Result<ContainerAgentConfig, Refusal> {
    let name = &known.container.name;
    if known.settings.ignored_containers.contains(name) {
        let message = format!("the configuration ignores containers named {name} (ignoredContainers)");
        return refuse(AgentEnabledReason::IgnoredContainer, message);
    }
    let chosen = choose(known)?;
    let distro_params = parameters(&chosen)?;
    let method = injection(known, &chosen)?;
    let language = chosen
        .details
        .as_ref()
        .map_or(ProgrammingLanguage::Unknown, |details| details.language);
    let merged = rules::merged(known.rules, known.id, language);
    let signals = signals(known, chosen.distribution, &merged)?;
    let optional = !chosen.distribution.is_injected();
    let (reason, message) = success(&chosen);
    unless_rolled_back(
        known,
        ContainerAgentConfig {
            agent_enabled: true,
            agent_enabled_reason: Some(reason),
            agent_enabled_message: Some(message),
            container_name: name.clone(),
            distro_params,
            env_injection_method: method,
            agent_diagnostics: merged.agent_diagnostics,
            logs: signals.contains(&Signal::Logs).then_some(LogsConfig {
                ebpf_log_capture: merged.log_capture,
            }),
            metrics: signals.contains(&Signal::Metrics).then_some(AgentMetricsConfig {
                network_metrics: merged.network_metrics,
                ..AgentMetricsConfig::default()
            }),
            otel_distro_name: Some(chosen.distribution.name.clone()),
            pod_manifest_injection_optional: optional.then_some(true),
            traces: signals.contains(&Signal::Traces).then_some(merged.traces),
        },
    )
}

/// What made the container fail stays out of it; another agent is tried.
fn unless_rolled_back(known: &Known<'_>, config: ContainerAgentConfig) -> Result<ContainerAgentConfig, Refusal> {
    let agent = identity(&config);
    match known.rolled_back.filter(|it| agent.as_ref() == Some(&it.agent)) {
        Some(rolled_back) => refuse(rolled_back.reason, rolled_back.message.clone()),
        None => Ok(config),
    }
}

fn success(chosen: &Chosen) -> (AgentEnabledReason, String) {
    let name = &chosen.distribution.name;
    let effect = match chosen.distribution.kind {
        Kind::Native => "needs a restart of the pods",
        Kind::Ebpf => "works from the kernel, without a restart",
    };
    if chosen.beside.is_empty() {
        return (
            AgentEnabledReason::EnabledSuccessfully,
            format!("{name}, which {effect}"),
        );
    }
    let beside = chosen.beside.join(", ");
    let message = format!("{name}, which {effect}, beside the agent of {beside}");
    (AgentEnabledReason::EnabledWithOtherAgents, message)
}

/// The distribution for what runs in the container, unless something there forbids it.
fn choose(known: &Known<'_>) -> Result<Chosen, Refusal> {
    let asked = known.said.and_then(|said| said.otel_distro_name.as_deref());
    let asked = asked.map(named).transpose()?;
    let details = match details(known) {
        Ok(details) => Some(details),
        // What looks at any process from the kernel can begin before anybody knows what runs.
        Err(_) if asked.is_some_and(|asked| asked.language == ProgrammingLanguage::Any) => None,
        Err(refusal) => return Err(refusal),
    };
    let distribution = match (asked, &details) {
        (Some(asked), Some(details)) => fitting(asked, details)?,
        (Some(asked), None) => asked,
        (None, Some(details)) => by_language(known, details)?,
        (None, None) => return refuse(AgentEnabledReason::RuntimeDetailsUnavailable, UNSEEN),
    };
    let beside = details
        .as_ref()
        .map_or(Ok(Vec::new()), |details| beside(known, details))?;
    if let Some(details) = &details {
        secure_execution(distribution, details)?;
    }
    Ok(Chosen {
        distribution,
        details,
        beside,
    })
}

const UNSEEN: &str = "the other containers of the pods were looked at, this one was not running: if it only runs for a \
                      moment, say what it is with containerOverrides.runtimeInfo in the Source";

/// What runs in the container.
fn details(known: &Known<'_>) -> Result<Box<RuntimeDetails>, Refusal> {
    let name = &known.container.name;
    let seen: Vec<_> = known.seen.iter().filter(|seen| seen.container_name == *name).collect();
    let said = known.said.and_then(|said| said.runtime_info.as_ref());
    match runtime(&seen, said) {
        Runtime::Known { details, .. } => Ok(details),
        Runtime::Several(languages) => {
            let names = runtime::names(&languages);
            let message = format!(
                "processes of several languages run in it ({names}): choose one with containerOverrides.runtimeInfo.language \
                 in the Source"
            );
            refuse(AgentEnabledReason::UnsupportedProgrammingLanguage, message)
        }
        Runtime::Unseen if known.seen.is_empty() => {
            let message = "waiting until a node has looked at a running pod of the workload";
            refuse(AgentEnabledReason::WaitingForRuntimeInspection, message)
        }
        Runtime::Unseen => refuse(AgentEnabledReason::RuntimeDetailsUnavailable, UNSEEN),
    }
}

/// The distribution that a user's override names.
fn named(name: &str) -> Result<&'static Distribution, Refusal> {
    let Some(distribution) = distributions::find(name) else {
        let all: Vec<_> = distributions::all().map(|known| known.name.as_str()).collect();
        let message = format!("there is no distribution {name}; there are {}", all.join(", "));
        return refuse(AgentEnabledReason::NoAvailableAgent, message);
    };
    Ok(distribution)
}

/// A distribution that was asked for, if it can be in such a process.
fn fitting(asked: &'static Distribution, details: &RuntimeDetails) -> Result<&'static Distribution, Refusal> {
    if !asked.is_for(details.language) {
        let message = format!(
            "{} is for {}, and {} runs in the container: change otelDistroName in the Source",
            asked.name,
            runtime::name(asked.language),
            runtime::name(details.language)
        );
        return refuse(AgentEnabledReason::UnsupportedProgrammingLanguage, message);
    }
    for_version(asked, details, false)
}

/// The distribution that rules ask for, else the language's own.
fn by_language(known: &Known<'_>, details: &RuntimeDetails) -> Result<&'static Distribution, Refusal> {
    let language = details.language;
    match language {
        ProgrammingLanguage::Ignored => {
            return refuse(AgentEnabledReason::IgnoredContainer, "the Source ignores the container");
        }
        ProgrammingLanguage::Unknown => {
            let message = format!(
                "the language was not recognised: say it with containerOverrides.runtimeInfo.language in the Source, or {KERNEL}"
            );
            return refuse(AgentEnabledReason::UnsupportedProgrammingLanguage, message);
        }
        _ => {}
    }
    let by_rule = rules::distribution(known.rules, known.id, language);
    let by_rule = by_rule.and_then(|asked| distributions::find(&asked.distribution));
    let Some(distribution) = by_rule.or_else(|| distributions::default_for(language)) else {
        let name = runtime::name(language);
        return refuse(
            AgentEnabledReason::NoAvailableAgent,
            format!("there is no agent for {name}; {KERNEL}"),
        );
    };
    for_version(distribution, details, true)
}

const KERNEL: &str = "set otelDistroName to opentelemetry-ebpf-instrumentation to trace it from the kernel";

/// The distribution, or its fallback, that supports the version. An unknown version is taken for one that it supports.
fn for_version(
    distribution: &'static Distribution,
    details: &RuntimeDetails,
    with_fallback: bool,
) -> Result<&'static Distribution, Refusal> {
    let version = details.runtime_version.as_deref().filter(|text| !text.is_empty());
    let Some(text) = version.filter(|_| distribution.language != ProgrammingLanguage::Any) else {
        return Ok(distribution);
    };
    let Some(version) = Version::of_runtime(details.language, text) else {
        let message = format!("the version \"{text}\" of the runtime cannot be read: {SAY_VERSION}");
        return refuse(AgentEnabledReason::UnsupportedRuntimeVersion, message);
    };
    let fallback = distribution.fallback.as_deref().filter(|_| with_fallback);
    let fallback = fallback.and_then(distributions::find);
    let mut candidates = [Some(distribution), fallback].into_iter().flatten();
    let supported = candidates.clone().map(|it| format!("{} {}", it.name, it.versions));
    let supported: Vec<_> = supported.collect();
    candidates.find(|it| it.versions.contains(&version)).map_or_else(
        || {
            let message = format!(
                "version {version} is not supported ({}): run a newer one, or {KERNEL}",
                supported.join(", ")
            );
            refuse(AgentEnabledReason::UnsupportedRuntimeVersion, message)
        },
        Ok,
    )
}

const SAY_VERSION: &str = "say it with containerOverrides.runtimeInfo.runtimeVersion in the Source";

/// The agents of other vendors in the container, if ours may run beside them.
fn beside(known: &Known<'_>, details: &RuntimeDetails) -> Result<Vec<String>, Refusal> {
    let named = |agent: Option<&String>| agent.cloned().unwrap_or_else(|| "an unknown vendor".to_owned());
    let agents = details.other_agents.iter().map(|agent| named(agent.name.as_ref()));
    let agents: BTreeSet<String> = agents.collect();
    let allowed = known.said.and_then(|said| said.allow_concurrent_agents);
    if agents.is_empty() || allowed.unwrap_or(known.settings.allow_concurrent_agents) {
        return Ok(agents.into_iter().collect());
    }
    let agents: Vec<_> = agents.into_iter().collect();
    let message = format!(
        "the agent of {} is in the process: remove it, or allow both with allowConcurrentAgents",
        agents.join(", ")
    );
    refuse(AgentEnabledReason::OtherAgentDetected, message)
}

fn secure_execution(distribution: &Distribution, details: &RuntimeDetails) -> Result<(), Refusal> {
    if details.secure_execution_mode != Some(true)
        || distribution.secure_execution
        || distribution.environment.is_empty()
    {
        return Ok(());
    }
    let message = format!(
        "the process gains privileges when it starts, so its runtime ignores the environment that loads {}: {KERNEL}",
        distribution.name
    );
    refuse(AgentEnabledReason::InjectionConflict, message)
}

/// What the distribution must know of the container.
fn parameters(chosen: &Chosen) -> Result<BTreeMap<String, String>, Refusal> {
    let mut parameters = BTreeMap::new();
    for parameter in &chosen.distribution.parameters {
        let details = chosen.details.as_deref();
        let value = details.and_then(|details| value(*parameter, details));
        let Some(value) = value else {
            let name = parameter.as_str();
            let say = match parameter {
                Parameter::LibC => "say it with containerOverrides.runtimeInfo.libCType in the Source",
                Parameter::RuntimeVersionMajorMinor => SAY_VERSION,
            };
            let message = format!(
                "{} needs {name}, which was not found out: {say}",
                chosen.distribution.name
            );
            return refuse(AgentEnabledReason::MissingDistroParameter, message);
        };
        parameters.insert(parameter.as_str().to_owned(), value);
    }
    Ok(parameters)
}

fn value(parameter: Parameter, details: &RuntimeDetails) -> Option<String> {
    match parameter {
        Parameter::LibC => {
            let value = serde_json::to_value(details.lib_c_type?).ok()?;
            Some(value.as_str()?.to_owned())
        }
        Parameter::RuntimeVersionMajorMinor => {
            let version = Version::of_runtime(details.language, details.runtime_version.as_deref()?)?;
            Some(version.major_minor())
        }
    }
}

/// How the distribution's environment gets into the process. None if there is nothing to bring.
fn injection(known: &Known<'_>, chosen: &Chosen) -> Result<Option<EnvInjectionMethod>, Refusal> {
    let distribution = chosen.distribution;
    if distribution.environment.is_empty() {
        return Ok(None);
    }
    let against = against_loader(known, chosen);
    match (known.settings.injection, against) {
        (Injection::PodManifest, _) => {}
        (_, None) => return Ok(Some(EnvInjectionMethod::Loader)),
        (Injection::LoaderFallbackToPodManifest, Some(_)) => {}
        (Injection::Loader, Some(_)) if !distribution.loader => {}
        (Injection::Loader, Some(against)) => {
            let message = format!(
                "{against}: set agentEnvVarsInjectionMethod to loader-fallback-to-pod-manifest or pod-manifest"
            );
            return refuse(AgentEnabledReason::InjectionConflict, message);
        }
    }
    image_environment(known, chosen)?;
    Ok(Some(EnvInjectionMethod::PodManifest))
}

/// Why the loader cannot bring the environment, if it cannot.
fn against_loader(known: &Known<'_>, chosen: &Chosen) -> Option<String> {
    if !chosen.distribution.loader {
        return Some(format!("the loader does not support {}", chosen.distribution.name));
    }
    let details = chosen.details.as_deref()?;
    if details.secure_execution_mode != Some(false) {
        return Some(
            "the process gains privileges when it starts, or may do so, and then ignores LD_PRELOAD".to_owned(),
        );
    }
    let ours = |value: &str| value.split([':', ' ']).all(|path| path.starts_with(AGENTS));
    let of_manifest = known.container.environment.get(LD_PRELOAD);
    let foreign = match of_manifest {
        Some(Some(value)) => !ours(value),
        Some(None) => true,
        None => {
            let of_image = details
                .env_from_container_runtime
                .iter()
                .find(|it| it.name == LD_PRELOAD);
            of_image.is_some_and(|variable| !ours(&variable.value))
        }
    };
    foreign.then(|| "the container sets LD_PRELOAD itself".to_owned())
}

/// What is added to a variable in the manifest hides the image's value of it, which therefore must be known.
fn image_environment(known: &Known<'_>, chosen: &Chosen) -> Result<(), Refusal> {
    let error = chosen
        .details
        .as_deref()
        .and_then(|details| details.cri_error_message.as_deref());
    let Some(error) = error else {
        return Ok(());
    };
    let mut variables = chosen.distribution.environment.iter();
    let hidden = variables
        .find(|variable| variable.merge != Merge::Keep && !known.container.environment.contains_key(&variable.name));
    let Some(hidden) = hidden else {
        return Ok(());
    };
    let message = format!(
        "the image's value of {} could not be read, and would be lost ({error}): set the variable in the pod template",
        hidden.name
    );
    refuse(AgentEnabledReason::MissingDistroParameter, message)
}

/// The signals that the agent makes and somebody takes.
fn signals(known: &Known<'_>, distribution: &Distribution, merged: &Merged) -> Result<BTreeSet<Signal>, Refusal> {
    let mut made: BTreeSet<Signal> = distribution.signals.iter().copied().collect();
    if merged
        .log_capture
        .as_ref()
        .is_some_and(|capture| capture.enabled == Some(true))
    {
        made.insert(Signal::Logs);
    }
    if merged.network_metrics.is_some() {
        made.insert(Signal::Metrics);
    }
    if merged.without_traces.is_some() {
        made.remove(&Signal::Traces);
    }
    let taken = taken(known)?;
    let signals: BTreeSet<Signal> = made.intersection(&taken).copied().collect();
    if !signals.is_empty() {
        return Ok(signals);
    }
    let message = match &merged.without_traces {
        Some(rule) if taken.contains(&Signal::Traces) => {
            format!("InstrumentationRule {rule} switches traces off, and nothing else is collected")
        }
        _ => format!(
            "no destination takes what {} makes: add one with a signal that it makes",
            distribution.name
        ),
    };
    refuse(AgentEnabledReason::NoCollectedSignals, message)
}

/// The signals that the node collectors take.
fn taken(known: &Known<'_>) -> Result<BTreeSet<Signal>, Refusal> {
    let before = known.before.filter(|before| before.agent_enabled);
    match (known.collector, before) {
        (NodeCollector::Ready(signals), _) => Ok(signals.clone()),
        (NodeCollector::Starting(signals), Some(_)) if !signals.is_empty() => Ok(signals.clone()),
        (NodeCollector::Starting(_), Some(before)) => {
            let collected = [
                (Signal::Traces, before.traces.is_some()),
                (Signal::Metrics, before.metrics.is_some()),
                (Signal::Logs, before.logs.is_some()),
            ];
            let collected = collected.into_iter().filter(|(_, is_there)| *is_there);
            Ok(collected.map(|(signal, _)| signal).collect())
        }
        (NodeCollector::Starting(_), None) => {
            let message = "waiting for the node collectors to become ready";
            refuse(AgentEnabledReason::WaitingForNodeCollector, message)
        }
        (NodeCollector::Absent, _) => {
            let message = "waiting for the node collectors: they come up once there is a Destination";
            refuse(AgentEnabledReason::WaitingForNodeCollector, message)
        }
    }
}
