//! Workloads: which kinds there are, what is known of one, and how what belongs to it is named.

use crate::distributions;
use controllers_api::workload::PodWorkload;
use k8s_openapi::api::core::v1::Container as PodContainer;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::LazyLock;

/// The variable by which the dynamic loader is told to load a library first.
pub const LD_PRELOAD: &str = "LD_PRELOAD";

/// The kinds of workloads that can be instrumented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkloadKind {
    /// `apps/v1` Deployment.
    Deployment,
    /// `apps/v1` DaemonSet.
    DaemonSet,
    /// `apps/v1` StatefulSet.
    StatefulSet,
    /// `batch/v1` CronJob.
    CronJob,
    /// `batch/v1` Job that no CronJob owns.
    Job,
    /// A pod that the kubelet runs from a file on the node, by the name that the apiserver shows it under.
    StaticPod,
    /// `apps.openshift.io/v1` DeploymentConfig.
    DeploymentConfig,
    /// `argoproj.io/v1alpha1` Rollout.
    Rollout,
}

/// Which workload.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkloadId {
    /// Its namespace.
    pub namespace: String,
    /// Its kind.
    pub kind: WorkloadKind,
    /// Its name.
    pub name: String,
}

/// What is known of a workload.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// Which one.
    pub id: WorkloadId,
    /// The object with which everything of it vanishes.
    pub owner: OwnerReference,
    /// The containers of its pod template, in their order.
    pub containers: Vec<Container>,
    /// Whether any of its pods runs, as far as its own status tells.
    pub running: bool,
}

/// What is known of a container of a pod template.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Container {
    /// The name.
    pub name: String,
    /// The variables of its manifest that matter to an agent ([`Container::matters`]); None where a value is a reference.
    pub environment: BTreeMap<String, Option<String>>,
}

impl Container {
    /// A container of a pod template, without what nobody asks about: with thousands of workloads that is most of it.
    pub fn of(container: &PodContainer) -> Self {
        let variables = container.env.iter().flatten();
        let variables = variables.filter(|variable| Self::matters(&variable.name));
        Self {
            name: container.name.clone(),
            environment: variables
                .map(|variable| (variable.name.clone(), variable.value.clone()))
                .collect(),
        }
    }

    /// Whether a variable can stand in the way of an agent, or must be kept beside it.
    pub fn matters(variable: &str) -> bool {
        static NAMES: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
            let variables = distributions::all().flat_map(|distribution| &distribution.environment);
            variables
                .map(|variable| variable.name.as_str())
                .chain([LD_PRELOAD])
                .collect()
        });
        NAMES.contains(variable)
    }
}

impl WorkloadKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Deployment,
        Self::DaemonSet,
        Self::StatefulSet,
        Self::CronJob,
        Self::Job,
        Self::StaticPod,
        Self::DeploymentConfig,
        Self::Rollout,
    ];

    /// As it stands in `spec.workload.kind` of a Source.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::DaemonSet => "DaemonSet",
            Self::StatefulSet => "StatefulSet",
            Self::CronJob => "CronJob",
            Self::Job => "Job",
            Self::StaticPod => "StaticPod",
            Self::DeploymentConfig => "DeploymentConfig",
            Self::Rollout => "Rollout",
        }
    }

    /// The kind of a name, which is written as [`Self::as_str`] does.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl fmt::Display for WorkloadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl WorkloadId {
    /// The workload that an InstrumentationConfig in `namespace` belongs to, by its name.
    pub fn of_config(namespace: &str, name: &str) -> Option<Self> {
        let (kind, name) = name.split_once('-')?;
        let kind = WorkloadKind::ALL
            .into_iter()
            .find(|known| known.as_str().to_ascii_lowercase() == kind)?;
        Some(Self {
            namespace: namespace.to_owned(),
            kind,
            name: name.to_owned(),
        })
    }

    /// The name of its InstrumentationConfig: `<kind>-<name>` in lower case.
    pub fn config_name(&self) -> String {
        format!("{}-{}", self.kind.as_str().to_ascii_lowercase(), self.name)
    }

    /// Whether a rule's scope names it.
    pub fn is(&self, other: &PodWorkload) -> bool {
        self.kind.as_str() == other.kind && self.name == other.name && self.namespace == other.namespace
    }
}

impl fmt::Display for WorkloadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_is_named_by_kind_and_name_and_leads_back_to_its_workload() {
        for kind in WorkloadKind::ALL {
            let id = WorkloadId {
                namespace: "shop".to_owned(),
                kind,
                name: "cart-v2.canary".to_owned(),
            };
            let name = id.config_name();
            assert_eq!(name, name.to_lowercase());
            assert_eq!(WorkloadId::of_config("shop", &name), Some(id));
            assert_eq!(WorkloadKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(WorkloadId::of_config("shop", "deployment"), None);
        assert_eq!(WorkloadId::of_config("shop", "replicaset-cart"), None);
        assert_eq!(WorkloadKind::parse("Namespace"), None);
    }

    #[test]
    fn of_a_containers_environment_only_what_matters_is_kept() {
        let json = serde_json::json!({"name": "app", "image": "x", "env": [
            {"name": "PASSWORD", "value": "secret"},
            {"name": "JAVA_TOOL_OPTIONS", "value": "-Xmx1g"},
            {"name": "NODE_OPTIONS", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}},
        ]});
        let container = Container::of(&serde_json::from_value(json).unwrap());
        let kept = BTreeMap::from([
            ("JAVA_TOOL_OPTIONS".to_owned(), Some("-Xmx1g".to_owned())),
            ("NODE_OPTIONS".to_owned(), None),
        ]);
        assert_eq!((container.name.as_str(), container.environment), ("app", kept));
    }
}
