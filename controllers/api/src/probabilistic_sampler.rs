//! Legacy: keeps a percentage of all traces.

use crate::conditions::ConditionsStatus;
use crate::signals::LegacySignal;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Legacy: keeps a percentage of all traces.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    derive = "PartialEq",
    group = "actions.odigos.io",
    version = "v1alpha1",
    kind = "ProbabilisticSampler",
    plural = "probabilisticsamplers",
    singular = "probabilisticsampler",
    namespaced,
    shortname = "ps",
    status = "ConditionsStatus",
    doc = "Legacy: keeps a percentage of all traces."
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "self.sampling_percentage.matches('^[0-9]+([.][0-9]+)?$') && double(self.sampling_percentage) <= 100.0", "message": "sampling_percentage must be a decimal number from 0 to 100, as a string"},
]))]
pub struct ProbabilisticSamplerSpec {
    /// A name for people, shown in lists and in the UI; free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_name: Option<String>,
    /// True to keep the object without any effect, as if it were not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Free text for people: why the object is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Percentage of the traces that is kept, as a decimal number from 0 to 100.
    #[serde(rename = "sampling_percentage")]
    pub sampling_percentage: String,
    /// The kinds of telemetry that it applies to: TRACES, METRICS, LOGS.
    pub signals: Vec<LegacySignal>,
}
