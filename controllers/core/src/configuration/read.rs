//! From the merged document to the configuration, with all that is wrong with it.

use super::collectors::{self, otlp_exporter};
use super::{
    EnvInjectionMethod, LanguageEnvironment, MountMethod, OdigosConfiguration, PodInjectionMethod, Rollback, Rollout,
    Sampling, Ui,
};
use collector_config::{Errors, Node, Section};
use controllers_api::collectors_group::{
    AgentsTelemetryMetrics, CollectorMetrics, IntervalMetrics, OwnMetrics, ServiceIo, SpanMetrics,
    SpanSamplingAttributes, TailSampling, TraceCorrelations,
};
use std::collections::BTreeMap;
use std::time::Duration;

const POD_METHODS: [(&str, PodInjectionMethod); 2] = [
    ("webhook", PodInjectionMethod::Webhook),
    ("template", PodInjectionMethod::Template),
];

/// Odigos has written both forms.
const MOUNT_METHODS: [(&str, MountMethod); 6] = [
    ("k8s-virtual-device", MountMethod::VirtualDevice),
    ("k8s-host-path", MountMethod::HostPath),
    ("k8s-init-container", MountMethod::InitContainer),
    ("virtual-device", MountMethod::VirtualDevice),
    ("host-path", MountMethod::HostPath),
    ("init-container", MountMethod::InitContainer),
];

const INJECTION_METHODS: [(&str, EnvInjectionMethod); 3] = [
    ("loader", EnvInjectionMethod::Loader),
    ("pod-manifest", EnvInjectionMethod::PodManifest),
    (
        "loader-fallback-to-pod-manifest",
        EnvInjectionMethod::LoaderFallbackToPodManifest,
    ),
];

const UI_MODES: [(&str, bool); 3] = [("default", false), ("normal", false), ("readonly", true)];

const LEVELS: [(&str, &str); 4] = [
    ("error", "error"),
    ("warn", "warn"),
    ("info", "info"),
    ("debug", "debug"),
];

/// Keys of Odigos that ask for nothing here: how its own parts are installed or reached.
const WITHOUT_EFFECT: [&str; 12] = [
    "configVersion",
    "psp",
    "skipWebhookIssuerCreation",
    "mcpAccessMode",
    "mcpEnabled",
    "odigletHealthProbeBindPort",
    "goAutoOffsetsCron",
    "goAutoOffsetsMode",
    "clickhouseJsonTypeEnabled",
    "waspEnabled",
    "odigosOwnTelemetryStore",
    // Read before, where the layers are put together.
    "resourceSizePreset",
];

/// The longest time that anything here waits.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

pub(super) fn configuration(root: &Node, errors: &mut Errors) -> OdigosConfiguration {
    let mut section = Section::open("", root, errors);
    section.accept(&WITHOUT_EFFECT);
    let configuration = whole(&mut section);
    section.finish();
    configuration
}

fn whole(section: &mut Section<'_, '_>) -> OdigosConfiguration {
    OdigosConfiguration {
        ignored_namespaces: strings(section, "ignoredNamespaces"),
        ignored_containers: strings(section, "ignoredContainers"),
        ignore_odigos_namespace: section.flag("ignoreOdigosNamespace", true),
        profiles: strings(section, "profiles"),
        allow_concurrent_agents: section.flag("allowConcurrentAgents", false),
        mount_method: section
            .choice("mountMethod", &MOUNT_METHODS)
            .unwrap_or(MountMethod::VirtualDevice),
        pod_injection_method: section
            .choice("podInjectionMethod", &POD_METHODS)
            .unwrap_or(PodInjectionMethod::Webhook),
        agent_env_vars_injection_method: section
            .choice("agentEnvVarsInjectionMethod", &INJECTION_METHODS)
            .unwrap_or(EnvInjectionMethod::LoaderFallbackToPodManifest),
        user_instrumentation_envs: section.section("userInstrumentationEnvs", languages),
        check_device_health_before_injection: section.flag("checkDeviceHealthBeforeInjection", false),
        rollout: section.section("rollout", rollout),
        rollback: rollback(section),
        collector_gateway: section.section("collectorGateway", collectors::gateway),
        collector_node: section.section("collectorNode", collectors::node),
        metrics_sources: section.section("metricsSources", metrics),
        sampling: section.section("sampling", sampling),
        trace_correlations: section.optional_section("traceCorrelations", correlations),
        profiling_enabled: section.section("profiling", |section| {
            section.optional_section("exporter", otlp_exporter);
            section.flag("enabled", false)
        }),
        node_selector: map(section, "nodeSelector"),
        cluster_name: text(section, "clusterName"),
        image_prefix: text(section, "imagePrefix"),
        image_pull_secrets: strings(section, "imagePullSecrets"),
        agents_init_container: section.section("agentsInitContainerResources", collectors::resources),
        trace_id_suffix: trace_id_suffix(section),
        custom_container_runtime_socket_path: text(section, "customContainerRuntimeSocketPath"),
        karpenter_enabled: section.flag("karpenterEnabled", false),
        openshift_enabled: section.flag("openshiftEnabled", false),
        telemetry_enabled: section.flag("telemetryEnabled", false),
        allowed_test_connection_hosts: strings(section, "allowedTestConnectionHosts"),
        ui: ui(section),
        log_levels: section.section("componentLogLevels", levels),
    }
}

