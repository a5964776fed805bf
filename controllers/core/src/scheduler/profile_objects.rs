//! The objects that profiles bring: Processors, InstrumentationRules and Actions, named after their profile.

use crate::configuration::profiles::Profile;
use collector_config::{Node, Value};
use controllers_api::action::{Action, ActionSpec};
use controllers_api::instrumentation_rule::{InstrumentationRule, InstrumentationRuleSpec};
use controllers_api::labels::SYSTEM_OBJECT;
use controllers_api::processor::{Processor, ProcessorSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use serde_json::Error;

/// On an object that a profile has brought: the profile.
pub const PROFILE: &str = "odigos.io/profile";

/// The objects of all profiles that are in force.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProfileObjects {
    /// Processors of the collectors.
    pub processors: Vec<Processor>,
    /// Rules of the instrumentation.
    pub rules: Vec<InstrumentationRule>,
    /// Actions on telemetry.
    pub actions: Vec<Action>,
}

/// Makes them. An error is one of a profile's file, which a test excludes.
pub fn profile_objects(
    namespace: &str,
    owner: Option<&OwnerReference>,
    profiles: &[&Profile],
) -> Result<ProfileObjects, Error> {
    let mut out = ProfileObjects::default();
    for profile in profiles {
        for (index, object) in profile.objects.iter().enumerate() {
            let metadata = metadata(namespace, owner, &profile.name, index);
            add(&mut out, metadata, object)?;
        }
    }
    Ok(out)
}

fn add(out: &mut ProfileObjects, metadata: ObjectMeta, object: &Node) -> Result<(), Error> {
    let Value::Map(entries) = &object.value else {
        return Ok(());
    };
    let part = |key: &str| entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node);
    let spec = part("spec").map(Node::to_json).unwrap_or_default();
    match part("kind").and_then(Node::text) {
        Some("Processor") => {
            let spec: ProcessorSpec = serde_json::from_str(&spec)?;
            out.processors.push(Processor {
                metadata,
                spec,
                status: None,
            });
        }
        Some("InstrumentationRule") => {
            let spec: InstrumentationRuleSpec = serde_json::from_str(&spec)?;
            out.rules.push(InstrumentationRule {
                metadata,
                spec,
                status: None,
            });
        }
        Some("Action") => {
            let spec: ActionSpec = serde_json::from_str(&spec)?;
            out.actions.push(Action {
                metadata,
                spec,
                status: None,
            });
        }
        _ => {}
    }
    Ok(())
}

/// The prefix keeps them apart from what users make themselves.
fn metadata(namespace: &str, owner: Option<&OwnerReference>, profile: &str, index: usize) -> ObjectMeta {
    let number = if index == 0 { String::new() } else { format!("-{index}") };
    let labels = [(SYSTEM_OBJECT, "true"), (PROFILE, profile)];
    ObjectMeta {
        name: Some(format!("profile-{profile}{number}")),
        namespace: Some(namespace.to_owned()),
        labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
        owner_references: owner.map(|owner| vec![owner.clone()]),
        ..ObjectMeta::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::profiles;

    #[test]
    fn every_object_of_every_profile_is_made() {
        for profile in profiles::all() {
            let objects = profile_objects("ns", None, &[profile]).unwrap_or_else(|it| panic!("{}: {it}", profile.name));
            let count = objects.processors.len() + objects.rules.len() + objects.actions.len();
            assert_eq!(count, profile.objects.len(), "{}", profile.name);
        }
    }

    #[test]
    fn what_a_profile_writes_is_what_the_kind_reads() {
        // A key that the kind does not know would be lost without a word.
        for profile in profiles::all() {
            let objects = profile_objects("ns", None, &[profile]).unwrap();
            for rule in &objects.rules {
                assert_ne!(
                    rule.spec,
                    InstrumentationRuleSpec {
                        rule_name: rule.spec.rule_name.clone(),
                        ..Default::default()
                    }
                );
            }
        }
    }
}
