//! What the product has decided for one workload, and how far it has got. Made by the instrumentor; not for editing.

use crate::attributes::{
    CustomFormatMasking, CustomRegexMasking, PiiCategory, RegexReplacement, UrlTemplatizationSkipPolicy,
};
use crate::instrumentation::{
    AgentDiagnostics, CodeAttributes, CustomInstrumentations, EbpfLogCapture, HeadersCollection, NetworkMetrics,
    PayloadCollection, TraceVerbosity,
};
use crate::operations::{HeadOperation, TailOperation};
use crate::workload::{ContainerOverride, RuntimeDetails};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the product has decided for one workload, and how far it has got. Made by the instrumentor; not for editing.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    derive = "PartialEq",
    group = "odigos.io",
    version = "v1alpha1",
    kind = "InstrumentationConfig",
    plural = "instrumentationconfigs",
    singular = "instrumentationconfig",
    namespaced,
    shortname = "ic",
    status = "InstrumentationConfigStatus",
    doc = "What the product has decided for one workload, and how far it has got. Made by the instrumentor; not for editing.",
    printcolumn = r#"{"name":"Service","type":"string","jsonPath":".spec.serviceName"}"#,
    printcolumn = r#"{"name":"Injection","type":"boolean","jsonPath":".spec.agentInjectionEnabled"}"#,
    printcolumn = r#"{"name":"Agent","type":"string","jsonPath":".status.conditions[?(@.type==\"AgentEnabled\")].reason"}"#,
    printcolumn = r#"{"name":"Rollout","type":"string","jsonPath":".status.conditions[?(@.type==\"WorkloadRollout\")].reason"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct InstrumentationConfigSpec {
    /// Whether anything is injected into the workload's pods.
    pub agent_injection_enabled: bool,
    /// Hash of what the pods depend on: pods with another one are restarted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agents_meta_hash: Option<String>,
    /// When the hash last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agents_meta_hash_changed_time: Option<Time>,
    /// Hash of the overrides, to notice changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_overrides_hash: Option<String>,
    /// What each container gets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<ContainerAgentConfig>,
    /// The overrides of the workload's Source, per container.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers_overrides: Vec<ContainerOverride>,
    /// Pods that lack the agent may stay as they are: eBPF instruments them without a restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_manifest_injection_optional: Option<bool>,
    /// service.name of the workload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_name: Option<String>,
    /// What the node collector does with the telemetry of each container.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workload_collector_config: Vec<ContainerCollectorConfig>,
}

/// What is known of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstrumentationConfigStatus {
    /// What is waited for, and what went wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// When the workload was first instrumented.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instrumentation_time: Option<Time>,
    /// How far the workload's pods have got.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pods_manifest_injection_status: Option<PodsManifestInjectionStatus>,
    /// The workload was restored because its pods crashed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollback_occurred: Option<bool>,
    /// What was found out of the processes of each container.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runtime_details_by_container: Vec<RuntimeDetails>,
    /// The hash with which the workload was last restarted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload_rollout_hash: Option<String>,
}

/// How far the workload's pods have got.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodsManifestInjectionStatus {
    /// There are pods with an agent of an earlier configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_injected_out_of_date_pods: Option<bool>,
    /// There are pods with the agent of this configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_injected_up_to_date_pods: Option<bool>,
    /// There are pods without an agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_uninjected_pods: Option<bool>,
}

/// What the node collector does with the telemetry of each container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerCollectorConfig {
    /// The container's name in the pod.
    pub container_name: String,
    /// Replaces literals in database statements, so that few distinct ones are left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db_query_templatization: Option<DbQueryTemplatizationConfig>,
    /// Adds database attributes that follow from the statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub infer_db_attributes: Option<InferDbAttributesConfig>,
    /// Masks personal data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pii_masking: Option<PiiMaskingConfig>,
    /// Sampling of finished traces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampling_collector_config: Option<SamplingCollectorConfig>,
    /// Replaces the variables in paths by placeholders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_templatization: Option<UrlTemplatizationConfig>,
}

