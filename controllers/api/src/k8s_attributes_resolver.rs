//! Legacy: adds Kubernetes attributes. Served as an Action.

use crate::attributes::{AnnotationAttribute, LabelAttribute};
use crate::conditions::ConditionsStatus;
use crate::signals::Signal;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Legacy: adds Kubernetes attributes. Served as an Action.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    derive = "PartialEq",
    group = "actions.odigos.io",
    version = "v1alpha1",
    kind = "K8sAttributesResolver",
    plural = "k8sattributesresolvers",
    singular = "k8sattributesresolver",
    namespaced,
    status = "ConditionsStatus",
    doc = "Legacy: adds Kubernetes attributes. Served as an Action."
)]
#[serde(rename_all = "camelCase")]
pub struct K8sAttributesResolverSpec {
    /// A name for people, shown in lists and in the UI; free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_name: Option<String>,
    /// Annotations that become resource attributes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub annotations_attributes: Vec<AnnotationAttribute>,
    /// Add the cluster's uid.
    #[serde(rename = "collectClusterUID", skip_serializing_if = "Option::is_none")]
    pub collect_cluster_uid: Option<bool>,
    /// Add the container's attributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collect_container_attributes: Option<bool>,
    /// Add the ReplicaSet's attributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collect_replica_set_attributes: Option<bool>,
    /// Add the workload's uid.
    #[serde(rename = "collectWorkloadUID", skip_serializing_if = "Option::is_none")]
    pub collect_workload_uid: Option<bool>,
    /// True to keep the object without any effect, as if it were not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Labels that become resource attributes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels_attributes: Vec<LabelAttribute>,
    /// Free text for people: why the object is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// The kinds of telemetry that it applies to: TRACES, METRICS, LOGS.
    pub signals: Vec<Signal>,
}
