//! Marks a workload or all workloads of a namespace for instrumentation, or excludes them.
//!
//! The schema refuses what can be judged by the object alone. The admission webhook refuses the rest, which needs the object's own
//! namespace or other objects: another namespace than the workload's, a second Source for one workload, an expression that does
//! not compile, changed workload labels.

use crate::conditions::ConditionsStatus;
use crate::workload::{ContainerOverride, PodWorkload};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Marks a workload or all workloads of a namespace for instrumentation, or excludes them.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    derive = "PartialEq",
    group = "odigos.io",
    version = "v1alpha1",
    kind = "Source",
    plural = "sources",
    singular = "source",
    namespaced,
    shortname = "src",
    status = "ConditionsStatus",
    doc = "Marks a workload or all workloads of a namespace for instrumentation, or excludes them.",
    printcolumn = r#"{"name":"Workload","type":"string","jsonPath":".spec.workload.name"}"#,
    printcolumn = r#"{"name":"Kind","type":"string","jsonPath":".spec.workload.kind"}"#,
    printcolumn = r#"{"name":"Namespace","type":"string","jsonPath":".spec.workload.namespace"}"#,
    printcolumn = r#"{"name":"Disabled","type":"boolean","jsonPath":".spec.disableInstrumentation"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "self.workload == oldSelf.workload", "message": "workload cannot be changed: delete this Source and make another"},
    {"rule": "(has(self.matchWorkloadNameAsRegex) && self.matchWorkloadNameAsRegex) == (has(oldSelf.matchWorkloadNameAsRegex) && oldSelf.matchWorkloadNameAsRegex)", "message": "matchWorkloadNameAsRegex cannot be changed: delete this Source and make another"},
    {"rule": "self.workload.kind in ['Deployment', 'DaemonSet', 'StatefulSet', 'CronJob', 'Job', 'Namespace', 'StaticPod', 'DeploymentConfig', 'Rollout']", "message": "workload.kind must be one of Deployment, DaemonSet, StatefulSet, CronJob, Job, Namespace, StaticPod, DeploymentConfig, Rollout"},
    {"rule": "self.workload.kind != 'Namespace' || self.workload.name == self.workload.namespace", "message": "for kind Namespace, workload.name and workload.namespace must both be the name of the namespace"},
    {"rule": "self.workload.kind != 'Namespace' || !has(self.otelServiceName) || self.otelServiceName == ''", "message": "for kind Namespace, otelServiceName must be empty: set it in a Source for a single workload"},
    {"rule": "self.workload.kind != 'Namespace' || !has(self.matchWorkloadNameAsRegex) || !self.matchWorkloadNameAsRegex", "message": "for kind Namespace, matchWorkloadNameAsRegex must not be set"},
]))]
pub struct SourceSpec {
    /// Decisions for single containers of the workload, which replace what was detected. Without effect for kind Namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub container_overrides: Vec<ContainerOverride>,
    /// True to leave the workload alone, also where a Source of its namespace or a pattern asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable_instrumentation: Option<bool>,
    /// True to read workload.name as a regular expression that must match the whole name of a workload. Cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub match_workload_name_as_regex: Option<bool>,
    /// The service.name of the workload's telemetry; absent means the workload's name. Not for kind Namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otel_service_name: Option<String>,
    /// The workload that is meant, or with kind Namespace all workloads of a namespace. Cannot be changed.
    pub workload: PodWorkload,
}