/// Sampling of finished traces.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SamplingCollectorConfig {
    /// Operations of which only a part is kept, to save cost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cost_reduction_rules: Vec<CostReduction>,
    /// Operations whose traces are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub highly_relevant_operations: Vec<HighlyRelevantOperation>,
    /// Operations of which little or nothing is kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub noisy_operations: Vec<NoisyOperation>,
}

/// Operations whose traces are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HighlyRelevantOperation {
    /// True to keep the object without any effect, as if it were not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Only traces that took at least so many milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_at_least_ms: Option<i64>,
    /// Only traces with an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<bool>,
    /// Id of the rule.
    pub id: String,
    /// The name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The operation; absent means any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<TailOperation>,
    /// At least so many percent of the traces are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percentage_at_least: Option<f64>,
}

/// Operations of which only a part is kept, to save cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CostReduction {
    /// True to keep the object without any effect, as if it were not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Id of the rule.
    pub id: String,
    /// The name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The operation; absent means any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<TailOperation>,
    /// At most so many percent of the traces are kept.
    pub percentage_at_most: f64,
}

/// Masks personal data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PiiMaskingConfig {
    /// Values found by a key in a known format.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub custom_format_maskings: Vec<CustomFormatMasking>,
    /// Values that match a regular expression.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub custom_regex_maskings: Vec<CustomRegexMasking>,
    /// Known kinds of personal data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pii_categories: Vec<PiiCategory>,
}

/// Adds database attributes that follow from the statement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InferDbAttributesConfig {}

/// Replaces literals in database statements, so that few distinct ones are left.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DbQueryTemplatizationConfig {
    /// Remove the casts of PostgreSQL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remove_postgres_cast_operator: Option<bool>,
    /// Replace literals by placeholders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub templatize_literals: Option<bool>,
}

/// What each container gets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerAgentConfig {
    /// What the agent logs about itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_diagnostics: Option<AgentDiagnostics>,
    /// Whether an agent shall run in this container.
    pub agent_enabled: bool,
    /// The reason in a sentence, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_enabled_message: Option<String>,
    /// Why an agent runs in this container, or why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_enabled_reason: Option<AgentEnabledReason>,
    /// The container's name in the pod.
    pub container_name: String,
    /// Parameters that the distribution asks for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub distro_params: BTreeMap<String, String>,
    /// How environment variables get into the process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env_injection_method: Option<EnvInjectionMethod>,
    /// Logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logs: Option<LogsConfig>,
    /// Metrics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<AgentMetricsConfig>,
    /// The distribution of the agent, instead of the language's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otel_distro_name: Option<String>,
    /// Pods that lack the agent may stay as they are: eBPF instruments them without a restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_manifest_injection_optional: Option<bool>,
    /// Traces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traces: Option<TracesConfig>,
}

/// Traces.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TracesConfig {
    /// Which code attributes spans get.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_attributes: Option<CodeAttributes>,
    /// Functions of the user's own code that become spans.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_instrumentations: Option<CustomInstrumentations>,
    /// Sampling at the beginning of a trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_sampling: Option<HeadSampling>,
    /// HTTP headers that become span attributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers_collection: Option<HeadersCollection>,
    /// How trace ids are made; exactly one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_generator: Option<IdGenerator>,
    /// Which payloads become span attributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_collection: Option<PayloadCollection>,
    /// Renames spans by regular expressions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_renamer: Option<SpanRenamerConfig>,
    /// Which libraries make spans.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_verbosity: Option<TraceVerbosity>,
    /// Replaces the variables in paths by placeholders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_templatization: Option<UrlTemplatizationConfig>,
}

/// Replaces the variables in paths by placeholders.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UrlTemplatizationConfig {
    /// Recognises ids, dates, numbers and the like without a template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<DefaultTemplatization>,
    /// Paths such as /user/{id}.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub templatization_rules: Vec<String>,
}

/// Recognises ids, dates, numbers and the like without a template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DefaultTemplatization {
    /// True to keep the object without any effect, as if it were not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Which requests are left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_policy: Option<UrlTemplatizationSkipPolicy>,
}

