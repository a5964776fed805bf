//! Workloads of each kind, as the apiserver has them, trimmed to what is decided by.

use controllers_core::instrumentor::{Container, Workload, WorkloadId, WorkloadKind};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{Pod, PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube_client::api::{ApiResource, DynamicObject, GroupVersionKind, ObjectMeta};

/// The annotation on the object by which the apiserver shows a static pod.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// Something that a workload can be made of.
pub trait IntoWorkload {
    /// What is kept of it; nothing if it is no workload of its own.
    fn into_workload(self) -> Option<Workload>;
}

impl IntoWorkload for Deployment {
    fn into_workload(self) -> Option<Workload> {
        let running = self.status.and_then(|status| status.replicas).unwrap_or(0) > 0;
        workload(
            WorkloadKind::Deployment,
            "apps/v1",
            &self.metadata,
            template(&self.spec?.template),
            running,
        )
    }
}

impl IntoWorkload for DaemonSet {
    fn into_workload(self) -> Option<Workload> {
        let running = self.status.is_some_and(|status| status.current_number_scheduled > 0);
        workload(
            WorkloadKind::DaemonSet,
            "apps/v1",
            &self.metadata,
            template(&self.spec?.template),
            running,
        )
    }
}

impl IntoWorkload for StatefulSet {
    fn into_workload(self) -> Option<Workload> {
        let running = self.status.is_some_and(|status| status.replicas > 0);
        workload(
            WorkloadKind::StatefulSet,
            "apps/v1",
            &self.metadata,
            template(&self.spec?.template),
            running,
        )
    }
}

impl IntoWorkload for CronJob {
    fn into_workload(self) -> Option<Workload> {
        let active = self.status.and_then(|status| status.active);
        let running = active.is_some_and(|jobs| !jobs.is_empty());
        let template = template(&self.spec?.job_template.spec?.template);
        workload(WorkloadKind::CronJob, "batch/v1", &self.metadata, template, running)
    }
}

impl IntoWorkload for Job {
    /// One that a CronJob owns belongs to that.
    fn into_workload(self) -> Option<Workload> {
        let mut owners = self.metadata.owner_references.iter().flatten();
        if owners.any(|owner| owner.kind == "CronJob") {
            return None;
        }
        let running = self.status.and_then(|status| status.active).unwrap_or(0) > 0;
        workload(
            WorkloadKind::Job,
            "batch/v1",
            &self.metadata,
            template(&self.spec?.template),
            running,
        )
    }
}

impl IntoWorkload for Pod {
    /// Only static pods are workloads of their own.
    fn into_workload(self) -> Option<Workload> {
        let annotations = self.metadata.annotations.as_ref();
        if !annotations.is_some_and(|annotations| annotations.contains_key(MIRROR)) {
            return None;
        }
        let running = self.status.and_then(|status| status.phase).as_deref() == Some("Running");
        let containers = containers(&self.spec?);
        workload(WorkloadKind::StaticPod, "v1", &self.metadata, containers, running)
    }
}

/// A kind that only some clusters have.
#[derive(Debug, Clone, Copy)]
pub struct Optional {
    /// As which it is instrumented.
    pub kind: WorkloadKind,
    group: &'static str,
    version: &'static str,
}

/// The kinds that only some clusters have: Argo's and OpenShift's.
pub const OPTIONAL: [Optional; 2] = [
    Optional {
        kind: WorkloadKind::Rollout,
        group: "argoproj.io",
        version: "v1alpha1",
    },
    Optional {
        kind: WorkloadKind::DeploymentConfig,
        group: "apps.openshift.io",
        version: "v1",
    },
];

impl Optional {
    /// How the apiserver is asked for it.
    pub fn resource(self) -> ApiResource {
        ApiResource::from_gvk(&GroupVersionKind::gvk(self.group, self.version, self.kind.as_str()))
    }

    /// What is kept of one. A Rollout that takes its template from a Deployment has no containers of its own.
    pub fn workload(self, object: &DynamicObject) -> Option<Workload> {
        let spec = object.data.pointer("/spec/template/spec").cloned().unwrap_or_default();
        let containers = serde_json::from_value::<PodSpec>(spec).map(|spec| containers(&spec));
        let replicas = object
            .data
            .pointer("/status/replicas")
            .and_then(serde_json::Value::as_i64);
        let version = format!("{}/{}", self.group, self.version);
        let running = replicas.unwrap_or(0) > 0;
        workload(
            self.kind,
            &version,
            &object.metadata,
            containers.unwrap_or_default(),
            running,
        )
    }
}

fn template(template: &PodTemplateSpec) -> Vec<Container> {
    template.spec.as_ref().map(containers).unwrap_or_default()
}

fn containers(spec: &PodSpec) -> Vec<Container> {
    spec.containers.iter().map(Container::of).collect()
}

/// One that is being deleted is none any more: what belongs to it goes with it.
fn workload(
    kind: WorkloadKind,
    api_version: &str,
    metadata: &ObjectMeta,
    containers: Vec<Container>,
    running: bool,
) -> Option<Workload> {
    if metadata.deletion_timestamp.is_some() {
        return None;
    }
    let name = metadata.name.clone()?;
    Some(Workload {
        owner: OwnerReference {
            api_version: api_version.to_owned(),
            // A static pod is shown as a Pod.
            kind: if kind == WorkloadKind::StaticPod {
                "Pod"
            } else {
                kind.as_str()
            }
            .to_owned(),
            name: name.clone(),
            uid: metadata.uid.clone()?,
            controller: Some(true),
            block_owner_deletion: None,
        },
        id: WorkloadId {
            namespace: metadata.namespace.clone()?,
            kind,
            name,
        },
        containers,
        running,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    fn read<K: DeserializeOwned + IntoWorkload>(spec: Value, status: Value, more: Value) -> Option<Workload> {
        let mut metadata = json!({"name": "cart", "namespace": "shop", "uid": "1"});
        for (name, value) in more.as_object().unwrap() {
            metadata[name] = value.clone();
        }
        let object = json!({"metadata": metadata, "spec": spec, "status": status});
        serde_json::from_value::<K>(object).unwrap().into_workload()
    }

    fn template() -> Value {
        json!({"spec": {"containers": [{"name": "app", "image": "x", "env": [{"name": "A", "value": "b"}]}]}})
    }

    #[track_caller]
    fn is(workload: Option<Workload>, kind: WorkloadKind, owner: &str) {
        let workload = workload.unwrap();
        assert_eq!((workload.id.kind, workload.running), (kind, true));
        assert_eq!(
            (workload.owner.kind.as_str(), workload.owner.uid.as_str()),
            (owner, "1")
        );
        assert_eq!(workload.containers.len(), 1);
        assert_eq!(workload.containers[0].name, "app");
    }

    #[test]
    fn every_kind_becomes_a_workload_with_its_containers_and_its_owner() {
        let spec = || json!({"selector": {}, "serviceName": "x", "template": template()});
        let plain = || json!({});
        is(
            read::<Deployment>(spec(), json!({"replicas": 1}), plain()),
            WorkloadKind::Deployment,
            "Deployment",
        );
        is(
            read::<StatefulSet>(spec(), json!({"replicas": 1}), plain()),
            WorkloadKind::StatefulSet,
            "StatefulSet",
        );
        let numbers = json!({"currentNumberScheduled": 1, "desiredNumberScheduled": 1, "numberMisscheduled": 0, "numberReady": 0});
        is(
            read::<DaemonSet>(spec(), numbers, plain()),
            WorkloadKind::DaemonSet,
            "DaemonSet",
        );
        is(
            read::<Job>(spec(), json!({"active": 1}), plain()),
            WorkloadKind::Job,
            "Job",
        );
        let cron = json!({"schedule": "* * * * *", "jobTemplate": {"spec": {"template": template()}}});
        is(
            read::<CronJob>(cron, json!({"active": [{}]}), plain()),
            WorkloadKind::CronJob,
            "CronJob",
        );
        let mirror = json!({"annotations": {MIRROR: "x"}});
        is(
            read::<Pod>(template()["spec"].clone(), json!({"phase": "Running"}), mirror),
            WorkloadKind::StaticPod,
            "Pod",
        );
        for optional in OPTIONAL {
            let object = json!({"apiVersion": "x/v1", "kind": "X", "metadata": {"name": "cart", "namespace": "shop", "uid": "1"},
                "spec": {"template": template()}, "status": {"replicas": 2}});
            let object: DynamicObject = serde_json::from_value(object).unwrap();
            is(optional.workload(&object), optional.kind, optional.kind.as_str());
        }
    }

    #[test]
    fn what_belongs_to_something_else_or_is_on_its_way_out_is_no_workload() {
        let spec = || json!({"template": template()});
        let owned =
            json!({"ownerReferences": [{"apiVersion": "batch/v1", "kind": "CronJob", "name": "x", "uid": "2"}]});
        assert_eq!(read::<Job>(spec(), json!({}), owned), None);
        assert_eq!(read::<Pod>(template()["spec"].clone(), json!({}), json!({})), None);
        let leaving = json!({"deletionTimestamp": "2026-01-01T00:00:00Z"});
        assert_eq!(read::<Job>(spec(), json!({}), leaving), None);
    }
}
