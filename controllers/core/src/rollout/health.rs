//! Whether pods fail because of their agents.

use super::{Desired, Observed, PodState, RolledBack};
use crate::rollout::ContainerState;
use controllers_api::instrumentation_config::AgentEnabledReason;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// From so many restarts on a container counts as failing since its pod was made, since it looks ready after each.
const RESTARTS: i32 = 3;

/// What is known of failing pods.
pub(super) struct Health {
    /// The containers whose agent must go.
    pub(super) rolled_back: BTreeMap<String, RolledBack>,
    /// When a pod that fails will have failed for too long.
    pub(super) again: Option<Duration>,
}

/// Looks at the pods with agents. A container that fails without an agent as well is left alone.
pub(super) fn health(observed: &Observed<'_>, desired: &Desired) -> Health {
    let mut health = Health {
        rolled_back: BTreeMap::new(),
        again: None,
    };
    let (with, without): (Vec<&PodState>, Vec<&PodState>) = present(observed.pods).partition(|pod| pod.hash.is_some());
    for pod in with.iter().filter(|pod| pod.hash.as_ref() == Some(&desired.hash)) {
        for (container, agent) in &desired.agents {
            let Some(fault) = fault(observed, pod, container, &without) else {
                continue;
            };
            let failed_for = elapsed(observed.now, fault.since);
            if failed_for >= observed.settings.grace {
                let entry = RolledBack {
                    agent: agent.clone(),
                    reason: fault.reason,
                    message: fault.message,
                    at: Time(observed.now),
                };
                health.rolled_back.entry(container.clone()).or_insert(entry);
            } else {
                let left = observed.settings.grace.saturating_sub(failed_for);
                health.again = Some(health.again.map_or(left, |again| again.min(left)));
            }
        }
    }
    health
}

/// The pods that are not on their way out.
pub(super) fn present(pods: &[PodState]) -> impl Iterator<Item = &PodState> {
    pods.iter().filter(|pod| !pod.leaving)
}

/// Whether a container of the pod starts over and over, or its image does not come.
pub(super) fn is_in_backoff(pod: &PodState) -> bool {
    pod.containers.iter().any(|it| backoff(it).is_some())
}

/// How long ago `then` was.
pub(super) fn elapsed(now: Timestamp, then: Timestamp) -> Duration {
    now.duration_since(then).try_into().unwrap_or_default()
}

struct Fault {
    reason: AgentEnabledReason,
    message: String,
    since: Timestamp,
}

fn fault(observed: &Observed<'_>, pod: &PodState, container: &str, without: &[&PodState]) -> Option<Fault> {
    if elapsed(observed.now, pod.created) > observed.settings.window + observed.settings.grace {
        return None;
    }
    let state = pod.containers.iter().find(|it| it.name == container);
    let init = pod.containers.iter().find(|it| it.name == crate::injection::VOLUME);
    if let Some((failing, reason)) = [state, init]
        .into_iter()
        .flatten()
        .find_map(|it| Some((it, backoff(it)?)))
    {
        let fails_anyhow = without
            .iter()
            .flat_map(|pod| &pod.containers)
            .any(|it| it.name == container && backoff(it).is_some());
        return (!fails_anyhow).then(|| in_backoff(pod, failing, reason));
    }
    let others_serve = without.iter().any(|pod| pod.ready);
    let serves = pod.ready || state.is_some_and(|it| it.ready);
    (others_serve && !serves).then(|| never_ready(pod))
}

fn in_backoff(pod: &PodState, container: &ContainerState, reason: AgentEnabledReason) -> Fault {
    let since = if container.restarts >= RESTARTS || pod.ready {
        None
    } else {
        pod.since
    };
    let name = &container.name;
    let what = match reason {
        AgentEnabledReason::ImagePullBackOff => format!("the image of {name} could not be pulled in pod {}", pod.name),
        _ => format!(
            "{name} failed {} times with the agent in pod {}",
            container.restarts, pod.name
        ),
    };
    Fault {
        reason,
        message: format!("{what}: the agent was taken out again; {RETRY}"),
        since: since.unwrap_or(pod.created),
    }
}

fn never_ready(pod: &PodState) -> Fault {
    let message = format!(
        "pod {} does not become ready with the agent, while pods without it are: the agent was taken out again; {RETRY}",
        pod.name
    );
    Fault {
        reason: AgentEnabledReason::InjectionConflict,
        message,
        since: pod.since.unwrap_or(pod.created),
    }
}

const RETRY: &str = "it is tried again with another version or configuration of it, or when the annotation \
                     odigos.io/rolled-back is removed from the InstrumentationConfig";

fn backoff(container: &ContainerState) -> Option<AgentEnabledReason> {
    match container.waiting.as_deref()? {
        "CrashLoopBackOff" => Some(AgentEnabledReason::CrashLoopBackOff),
        "ImagePullBackOff" | "ErrImagePull" => Some(AgentEnabledReason::ImagePullBackOff),
        _ => None,
    }
}
