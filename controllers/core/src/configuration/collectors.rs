//! The collectors' part of the configuration: sizes, and what was derived from them.

use super::read::{self, strings};
use crate::collectors::MemoryLimits;
use collector_config::Section;
use controllers_api::collectors_group::{
    OtlpExporterConfiguration, ResourceDetector, ResourceDetectors, RetryOnFailure,
};
use std::collections::BTreeMap;

/// The gateway.
#[derive(Debug, Clone, PartialEq)]
pub struct GatewayConfiguration {
    /// Fewest and most replicas.
    pub replicas: (u64, u64),
    /// Its containers.
    pub resources: Resources,
    /// Its memory limiter.
    pub memory: MemoryLimits,
    /// Soft limit of the heap, in MiB.
    pub gomemlimit_mib: u64,
    /// Metrics of the calls between services.
    pub service_graph: ServiceGraph,
    /// Collect metrics of the cluster itself.
    pub cluster_metrics_enabled: bool,
    /// Proxy for what leaves the cluster; empty for none.
    pub https_proxy_address: String,
    /// Labels of the nodes on which it may run.
    pub node_selector: BTreeMap<String, String>,
    /// The Deployment's name, where it is not the default one.
    pub deployment_name: Option<String>,
}

/// The node collectors.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeConfiguration {
    /// Port of the collector's own metrics.
    pub own_metrics_port: u16,
    /// Its container.
    pub resources: Resources,
    /// Its memory limiter.
    pub memory: MemoryLimits,
    /// Soft limit of the heap, in MiB.
    pub gomemlimit_mib: u64,
    /// How it sends to the gateway.
    pub otlp_exporter: Option<OtlpExporterConfiguration>,
    /// Which detectors of the cloud's resource attributes run.
    pub resource_detectors: ResourceDetectors,
}

/// Requests and limits of a container, in thousandths of a core and in MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resources {
    /// Requested of a core.
    pub request_cpu_millicores: u64,
    /// Never more of a core.
    pub limit_cpu_millicores: u64,
    /// Requested memory.
    pub request_memory_mib: u64,
    /// Killed above.
    pub limit_memory_mib: u64,
}

/// Metrics of the calls between services.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceGraph {
    /// None are made.
    pub disabled: bool,
    /// Attributes that become dimensions.
    pub extra_dimensions: Vec<String>,
    /// Attributes that name a peer that sends no spans itself.
    pub virtual_node_peer_attributes: Vec<String>,
}

/// More memory than any node has, in MiB.
const MOST_MEMORY: u64 = 1 << 24;
/// More than any node has, in thousandths of a core.
const MOST_CPU: u64 = 1 << 20;
/// A bound against a slip of the finger.
const MOST_REPLICAS: u64 = 1000;

pub(super) fn gateway(section: &mut Section<'_, '_>) -> GatewayConfiguration {
    let resources = resources(section);
    let memory = memory(section, resources.limit_memory_mib);
    let least = section.count_in("minReplicas", 1..=MOST_REPLICAS, 1);
    let most = section.count_in("maxReplicas", 1..=MOST_REPLICAS, least);
    if most < least {
        section.error("maxReplicas", format!("is {most}, less than minReplicas, {least}"));
    }
    GatewayConfiguration {
        replicas: (least, most),
        gomemlimit_mib: gomemlimit(section, memory),
        resources,
        memory,
        service_graph: section.section("serviceGraph", |section| ServiceGraph {
            disabled: section.flag("disabled", false),
            extra_dimensions: strings(section, "extraDimensions"),
            virtual_node_peer_attributes: strings(section, "virtualNodePeerAttributes"),
        }),
        cluster_metrics_enabled: section.flag("clusterMetricsEnabled", false),
        https_proxy_address: read::text(section, "httpsProxyAddress"),
        node_selector: read::map(section, "nodeSelector"),
        deployment_name: section
            .text("deploymentName")
            .filter(|name| !name.is_empty())
            .map(str::to_owned),
    }
}

