//! The gateway or the node collectors, as the scheduler wants them. Not for editing.

use crate::signals::{CollectorRole, Signal};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The gateway or the node collectors, as the scheduler wants them. Not for editing.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    derive = "PartialEq",
    group = "odigos.io",
    version = "v1alpha1",
    kind = "CollectorsGroup",
    plural = "collectorsgroups",
    singular = "collectorsgroup",
    namespaced,
    shortname = "cg",
    status = "CollectorsGroupStatus",
    doc = "The gateway or the node collectors, as the scheduler wants them. Not for editing.",
    printcolumn = r#"{"name":"Role","type":"string","jsonPath":".spec.role"}"#,
    printcolumn = r#"{"name":"Ready","type":"boolean","jsonPath":".status.ready"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct CollectorsGroupSpec {
    /// Collect metrics of the cluster itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_metrics_enabled: Option<bool>,
    /// Port of the collector's own metrics.
    pub collector_own_metrics_port: i32,
    /// The Deployment or DaemonSet, where it is not the default one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment_name: Option<String>,
    /// Compress what is sent between the collectors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_data_compression: Option<bool>,
    /// Proxy for what leaves the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub https_proxy_address: Option<String>,
    /// Metrics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<CollectorMetrics>,
    /// Labels of the nodes on which the collectors may run.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// How the node collectors send to the gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otlp_exporter_configuration: Option<OtlpExporterConfiguration>,
    /// Which detectors of the cloud's resource attributes run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_detectors: Option<ResourceDetectors>,
    /// Sizes of the collectors.
    pub resources_settings: ResourcesSettings,
    /// What the group's collectors are for.
    pub role: CollectorRole,
    /// Decide, write the decision on the spans, and drop nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampling_dry_run: Option<bool>,
    /// Make no metrics of the calls between services.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_graph_disabled: Option<bool>,
    /// Attributes that become dimensions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_graph_extra_dimensions: Vec<String>,
    /// Attributes that name a peer that sends no spans itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_graph_virtual_node_peer_attributes: Vec<String>,
    /// What spans say about the decision to keep them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_sampling_attributes: Option<SpanSamplingAttributes>,
    /// Sampling of finished traces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tail_sampling: Option<TailSampling>,
    /// Correlations that are computed over traces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_correlations: Option<TraceCorrelations>,
}

/// What is known of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CollectorsGroupStatus {
    /// What is waited for, and what went wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// Whether all of the group's collectors can take data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<bool>,
    /// The signals that the group takes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub receiver_signals: Vec<Signal>,
}

/// Correlations that are computed over traces.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TraceCorrelations {
    /// Which calls of a service belong to which of its requests.
    #[serde(rename = "serviceIO", skip_serializing_if = "Option::is_none")]
    pub service_io: Option<ServiceIo>,
}

/// Which calls of a service belong to which of its requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceIo {
    /// Whether it is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Attributes of the spans by which a service is called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub input_span_attributes: Vec<String>,
    /// Time between two exports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_flush_interval: Option<String>,
    /// Attributes of the spans by which a service calls others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub output_span_attributes: Vec<String>,
}

/// Sampling of finished traces.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TailSampling {
    /// True to keep the object without any effect, as if it were not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// How long the spans of a trace are waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_aggregation_wait_duration: Option<String>,
}

/// What spans say about the decision to keep them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpanSamplingAttributes {
    /// True to keep the object without any effect, as if it were not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Leave the category of the decision out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampling_category_disabled: Option<bool>,
    /// Leave the decision out of the spans.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_decision_attributes_disabled: Option<bool>,
    /// Leave the rule that decided out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_deciding_rule_disabled: Option<bool>,
}

/// Sizes of the collectors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourcesSettings {
    /// CPU limit in thousandths of a core.
    pub cpu_limit_millicores: i64,
    /// CPU request in thousandths of a core.
    pub cpu_request_millicores: i64,
    /// Soft limit of the collector's heap in MiB.
    pub gomemlimit_mi_b: i64,
    /// Most replicas of the gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_replicas: Option<i64>,
    /// Memory limit in MiB.
    pub memory_limit_mi_b: i64,
    /// Use of memory in MiB above which the collector refuses data.
    pub memory_limiter_limit_mi_b: i64,
    /// How far below that limit in MiB refusing begins.
    pub memory_limiter_spike_limit_mi_b: i64,
    /// Memory request in MiB.
    pub memory_request_mi_b: i64,
    /// Fewest replicas of the gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_replicas: Option<i64>,
}

/// Which detectors of the cloud's resource attributes run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceDetectors {
    /// Azure Kubernetes Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aks: Option<ResourceDetector>,
    /// Azure virtual machines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub azure: Option<ResourceDetector>,
    /// Amazon EC2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ec2: Option<ResourceDetector>,
    /// Amazon Elastic Kubernetes Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eks: Option<ResourceDetector>,
    /// Google Cloud.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gcp: Option<ResourceDetector>,
}

/// Whether a detector runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceDetector {
    /// Whether it is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// How the node collectors send to the gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OtlpExporterConfiguration {
    /// Compress what is sent between the collectors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_data_compression: Option<bool>,
    /// Retries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_on_failure: Option<RetryOnFailure>,
    /// Time after which a request counts as failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
}

/// Retries.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetryOnFailure {
    /// Whether it is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Wait before the first retry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_interval: Option<String>,
    /// Time after which data is given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_elapsed_time: Option<String>,
    /// Longest wait between retries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_interval: Option<String>,
}

/// Metrics.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CollectorMetrics {
    /// Metrics that agents in the processes send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agents_telemetry: Option<AgentsTelemetryMetrics>,
    /// Metrics of the nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_metrics: Option<IntervalMetrics>,
    /// Metrics that the kubelet has of pods and containers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubelet_stats: Option<IntervalMetrics>,
    /// Metrics of the product's own components.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub odigos_own_metrics: Option<OwnMetrics>,
    /// Metrics of the calls between services.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_graph: Option<ServiceGraphMetrics>,
    /// Metrics computed from spans.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_metrics: Option<SpanMetrics>,
}

/// Metrics computed from spans.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpanMetrics {
    /// Attributes that become dimensions beside the default ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub additional_dimensions: Vec<String>,
    /// True to keep the object without any effect, as if it were not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Resource attributes that are no dimensions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded_resource_attributes: Vec<String>,
    /// Upper bounds of the histogram's buckets, as durations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub explicit_histogram_buckets: Vec<String>,
    /// Count only, without a histogram of durations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub histogram_disabled: Option<bool>,
    /// Keep processes of one workload apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub included_process_in_dimensions: Option<bool>,
    /// Time between two collections, as a duration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    /// Time after which a series that gets no span is forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_expiration: Option<String>,
    /// Resource attributes by which series are told apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resource_metrics_key_attributes: Vec<String>,
    /// Which spans are counted, with respect to sampling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_metrics_mode: Option<String>,
}

/// Metrics of the calls between services.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceGraphMetrics {}

/// Metrics of the product's own components.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnMetrics {
    /// Time between two collections, as a duration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    /// Send them to the destinations for metrics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send_to_metrics_destinations: Option<bool>,
    /// Keep them in the product's own store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send_to_odigos_metrics_store: Option<bool>,
}

/// Metrics that are collected at intervals.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IntervalMetrics {
    /// True to keep the object without any effect, as if it were not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Time between two collections, as a duration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
}

/// Metrics that agents in the processes send.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentsTelemetryMetrics {}
