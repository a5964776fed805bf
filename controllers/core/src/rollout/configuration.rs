//! The product's configuration, as far as it is about pods.

use super::{Canary, Method, Settings};
use crate::configuration::{MountMethod, OdigosConfiguration, PodInjectionMethod};
use crate::injection::{self, Mount};

/// What pods get, and how they get it.
#[derive(Clone, Debug, PartialEq)]
pub struct Configuration {
    /// What they get.
    pub injection: injection::Settings,
    /// How.
    pub rollout: Settings,
}

impl Configuration {
    /// Of the configuration that is in force. `namespace` is the product's, `version` that of the image with the agents.
    pub fn of(whole: &OdigosConfiguration, namespace: &str, version: &str) -> Self {
        let languages = whole.user_instrumentation_envs.iter().filter(|(_, it)| it.enabled);
        Self {
            injection: injection::Settings {
                mount: mount(whole, version),
                endpoint: injection::endpoint(namespace),
                environment: languages
                    .map(|(language, it)| (language.clone(), it.env.clone()))
                    .collect(),
            },
            rollout: rollout(whole),
        }
    }
}

fn mount(whole: &OdigosConfiguration, version: &str) -> Mount {
    match whole.mount_method {
        MountMethod::VirtualDevice => Mount::VirtualDevice,
        MountMethod::HostPath => Mount::HostPath,
        MountMethod::InitContainer => {
            let prefix = whole.image_prefix.trim_end_matches('/');
            let separator = if prefix.is_empty() { "" } else { "/" };
            Mount::InitContainer {
                image: format!("{prefix}{separator}odigos-agents:{version}"),
            }
        }
    }
}

fn rollout(whole: &OdigosConfiguration) -> Settings {
    let rollout = &whole.rollout;
    let most = rollout.max_concurrent_rollouts;
    let canary = Canary {
        stable: rollout.canary_stability_time,
        overhead: rollout.canary_overhead_percent / 100.0,
    };
    Settings {
        automatic: !rollout.automatic_rollout_disabled,
        max_concurrent: most.map(|most| usize::try_from(most).unwrap_or(usize::MAX)),
        rollback: !whole.rollback.disabled,
        grace: whole.rollback.grace_time,
        window: whole.rollback.stability_window,
        canary: (!rollout.canary_disabled).then_some(canary),
        method: match whole.pod_injection_method {
            PodInjectionMethod::Webhook => Method::Webhook,
            PodInjectionMethod::Template => Method::Template,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn read(text: &str) -> Configuration {
        Configuration::of(&OdigosConfiguration::parse(text).unwrap(), "odigos-system", "1.0.0")
    }

    #[test]
    fn what_is_about_pods_is_taken_over() {
        let text = "mountMethod: k8s-init-container\nimagePrefix: registry.example/odigos/\n\
                    rollbackGraceTime: 90s\nrollout: {maxConcurrentRollouts: 3, canaryStabilityTime: 1m, canaryOverheadPercent: 5}\n\
                    userInstrumentationEnvs: {languages: {java: {enabled: true, env: {A: b}}, go: {env: {C: d}}}}\n";
        let read = read(text);
        let image = "registry.example/odigos/odigos-agents:1.0.0".to_owned();
        assert_eq!(read.injection.mount, Mount::InitContainer { image });
        assert_eq!(
            read.injection.endpoint,
            "http://odigos-data-collection-local-traffic.odigos-system:4318"
        );
        let java = [("A".to_owned(), "b".to_owned())].into();
        assert_eq!(read.injection.environment, [("java".to_owned(), java)].into());
        let canary = Canary {
            stable: Duration::from_secs(60),
            overhead: 0.05,
        };
        let expected = Settings {
            grace: Duration::from_secs(90),
            max_concurrent: Some(3),
            canary: Some(canary),
            ..Settings::default()
        };
        assert_eq!(read.rollout, expected);
    }

    #[test]
    fn nothing_written_means_the_defaults() {
        let defaults = read("{}");
        assert_eq!(
            (defaults.injection.mount, defaults.rollout),
            (Mount::VirtualDevice, Settings::default())
        );
        let off = read("rollout: {canaryDisabled: true, maxConcurrentRollouts: 0}\npodInjectionMethod: template\n");
        assert_eq!((off.rollout.canary, off.rollout.max_concurrent), (None, None));
        assert_eq!(off.rollout.method, Method::Template);
    }
}
