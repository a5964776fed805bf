//! Legacy: masks personal data. Served as an Action.

use crate::attributes::LegacyPiiCategory;
use crate::conditions::ConditionsStatus;
use crate::signals::LegacySignal;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Legacy: masks personal data. Served as an Action.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    derive = "PartialEq",
    group = "actions.odigos.io",
    version = "v1alpha1",
    kind = "PiiMasking",
    plural = "piimaskings",
    singular = "piimasking",
    namespaced,
    shortname = "red",
    status = "ConditionsStatus",
    doc = "Legacy: masks personal data. Served as an Action."
)]
#[serde(rename_all = "camelCase")]
pub struct PiiMaskingSpec {
    /// A name for people, shown in lists and in the UI; free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_name: Option<String>,
    /// True to keep the object without any effect, as if it were not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Free text for people: why the object is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Known kinds of personal data.
    pub pii_categories: Vec<LegacyPiiCategory>,
    /// The kinds of telemetry that it applies to: TRACES, METRICS, LOGS.
    pub signals: Vec<LegacySignal>,
}