fn rollout(section: &mut Section<'_, '_>) -> Rollout {
    Rollout {
        automatic_rollout_disabled: section.flag("automaticRolloutDisabled", false),
        max_concurrent_rollouts: section.optional_count("maxConcurrentRollouts").filter(|most| *most > 0),
        canary_disabled: section.flag("canaryDisabled", false),
        canary_stability_time: duration(section, "canaryStabilityTime", Duration::from_secs(30)),
        canary_overhead_percent: section.number_in("canaryOverheadPercent", 0.0..=1000.0, 10.0),
    }
}

fn rollback(section: &mut Section<'_, '_>) -> Rollback {
    Rollback {
        disabled: section.flag("rollbackDisabled", false),
        grace_time: duration(section, "rollbackGraceTime", Duration::from_secs(5 * 60)),
        stability_window: duration(section, "rollbackStabilityWindow", Duration::from_secs(3600)),
    }
}

fn languages(section: &mut Section<'_, '_>) -> BTreeMap<String, LanguageEnvironment> {
    let of = section.named_sections("languages", |name, section| {
        let environment = LanguageEnvironment {
            enabled: section.flag("enabled", false),
            env: map(section, "env"),
        };
        (name.to_owned(), environment)
    });
    of.into_iter().collect()
}

fn metrics(section: &mut Section<'_, '_>) -> CollectorMetrics {
    CollectorMetrics {
        agents_telemetry: section.optional_section("agentMetrics", |section| {
            // What the agents themselves decide about.
            section.accept(&["spanMetrics", "runtimeMetrics"]);
            AgentsTelemetryMetrics {}
        }),
        host_metrics: section.optional_section("hostMetrics", interval_metrics),
        kubelet_stats: section.optional_section("kubeletStats", interval_metrics),
        odigos_own_metrics: section.optional_section("odigosOwnMetrics", |section| OwnMetrics {
            interval: duration_text(section, "interval"),
            send_to_metrics_destinations: None,
            send_to_odigos_metrics_store: None,
        }),
        service_graph: None,
        span_metrics: section.optional_section("spanMetrics", span_metrics),
    }
}

fn interval_metrics(section: &mut Section<'_, '_>) -> IntervalMetrics {
    IntervalMetrics {
        disabled: section.optional_flag("disabled"),
        interval: duration_text(section, "interval"),
    }
}

fn span_metrics(section: &mut Section<'_, '_>) -> SpanMetrics {
    SpanMetrics {
        additional_dimensions: strings(section, "additionalDimensions"),
        disabled: section.optional_flag("disabled"),
        excluded_resource_attributes: strings(section, "excludedResourceAttributes"),
        explicit_histogram_buckets: strings(section, "explicitHistogramBuckets"),
        histogram_disabled: section.optional_flag("histogramDisabled"),
        included_process_in_dimensions: section.optional_flag("includedProcessInDimensions"),
        interval: duration_text(section, "interval"),
        metrics_expiration: duration_text(section, "metricsExpiration"),
        resource_metrics_key_attributes: strings(section, "resourceMetricsKeyAttributes"),
        span_metrics_mode: section.text("spanMetricsMode").map(str::to_owned),
    }
}