pub(super) fn node(section: &mut Section<'_, '_>) -> NodeConfiguration {
    let resources = resources(section);
    let memory = memory(section, resources.limit_memory_mib);
    let port = section.count_in("collectorOwnMetricsPort", 1..=65535, 0);
    let compression = section.optional_flag("enableDataCompression");
    let mut otlp_exporter = section.optional_section("otlpExporterConfiguration", otlp_exporter);
    if compression.is_some() {
        // The deprecated place of the same flag.
        let exporter = otlp_exporter.get_or_insert_default();
        exporter.enable_data_compression = exporter.enable_data_compression.or(compression);
    }
    NodeConfiguration {
        own_metrics_port: u16::try_from(port).unwrap_or_default(),
        gomemlimit_mib: gomemlimit(section, memory),
        resources,
        memory,
        otlp_exporter,
        resource_detectors: section.section("resourceDetectors", |section| ResourceDetectors {
            aks: detector(section, "aks"),
            azure: detector(section, "azure"),
            ec2: detector(section, "ec2"),
            eks: detector(section, "eks"),
            gcp: detector(section, "gcp"),
        }),
    }
}

/// Requests and limits; a limit below its request is one that Kubernetes would refuse.
pub(super) fn resources(section: &mut Section<'_, '_>) -> Resources {
    let request_cpu = section.count_in("requestCPUm", 1..=MOST_CPU, 1);
    let request_memory = section.count_in("requestMemoryMiB", 1..=MOST_MEMORY, 1);
    let resources = Resources {
        request_cpu_millicores: request_cpu,
        limit_cpu_millicores: section.count_in("limitCPUm", 1..=MOST_CPU, request_cpu),
        request_memory_mib: request_memory,
        limit_memory_mib: section.count_in("limitMemoryMiB", 1..=MOST_MEMORY, request_memory),
    };
    if resources.limit_cpu_millicores < request_cpu {
        let limit = resources.limit_cpu_millicores;
        section.error("limitCPUm", format!("is {limit}, less than requestCPUm, {request_cpu}"));
    }
    if resources.limit_memory_mib < request_memory {
        let limit = resources.limit_memory_mib;
        section.error(
            "limitMemoryMiB",
            format!("is {limit}, less than requestMemoryMiB, {request_memory}"),
        );
    }
    resources
}

/// As it is said, or derived from the container's limit.
fn memory(section: &mut Section<'_, '_>, container: u64) -> MemoryLimits {
    let derived = MemoryLimits::of(container);
    let hard = section.count_in("memoryLimiterLimitMiB", 2..=MOST_MEMORY, derived.hard);
    let spike = section.count_in("memoryLimiterSpikeLimitMiB", 1..=MOST_MEMORY, (hard / 5).max(1));
    if spike >= hard {
        section.error(
            "memoryLimiterSpikeLimitMiB",
            format!("is {spike}, and must be less than the limit, {hard}"),
        );
    }
    MemoryLimits { hard, spike }
}

/// Four fifths of the memory limiter's limit.
fn gomemlimit(section: &mut Section<'_, '_>, memory: MemoryLimits) -> u64 {
    section.count_in("goMemLimitMiB", 1..=MOST_MEMORY, (memory.hard * 4 / 5).max(1))
}

pub(super) fn otlp_exporter(section: &mut Section<'_, '_>) -> OtlpExporterConfiguration {
    OtlpExporterConfiguration {
        enable_data_compression: section.optional_flag("enableDataCompression"),
        timeout: read::duration_text(section, "timeout"),
        retry_on_failure: section.optional_section("retryOnFailure", |section| RetryOnFailure {
            enabled: section.optional_flag("enabled"),
            initial_interval: read::duration_text(section, "initialInterval"),
            max_interval: read::duration_text(section, "maxInterval"),
            max_elapsed_time: read::duration_text(section, "maxElapsedTime"),
        }),
    }
}

fn detector(section: &mut Section<'_, '_>, key: &'static str) -> Option<ResourceDetector> {
    section.optional_section(key, |section| ResourceDetector {
        enabled: section.optional_flag("enabled"),
    })
}
