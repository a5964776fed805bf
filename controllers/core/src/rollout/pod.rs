//! What is looked at of a pod. With ten thousand pods it is all that is kept of them.

use controllers_api::labels;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use k8s_openapi::jiff::Timestamp;

/// A pod that has not ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodState {
    /// The name.
    pub name: String,
    /// The hash that it was injected for.
    pub hash: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// Whether it serves.
    pub ready: bool,
    /// Since when that is so.
    pub since: Option<Timestamp>,
    /// Whether it is on its way out.
    pub leaving: bool,
    /// Its containers, the ones that come first among them.
    pub containers: Vec<ContainerState>,
}

/// A container of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerState {
    /// The name.
    pub name: String,
    /// Whether it serves.
    pub ready: bool,
    /// What it waits for, as the kubelet says it: `CrashLoopBackOff`.
    pub waiting: Option<String>,
    /// How often it was started again.
    pub restarts: i32,
}

impl PodState {
    /// Of a pod as the apiserver has it; nothing for one that has ended.
    pub fn of(pod: &Pod) -> Option<Self> {
        let metadata = &pod.metadata;
        let status = pod.status.as_ref();
        let phase = status.and_then(|it| it.phase.as_deref());
        if matches!(phase, Some("Succeeded" | "Failed")) {
            return None;
        }
        let conditions = status.and_then(|it| it.conditions.as_deref()).unwrap_or_default();
        let ready = conditions.iter().find(|it| it.type_ == "Ready");
        let containers = status.into_iter().flat_map(|status| {
            let first = status.init_container_statuses.iter().flatten();
            first.chain(status.container_statuses.iter().flatten())
        });
        Some(Self {
            name: metadata.name.clone()?,
            hash: metadata
                .labels
                .as_ref()
                .and_then(|it| it.get(labels::AGENTS_META_HASH))
                .cloned(),
            created: metadata.creation_timestamp.as_ref().map(|it| it.0).unwrap_or_default(),
            ready: ready.is_some_and(|it| it.status == "True"),
            since: ready.and_then(|it| it.last_transition_time.as_ref()).map(|it| it.0),
            leaving: metadata.deletion_timestamp.is_some(),
            containers: containers.map(ContainerState::of).collect(),
        })
    }
}

impl ContainerState {
    fn of(status: &ContainerStatus) -> Self {
        let waiting = status.state.as_ref().and_then(|it| it.waiting.as_ref());
        let waiting = waiting.and_then(|it| it.reason.clone());
        Self {
            name: status.name.clone(),
            ready: status.ready,
            // What every container waits for at first is of no interest, and would be one more change.
            waiting: waiting.filter(|reason| reason != "ContainerCreating" && reason != "PodInitializing"),
            restarts: status.restart_count,
        }
    }
}
