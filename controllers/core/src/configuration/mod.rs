//! The product's configuration: what users write in ConfigMaps, validated, with every default filled in.
//!
//! It comes in layers ([`layers`]), each a YAML document of its own: defaults, the size preset, profiles, and the three
//! ConfigMaps, of which a later one wins. [`OdigosConfiguration`] is what they come to; the scheduler writes it down as the
//! ConfigMap `effective-config`, and the other components read it from there with [`OdigosConfiguration::parse`]. Keys, their
//! meaning and their defaults are those of Odigos. Unknown keys are errors, and all errors come at once, each with its line.

pub mod layers;
pub mod profiles;

mod collectors;
mod read;

pub use collectors::{GatewayConfiguration, NodeConfiguration, Resources, ServiceGraph};

use collector_config::{ConfigError, Errors, Node};
use controllers_api::collectors_group::{CollectorMetrics, SpanSamplingAttributes, TailSampling, TraceCorrelations};
use std::collections::BTreeMap;
use std::time::Duration;

/// The ConfigMap that the scheduler writes.
pub const EFFECTIVE: &str = "effective-config";
/// The key of each of the ConfigMaps.
pub const KEY: &str = "config.yaml";

/// The configuration that is in force, or would be.
#[derive(Debug, Clone, PartialEq)]
pub struct OdigosConfiguration {
    /// Workloads in these namespaces are never instrumented.
    pub ignored_namespaces: Vec<String>,
    /// Nor are containers of these names.
    pub ignored_containers: Vec<String>,
    /// Whether the product's own namespace is ignored as well.
    pub ignore_odigos_namespace: bool,
    /// The profiles that are in force, dependencies before what needs them.
    pub profiles: Vec<String>,
    /// Instrument beside another vendor's agent.
    pub allow_concurrent_agents: bool,
    /// How the agents' files come into a pod.
    pub mount_method: MountMethod,
    /// What is changed so that pods get agents.
    pub pod_injection_method: PodInjectionMethod,
    /// How the agents' variables come into a pod.
    pub agent_env_vars_injection_method: EnvInjectionMethod,
    /// Variables by language that agents get.
    pub user_instrumentation_envs: BTreeMap<String, LanguageEnvironment>,
    /// Inject only where the node has announced the device.
    pub check_device_health_before_injection: bool,
    /// Restarts of workloads.
    pub rollout: Rollout,
    /// Taking instrumentation back where pods fail.
    pub rollback: Rollback,
    /// The gateway.
    pub collector_gateway: GatewayConfiguration,
    /// The node collectors.
    pub collector_node: NodeConfiguration,
    /// Metrics that are made or collected.
    pub metrics_sources: CollectorMetrics,
    /// Sampling.
    pub sampling: Sampling,
    /// Correlations over traces.
    pub trace_correlations: Option<TraceCorrelations>,
    /// Profiles of processes are collected.
    pub profiling_enabled: bool,
    /// Labels of the nodes on which the node agent and the node collector run.
    pub node_selector: BTreeMap<String, String>,
    /// The cluster's name on telemetry; empty for none.
    pub cluster_name: String,
    /// Before the name of every image; empty for none.
    pub image_prefix: String,
    /// Secrets with which images are fetched.
    pub image_pull_secrets: Vec<String>,
    /// The init container that copies agents, with that mount method.
    pub agents_init_container: Resources,
    /// One byte in hex that every trace id has; empty for none.
    pub trace_id_suffix: String,
    /// The socket of a container runtime in an unusual place; empty for none.
    pub custom_container_runtime_socket_path: String,
    /// Nodes come and go with Karpenter, whose start-up taints the node agent removes.
    pub karpenter_enabled: bool,
    /// The cluster is OpenShift.
    pub openshift_enabled: bool,
    /// Anonymous telemetry of the product itself.
    pub telemetry_enabled: bool,
    /// Hosts that a test of a connection may reach.
    pub allowed_test_connection_hosts: Vec<String>,
    /// The user interface.
    pub ui: Ui,
    /// Levels of logs by component; `default` is that of the others.
    pub log_levels: BTreeMap<String, String>,
}

