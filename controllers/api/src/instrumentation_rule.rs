//! Changes what agents collect, for all workloads or those in its scopes.

use crate::conditions::ConditionsStatus;
use crate::instrumentation::{
    AgentDiagnostics, CodeAttributes, CustomInstrumentations, EbpfLogCapture, HeadersCollection, NetworkMetrics,
    PayloadCollection, SpanKind, TraceVerbosity,
};
use crate::workload::{ProgrammingLanguage, SourceScopes};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Changes what agents collect, for all workloads or those in its scopes.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    derive = "PartialEq",
    group = "odigos.io",
    version = "v1alpha1",
    kind = "InstrumentationRule",
    plural = "instrumentationrules",
    singular = "instrumentationrule",
    namespaced,
    shortname = "ir",
    status = "ConditionsStatus",
    doc = "Changes what agents collect, for all workloads or those in its scopes.",
    printcolumn = r#"{"name":"Name","type":"string","jsonPath":".spec.ruleName"}"#,
    printcolumn = r#"{"name":"Disabled","type":"boolean","jsonPath":".spec.disabled"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct InstrumentationRuleSpec {
    /// What the agent logs about itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_diagnostics: Option<AgentDiagnostics>,
    /// Which code attributes spans get.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_attributes: Option<CodeAttributes>,
    /// Functions of the user's own code that become spans.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_instrumentations: Option<CustomInstrumentations>,
    /// True to keep the object without any effect, as if it were not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Log lines taken from the process's writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ebpf_log_capture: Option<EbpfLogCapture>,
    /// The part of all traces that is kept where no sampling rule decides, before they begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_sampling_fallback_fraction: Option<HeadSamplingFallbackFraction>,
    /// HTTP headers that become span attributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers_collection: Option<HeadersCollection>,
    /// The instrumentation libraries that the rule applies to; absent means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instrumentation_libraries: Vec<InstrumentationLibrary>,
    /// Metrics of connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_metrics: Option<NetworkMetrics>,
    /// Free text for people: why the object is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Which distributions of the agents are used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otel_distros: Option<OtelDistros>,
    /// Which payloads become span attributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_collection: Option<PayloadCollection>,
    /// A name for people, shown in lists and in the UI; free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule_name: Option<String>,
    /// The workloads that it applies to; absent means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<SourceScopes>,
    /// Switches traces off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_config: Option<TraceConfig>,
    /// Which libraries make spans.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_verbosity: Option<TraceVerbosity>,
}

/// Whether traces are made at all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TraceConfig {
    /// True to make no traces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
}

/// Which distributions of the agents are used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OtelDistros {
    /// Names of distributions, such as java-community; at most one for each language.
    pub otel_distro_names: Vec<String>,
}

/// Restricts the rule to libraries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstrumentationLibrary {
    /// The programming language.
    pub language: ProgrammingLanguage,
    /// The name of the library, as its instrumentation scope has it.
    pub name: String,
    /// Only spans of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_kind: Option<SpanKind>,
}

/// The part that is kept of traces for which no rule decides.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeadSamplingFallbackFraction {
    /// The part of the traces that is kept, from 0 to 1.
    #[serde(default = "crate::defaults::one")]
    #[schemars(extend("minimum" = 0, "maximum" = 1))]
    pub fraction_to_keep: f64,
}
