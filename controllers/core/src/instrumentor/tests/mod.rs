//! Objects as a cluster has them, and what is decided about them.

mod container;
mod order;
mod rules;
mod sources;

use super::{Index, Marking, NodeCollector, Settings, Workload, WorkloadId, WorkloadKind};
use crate::instrumentor::Container;
use controllers_api::instrumentation_config::{ContainerAgentConfig, InstrumentationConfig};
use controllers_api::labels::DATA_STREAM_PREFIX;
use controllers_api::signals::Signal;
use controllers_api::source::{Source, SourceSpec};
use controllers_api::workload::PodWorkload;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

pub fn id(name: &str) -> WorkloadId {
    WorkloadId {
        namespace: "shop".to_owned(),
        kind: WorkloadKind::Deployment,
        name: name.to_owned(),
    }
}

pub fn workload(name: &str, containers: &[&str]) -> Workload {
    Workload {
        id: id(name),
        owner: OwnerReference {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            name: name.to_owned(),
            uid: format!("uid-{name}"),
            ..OwnerReference::default()
        },
        containers: containers.iter().map(|name| container(name)).collect(),
        running: true,
    }
}

pub fn container(name: &str) -> Container {
    Container {
        name: name.to_owned(),
        environment: BTreeMap::new(),
    }
}

/// A Source for a Deployment.
pub fn source(name: &str, workload: &str) -> Source {
    of_kind(name, "Deployment", workload)
}

pub fn of_kind(name: &str, kind: &str, workload: &str) -> Source {
    let workload = PodWorkload {
        kind: kind.to_owned(),
        name: workload.to_owned(),
        namespace: "shop".to_owned(),
    };
    let spec = SourceSpec {
        workload,
        ..SourceSpec::default()
    };
    let mut source = Source::new(name, spec);
    source.metadata.namespace = Some("shop".to_owned());
    source
}

pub fn regex(name: &str, pattern: &str) -> Source {
    let mut source = source(name, pattern);
    source.spec.match_workload_name_as_regex = Some(true);
    source
}

pub fn of_namespace(name: &str) -> Source {
    of_kind(name, "Namespace", "shop")
}

pub fn excluding(mut source: Source) -> Source {
    source.spec.disable_instrumentation = Some(true);
    source
}

pub fn in_stream(mut source: Source, stream: &str, is_in: bool) -> Source {
    let labels = source.metadata.labels.get_or_insert_default();
    labels.insert(format!("{DATA_STREAM_PREFIX}{stream}"), is_in.to_string());
    source
}

pub fn leaving(mut source: Source) -> Source {
    source.metadata.deletion_timestamp = Some(Time(
        "2026-01-01T00:00:00Z".parse().expect("a time as Kubernetes writes it"),
    ));
    source
}

/// The configuration of a workload as a node has completed it.
pub fn seen(workload: &str, details: serde_json::Value) -> InstrumentationConfig {
    let json = json!({
        "apiVersion": "odigos.io/v1alpha1", "kind": "InstrumentationConfig",
        "metadata": {"name": id(workload).config_name(), "namespace": "shop"},
        "spec": {"agentInjectionEnabled": false},
        "status": {"runtimeDetailsByContainer": details},
    });
    serde_json::from_value(json).unwrap()
}

pub fn all_signals() -> NodeCollector {
    NodeCollector::Ready(BTreeSet::from([Signal::Traces, Signal::Metrics, Signal::Logs]))
}

/// Everything is ready, and a Source asks for the workload `cart` with the containers `app` and `proxy`.
pub fn cart(details: serde_json::Value) -> Index {
    let mut index = Index::default();
    index.set_collector(all_signals());
    index.set_settings(Settings {
        ignored_containers: BTreeSet::from(["proxy".to_owned()]),
        ..Settings::default()
    });
    index.apply_workload(workload("cart", &["app", "proxy"]));
    index.apply_source(&source("cart", "cart"));
    index.apply_config(&seen("cart", details));
    index
}

/// What the container `app` of `cart` gets.
pub fn app(index: &Index) -> ContainerAgentConfig {
    let desired = wanted(index, "cart");
    let mut containers = desired.spec.containers.into_iter();
    containers.find(|container| container.container_name == "app").unwrap()
}

pub fn wanted(index: &Index, workload: &str) -> super::Desired {
    match index.decide(&id(workload)) {
        super::Decision::Want(desired) => *desired,
        other => panic!("{workload}: {other:?}"),
    }
}

pub fn is_unmarked(marking: &Marking) -> bool {
    matches!(marking, Marking::Unmarked { .. })
}
