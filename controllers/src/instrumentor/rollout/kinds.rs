//! The kinds of workloads as the apiserver knows them.

use controllers_core::instrumentor::WorkloadKind;
use kube_client::core::{ApiResource, GroupVersionKind};

/// Every kind that is an object of its own, and whether a cluster may do without it.
pub(super) const WATCHED: [(WorkloadKind, bool); 7] = [
    (WorkloadKind::Deployment, false),
    (WorkloadKind::DaemonSet, false),
    (WorkloadKind::StatefulSet, false),
    (WorkloadKind::CronJob, false),
    (WorkloadKind::Job, false),
    (WorkloadKind::DeploymentConfig, true),
    (WorkloadKind::Rollout, true),
];

/// Where a kind is found.
pub(super) fn resource(kind: WorkloadKind) -> ApiResource {
    let (group, version, plural) = match kind {
        WorkloadKind::Deployment => ("apps", "v1", "deployments"),
        WorkloadKind::DaemonSet => ("apps", "v1", "daemonsets"),
        WorkloadKind::StatefulSet => ("apps", "v1", "statefulsets"),
        WorkloadKind::CronJob => ("batch", "v1", "cronjobs"),
        WorkloadKind::Job => ("batch", "v1", "jobs"),
        WorkloadKind::DeploymentConfig => ("apps.openshift.io", "v1", "deploymentconfigs"),
        WorkloadKind::Rollout => ("argoproj.io", "v1alpha1", "rollouts"),
        WorkloadKind::StaticPod => ("", "v1", "pods"),
    };
    let name = match kind {
        WorkloadKind::StaticPod => "Pod",
        other => other.as_str(),
    };
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, name), plural)
}
