//! Attributes that are added, deleted and renamed.

use super::{ActionError, Change, Facts, Signals, wrong};
use crate::collectors::statements::{Group, contexts, equals, literal, quoted};
use crate::destinations::Signal;
use collector_config::Node;
use controllers_api::action::{ClusterInfoAction, DeleteAttributeAction, K8sAttributesAction, RenameAttributeAction};

pub(super) fn cluster_info(info: &ClusterInfoAction) -> Result<Change, ActionError> {
    let overwrites = info.overwrite_existing_values.unwrap_or_default();
    let mut changes = Vec::new();
    for (index, attribute) in info.cluster_attributes.iter().enumerate() {
        if attribute.attribute_name.is_empty() {
            let field = format!("spec.addClusterInfo.clusterAttributes[{index}].attributeName");
            return Err(wrong(field, "must not be empty"));
        }
        let action = if overwrites { "upsert" } else { "insert" };
        changes.push(attribute_change(
            &attribute.attribute_name,
            &attribute.attribute_string_value,
            action,
        ));
    }
    if changes.is_empty() {
        return Err(wrong(
            "spec.addClusterInfo.clusterAttributes",
            "must name an attribute at least",
        ));
    }
    Ok(Change {
        processor: Some(("resource", Node::map([("attributes", Node::list(changes))]))),
        ..Change::default()
    })
}

fn attribute_change(key: &str, value: &str, action: &str) -> Node {
    Node::map([
        ("key", literal(key)),
        ("value", literal(value)),
        ("action", action.into()),
    ])
}

pub(super) fn delete(deletion: &DeleteAttributeAction, signals: &Signals) -> Result<Change, ActionError> {
    let field = "spec.deleteAttribute.attributeNamesToDelete";
    let names = &deletion.attribute_names_to_delete;
    if names.is_empty() || names.iter().any(String::is_empty) {
        return Err(wrong(field, "must name an attribute at least, and none without a name"));
    }
    let statement = |map: &str| {
        let statement = |name: &String| format!("delete_key({map}, {})", quoted(name));
        names.iter().map(statement).collect()
    };
    Ok(Change::of("deleteAttribute", everywhere(signals, statement)))
}

pub(super) fn rename(renaming: &RenameAttributeAction, signals: &Signals) -> Result<Change, ActionError> {
    let field = "spec.renameAttribute.renames";
    let names = &renaming.renames;
    if names.is_empty() || names.iter().any(|(old, new)| old.is_empty() || new.is_empty()) {
        return Err(wrong(field, "must have an entry at least, and no empty name"));
    }
    if let Some((name, _)) = names.iter().find(|(old, new)| old == new) {
        let message = format!("{} would be renamed to itself", name.escape_debug());
        return Err(wrong(field, message));
    }
    let statements = |map: &str| {
        let moved = |(old, new): (&String, &String)| {
            let (old, new) = (quoted(old), quoted(new));
            [
                format!("set({map}[{new}], {map}[{old}]) where {map}[{old}] != nil"),
                format!("delete_key({map}, {old})"),
            ]
        };
        names.iter().flat_map(moved).collect()
    };
    Ok(Change::of("renameAttribute", everywhere(signals, statements)))
}

/// The statements for the attributes of resources, scopes and items.
fn everywhere(signals: &Signals, statements: impl Fn(&str) -> Vec<String>) -> Vec<Group> {
    let of_signal = |signal: &Signal| {
        let contexts = contexts(*signal).iter().copied();
        let signal = *signal;
        contexts.map(move |context| (signal, context))
    };
    let group = |(signal, context): (Signal, &'static str)| Group {
        signal,
        context,
        condition: None,
        statements: statements(&format!("{context}.attributes")),
    };
    signals.iter().flat_map(of_signal).map(group).collect()
}

/// Odiglet gives each resource the names of its pod, workload, namespace, node and container. What else there is to know
/// of them would take a watch of the cluster's pods, which the collector does not have.
pub(super) fn kubernetes(
    wanted: &K8sAttributesAction,
    signals: &Signals,
    facts: &Facts,
) -> Result<Change, ActionError> {
    let mut change = Change::of("k8sAttributes", Vec::new());
    if wanted.collect_cluster_uid == Some(true) {
        match &facts.cluster_uid {
            Some(uid) => {
                let uid = attribute_change("k8s.cluster.uid", uid, "insert");
                change.processor = Some(("resource", Node::map([("attributes", Node::list([uid]))])));
            }
            None => change
                .without
                .push("collectClusterUID: the uid of the namespace kube-system is not known yet".to_owned()),
        }
    }
    if wanted.collect_replica_set_attributes == Some(true) {
        change.groups.extend(signals.iter().map(|signal| replica_set(*signal)));
    }
    let given = "pods' names, workloads, namespaces, nodes and containers are on every resource without it; for more, set \
                 OTEL_RESOURCE_ATTRIBUTES in the workload's environment, which may refer to a label by its fieldRef";
    let missing = [
        ("collectWorkloadUID", wanted.collect_workload_uid == Some(true)),
        ("labelsAttributes", !wanted.labels_attributes.is_empty()),
        ("annotationsAttributes", !wanted.annotations_attributes.is_empty()),
    ];
    let missing = missing.into_iter().filter(|(_, is_wanted)| *is_wanted);
    change
        .without
        .extend(missing.map(|(field, _)| format!("{field} is not supported yet: {given}")));
    Ok(change)
}

/// A pod's name is that of its ReplicaSet with five letters behind it.
fn replica_set(signal: Signal) -> Group {
    let path = "attributes[\"k8s.replicaset.name\"]";
    Group {
        signal,
        context: "resource",
        condition: Some(format!(
            "attributes[\"k8s.deployment.name\"] != nil and attributes[\"k8s.pod.name\"] != nil and {path} == nil and \
             not ({})",
            equals("attributes", "k8s.pod.name", "")
        )),
        statements: vec![
            format!("set({path}, attributes[\"k8s.pod.name\"])"),
            format!("replace_pattern({path}, \"-[a-z0-9]+$\", \"\")"),
        ],
    }
}