fn sampling(section: &mut Section<'_, '_>) -> Sampling {
    Sampling {
        dry_run: section.flag("dryRun", false),
        span_sampling_attributes: section.optional_section("spanSamplingAttributes", |section| {
            SpanSamplingAttributes {
                disabled: section.optional_flag("disabled"),
                sampling_category_disabled: section.optional_flag("samplingCategoryDisabled"),
                span_decision_attributes_disabled: section.optional_flag("spanDecisionAttributesDisabled"),
                trace_deciding_rule_disabled: section.optional_flag("traceDecidingRuleDisabled"),
            }
        }),
        tail_sampling: section.optional_section("tailSampling", |section| TailSampling {
            disabled: section.optional_flag("disabled"),
            trace_aggregation_wait_duration: duration_text(section, "traceAggregationWaitDuration"),
        }),
        health_probes_kept: section.section("k8sHealthProbesSampling", |section| {
            let kept = section.number_in("keepPercentage", 0.0..=100.0, 0.0);
            section.flag("enabled", false).then_some(kept)
        }),
    }
}

fn correlations(section: &mut Section<'_, '_>) -> TraceCorrelations {
    TraceCorrelations {
        service_io: section.optional_section("serviceIO", |section| ServiceIo {
            enabled: section.optional_flag("enabled"),
            input_span_attributes: strings(section, "inputSpanAttributes"),
            metrics_flush_interval: duration_text(section, "metricsFlushInterval"),
            output_span_attributes: strings(section, "outputSpanAttributes"),
        }),
    }
}

fn ui(section: &mut Section<'_, '_>) -> Ui {
    Ui {
        readonly: section.choice("uiMode", &UI_MODES).unwrap_or(false),
        pagination_limit: section.optional_count("uiPaginationLimit").filter(|limit| *limit > 0),
        remote_url: text(section, "uiRemoteUrl"),
        central_backend_url: text(section, "centralBackendURL"),
        oidc: section.optional_section("oidc", |section| {
            if section.text("clientSecret").is_some_and(|secret| !secret.is_empty()) {
                section.warn(
                    "clientSecret",
                    "is not read from a ConfigMap, which many may read: put it into the Secret odigos-oidc",
                );
            }
            (text(section, "tenantUrl"), text(section, "clientId"))
        }),
    }
}

fn levels(section: &mut Section<'_, '_>) -> BTreeMap<String, String> {
    const COMPONENTS: [&str; 8] = [
        "default",
        "autoscaler",
        "scheduler",
        "instrumentor",
        "odiglet",
        "deviceplugin",
        "ui",
        "collector",
    ];
    let mut levels = BTreeMap::new();
    for component in COMPONENTS {
        if let Some(level) = section.choice(component, &LEVELS) {
            levels.insert(component.to_owned(), level.to_owned());
        }
    }
    levels
}

fn trace_id_suffix(section: &mut Section<'_, '_>) -> String {
    let suffix = text(section, "traceIdSuffix");
    let is_byte = suffix.len() == 2 && suffix.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !suffix.is_empty() && !is_byte {
        section.error(
            "traceIdSuffix",
            format!("expected one byte in hex such as A3, found \"{suffix}\""),
        );
    }
    suffix
}

/// Text, empty where there is none.
pub(super) fn text(section: &mut Section<'_, '_>, key: &'static str) -> String {
    section.text(key).unwrap_or_default().to_owned()
}

/// A list of text.
pub(super) fn strings(section: &mut Section<'_, '_>, key: &'static str) -> Vec<String> {
    section.texts_list(key).into_iter().map(str::to_owned).collect()
}

/// Names and text.
pub(super) fn map(section: &mut Section<'_, '_>, key: &'static str) -> BTreeMap<String, String> {
    let texts = section.texts(key).into_iter();
    texts.map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
}

/// A duration, for who writes it on as it was written.
pub(super) fn duration_text(section: &mut Section<'_, '_>, key: &'static str) -> Option<String> {
    duration(section, key, Duration::ZERO);
    section.text(key).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn duration(section: &mut Section<'_, '_>, key: &'static str, default: Duration) -> Duration {
    let duration = section.duration(key, default);
    if duration > LONGEST {
        section.error(key, "is longer than 30 days");
    }
    duration
}
