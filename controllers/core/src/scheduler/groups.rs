//! Which collectors there should be: the gateway when a Destination or a Source asks for it, the node collectors once there is
//! something to collect from and a gateway that takes it. Both go again when nothing asks for them.

use crate::collectors::MemoryLimits;
use crate::conditions::Statement;
use crate::configuration::{OdigosConfiguration, Resources};
use controllers_api::collectors_group::{CollectorMetrics, CollectorsGroup, CollectorsGroupSpec, ResourcesSettings};
use controllers_api::labels::SYSTEM_OBJECT;
use controllers_api::signals::CollectorRole;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

/// The gateway's group.
pub const GATEWAY: &str = "odigos-gateway";
/// The node collectors' group.
pub const NODE: &str = "odigos-data-collection";
/// Port of the gateway's own metrics.
const GATEWAY_METRICS_PORT: i32 = 8888;

/// What is seen of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Observed {
    /// Destinations that are not disabled.
    pub destinations: usize,
    /// Sources that do not exclude.
    pub sources: usize,
    /// InstrumentationConfigs.
    pub instrumentation_configs: usize,
    /// Whether the gateway can take data.
    pub gateway_ready: bool,
    /// Whether the node collectors' group is there.
    pub node_exists: bool,
}

/// What there should be, and what is to be said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Groups {
    /// The gateway's group, if there should be one, and what it says.
    pub gateway: Option<(CollectorsGroup, Vec<Statement>)>,
    /// The same of the node collectors.
    pub node: Option<(CollectorsGroup, Vec<Statement>)>,
}

/// Decides.
pub fn groups(
    namespace: &str,
    owner: Option<&OwnerReference>,
    configuration: &OdigosConfiguration,
    observed: Observed,
) -> Groups {
    let wants_gateway = observed.destinations > 0 || observed.sources > 0;
    if !wants_gateway {
        return Groups {
            gateway: None,
            node: None,
        };
    }
    let object = |name, spec| group(namespace, owner, name, spec);
    let (wants_node, waits) = node_collectors(observed);
    let node = wants_node.then(|| {
        let why = statement(
            "Scheduled",
            Some(true),
            "WorkloadsInstrumented",
            format!(
                "{} are instrumented",
                counted(observed.instrumentation_configs, "workload")
            ),
        );
        (object(NODE, node_spec(configuration)), vec![why])
    });
    let gateway = object(GATEWAY, gateway_spec(configuration));
    Groups {
        gateway: Some((gateway, vec![asked_by(observed), waits])),
        node,
    }
}

/// Whether there should be node collectors, and what is said of that on the gateway's group. What is there already is not taken
/// down because the gateway restarts.
fn node_collectors(observed: Observed) -> (bool, Statement) {
    let say = |holds, reason, message: &str| statement("NodeCollectorsScheduled", holds, reason, message.to_owned());
    if observed.instrumentation_configs == 0 {
        let message = match observed.sources {
            0 => "no Source asks for a workload: make one",
            _ => "the Sources match no workload yet, or the instrumentor has not got to them",
        };
        return (false, say(Some(false), "NoInstrumentedWorkloads", message));
    }
    if !observed.gateway_ready && !observed.node_exists {
        let message =
            "the gateway cannot take data yet: see the condition of this object and the pods of odigos-gateway";
        return (false, say(Some(false), "WaitingForGateway", message));
    }
    (
        true,
        say(
            Some(true),
            "GatewayReady",
            "the node collectors have something to collect and a gateway to send to",
        ),
    )
}

fn asked_by(observed: Observed) -> Statement {
    let (reason, message) = match observed.destinations {
        0 => (
            "AskedForBySources",
            format!(
                "{} ask for it, and there is no Destination yet: what arrives is dropped",
                counted(observed.sources, "Source")
            ),
        ),
        count => (
            "AskedForByDestinations",
            format!("{} ask for it", counted(count, "Destination")),
        ),
    };
    statement("Scheduled", Some(true), reason, message)
}

