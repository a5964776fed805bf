//! What was put into a pod template, as its annotation `odigos.io/injected` keeps it, so that exactly that is taken out.
//!
//! The record lies in the template itself: whatever copies, replaces or rolls back the template takes both along, or neither.

use super::BadRecord;
use super::plan::Variable;
use k8s_openapi::api::core::v1::EnvVar;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// All that was put in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Record {
    /// By the container's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) containers: BTreeMap<String, Container>,
    /// Whether there is a volume of ours.
    #[serde(default)]
    pub(super) volume: bool,
    /// Whether there is an init container of ours.
    #[serde(default)]
    pub(super) init_container: bool,
    /// The label's value before, if the template had one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) label: Option<String>,
    /// The lists and maps of the template that were not there before.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) made: BTreeSet<Made>,
}

/// What was put into a container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Container {
    #[serde(flatten)]
    pub(super) environment: Environment,
    /// The resource among the limits and the requests, if it was put there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) device: Option<String>,
    /// Whether our volume is mounted.
    #[serde(default)]
    pub(super) mount: bool,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) made: BTreeSet<Made>,
}

/// What was put into a container's environment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Environment {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) added: Vec<EnvVar>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) merged: Vec<Merged>,
}

/// A variable of the user's that was changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Merged {
    pub(super) put: EnvVar,
    pub(super) was: EnvVar,
    pub(super) variable: Variable,
}

/// A list or map that was made for what was put into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Made {
    Metadata,
    Labels,
    Annotations,
    Volumes,
    InitContainers,
    Env,
    Resources,
    Limits,
    Requests,
    VolumeMounts,
}

impl Record {
    pub(super) fn to_json(&self) -> String {
        // Maps with keys of text and plain structs always have a JSON form.
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(super) fn of_json(text: &str) -> Result<Self, BadRecord> {
        serde_json::from_str(text).map_err(BadRecord)
    }
}

/// The list or map in `slot`, which is made if it is not there.
pub(super) fn opened<'a, T: Default>(slot: &'a mut Option<T>, made: &mut BTreeSet<Made>, which: Made) -> &'a mut T {
    if slot.is_none() {
        made.insert(which);
    }
    slot.get_or_insert_default()
}

/// Removes what [`opened`] has made, if nothing is in it any more.
pub(super) fn closed<T: Default + PartialEq>(slot: &mut Option<T>, made: &BTreeSet<Made>, which: Made) {
    if made.contains(&which) && slot.as_ref() == Some(&T::default()) {
        *slot = None;
    }
}
