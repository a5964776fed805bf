//! To which workload a pod belongs, by what stands in the pod itself.

use crate::instrumentor::{WorkloadId, WorkloadKind};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

/// The workloads that a pod in `namespace` may belong to, the likeliest first. There is more than one where only the name of
/// the object between them tells: a Job may be one of a CronJob's or stand for itself.
pub fn owners(namespace: &str, pod: &ObjectMeta) -> Vec<WorkloadId> {
    let mut references = pod.owner_references.iter().flatten();
    let Some(controller) = references.find(|it| it.controller == Some(true)) else {
        return Vec::new();
    };
    let name = controller.name.as_str();
    let found = match (group(controller), controller.kind.as_str()) {
        ("apps", "ReplicaSet") => of_replica_set(pod, name),
        ("apps", "StatefulSet") => vec![(WorkloadKind::StatefulSet, name)],
        ("apps", "DaemonSet") => vec![(WorkloadKind::DaemonSet, name)],
        ("batch", "Job") => of_job(name),
        ("", "ReplicationController") => of_replication_controller(pod),
        ("", "Node") => static_pod(pod),
        _ => Vec::new(),
    };
    let ids = found.into_iter().map(|(kind, name)| WorkloadId {
        namespace: namespace.to_owned(),
        kind,
        name: name.to_owned(),
    });
    ids.collect()
}

/// A kind and a name.
type Named<'a> = (WorkloadKind, &'a str);

fn group(reference: &OwnerReference) -> &str {
    reference.api_version.split_once('/').map_or("", |(group, _)| group)
}

/// The set's name is the workload's with a hash behind it, which the pod has as a label.
fn of_replica_set<'a>(pod: &ObjectMeta, set: &'a str) -> Vec<Named<'a>> {
    let labels = [
        ("rollouts-pod-template-hash", WorkloadKind::Rollout),
        ("pod-template-hash", WorkloadKind::Deployment),
    ];
    let by_label = labels.into_iter().filter_map(|(label, kind)| {
        let hash = pod.labels.as_ref()?.get(label)?;
        Some((kind, set.strip_suffix(hash.as_str())?.strip_suffix('-')?))
    });
    by_label.collect()
}

/// A CronJob's Jobs have the minute of their schedule behind the name.
fn of_job(job: &str) -> Vec<Named<'_>> {
    let minute = |text: &str| text.len() >= 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    let cron_job = job.rsplit_once('-').filter(|(_, end)| minute(end));
    let cron_job = cron_job.map(|(name, _)| (WorkloadKind::CronJob, name));
    cron_job.into_iter().chain([(WorkloadKind::Job, job)]).collect()
}

fn of_replication_controller(pod: &ObjectMeta) -> Vec<Named<'_>> {
    let mut annotations = pod.annotations.iter().flatten();
    let name = annotations.find(|(name, _)| *name == "openshift.io/deployment-config.name");
    name.map(|(_, name)| (WorkloadKind::DeploymentConfig, name.as_str()))
        .into_iter()
        .collect()
}

/// Known by the name under which the apiserver shows it.
fn static_pod(pod: &ObjectMeta) -> Vec<Named<'_>> {
    pod.name
        .as_deref()
        .map(|name| (WorkloadKind::StaticPod, name))
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(version: &str, kind: &str, name: &str, label: Option<(&str, &str)>, expected: &[&str]) {
        let pod = ObjectMeta {
            name: Some("etcd-node-1".to_owned()),
            labels: label.map(|(name, value)| [(name.to_owned(), value.to_owned())].into()),
            annotations: Some([("openshift.io/deployment-config.name".to_owned(), "shop".to_owned())].into()),
            owner_references: Some(vec![OwnerReference {
                api_version: version.to_owned(),
                kind: kind.to_owned(),
                name: name.to_owned(),
                controller: Some(true),
                ..OwnerReference::default()
            }]),
            ..ObjectMeta::default()
        };
        let found: Vec<String> = owners("shop", &pod).iter().map(WorkloadId::config_name).collect();
        assert_eq!(found, expected, "{kind} {name}");
    }

    #[test]
    fn a_pod_leads_to_its_workload() {
        let hash = Some(("pod-template-hash", "6d4cf56db6"));
        check(
            "apps/v1",
            "ReplicaSet",
            "web-shop-6d4cf56db6",
            hash,
            &["deployment-web-shop"],
        );
        let hash = Some(("rollouts-pod-template-hash", "abc"));
        check("apps/v1", "ReplicaSet", "web-abc", hash, &["rollout-web"]);
        check("apps/v1", "ReplicaSet", "alone", None, &[]);
        check("apps/v1", "StatefulSet", "db", None, &["statefulset-db"]);
        check("apps/v1", "DaemonSet", "logs", None, &["daemonset-logs"]);
        check(
            "batch/v1",
            "Job",
            "backup-28912345",
            None,
            &["cronjob-backup", "job-backup-28912345"],
        );
        check("batch/v1", "Job", "step-2", None, &["job-step-2"]);
        check(
            "v1",
            "ReplicationController",
            "shop-3",
            None,
            &["deploymentconfig-shop"],
        );
        check("v1", "Node", "node-1", None, &["staticpod-etcd-node-1"]);
        check("example.com/v1", "ReplicaSet", "web-6d4cf56db6", hash, &[]);
    }

    #[test]
    fn a_pod_of_its_own_belongs_to_nobody() {
        assert_eq!(owners("shop", &ObjectMeta::default()), []);
    }
}
