//! Something that the product recommends to change, and whether that was done.

use crate::conditions::ConditionsStatus;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something that the product recommends to change, and whether that was done.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    derive = "PartialEq",
    group = "odigos.io",
    version = "v1alpha1",
    kind = "Recommendation",
    plural = "recommendations",
    singular = "recommendation",
    namespaced,
    status = "ConditionsStatus",
    doc = "Something that the product recommends to change, and whether that was done.",
    printcolumn = r#"{"name":"Type","type":"string","jsonPath":".spec.type"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct RecommendationSpec {
    /// Whether the recommendation was followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied: Option<bool>,
    /// Whether the recommendation applies to this cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conditions_met: Option<bool>,
    /// The type.
    pub r#type: RecommendationType,
}

/// What is recommended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum RecommendationType {
    /// To add database attributes.
    #[serde(rename = "InferDBAttributes")]
    InferDbAttributes,
    /// To keep the offsets of Go structures up to date.
    AutoGoOffsetUpdater,
    /// To collect the metrics of the product itself.
    EnableOwnMetrics,
    /// To drop traces of health probes.
    SampleHealthProbes,
    /// To replace variables in paths.
    UrlTemplatization,
}
