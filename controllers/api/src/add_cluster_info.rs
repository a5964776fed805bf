//! Legacy: adds fixed attributes. Served as an Action.

use crate::attributes::ClusterAttribute;
use crate::conditions::ConditionsStatus;
use crate::signals::Signal;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Legacy: adds fixed attributes. Served as an Action.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    derive = "PartialEq",
    group = "actions.odigos.io",
    version = "v1alpha1",
    kind = "AddClusterInfo",
    plural = "addclusterinfos",
    singular = "addclusterinfo",
    namespaced,
    shortname = "aci",
    status = "ConditionsStatus",
    doc = "Legacy: adds fixed attributes. Served as an Action."
)]
#[serde(rename_all = "camelCase")]
pub struct AddClusterInfoSpec {
    /// A name for people, shown in lists and in the UI; free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_name: Option<String>,
    /// The attributes to add.
    pub cluster_attributes: Vec<ClusterAttribute>,
    /// True to keep the object without any effect, as if it were not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Free text for people: why the object is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Replace the value where the attribute is there already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overwrite_existing_values: Option<bool>,
    /// The kinds of telemetry that it applies to: TRACES, METRICS, LOGS.
    pub signals: Vec<Signal>,
}
