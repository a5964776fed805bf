//! The gateway's objects.

use super::pod::{self, Image, Parts};
use super::rollout::Rollout;
use super::{GATEWAY, GATEWAY_HEADLESS};
use crate::collectors::Configuration;
use controllers_api::collectors_group::CollectorsGroup;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HPAScalingPolicy, HPAScalingRules, HorizontalPodAutoscaler,
    HorizontalPodAutoscalerBehavior, HorizontalPodAutoscalerSpec, MetricSpec, MetricTarget, ResourceMetricSource,
};
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceSpec, TopologySpreadConstraint};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::collections::BTreeMap;

/// Above this use of what they request, there are to be more gateways; in percent.
const TARGET_UTILIZATION: i32 = 75;
/// As many gateways may be added in so many seconds.
const UP: (i32, i32) = (2, 15);
/// For so many seconds the gateways must have been too many before one goes, and one goes in a minute.
const DOWN_AFTER: i32 = 900;

/// All that makes the gateway. What the autoscaler of pods decides is not in it: how many there are.
#[derive(Debug, Clone, PartialEq)]
pub struct GatewayObjects {
    /// The configuration.
    pub config_map: ConfigMap,
    /// The pods.
    pub deployment: Deployment,
    /// Where the node collectors send to.
    pub service: Service,
    /// Names each pod's own address, for those that send by trace.
    pub headless: Service,
    /// How many pods.
    pub autoscaler: HorizontalPodAutoscaler,
    /// How many may be evicted at a time.
    pub disruption_budget: PodDisruptionBudget,
}

/// What the objects are made of.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) group: &'a CollectorsGroup,
    pub(super) image: &'a Image,
    pub(super) configuration: &'a Configuration,
    /// The resource version of each Secret's values, by name.
    pub(super) versions: &'a BTreeMap<String, String>,
    /// The files in the ConfigMap as it is.
    pub(super) files: &'a BTreeMap<String, String>,
    pub(super) rollout: Option<&'a Rollout>,
}

pub(super) fn objects(wanted: &Wanted<'_>) -> GatewayObjects {
    let version = |secret: &String| wanted.versions.get(secret).cloned().unwrap_or_default();
    let secrets: Vec<_> = wanted
        .configuration
        .secrets
        .iter()
        .map(|variable| (variable.clone(), version(&variable.secret)))
        .collect();
    let file = pod::file(wanted.image, &secrets);
    let parts = Parts {
        name: GATEWAY,
        group: wanted.group,
        image: wanted.image,
        file: &file,
        env: wanted.configuration.secrets.iter().map(pod::secret_variable).collect(),
    };
    let kept = super::rollout::kept(wanted.files, wanted.rollout, &file);
    let config_map = pod::config_map(&parts, wanted.configuration.root.to_yaml(), kept);
    let service = |name: &str, is_headless: bool| {
        let mut ports = pod::otlp_ports();
        ports.push(pod::service_port(
            "metrics",
            wanted.group.spec.collector_own_metrics_port,
        ));
        Service {
            metadata: pod::metadata(name, wanted.group, GATEWAY),
            spec: Some(ServiceSpec {
                selector: Some(pod::selector(GATEWAY)),
                ports: Some(ports),
                cluster_ip: is_headless.then(|| "None".to_owned()),
                ..ServiceSpec::default()
            }),
            ..Service::default()
        }
    };
    GatewayObjects {
        config_map,
        deployment: deployment(wanted.group, parts),
        service: service(GATEWAY, false),
        headless: service(GATEWAY_HEADLESS, true),
        autoscaler: autoscaler(wanted.group),
        disruption_budget: disruption_budget(wanted.group),
    }
}

fn deployment(group: &CollectorsGroup, parts: Parts<'_>) -> Deployment {
    let mut template = pod::template(parts);
    if let Some(spec) = &mut template.spec {
        spec.topology_spread_constraints = Some(vec![TopologySpreadConstraint {
            max_skew: 1,
            topology_key: "kubernetes.io/hostname".to_owned(),
            when_unsatisfiable: "ScheduleAnyway".to_owned(),
            label_selector: Some(pod::label_selector(GATEWAY)),
            ..TopologySpreadConstraint::default()
        }]);
    }
    Deployment {
        metadata: pod::metadata(GATEWAY, group, GATEWAY),
        spec: Some(DeploymentSpec {
            selector: pod::label_selector(GATEWAY),
            template,
            // A successor takes data before its predecessor ends.
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_surge: Some(IntOrString::Int(1)),
                    max_unavailable: Some(IntOrString::Int(0)),
                }),
            }),
            revision_history_limit: Some(2),
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

fn autoscaler(group: &CollectorsGroup) -> HorizontalPodAutoscaler {
    let (least, most) = super::replicas(group);
    let utilization = |name: &str| MetricSpec {
        type_: "Resource".to_owned(),
        resource: Some(ResourceMetricSource {
            name: name.to_owned(),
            target: MetricTarget {
                type_: "Utilization".to_owned(),
                average_utilization: Some(TARGET_UTILIZATION),
                ..MetricTarget::default()
            },
        }),
        ..MetricSpec::default()
    };
    let rules = |window: i32, pods: i32, seconds: i32| HPAScalingRules {
        stabilization_window_seconds: Some(window),
        policies: Some(vec![HPAScalingPolicy {
            type_: "Pods".to_owned(),
            value: pods,
            period_seconds: seconds,
        }]),
        ..HPAScalingRules::default()
    };
    HorizontalPodAutoscaler {
        metadata: pod::metadata(GATEWAY, group, GATEWAY),
        spec: Some(HorizontalPodAutoscalerSpec {
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some("apps/v1".to_owned()),
                kind: "Deployment".to_owned(),
                name: GATEWAY.to_owned(),
            },
            min_replicas: Some(least),
            max_replicas: most,
            metrics: Some(vec![utilization("cpu"), utilization("memory")]),
            behavior: Some(HorizontalPodAutoscalerBehavior {
                scale_up: Some(rules(0, UP.0, UP.1)),
                scale_down: Some(rules(DOWN_AFTER, 1, 60)),
            }),
        }),
        ..HorizontalPodAutoscaler::default()
    }
}

fn disruption_budget(group: &CollectorsGroup) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: pod::metadata(GATEWAY, group, GATEWAY),
        spec: Some(PodDisruptionBudgetSpec {
            selector: Some(pod::label_selector(GATEWAY)),
            max_unavailable: Some(IntOrString::Int(1)),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    }
}
