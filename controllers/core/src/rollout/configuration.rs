//! The product's configuration, as far as it is about pods.

use super::{Canary, Method, Settings};
use crate::injection::{self, Mount};
use collector_config::{Errors, Node, Section};
use std::collections::BTreeMap;

/// What pods get, and how they get it.
#[derive(Clone, Debug, PartialEq)]
pub struct Configuration {
    /// What they get.
    pub injection: injection::Settings,
    /// How.
    pub rollout: Settings,
}

impl Configuration {
    /// Reads what the scheduler has put together (`config.yaml` of the ConfigMap `effective-config`); other keys are others'
    /// affair. `namespace` is the product's, `version` that of the image with the agents.
    pub fn read(effective: &str, namespace: &str, version: &str) -> Result<Self, Errors> {
        let node = Node::parse(effective, "effective-config")?;
        let mut errors = Errors::default();
        let mut section = Section::open("", &node, &mut errors);
        let configuration = Self {
            injection: injection::Settings {
                mount: mount(&mut section, version),
                endpoint: injection::endpoint(namespace),
                environment: section.section("userInstrumentationEnvs", environment),
            },
            rollout: rollout(&mut section),
        };
        errors.unless_any(configuration)
    }
}

fn mount(section: &mut Section<'_, '_>, version: &str) -> Mount {
    let prefix = section.text("imagePrefix").unwrap_or_default().trim_end_matches('/');
    let separator = if prefix.is_empty() { "" } else { "/" };
    match section.text("mountMethod").unwrap_or("k8s-virtual-device") {
        "k8s-virtual-device" => Mount::VirtualDevice,
        "k8s-host-path" => Mount::HostPath,
        "k8s-init-container" => Mount::InitContainer {
            image: format!("{prefix}{separator}odigos-agents:{version}"),
        },
        other => {
            let message = format!("\"{other}\" is none of k8s-virtual-device, k8s-host-path, k8s-init-container");
            section.error("mountMethod", message);
            Mount::VirtualDevice
        }
    }
}

/// By the language's name, the variables that are switched on.
fn environment(section: &mut Section<'_, '_>) -> BTreeMap<String, BTreeMap<String, String>> {
    let languages = section.named_sections("languages", |name, section| {
        let variables = section.texts("env").into_iter();
        let variables = variables
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        (name.to_owned(), section.flag("enabled", false), variables)
    });
    let enabled = languages.into_iter().filter(|(_, enabled, _)| *enabled);
    enabled.map(|(name, _, variables)| (name, variables)).collect()
}

fn rollout(section: &mut Section<'_, '_>) -> Settings {
    let default = Settings::default();
    let methods = [("webhook", Method::Webhook), ("template", Method::Template)];
    let settings = Settings {
        rollback: !section.flag("rollbackDisabled", false),
        grace: section.duration("rollbackGraceTime", default.grace),
        window: section.duration("rollbackStabilityWindow", default.window),
        method: section.choice("podInjectionMethod", &methods).unwrap_or_default(),
        ..default
    };
    section.section("rollout", |section| rolling(section, settings))
}

fn rolling(section: &mut Section<'_, '_>, settings: Settings) -> Settings {
    let canary = Canary::default();
    let most = section.optional_count("maxConcurrentRollouts").filter(|most| *most > 0);
    let canary = Canary {
        stable: section.duration("canaryStabilityTime", canary.stable),
        overhead: section.number_in("canaryOverheadPercent", 0.0..=1000.0, canary.overhead * 100.0) / 100.0,
    };
    Settings {
        automatic: !section.flag("automaticRolloutDisabled", false),
        max_concurrent: most.map(|most| usize::try_from(most).unwrap_or(usize::MAX)),
        canary: (!section.flag("canaryDisabled", false)).then_some(canary),
        ..settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_is_about_pods_is_read_and_the_rest_is_left_alone() {
        let text = "ignoredNamespaces: [a]\nmountMethod: k8s-init-container\nimagePrefix: registry.example/odigos/\n\
                    rollbackGraceTime: 90s\nrollout: {maxConcurrentRollouts: 3, canaryStabilityTime: 1m, canaryOverheadPercent: 5}\n\
                    userInstrumentationEnvs: {languages: {java: {enabled: true, env: {A: b}}, go: {env: {C: d}}}}\n";
        let read = Configuration::read(text, "odigos-system", "1.0.0").unwrap();
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
    fn nothing_written_means_the_defaults_and_nonsense_is_named() {
        let read = Configuration::read("{}", "o", "1").unwrap();
        assert_eq!(
            (read.injection.mount, read.rollout),
            (Mount::VirtualDevice, Settings::default())
        );
        let off = Configuration::read("rollout: {canaryDisabled: true, maxConcurrentRollouts: 0}", "o", "1").unwrap();
        assert_eq!((off.rollout.canary, off.rollout.max_concurrent), (None, None));
        let errors = Configuration::read("mountMethod: nail\npodInjectionMethod: magic", "o", "1")
            .unwrap_err()
            .to_string();
        assert!(
            errors.contains("mountMethod") && errors.contains("podInjectionMethod"),
            "{errors}"
        );
    }
}