/// Renames spans by regular expressions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpanRenamerConfig {
    /// Replacements per instrumentation scope.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scope_rules: Vec<SpanRenamerScopeRule>,
}

/// Replacements per instrumentation scope.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpanRenamerScopeRule {
    /// Applied to the span's name in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regex_replacements: Vec<RegexReplacement>,
    /// The instrumentation scope whose spans are meant.
    pub scope_name: String,
}

/// How trace ids are made; exactly one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdGenerator {
    /// Random ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random: Option<RandomIds>,
    /// Ids that begin with the time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timed_wall: Option<TimedWallIds>,
}

/// Ids that begin with the time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TimedWallIds {
    /// Eight bits that tell this source of ids from others.
    pub source_id: i64,
}

/// Random ids.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RandomIds {}

/// Sampling at the beginning of a trace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeadSampling {
    /// Decide and say so on the span, and drop nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
    /// The part of all other traces that is kept, from 0 to 1.
    #[serde(default = "crate::defaults::one")]
    pub fallback_fraction: f64,
    /// Operations of which little or nothing is kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub noisy_operations: Vec<NoisyOperation>,
    /// Which spans are counted, with respect to sampling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_metrics_mode: Option<String>,
}

/// Operations of which little or nothing is kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NoisyOperation {
    /// True to keep the object without any effect, as if it were not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Id of the rule.
    pub id: String,
    /// The name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The operation; absent means any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<HeadOperation>,
    /// At most so many percent of the traces are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percentage_at_most: Option<f64>,
}

/// Metrics.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentMetricsConfig {
    /// Metrics of connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_metrics: Option<NetworkMetrics>,
    /// Metrics of the language's runtime.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_metrics: Option<RuntimeMetrics>,
    /// Metrics computed from spans.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_metrics: Option<AgentSpanMetricsConfig>,
}

/// Metrics computed from spans.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentSpanMetricsConfig {
    /// Attributes that become dimensions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dimensions: Vec<String>,
    /// Upper bounds of the histogram's buckets in milliseconds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub histogram_buckets_ms: Vec<i64>,
    /// Time between two exports in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval_ms: Option<i64>,
}

/// Metrics of the language's runtime.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeMetrics {
    /// Metrics of the Java virtual machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub java: Option<JavaRuntimeMetrics>,
}

/// Metrics of the Java virtual machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JavaRuntimeMetrics {
    /// True to keep the object without any effect, as if it were not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Single metrics.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<JavaRuntimeMetric>,
}

/// Single metrics.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JavaRuntimeMetric {
    /// True to keep the object without any effect, as if it were not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// The name.
    pub name: String,
}

/// Logs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogsConfig {
    /// Log lines taken from the process's writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ebpf_log_capture: Option<EbpfLogCapture>,
}

/// How environment variables get into a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum EnvInjectionMethod {
    /// By a library that the dynamic loader loads first.
    #[serde(rename = "loader")]
    Loader,
    /// By the container in the pod.
    #[serde(rename = "pod-manifest")]
    PodManifest,
}

/// Why an agent runs in a container, or why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum AgentEnabledReason {
    /// It runs.
    EnabledSuccessfully,
    /// It runs beside the agent of another vendor.
    EnabledWithOtherAgents,
    /// The processes have not been looked at yet.
    WaitingForRuntimeInspection,
    /// The node collector is not ready.
    WaitingForNodeCollector,
    /// The container's name is in the list of ignored ones.
    IgnoredContainer,
    /// No destination takes what the agent would send.
    NoCollectedSignals,
    /// The container sets what the injection needs.
    InjectionConflict,
    /// There is no agent for the language.
    UnsupportedProgrammingLanguage,
    /// No distribution is available for the language.
    NoAvailableAgent,
    /// The runtime's version is not supported.
    UnsupportedRuntimeVersion,
    /// The distribution asks for a parameter that is not known.
    MissingDistroParameter,
    /// The agent of another vendor is there.
    OtherAgentDetected,
    /// The processes could not be looked at.
    RuntimeDetailsUnavailable,
    /// The pods crashed with the agent.
    CrashLoopBackOff,
    /// An image could not be pulled.
    ImagePullBackOff,
}
