//! Actions as processors.

use super::parts::Component;
use crate::destinations::Signal;
use collector_config::Node;

/// What a user wants done to telemetry, in the order of the list that it is in.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// The object's name.
    pub name: String,
    /// To which signals.
    pub signals: Vec<Signal>,
    /// What.
    pub change: AttributeChange,
}

/// What is done.
#[derive(Debug, Clone, PartialEq)]
pub enum AttributeChange {
    /// Gives resources attributes; those that are there keep their values, unless they are overwritten.
    AddToResource {
        /// Keys and values.
        attributes: Vec<(String, String)>,
        /// Whether what is there is overwritten.
        overwrite: bool,
    },
    /// Takes attributes away, from resources and items.
    Delete(Vec<String>),
    /// Renames attributes, old name to new, of resources and items.
    Rename(Vec<(String, String)>),
    /// A processor that a user wrote: type and settings.
    Processor(String, Node),
}

impl Action {
    /// Their ids hold an underscore, which no object's name does, so that none is taken for a destination's.
    pub(super) fn components(&self) -> Vec<Component> {
        let component = |kind: &str, settings: Node| Component {
            id: format!("{kind}/action_{}", self.name),
            settings,
            signals: self.signals.clone(),
        };
        let both = |changes: Vec<Node>| {
            vec![
                component("resource", Node::map([("attributes", Node::list(changes.clone()))])),
                component("attributes", Node::map([("actions", Node::list(changes))])),
            ]
        };
        match &self.change {
            AttributeChange::AddToResource { attributes, overwrite } => {
                let action = if *overwrite { "upsert" } else { "insert" };
                let changes = attributes
                    .iter()
                    .map(|(key, value)| change(&[("key", key), ("value", value), ("action", action)]));
                vec![component("resource", Node::map([("attributes", Node::list(changes))]))]
            }
            AttributeChange::Delete(keys) => both(
                keys.iter()
                    .map(|key| change(&[("key", key), ("action", "delete")]))
                    .collect(),
            ),
            AttributeChange::Rename(names) => both(
                names
                    .iter()
                    .flat_map(|(old, new)| {
                        [
                            change(&[("key", new), ("from_attribute", old), ("action", "upsert")]),
                            change(&[("key", old), ("action", "delete")]),
                        ]
                    })
                    .collect(),
            ),
            AttributeChange::Processor(kind, settings) => vec![component(kind, settings.clone())],
        }
    }
}

/// What a user wrote never begins a reference.
fn change(entries: &[(&str, &str)]) -> Node {
    Node::map(
        entries
            .iter()
            .map(|(key, value)| (*key, value.replace('$', "$$").into())),
    )
}
