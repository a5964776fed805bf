//! The node collector's objects.

use super::pod::{self, Image, Parts};
use super::rollout::Rollout;
use super::{NODE_COLLECTOR, NODE_SERVICE};
use crate::collectors::Configuration;
use controllers_api::collectors_group::CollectorsGroup;
use k8s_openapi::api::apps::v1::{DaemonSet, DaemonSetSpec, DaemonSetUpdateStrategy, RollingUpdateDaemonSet};
use k8s_openapi::api::core::v1::{
    ConfigMap, EnvVar, EnvVarSource, HostPathVolumeSource, ObjectFieldSelector, PodSpec, Service, ServiceSpec,
    Toleration, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::collections::BTreeMap;

/// The folder of Odiglet's hand-over socket, on the node and in the pod.
const SOCKETS: &str = "/run/odigos";
/// Odiglet's hand-over socket, for its owner and the owner's group.
pub(super) const SOCKET: &str = "/run/odigos/odiglet.sock";
/// The group that Odiglet's socket belongs to.
const SOCKET_GROUP: i64 = 0;

/// All that makes the node collectors.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeObjects {
    /// The configuration.
    pub config_map: ConfigMap,
    /// The pods.
    pub daemon_set: DaemonSet,
    /// Where the node's pods send to, each to the collector of its own node.
    pub service: Service,
}

/// What the objects are made of.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) group: &'a CollectorsGroup,
    pub(super) image: &'a Image,
    pub(super) configuration: &'a Configuration,
    /// The files in the ConfigMap as it is.
    pub(super) files: &'a BTreeMap<String, String>,
    pub(super) rollout: Option<&'a Rollout>,
}

pub(super) fn objects(wanted: &Wanted<'_>) -> NodeObjects {
    let file = pod::file(wanted.image, &[]);
    let parts = Parts {
        name: NODE_COLLECTOR,
        group: wanted.group,
        image: wanted.image,
        file: &file,
        env: vec![node_name()],
    };
    let kept = super::rollout::kept(wanted.files, wanted.rollout, &file);
    NodeObjects {
        config_map: pod::config_map(&parts, wanted.configuration.root.to_yaml(), kept),
        daemon_set: daemon_set(wanted.group, parts),
        service: Service {
            metadata: pod::metadata(NODE_SERVICE, wanted.group, NODE_COLLECTOR),
            spec: Some(ServiceSpec {
                selector: Some(pod::selector(NODE_COLLECTOR)),
                ports: Some(pod::otlp_ports()),
                internal_traffic_policy: Some("Local".to_owned()),
                ..ServiceSpec::default()
            }),
            ..Service::default()
        },
    }
}

fn node_name() -> EnvVar {
    EnvVar {
        name: "NODE_NAME".to_owned(),
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                api_version: Some("v1".to_owned()),
                field_path: "spec.nodeName".to_owned(),
            }),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    }
}

fn daemon_set(group: &CollectorsGroup, parts: Parts<'_>) -> DaemonSet {
    let mut template = pod::template(parts);
    if let Some(spec) = &mut template.spec {
        on_every_node(spec);
    }
    DaemonSet {
        metadata: pod::metadata(NODE_COLLECTOR, group, NODE_COLLECTOR),
        spec: Some(DaemonSetSpec {
            selector: pod::label_selector(NODE_COLLECTOR),
            template,
            // The ring is handed from one to the next, and the Service always has a pod on the node.
            update_strategy: Some(DaemonSetUpdateStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDaemonSet {
                    max_surge: Some(IntOrString::Int(1)),
                    max_unavailable: Some(IntOrString::Int(0)),
                }),
            }),
            revision_history_limit: Some(2),
            ..DaemonSetSpec::default()
        }),
        ..DaemonSet::default()
    }
}

fn on_every_node(spec: &mut PodSpec) {
    spec.tolerations = Some(vec![Toleration {
        operator: Some("Exists".to_owned()),
        ..Toleration::default()
    }]);
    // The only right beyond those of any pod: to connect to a socket of root's.
    if let Some(security) = &mut spec.security_context {
        security.supplemental_groups = Some(vec![SOCKET_GROUP]);
    }
    let volume = Volume {
        name: "sockets".to_owned(),
        host_path: Some(HostPathVolumeSource {
            path: SOCKETS.to_owned(),
            type_: Some("DirectoryOrCreate".to_owned()),
        }),
        ..Volume::default()
    };
    spec.volumes.get_or_insert_default().push(volume);
    for container in &mut spec.containers {
        container.volume_mounts.get_or_insert_default().push(VolumeMount {
            name: "sockets".to_owned(),
            mount_path: SOCKETS.to_owned(),
            read_only: Some(true),
            ..VolumeMount::default()
        });
    }
}
