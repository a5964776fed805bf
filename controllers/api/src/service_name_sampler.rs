//! Legacy: keeps traces that pass through given services.

use crate::conditions::ConditionsStatus;
use crate::signals::LegacySignal;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Legacy: keeps traces that pass through given services.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    derive = "PartialEq",
    group = "actions.odigos.io",
    version = "v1alpha1",
    kind = "ServiceNameSampler",
    plural = "servicenamesamplers",
    singular = "servicenamesampler",
    namespaced,
    shortname = "sns",
    status = "ConditionsStatus",
    doc = "Legacy: keeps traces that pass through given services."
)]
#[serde(rename_all = "camelCase")]
pub struct ServiceNameSamplerSpec {
    /// A name for people, shown in lists and in the UI; free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_name: Option<String>,
    /// True to keep the object without any effect, as if it were not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Free text for people: why the object is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// The services, each with its ratio.
    #[serde(rename = "services_name_filters")]
    pub services_name_filters: Vec<ServiceNameFilter>,
    /// The kinds of telemetry that it applies to: TRACES, METRICS, LOGS.
    pub signals: Vec<LegacySignal>,
}

/// The services, each with its ratio.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceNameFilter {
    /// Percentage of the remaining traces that is kept.
    #[serde(rename = "fallback_sampling_ratio")]
    #[schemars(extend("minimum" = 0, "maximum" = 100, "default" = 100))]
    pub fallback_sampling_ratio: f64,
    /// Percentage of the matching traces that is kept.
    #[serde(rename = "sampling_ratio")]
    #[schemars(extend("minimum" = 0, "maximum" = 100, "default" = 100))]
    pub sampling_ratio: f64,
    /// service.name of the service.
    #[serde(rename = "service_name")]
    pub service_name: String,
}
