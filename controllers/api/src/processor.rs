//! A processor of the collector, with its own configuration, for a collector's role.

use crate::conditions::ConditionsStatus;
use crate::signals::{CollectorRole, Signal};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A processor of the collector, with its own configuration, for a collector's role.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    derive = "PartialEq",
    group = "odigos.io",
    version = "v1alpha1",
    kind = "Processor",
    plural = "processors",
    singular = "processor",
    namespaced,
    status = "ConditionsStatus",
    doc = "A processor of the collector, with its own configuration, for a collector's role.",
    printcolumn = r#"{"name":"Type","type":"string","jsonPath":".spec.type"}"#,
    printcolumn = r#"{"name":"Order","type":"integer","jsonPath":".spec.orderHint"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct ProcessorSpec {
    /// The collectors in which the processor runs.
    pub collector_roles: Vec<CollectorRole>,
    /// True to keep the object without any effect, as if it were not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Free text for people: why the object is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Processors run in ascending order of this number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_hint: Option<i64>,
    /// The configuration of the processor, as the collector reads it.
    #[schemars(schema_with = "any_object")]
    pub processor_config: AnyObject,
    /// A name for people, shown in lists and in the UI; free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processor_name: Option<String>,
    /// The kinds of telemetry that it applies to: TRACES, METRICS, LOGS.
    pub signals: Vec<Signal>,
    /// The type of the processor, as the collector names it.
    pub r#type: String,
}

/// What only the collector understands.
pub type AnyObject = serde_json::Map<String, serde_json::Value>;

/// The apiserver keeps what is in it as it is.
fn any_object(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}
