//! Distributions of agents: what each is for, and what a pod must have so that it runs.
//!
//! Each is a file in `controllers/core/distributions/`, read into a [`Distribution`]; adding one is adding a file. Which one
//! a container gets is decided by [`crate::instrumentor`], what that changes in a pod by whoever injects it.

mod definition;
mod version;

pub use definition::{Distribution, Kind, Merge, Parameter, Variable};
pub use version::{Range, Version};

use collector_config::Errors;
use controllers_api::workload::ProgrammingLanguage;
use std::sync::LazyLock;

/// Where the agents' files are, on the node and in the pod.
pub const AGENTS: &str = "/var/odigos";

/// Name and text of each file.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/distributions.rs"));

/// All distributions, by name, or what is wrong with a file.
static DISTRIBUTIONS: LazyLock<Vec<(&str, Result<Distribution, Errors>)>> = LazyLock::new(|| {
    FILES
        .iter()
        .map(|(name, text)| (*name, Distribution::parse(text, &format!("{name}.yaml"))))
        .collect()
});

/// The distributions in the order of their names. A test reads all of them, so that none is broken in a release.
pub fn all() -> impl Iterator<Item = &'static Distribution> {
    DISTRIBUTIONS.iter().filter_map(|(_, read)| read.as_ref().ok())
}

/// The files that cannot be read, and why.
pub fn broken() -> impl Iterator<Item = (&'static str, &'static Errors)> {
    let broken = DISTRIBUTIONS.iter();
    broken.filter_map(|(name, read)| read.as_ref().err().map(|errors| (*name, errors)))
}

/// The distribution of a name.
pub fn find(name: &str) -> Option<&'static Distribution> {
    all().find(|distribution| distribution.name == name)
}

/// The distribution that containers of a language get if nobody says otherwise.
pub fn default_for(language: ProgrammingLanguage) -> Option<&'static Distribution> {
    all().find(|distribution| distribution.default_for.contains(&language))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn every_file_is_read_and_is_named_as_its_distribution() {
        let broken: Vec<_> = broken().map(|(name, errors)| format!("{name}: {errors}")).collect();
        assert_eq!(broken, Vec::<String>::new());
        let names: Vec<_> = all().map(|distribution| distribution.name.as_str()).collect();
        let files: Vec<_> = FILES.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, files);
    }

    #[test]
    fn a_language_has_one_default_and_every_fallback_exists_for_the_same_language() {
        let mut seen = BTreeMap::new();
        for distribution in all() {
            for language in &distribution.default_for {
                assert_eq!(seen.insert(*language, &distribution.name), None, "{language:?}");
            }
            if let Some(fallback) = &distribution.fallback {
                let fallback = find(fallback).unwrap();
                assert_eq!(fallback.language, distribution.language);
                assert_eq!(
                    fallback.fallback, None,
                    "a chain of fallbacks could go round in a circle"
                );
            }
        }
        assert!(seen.contains_key(&ProgrammingLanguage::Java) && seen.contains_key(&ProgrammingLanguage::Rust));
    }

    #[test]
    fn what_is_injected_needs_a_restart_and_what_runs_in_the_kernel_changes_no_pod() {
        for distribution in all() {
            let injects = distribution.device.is_some() || !distribution.environment.is_empty();
            assert_eq!(injects, distribution.kind == Kind::Native, "{}", distribution.name);
            assert_eq!(injects, distribution.restart, "{}", distribution.name);
            assert!(!distribution.sources.is_empty() && !distribution.signals.is_empty());
        }
    }

    #[test]
    fn every_placeholder_is_a_parameter_that_the_distribution_asks_for() {
        for distribution in all() {
            let parameters = distribution.parameters.iter();
            let parameters = parameters.map(|parameter| (parameter.as_str().to_owned(), "x".to_owned()));
            let parameters: BTreeMap<_, _> = parameters.collect();
            for variable in &distribution.environment {
                let value = variable.value(&parameters);
                assert!(!value.contains("{{"), "{}: {value}", distribution.name);
                assert_eq!(variable.value.contains("{{agents}}"), value.contains(AGENTS));
            }
        }
    }
}