fn statement(condition: &'static str, holds: Option<bool>, reason: &'static str, message: String) -> Statement {
    Statement {
        condition,
        holds,
        reason,
        message,
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn group(namespace: &str, owner: Option<&OwnerReference>, name: &str, spec: CollectorsGroupSpec) -> CollectorsGroup {
    let mut group = CollectorsGroup::new(name, spec);
    group.metadata.namespace = Some(namespace.to_owned());
    group.metadata.labels = Some([(SYSTEM_OBJECT.to_owned(), "true".to_owned())].into());
    group.metadata.owner_references = owner.map(|owner| vec![owner.clone()]);
    group
}

fn gateway_spec(configuration: &OdigosConfiguration) -> CollectorsGroupSpec {
    let gateway = &configuration.collector_gateway;
    let (least, most) = gateway.replicas;
    let proxy = &gateway.https_proxy_address;
    CollectorsGroupSpec {
        cluster_metrics_enabled: gateway.cluster_metrics_enabled.then_some(true),
        deployment_name: gateway.deployment_name.clone(),
        https_proxy_address: (!proxy.is_empty()).then(|| proxy.clone()),
        metrics: metrics(&configuration.metrics_sources),
        node_selector: gateway.node_selector.clone(),
        resources_settings: ResourcesSettings {
            min_replicas: Some(signed(least)),
            max_replicas: Some(signed(most)),
            ..resources(gateway.resources, gateway.memory, gateway.gomemlimit_mib)
        },
        sampling_dry_run: configuration.sampling.dry_run.then_some(true),
        service_graph_disabled: gateway.service_graph.disabled.then_some(true),
        service_graph_extra_dimensions: gateway.service_graph.extra_dimensions.clone(),
        service_graph_virtual_node_peer_attributes: gateway.service_graph.virtual_node_peer_attributes.clone(),
        span_sampling_attributes: configuration.sampling.span_sampling_attributes.clone(),
        tail_sampling: configuration.sampling.tail_sampling.clone(),
        trace_correlations: configuration.trace_correlations.clone(),
        ..empty(CollectorRole::ClusterGateway, GATEWAY_METRICS_PORT)
    }
}

fn node_spec(configuration: &OdigosConfiguration) -> CollectorsGroupSpec {
    let node = &configuration.collector_node;
    CollectorsGroupSpec {
        metrics: metrics(&configuration.metrics_sources),
        node_selector: configuration.node_selector.clone(),
        otlp_exporter_configuration: node.otlp_exporter.clone(),
        resource_detectors: Some(node.resource_detectors.clone()),
        resources_settings: resources(node.resources, node.memory, node.gomemlimit_mib),
        ..empty(CollectorRole::NodeCollector, i32::from(node.own_metrics_port))
    }
}

fn empty(role: CollectorRole, port: i32) -> CollectorsGroupSpec {
    CollectorsGroupSpec {
        role,
        collector_own_metrics_port: port,
        cluster_metrics_enabled: None,
        deployment_name: None,
        enable_data_compression: None,
        https_proxy_address: None,
        metrics: None,
        node_selector: Default::default(),
        otlp_exporter_configuration: None,
        resource_detectors: None,
        resources_settings: ResourcesSettings::default(),
        sampling_dry_run: None,
        service_graph_disabled: None,
        service_graph_extra_dimensions: Vec::new(),
        service_graph_virtual_node_peer_attributes: Vec::new(),
        span_sampling_attributes: None,
        tail_sampling: None,
        trace_correlations: None,
    }
}

fn metrics(sources: &CollectorMetrics) -> Option<CollectorMetrics> {
    (*sources != CollectorMetrics::default()).then(|| sources.clone())
}

fn resources(resources: Resources, memory: MemoryLimits, gomemlimit_mib: u64) -> ResourcesSettings {
    ResourcesSettings {
        cpu_limit_millicores: signed(resources.limit_cpu_millicores),
        cpu_request_millicores: signed(resources.request_cpu_millicores),
        gomemlimit_mi_b: signed(gomemlimit_mib),
        max_replicas: None,
        memory_limit_mi_b: signed(resources.limit_memory_mib),
        memory_limiter_limit_mi_b: signed(memory.hard),
        memory_limiter_spike_limit_mi_b: signed(memory.spike),
        memory_request_mi_b: signed(resources.request_memory_mib),
        min_replicas: None,
    }
}

/// Every figure was read with a bound far below.
fn signed(figure: u64) -> i64 {
    i64::try_from(figure).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(observed: Observed) -> (bool, bool, Vec<&'static str>) {
        let configuration = OdigosConfiguration::parse(
            "collectorGateway: {limitMemoryMiB: 600}\ncollectorNode: {limitMemoryMiB: 300}\n",
        );
        let groups = groups("ns", None, &configuration.unwrap(), observed);
        let reasons = groups.gateway.iter().flat_map(|(_, says)| says).map(|it| it.reason);
        (groups.gateway.is_some(), groups.node.is_some(), reasons.collect())
    }

    #[test]
    fn collectors_come_in_their_order_and_go_when_nothing_asks() {
        let mut observed = Observed::default();
        assert_eq!(decide(observed), (false, false, vec![]));
        observed.sources = 1;
        assert_eq!(
            decide(observed),
            (true, false, vec!["AskedForBySources", "NoInstrumentedWorkloads"])
        );
        observed.instrumentation_configs = 1;
        assert_eq!(
            decide(observed),
            (true, false, vec!["AskedForBySources", "WaitingForGateway"])
        );
        observed.destinations = 1;
        observed.gateway_ready = true;
        assert_eq!(
            decide(observed),
            (true, true, vec!["AskedForByDestinations", "GatewayReady"])
        );
        observed.node_exists = true;
        observed.gateway_ready = false;
        assert!(
            decide(observed).1,
            "the node collectors stay while the gateway restarts"
        );
        observed.instrumentation_configs = 0;
        assert_eq!(
            decide(observed),
            (true, false, vec!["AskedForByDestinations", "NoInstrumentedWorkloads"])
        );
        observed.destinations = 0;
        observed.sources = 0;
        assert_eq!(decide(observed), (false, false, vec![]));
    }

    #[test]
    fn sizes_come_from_the_configuration() {
        let configuration =
            crate::configuration::layers::effective(&Default::default(), &Default::default()).configuration;
        let observed = Observed {
            sources: 1,
            instrumentation_configs: 1,
            gateway_ready: true,
            ..Observed::default()
        };
        let groups = groups("ns", None, &configuration, observed);
        let gateway = groups.gateway.unwrap().0.spec.resources_settings;
        assert_eq!((gateway.min_replicas, gateway.max_replicas), (Some(2), Some(8)));
        assert_eq!(
            (
                gateway.memory_limiter_limit_mi_b,
                gateway.memory_limiter_spike_limit_mi_b
            ),
            (550, 110)
        );
        let node = groups.node.unwrap().0.spec;
        assert_eq!(
            (
                node.resources_settings.memory_limit_mi_b,
                node.collector_own_metrics_port
            ),
            (500, 55682)
        );
    }
}
