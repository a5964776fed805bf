//! Rules that decide which traces are kept. The first list with a match decides.

use crate::conditions::ConditionsStatus;
use crate::operations::{HeadOperation, TailOperation};
use crate::workload::SourceScopes;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rules that decide which traces are kept. The first list with a match decides.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    derive = "PartialEq",
    group = "odigos.io",
    version = "v1alpha1",
    kind = "Sampling",
    plural = "samplings",
    singular = "sampling",
    namespaced,
    status = "ConditionsStatus",
    doc = "Rules that decide which traces are kept. The first list with a match decides.",
    printcolumn = r#"{"name":"Name","type":"string","jsonPath":".spec.name"}"#,
    printcolumn = r#"{"name":"Disabled","type":"boolean","jsonPath":".spec.disabled"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct SamplingSpec {
    /// Operations of which only a part is kept, to save cost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cost_reduction_rules: Vec<CostReductionRule>,
    /// True to keep the object without any effect, as if it were not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Operations whose traces are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub highly_relevant_operations: Vec<HighlyRelevantOperationRule>,
    /// A name for people, shown in lists and in the UI; free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Operations of which little or nothing is kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub noisy_operations: Vec<NoisyOperationRule>,
    /// Free text for people: why the object is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}

/// Operations of which little or nothing is kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NoisyOperationRule {
    /// True to keep the object without any effect, as if it were not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// A name for people, shown in lists and in the UI; free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Free text for people: why the object is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// The operation; absent means any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<HeadOperation>,
    /// At most so many percent of the traces are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minimum" = 0, "maximum" = 100))]
    pub percentage_at_most: Option<f64>,
    /// The workloads that it applies to; absent means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_scopes: Option<SourceScopes>,
}

/// Operations whose traces are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HighlyRelevantOperationRule {
    /// True to keep the object without any effect, as if it were not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Only traces that took at least so many milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_at_least_ms: Option<i64>,
    /// Only traces with an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<bool>,
    /// A name for people, shown in lists and in the UI; free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Free text for people: why the object is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// The operation; absent means any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<TailOperation>,
    /// At least so many percent of the traces are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minimum" = 0, "maximum" = 100))]
    pub percentage_at_least: Option<f64>,
    /// The workloads that it applies to; absent means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_scopes: Option<SourceScopes>,
}

/// Operations of which only a part is kept, to save cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CostReductionRule {
    /// True to keep the object without any effect, as if it were not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// A name for people, shown in lists and in the UI; free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Free text for people: why the object is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// The operation; absent means any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<TailOperation>,
    /// At most so many percent of the traces are kept.
    #[schemars(extend("minimum" = 0, "maximum" = 100))]
    pub percentage_at_most: f64,
    /// The workloads that it applies to; absent means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_scopes: Option<SourceScopes>,
}
