//! The pods of both collectors: what they have in common.
//!
//! A collector reads its configuration again when the file that is mounted changes, so a new configuration restarts nothing
//! and loses nothing: pipelines that did not change go on, those that did give out what they hold. A pod is replaced only
//! when what it began with changes, which is its image, its resources and the secrets in its environment. Until then it has
//! the file that goes with them, under a name of its own.

use crate::collectors::{HEALTH_PORT, OTLP_GRPC_PORT, OTLP_HTTP_PORT};
use crate::destinations::SecretVariable;
use controllers_api::collectors_group::{CollectorsGroup, ResourcesSettings};
use controllers_api::labels::SYSTEM_OBJECT;
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMap, ConfigMapVolumeSource, Container, ContainerPort, EnvVar, EnvVarSource, HTTPGetAction,
    LocalObjectReference, PodSecurityContext, PodSpec, PodTemplateSpec, Probe, ResourceRequirements, SeccompProfile,
    SecretKeySelector, SecurityContext, ServicePort, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Nobody in particular, and not root.
const USER: i64 = 65_532;
/// Where the configuration is mounted.
const DIRECTORY: &str = "/etc/odigos";
/// A collector ends within 5 s of the signal, with what it could deliver; a busy node may take longer to send it.
const GRACE_SECONDS: i64 = 30;

/// Of which a pod is made, beside what the two roles have of their own.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) name: &'static str,
    pub(super) group: &'a CollectorsGroup,
    pub(super) image: &'a Image,
    /// The file in the ConfigMap.
    pub(super) file: &'a str,
    pub(super) env: Vec<EnvVar>,
}

/// Where the collector's image is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its name, with a tag or digest.
    pub name: String,
    /// The Secrets by which it may be pulled.
    pub pull_secrets: Vec<String>,
}

/// The labels by which the pods of a collector are found.
pub(super) fn selector(name: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("app.kubernetes.io/name".to_owned(), name.to_owned())])
}

/// The metadata of an object that vanishes with its group.
pub(super) fn metadata(name: &str, group: &CollectorsGroup, app: &str) -> ObjectMeta {
    let owner = OwnerReference {
        api_version: "odigos.io/v1alpha1".to_owned(),
        kind: "CollectorsGroup".to_owned(),
        name: group.metadata.name.clone().unwrap_or_default(),
        uid: group.metadata.uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    };
    let mut labels = selector(app);
    labels.insert(SYSTEM_OBJECT.to_owned(), "true".to_owned());
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: group.metadata.namespace.clone(),
        labels: Some(labels),
        owner_references: Some(vec![owner]),
        ..ObjectMeta::default()
    }
}

/// The name of the configuration's file for pods of an image with these secrets. A pod that has others never reads it.
pub(super) fn file(image: &Image, secrets: &[(SecretVariable, String)]) -> String {
    let mut digest = Sha256::new();
    let mut add = |text: &str| {
        digest.update(text.len().to_le_bytes());
        digest.update(text.as_bytes());
    };
    add(&image.name);
    for (secret, version) in secrets {
        for part in [&secret.variable, &secret.secret, &secret.key, version] {
            add(part);
        }
    }
    let hash: String = digest
        .finalize()
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("collector-{hash}.yaml")
}

/// The ConfigMap, with the files that pods of before still read.
pub(super) fn config_map(parts: &Parts<'_>, text: String, kept: BTreeMap<String, String>) -> ConfigMap {
    let mut data = kept;
    data.insert(parts.file.to_owned(), text);
    ConfigMap {
        metadata: metadata(parts.name, parts.group, parts.name),
        data: Some(data),
        ..ConfigMap::default()
    }
}

pub(super) fn label_selector(name: &str) -> LabelSelector {
    LabelSelector {
        match_labels: Some(selector(name)),
        ..LabelSelector::default()
    }
}

pub(super) fn template(parts: Parts<'_>) -> PodTemplateSpec {
    let mut labels = selector(parts.name);
    labels.insert(SYSTEM_OBJECT.to_owned(), "true".to_owned());
    let secrets = parts
        .image
        .pull_secrets
        .iter()
        .map(|name| LocalObjectReference { name: name.clone() });
    let node_selector = &parts.group.spec.node_selector;
    let spec = PodSpec {
        // It asks the apiserver nothing.
        automount_service_account_token: Some(false),
        image_pull_secrets: (!parts.image.pull_secrets.is_empty()).then(|| secrets.collect()),
        node_selector: (!node_selector.is_empty()).then(|| node_selector.clone()),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                ..SeccompProfile::default()
            }),
            ..PodSecurityContext::default()
        }),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        volumes: Some(vec![Volume {
            name: "configuration".to_owned(),
            config_map: Some(ConfigMapVolumeSource {
                name: parts.name.to_owned(),
                ..ConfigMapVolumeSource::default()
            }),
            ..Volume::default()
        }]),
        containers: vec![container(parts)],
        ..PodSpec::default()
    };
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels),
            ..ObjectMeta::default()
        }),
        spec: Some(spec),
    }
}

