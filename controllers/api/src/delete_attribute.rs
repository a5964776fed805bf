//! Legacy: deletes attributes. Served as an Action.

use crate::conditions::ConditionsStatus;
use crate::signals::Signal;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Legacy: deletes attributes. Served as an Action.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    derive = "PartialEq",
    group = "actions.odigos.io",
    version = "v1alpha1",
    kind = "DeleteAttribute",
    plural = "deleteattributes",
    singular = "deleteattribute",
    namespaced,
    shortname = "da",
    status = "ConditionsStatus",
    doc = "Legacy: deletes attributes. Served as an Action."
)]
#[serde(rename_all = "camelCase")]
pub struct DeleteAttributeSpec {
    /// A name for people, shown in lists and in the UI; free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_name: Option<String>,
    /// The attributes to delete, from resources, scopes and items.
    pub attribute_names_to_delete: Vec<String>,
    /// True to keep the object without any effect, as if it were not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Free text for people: why the object is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// The kinds of telemetry that it applies to: TRACES, METRICS, LOGS.
    pub signals: Vec<Signal>,
}
