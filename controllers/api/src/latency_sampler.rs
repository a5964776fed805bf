//! Legacy: keeps slow traces of given routes and a part of the others.

use crate::conditions::ConditionsStatus;
use crate::signals::LegacySignal;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Legacy: keeps slow traces of given routes and a part of the others.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    derive = "PartialEq",
    group = "actions.odigos.io",
    version = "v1alpha1",
    kind = "LatencySampler",
    plural = "latencysamplers",
    singular = "latencysampler",
    namespaced,
    shortname = "ls",
    status = "ConditionsStatus",
    doc = "Legacy: keeps slow traces of given routes and a part of the others."
)]
#[serde(rename_all = "camelCase")]
pub struct LatencySamplerSpec {
    /// A name for people, shown in lists and in the UI; free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_name: Option<String>,
    /// True to keep the object without any effect, as if it were not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// The endpoints, each with its threshold.
    #[serde(rename = "endpoints_filters")]
    pub endpoints_filters: Vec<HttpRouteFilter>,
    /// Free text for people: why the object is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// The kinds of telemetry that it applies to: TRACES, METRICS, LOGS.
    pub signals: Vec<LegacySignal>,
}

/// The endpoints, each with its threshold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpRouteFilter {
    /// Percentage of the remaining traces that is kept.
    #[serde(rename = "fallback_sampling_ratio")]
    pub fallback_sampling_ratio: f64,
    /// The route, or the beginning of one.
    #[serde(rename = "http_route")]
    pub http_route: String,
    /// Traces that took at least so many milliseconds are kept.
    #[serde(rename = "minimum_latency_threshold")]
    pub minimum_latency_threshold: i64,
    /// service.name of the service.
    #[serde(rename = "service_name")]
    pub service_name: String,
}
