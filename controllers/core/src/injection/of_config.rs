//! From what the instrumentor has decided for a workload to what its pods get.

use super::environment::STANDARD;
use super::plan::{self, Agent, Merge, Mount, Plan, Variable};
use crate::distributions::{self, Distribution};
use crate::instrumentor::{Container, Workload};
use controllers_api::instrumentation_config::{ContainerAgentConfig, EnvInjectionMethod, InstrumentationConfigSpec};
use controllers_api::signals::Signal;
use controllers_api::workload::RuntimeDetails;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What holds for the pods of every workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How the agents' files get into pods.
    pub mount: Mount,
    /// Where agents send to.
    pub endpoint: String,
    /// By the language's name, what users give to agents besides.
    pub environment: BTreeMap<String, BTreeMap<String, String>>,
}

/// Where agents send to: the node collectors' Service in the product's namespace, which leads to the collector of the pod's own
/// node.
pub fn endpoint(namespace: &str) -> String {
    format!("http://odigos-data-collection-local-traffic.{namespace}:4318")
}

/// What the pods of a workload get, by its InstrumentationConfig. Containers that only eBPF instruments get nothing.
pub fn plan(
    workload: &Workload,
    spec: &InstrumentationConfigSpec,
    seen: &[RuntimeDetails],
    settings: &Settings,
) -> Plan {
    let id = &workload.id;
    let agents = spec.containers.iter().filter_map(|config| {
        let container = workload.containers.iter().find(|it| it.name == config.container_name)?;
        let seen = seen.iter().find(|it| it.container_name == config.container_name);
        Some((config.container_name.clone(), agent(container, config, seen, settings)?))
    });
    Plan {
        workload: plan::Workload {
            kind: id.kind.as_str().to_owned(),
            namespace: id.namespace.clone(),
            name: id.name.clone(),
            service_name: spec.service_name.clone().unwrap_or_else(|| id.name.clone()),
        },
        mount: settings.mount.clone(),
        endpoint: settings.endpoint.clone(),
        containers: agents.collect(),
    }
}

/// The spec with the hash of what its pods get, and since when it is that.
pub fn with_hash(
    mut spec: InstrumentationConfigSpec,
    plan: &Plan,
    before: Option<&InstrumentationConfigSpec>,
    now: Timestamp,
) -> InstrumentationConfigSpec {
    spec.agents_meta_hash = plan.hash();
    let before = before.filter(|before| before.agents_meta_hash == spec.agents_meta_hash);
    spec.agents_meta_hash_changed_time = match (&spec.agents_meta_hash, before) {
        (None, _) => None,
        (Some(_), Some(before)) => before.agents_meta_hash_changed_time.clone(),
        (Some(_), None) => Some(Time(now)),
    };
    spec
}

/// The agent of a container; nothing if none runs in it that would have to be put there.
fn agent(
    container: &Container,
    config: &ContainerAgentConfig,
    seen: Option<&RuntimeDetails>,
    settings: &Settings,
) -> Option<Agent> {
    let distribution = distributions::find(config.otel_distro_name.as_deref()?)?;
    if !config.agent_enabled || !distribution.is_injected() {
        return None;
    }
    let environment = environment(distribution, config, settings);
    Some(Agent {
        distribution: distribution.name.clone(),
        version: distribution.revision.to_string(),
        device: distribution.device.clone(),
        inherited: seen
            .map(|seen| inherited(container, &environment, seen))
            .unwrap_or_default(),
        environment,
        signals: signals(config),
    })
}

/// What tells an agent from another in the same container. A rollback is remembered with it, so that the same agent is not tried
/// again, and another distribution, version, environment or parameter is. Nothing for a container without an agent.
pub fn identity(config: &ContainerAgentConfig) -> Option<String> {
    let distribution = distributions::find(config.otel_distro_name.as_deref()?)?;
    let told = (
        &distribution.name,
        distribution.revision,
        &config.distro_params,
        config.env_injection_method,
        signals(config),
    );
    config.agent_enabled.then(|| plan::digest(&told))
}

fn signals(config: &ContainerAgentConfig) -> BTreeSet<Signal> {
    let asked = [
        (Signal::Traces, config.traces.is_some()),
        (Signal::Metrics, config.metrics.is_some()),
        (Signal::Logs, config.logs.is_some()),
    ];
    asked
        .into_iter()
        .filter(|(_, asked)| *asked)
        .map(|(signal, _)| signal)
        .collect()
}

/// The loader brings what would have to be merged with the user's; what is only set stands in the manifest either way.
fn environment(distribution: &Distribution, config: &ContainerAgentConfig, settings: &Settings) -> Vec<Variable> {
    let by_loader = config.env_injection_method == Some(EnvInjectionMethod::Loader);
    let variables = distribution.environment.iter().map(|variable| Variable {
        name: variable.name.clone(),
        value: variable.value(&config.distro_params),
        merge: match &variable.merge {
            distributions::Merge::Keep => Merge::Keep,
            distributions::Merge::Append { separator, when_alone } => Merge::Append {
                separator: separator.clone(),
                separator_when_alone: *when_alone,
            },
        },
    });
    let in_manifest = variables.filter(|variable| !by_loader || variable.merge == Merge::Keep);
    let language = serde_json::to_value(distribution.language).unwrap_or_default();
    let of_users = language
        .as_str()
        .and_then(|language| settings.environment.get(language));
    let of_users = of_users.into_iter().flatten();
    let of_users = of_users.map(|(name, value)| Variable {
        name: name.clone(),
        value: value.clone(),
        merge: Merge::Keep,
    });
    by_loader
        .then(plan::preload)
        .into_iter()
        .chain(in_manifest)
        .chain(of_users)
        .collect()
}

/// What the image sets, of the variables that are to be put in. What was seen in a process that has an agent already holds
/// what was put in before: that is no part of the image.
fn inherited(container: &Container, environment: &[Variable], seen: &RuntimeDetails) -> BTreeMap<String, String> {
    let values = &seen.env_from_container_runtime;
    let has_agent = values.iter().any(|it| it.name == "ODIGOS_DISTRO_NAME");
    let of_image = values.iter().filter(|it| !container.environment.contains_key(&it.name));
    let kept = of_image.filter_map(|it| {
        let value = match environment.iter().find(|variable| variable.name == it.name) {
            Some(variable) if has_agent => variable.out_of(&it.value),
            Some(_) => it.value.clone(),
            None if STANDARD.contains(&it.name.as_str()) && !has_agent => it.value.clone(),
            None => return None,
        };
        Some((it.name.clone(), value)).filter(|(_, value)| !value.is_empty())
    });
    kept.collect()
}