/// How the agents' files come into a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MountMethod {
    /// By the virtual device, as read-only mounts.
    VirtualDevice,
    /// By a hostPath volume.
    HostPath,
    /// By an init container that copies them into an emptyDir.
    InitContainer,
}

/// What is changed so that pods get agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PodInjectionMethod {
    /// Pods, when they are made.
    Webhook,
    /// The workloads' pod templates.
    Template,
}

/// How the agents' variables come into a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EnvInjectionMethod {
    /// By the dynamic loader's LD_PRELOAD.
    Loader,
    /// Written into the pod's manifest.
    PodManifest,
    /// By the loader, and where that cannot be, by the manifest.
    LoaderFallbackToPodManifest,
}

/// Variables of one language's agents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LanguageEnvironment {
    /// Whether they are given.
    pub enabled: bool,
    /// Names and values.
    pub env: BTreeMap<String, String>,
}

/// Restarts of workloads.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollout {
    /// The user restarts them.
    pub automatic_rollout_disabled: bool,
    /// So many at a time; nothing means any number.
    pub max_concurrent_rollouts: Option<u64>,
    /// All pods of a workload at once, instead of one first.
    pub canary_disabled: bool,
    /// So long the first one must have been ready.
    pub canary_stability_time: Duration,
    /// So much more it may take than the others, in per cent, where that is measured.
    pub canary_overhead_percent: f64,
}

/// Taking instrumentation back where pods fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollback {
    /// It is not taken back.
    pub disabled: bool,
    /// A pod must fail for so long.
    pub grace_time: Duration,
    /// Only so soon after the instrumentation.
    pub stability_window: Duration,
}

/// Sampling.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sampling {
    /// Decide, write the decision on the spans, and drop nothing.
    pub dry_run: bool,
    /// What spans say about the decision.
    pub span_sampling_attributes: Option<SpanSamplingAttributes>,
    /// Sampling of finished traces.
    pub tail_sampling: Option<TailSampling>,
    /// The part of the kubelet's probes that is kept, in per cent; nothing means that they are not looked for.
    pub health_probes_kept: Option<f64>,
}

/// The user interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ui {
    /// Nobody may change anything.
    pub readonly: bool,
    /// So many objects a page; nothing means no pages.
    pub pagination_limit: Option<u64>,
    /// Where people reach it; empty if only through the apiserver.
    pub remote_url: String,
    /// The central service; empty for none.
    pub central_backend_url: String,
    /// Logging in by OpenID Connect: the tenant's address and the client's id. The client's secret is in a Secret.
    pub oidc: Option<(String, String)>,
}

impl OdigosConfiguration {
    /// Reads `effective-config`'s document, or any that says enough: what is not said has its default.
    pub fn parse(text: &str) -> Result<Self, Errors> {
        let defaults = Node::parse(layers::DEFAULTS, "defaults")?;
        let document = Node::parse(text, EFFECTIVE)?;
        Self::read(&layers::merged(&[defaults, document])).map(|(configuration, _)| configuration)
    }

    /// Reads merged layers; beside it, what their authors should know although nothing is wrong.
    pub fn read(root: &Node) -> Result<(Self, Vec<ConfigError>), Errors> {
        let mut errors = Errors::default();
        let configuration = read::configuration(root, &mut errors);
        let warnings = errors.take_warnings();
        errors.unless_any((configuration, warnings))
    }

    /// Whether workloads of this namespace are left alone; `own` is the product's.
    pub fn ignores_namespace(&self, namespace: &str, own: &str) -> bool {
        (self.ignore_odigos_namespace && namespace == own) || self.ignored_namespaces.iter().any(|it| it == namespace)
    }
}
