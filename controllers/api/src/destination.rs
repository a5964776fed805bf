//! Where telemetry is sent.

use crate::conditions::ConditionsStatus;
use crate::signals::Signal;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where telemetry is sent.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    derive = "PartialEq",
    group = "odigos.io",
    version = "v1alpha1",
    kind = "Destination",
    plural = "destinations",
    singular = "destination",
    namespaced,
    shortname = "dest",
    status = "ConditionsStatus",
    doc = "Where telemetry is sent.",
    printcolumn = r#"{"name":"Type","type":"string","jsonPath":".spec.type"}"#,
    printcolumn = r#"{"name":"Signals","type":"string","jsonPath":".spec.signals"}"#,
    printcolumn = r#"{"name":"Disabled","type":"boolean","jsonPath":".spec.disabled"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct DestinationSpec {
    /// The fields of the type that are not secret, as texts; docs/destinations.md lists them for each type.
    pub data: BTreeMap<String, String>,
    /// A name for people, shown in lists and in the UI; free text.
    pub destination_name: String,
    /// True to keep the object without any effect, as if it were not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Which kinds of metrics are sent; absent means the default of each. Only where signals has METRICS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_settings: Option<MetricsSettings>,
    /// The Secret with the fields of the type that are secret. It lies in the namespace of the Destination, and its keys are the
    /// names of the fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,
    /// The kinds of telemetry that it applies to: TRACES, METRICS, LOGS.
    pub signals: Vec<Signal>,
    /// The workloads whose telemetry is sent here, by namespace or by data stream; absent means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_selector: Option<SourceSelector>,
    /// The type of the destination, such as jaeger or datadog.
    pub r#type: String,
}

/// Whose telemetry is sent here; absent means everyone's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceSelector {
    /// Names of data streams: of the Sources with a label odigos.io/data-stream-<name> with the value true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data_streams: Vec<String>,
    /// Names of namespaces: of the workloads that run in them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
}

/// The Secret with the destination's credentials, in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// The name of the Secret.
    #[serde(default)]
    pub name: String,
}

/// Which metrics are sent; absent means the default for each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetricsSettings {
    /// Send metrics of the agents in the processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agents_telemetry_enabled: Option<bool>,
    /// Send metrics of the nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_metrics_enabled: Option<bool>,
    /// Send metrics that the kubelet has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubelet_stats_enabled: Option<bool>,
    /// Send metrics of the product's own components.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub odigos_own_metrics_enabled: Option<bool>,
    /// Send metrics of the calls between services.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_graph_enabled: Option<bool>,
    /// Send metrics computed from spans.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_metrics_enabled: Option<bool>,
}
