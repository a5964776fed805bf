//! Legacy: keeps traces with an error and a part of the others.

use crate::conditions::ConditionsStatus;
use crate::signals::LegacySignal;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Legacy: keeps traces with an error and a part of the others.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    derive = "PartialEq",
    group = "actions.odigos.io",
    version = "v1alpha1",
    kind = "ErrorSampler",
    plural = "errorsamplers",
    singular = "errorsampler",
    namespaced,
    shortname = "es",
    status = "ConditionsStatus",
    doc = "Legacy: keeps traces with an error and a part of the others."
)]
#[serde(rename_all = "camelCase")]
pub struct ErrorSamplerSpec {
    /// A name for people, shown in lists and in the UI; free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_name: Option<String>,
    /// True to keep the object without any effect, as if it were not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Percentage of the remaining traces that is kept.
    #[serde(rename = "fallback_sampling_ratio")]
    pub fallback_sampling_ratio: f64,
    /// Free text for people: why the object is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// The kinds of telemetry that it applies to: TRACES, METRICS, LOGS.
    pub signals: Vec<LegacySignal>,
}
