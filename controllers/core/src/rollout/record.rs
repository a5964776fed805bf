//! What was rolled back, as it stands on the InstrumentationConfig.

use controllers_api::instrumentation_config::{AgentEnabledReason, InstrumentationConfig};
use controllers_api::labels;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A container whose agent was taken out again. It holds for that very agent: another version, distribution or environment is
/// tried anew, and so is everything when somebody removes the annotation `odigos.io/rolled-back`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RolledBack {
    /// Hash of the agent.
    pub agent: String,
    /// Why, in a word.
    pub reason: AgentEnabledReason,
    /// Why, in a sentence.
    pub message: String,
    /// When.
    pub at: Time,
}

/// The containers that were rolled back, by their name. A text that cannot be read counts as none.
pub fn rolled_back(config: &InstrumentationConfig) -> BTreeMap<String, RolledBack> {
    let annotation = config
        .metadata
        .annotations
        .as_ref()
        .and_then(|it| it.get(labels::ROLLED_BACK));
    annotation
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

/// The same as the annotation's value.
pub fn to_annotation(rolled_back: &BTreeMap<String, RolledBack>) -> String {
    // Maps with keys of text and plain structs always have a JSON form.
    serde_json::to_string(rolled_back).unwrap_or_default()
}
