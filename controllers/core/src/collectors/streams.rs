//! Which workloads' telemetry goes to a destination.

use super::statements::{self, matches};
use collector_config::Node;

/// Workloads whose telemetry goes the same way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataStream {
    /// Its name.
    pub name: String,
    /// What belongs to it.
    pub workloads: Vec<Workload>,
}

/// A workload of a Source, or a whole namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// Its namespace.
    pub namespace: String,
    /// Kind, as in `Deployment`, and name; nothing for the namespace with all that is in it.
    pub workload: Option<(String, Name)>,
}

/// A workload's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// This one.
    Exact(String),
    /// All that match the regular expression as a whole.
    Matching(String),
}

/// `spec.sourceSelector` of a Destination. A source that is in one of the streams or namespaces is selected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    /// Names of data streams.
    pub data_streams: Vec<String>,
    /// Names of namespaces.
    pub namespaces: Vec<String>,
}

/// The condition on resources that a selector means; nothing if it selects none.
pub(super) fn condition(selector: &Selector, streams: &[DataStream]) -> Option<String> {
    let mut alternatives: Vec<String> = selector
        .namespaces
        .iter()
        .map(|name| equals("k8s.namespace.name", name))
        .collect();
    let streams = streams
        .iter()
        .filter(|stream| selector.data_streams.contains(&stream.name));
    alternatives.extend(streams.flat_map(|stream| &stream.workloads).map(workload));
    alternatives.sort();
    alternatives.dedup();
    (!alternatives.is_empty()).then(|| alternatives.join(" or "))
}

/// The settings of a `filter` that leaves only resources for which `condition` holds.
pub(super) fn filter(condition: &str) -> Node {
    let drop = || {
        let condition = format!("not ({condition})").replace('$', "$$");
        Node::map([("resource", Node::list([condition.into()]))])
    };
    Node::map([
        ("error_mode", "ignore".into()),
        ("traces", drop()),
        ("metrics", drop()),
        ("logs", drop()),
    ])
}

fn workload(workload: &Workload) -> String {
    let namespace = equals("k8s.namespace.name", &workload.namespace);
    let Some((kind, name)) = &workload.workload else {
        return namespace;
    };
    let key = format!("k8s.{}.name", kind.to_ascii_lowercase());
    let name = match name {
        Name::Exact(name) => equals(&key, name),
        Name::Matching(pattern) => matches("attributes", &key, &format!("^(?:{pattern})$")),
    };
    format!("({namespace} and {name})")
}

fn equals(key: &str, value: &str) -> String {
    statements::equals("attributes", key, value)
}
