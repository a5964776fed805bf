//! The health of one instrumented process and its parts. Made by agents; not for editing.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The health of one instrumented process and its parts. Made by agents; not for editing.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    derive = "PartialEq",
    group = "odigos.io",
    version = "v1alpha1",
    kind = "InstrumentationInstance",
    plural = "instrumentationinstances",
    singular = "instrumentationinstance",
    namespaced,
    shortname = "ii",
    status = "InstrumentationInstanceStatus",
    doc = "The health of one instrumented process and its parts. Made by agents; not for editing.",
    printcolumn = r#"{"name":"Container","type":"string","jsonPath":".spec.containerName"}"#,
    printcolumn = r#"{"name":"Healthy","type":"boolean","jsonPath":".status.healthy"}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".status.reason"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct InstrumentationInstanceSpec {
    /// The container's name in the pod.
    pub container_name: String,
}

/// What is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstrumentationInstanceStatus {
    /// The parts of the instrumentation, each with its health.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<InstrumentationComponent>,
    /// Whether it works; absent while that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthy: Option<bool>,
    /// Attributes that tell this instance from others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifying_attributes: Vec<ComponentAttribute>,
    /// When the state was last reported.
    pub last_status_time: Time,
    /// What happened, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 32768))]
    pub message: Option<String>,
    /// Further attributes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub non_identifying_attributes: Vec<ComponentAttribute>,
    /// The reason as one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The parts of the instrumentation, each with its health.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstrumentationComponent {
    /// Whether it works; absent while that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthy: Option<bool>,
    /// Attributes that tell this instance from others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifying_attributes: Vec<ComponentAttribute>,
    /// When the state was last reported.
    pub last_status_time: Time,
    /// What happened, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxLength" = 32768))]
    pub message: Option<String>,
    /// The name.
    #[schemars(extend("minLength" = 1))]
    pub name: String,
    /// Further attributes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub non_identifying_attributes: Vec<ComponentAttribute>,
    /// The reason as one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The type.
    pub r#type: ComponentType,
}

/// Attributes that tell this instance from others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComponentAttribute {
    /// The key.
    #[schemars(extend("minLength" = 1))]
    pub key: String,
    /// The value.
    pub value: String,
}

/// What a part of an instrumentation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ComponentType {
    /// Makes telemetry.
    #[serde(rename = "instrumentation")]
    Instrumentation,
    /// Decides what is kept.
    #[serde(rename = "sampler")]
    Sampler,
    /// Sends it.
    #[serde(rename = "exporter")]
    Exporter,
}
