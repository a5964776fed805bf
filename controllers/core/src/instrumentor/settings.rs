//! What holds for every workload: the product's configuration, and what the node collectors take.

use collector_config::{Errors, Node, Section};
use controllers_api::collectors_group::CollectorsGroup;
use controllers_api::signals::Signal;
use std::collections::BTreeSet;

/// The configuration, as far as it decides about agents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Namespaces in which nothing is instrumented, whatever Sources say.
    pub ignored_namespaces: BTreeSet<String>,
    /// Names of containers that are left alone in every pod.
    pub ignored_containers: BTreeSet<String>,
    /// Run beside the agents of other vendors.
    pub allow_concurrent_agents: bool,
    /// How environment variables get into processes.
    pub injection: Injection,
}

/// How environment variables get into processes (`agentEnvVarsInjectionMethod`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Injection {
    /// By a library that the dynamic loader loads first.
    Loader,
    /// By the containers in the pod's manifest.
    PodManifest,
    /// By the loader where that can work, else by the manifest.
    #[default]
    LoaderFallbackToPodManifest,
}

/// The node collectors, which take what agents make.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum NodeCollector {
    /// There is none, and nothing to send to.
    #[default]
    Absent,
    /// They are not ready. What is instrumented already stays so: a rolling update of the collectors must not restart
    /// every workload. They will take these signals, as far as that is known.
    Starting(BTreeSet<Signal>),
    /// They take these signals.
    Ready(BTreeSet<Signal>),
}

impl Settings {
    /// Reads what the scheduler has put together (`config.yaml` of the ConfigMap `effective-config`); other keys are others'
    /// affair. `own` is the product's namespace, in which nothing is ever instrumented.
    pub fn read(effective: &str, own: &str) -> Result<Self, Errors> {
        let node = Node::parse(effective, "effective-config")?;
        let mut errors = Errors::default();
        let mut section = Section::open("", &node, &mut errors);
        let methods = [
            ("loader", Injection::Loader),
            ("pod-manifest", Injection::PodManifest),
            (
                "loader-fallback-to-pod-manifest",
                Injection::LoaderFallbackToPodManifest,
            ),
        ];
        let mut settings = Self {
            ignored_namespaces: texts(&mut section, "ignoredNamespaces"),
            ignored_containers: texts(&mut section, "ignoredContainers"),
            allow_concurrent_agents: section.flag("allowConcurrentAgents", false),
            injection: section
                .choice("agentEnvVarsInjectionMethod", &methods)
                .unwrap_or_default(),
        };
        settings.ignored_namespaces.insert(own.to_owned());
        errors.unless_any(settings)
    }

    /// As long as there is no configuration: nothing of the product's own is instrumented, nor of the cluster's.
    pub fn before_any(own: &str) -> Self {
        Self {
            ignored_namespaces: [own, "kube-system"].map(str::to_owned).into(),
            ..Self::default()
        }
    }
}

fn texts(section: &mut Section<'_, '_>, key: &'static str) -> BTreeSet<String> {
    section.texts_list(key).into_iter().map(str::to_owned).collect()
}

impl NodeCollector {
    /// As the node collectors' CollectorsGroup says; none if there is no such object.
    pub fn of(group: Option<&CollectorsGroup>) -> Self {
        let Some(group) = group.filter(|group| group.metadata.deletion_timestamp.is_none()) else {
            return Self::Absent;
        };
        let status = group.status.clone().unwrap_or_default();
        let signals = status.receiver_signals.into_iter().collect();
        if status.ready == Some(true) {
            Self::Ready(signals)
        } else {
            Self::Starting(signals)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_read_and_what_is_not_ours_is_left_alone() {
        let text = "configVersion: 1\nignoredNamespaces: [a]\nignoredContainers: [istio-proxy]\nallowConcurrentAgents: true\n\
                    agentEnvVarsInjectionMethod: pod-manifest\n";
        let settings = Settings::read(text, "odigos-system").unwrap();
        assert_eq!(
            settings.ignored_namespaces,
            ["a", "odigos-system"].map(str::to_owned).into()
        );
        assert_eq!(settings.ignored_containers, ["istio-proxy".to_owned()].into());
        assert!(settings.allow_concurrent_agents && settings.injection == Injection::PodManifest);
        let error = Settings::read("agentEnvVarsInjectionMethod: magic", "o")
            .unwrap_err()
            .to_string();
        assert!(error.contains("agentEnvVarsInjectionMethod"), "{error}");
    }

    #[test]
    fn the_group_says_whether_somebody_takes_what_agents_make() {
        let group = |status: &str| -> CollectorsGroup {
            let resources = r#"{"cpuLimitMillicores": 1, "cpuRequestMillicores": 1, "gomemlimitMiB": 1, "memoryLimitMiB": 1,
                "memoryLimiterLimitMiB": 1, "memoryLimiterSpikeLimitMiB": 1, "memoryRequestMiB": 1}"#;
            let text = format!(
                r#"{{"metadata": {{}}, "spec": {{"role": "NODE_COLLECTOR", "collectorOwnMetricsPort": 1,
                    "resourcesSettings": {resources}}}, "status": {status}}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        let traces = || BTreeSet::from([Signal::Traces]);
        assert_eq!(NodeCollector::of(None), NodeCollector::Absent);
        let ready = group(r#"{"ready": true, "receiverSignals": ["TRACES"]}"#);
        assert_eq!(NodeCollector::of(Some(&ready)), NodeCollector::Ready(traces()));
        let starting = group(r#"{"receiverSignals": ["TRACES"]}"#);
        assert_eq!(NodeCollector::of(Some(&starting)), NodeCollector::Starting(traces()));
    }
}
