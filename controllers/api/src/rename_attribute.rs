//! Legacy: renames attributes. Served as an Action.

use crate::conditions::ConditionsStatus;
use crate::signals::Signal;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Legacy: renames attributes. Served as an Action.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    derive = "PartialEq",
    group = "actions.odigos.io",
    version = "v1alpha1",
    kind = "RenameAttribute",
    plural = "renameattributes",
    singular = "renameattribute",
    namespaced,
    status = "ConditionsStatus",
    doc = "Legacy: renames attributes. Served as an Action."
)]
#[serde(rename_all = "camelCase")]
pub struct RenameAttributeSpec {
    /// A name for people, shown in lists and in the UI; free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_name: Option<String>,
    /// True to keep the object without any effect, as if it were not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Free text for people: why the object is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Old name to new name.
    pub renames: BTreeMap<String, String>,
    /// The kinds of telemetry that it applies to: TRACES, METRICS, LOGS.
    pub signals: Vec<Signal>,
}
