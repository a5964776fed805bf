//! All objects of the cluster, without what Kubernetes itself counts, and without what comes and goes by itself.

use super::cluster::Cluster;
use serde_json::Value;
use std::collections::BTreeMap;

/// Kinds whose objects Kubernetes makes and deletes as it goes, or that are reports.
const TRANSIENT: [&str; 9] = [
    "pods",
    "events",
    "events.events.k8s.io",
    "leases.coordination.k8s.io",
    "endpoints",
    "endpointslices.discovery.k8s.io",
    "nodes",
    "csinodes.storage.k8s.io",
    "csistoragecapacities.storage.k8s.io",
];

/// What changes with every write or every rollout.
const COUNTED: [&str; 4] = [
    "resourceVersion",
    "generation",
    "managedFields",
    "annotations/deployment.kubernetes.io/revision",
];

/// Every object by its kind and name.
pub fn of(cluster: &Cluster) -> BTreeMap<String, Value> {
    let list: Value = serde_json::from_str(&everything(cluster)).unwrap();
    let items = list["items"].as_array().unwrap().iter().cloned();
    items.map(|item| (key(&item), normalised(item))).collect()
}

/// Every object as JSON.
pub fn everything(cluster: &Cluster) -> String {
    let kinds = cluster.kubectl(&["api-resources", "--verbs=list", "-o", "name"]);
    let kinds: Vec<&str> = kinds.lines().filter(|kind| !TRANSIENT.contains(kind)).collect();
    cluster.kubectl(&[
        "get",
        &kinds.join(","),
        "--all-namespaces",
        "--show-managed-fields",
        "-o",
        "json",
    ])
}

fn key(item: &Value) -> String {
    let metadata = &item["metadata"];
    format!("{} {}/{}", item["kind"], metadata["namespace"], metadata["name"])
}

fn normalised(mut item: Value) -> Value {
    let managers = item["metadata"]["managedFields"].as_array().into_iter().flatten();
    let ours: Vec<String> = managers
        .filter_map(|it| it["manager"].as_str())
        .filter(|it| it.starts_with("odigos"))
        .map(str::to_owned)
        .collect();
    if let Some(item) = item.as_object_mut() {
        item.remove("status");
    }
    for path in COUNTED {
        let (parent, name) = path
            .split_once('/')
            .map_or(("/metadata".to_owned(), path), |(parent, name)| {
                (format!("/metadata/{parent}"), name)
            });
        if let Some(parent) = item.pointer_mut(&parent).and_then(Value::as_object_mut) {
            parent.remove(name);
            parent.remove("deployment.kubernetes.io/revision-history");
        }
    }
    // A manager that owns nothing any more is forgotten by the apiserver.
    item["managers"] = ours.into();
    item
}