fn container(parts: Parts<'_>) -> Container {
    let spec = &parts.group.spec;
    let port = |name: &str, port: i32| ContainerPort {
        name: Some(name.to_owned()),
        container_port: port,
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    };
    Container {
        name: "collector".to_owned(),
        image: Some(parts.image.name.clone()),
        args: Some(vec!["--config".to_owned(), format!("{DIRECTORY}/{}", parts.file)]),
        env: (!parts.env.is_empty()).then_some(parts.env),
        ports: Some(vec![
            port("otlp", OTLP_GRPC_PORT.into()),
            port("otlp-http", OTLP_HTTP_PORT.into()),
            port("metrics", spec.collector_own_metrics_port),
        ]),
        resources: Some(resources(&spec.resources_settings)),
        readiness_probe: Some(probe(5, 2)),
        // Patient: what is busy must not be killed for it.
        liveness_probe: Some(probe(20, 6)),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            capabilities: Some(Capabilities {
                drop: Some(vec!["ALL".to_owned()]),
                ..Capabilities::default()
            }),
            ..SecurityContext::default()
        }),
        volume_mounts: Some(vec![VolumeMount {
            name: "configuration".to_owned(),
            mount_path: DIRECTORY.to_owned(),
            read_only: Some(true),
            ..VolumeMount::default()
        }]),
        ..Container::default()
    }
}

fn probe(period_seconds: i32, failures: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some("/".to_owned()),
            port: IntOrString::Int(HEALTH_PORT.into()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period_seconds),
        failure_threshold: Some(failures),
        timeout_seconds: Some(5),
        ..Probe::default()
    }
}

fn resources(settings: &ResourcesSettings) -> ResourceRequirements {
    let amounts = |millicores, mebibytes| {
        BTreeMap::from([
            ("cpu".to_owned(), cpu(millicores)),
            ("memory".to_owned(), memory(mebibytes)),
        ])
    };
    ResourceRequirements {
        requests: Some(amounts(settings.cpu_request_millicores, settings.memory_request_mi_b)),
        limits: Some(amounts(settings.cpu_limit_millicores, settings.memory_limit_mi_b)),
        ..ResourceRequirements::default()
    }
}

/// As Kubernetes writes it, so that it compares.
fn cpu(millicores: i64) -> Quantity {
    Quantity(match millicores % 1000 {
        0 => (millicores / 1000).to_string(),
        _ => format!("{millicores}m"),
    })
}

/// As Kubernetes writes it.
fn memory(mebibytes: i64) -> Quantity {
    Quantity(match (mebibytes, mebibytes % 1024) {
        (0, _) => "0".to_owned(),
        (_, 0) => format!("{}Gi", mebibytes / 1024),
        _ => format!("{mebibytes}Mi"),
    })
}

/// The variable in which the collector finds a secret. A Secret that has gone meanwhile leaves its destination without,
/// and the pod runs for the others.
pub(super) fn secret_variable(secret: &SecretVariable) -> EnvVar {
    EnvVar {
        name: secret.variable.clone(),
        value_from: Some(EnvVarSource {
            secret_key_ref: Some(SecretKeySelector {
                name: secret.secret.clone(),
                key: secret.key.clone(),
                optional: Some(true),
            }),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    }
}

/// A Service's port to the same port of its pods.
pub(super) fn service_port(name: &str, port: i32) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        port,
        protocol: Some("TCP".to_owned()),
        target_port: Some(IntOrString::Int(port)),
        ..ServicePort::default()
    }
}

/// The ports of OTLP.
pub(super) fn otlp_ports() -> Vec<ServicePort> {
    vec![
        service_port("otlp", OTLP_GRPC_PORT.into()),
        service_port("otlp-http", OTLP_HTTP_PORT.into()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_as_kubernetes_writes_them() {
        let cpus: Vec<String> = [0, 150, 1000, 1250, 3000].map(|millicores| cpu(millicores).0).to_vec();
        assert_eq!(cpus, ["0", "150m", "1", "1250m", "3"]);
        let memories: Vec<String> = [0, 300, 1024, 1536].map(|mebibytes| memory(mebibytes).0).to_vec();
        assert_eq!(memories, ["0", "300Mi", "1Gi", "1536Mi"]);
    }

    #[test]
    fn the_file_is_another_as_soon_as_a_pod_must_be() {
        let image = |name: &str| Image {
            name: name.to_owned(),
            pull_secrets: Vec::new(),
        };
        let secret = |version: &str| {
            let variable = SecretVariable {
                variable: "A".to_owned(),
                secret: "s".to_owned(),
                key: "k".to_owned(),
            };
            [(variable, version.to_owned())]
        };
        let first = file(&image("collector:1"), &secret("1"));
        assert_eq!(first, file(&image("collector:1"), &secret("1")));
        assert_ne!(first, file(&image("collector:2"), &secret("1")));
        assert_ne!(first, file(&image("collector:1"), &secret("2")));
        assert_ne!(first, file(&image("collector:1"), &[]));
    }
}
