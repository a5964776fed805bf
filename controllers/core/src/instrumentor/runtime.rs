//! What runs in a container, out of what the nodes have seen, what a user says, and both where they complete each other.

use crate::distributions;
use controllers_api::workload::{ProgrammingLanguage, RuntimeDetails};
use std::collections::BTreeSet;

/// What runs in a container.
#[derive(Debug, Clone, PartialEq)]
pub enum Runtime {
    /// One language, or one was said or could be chosen.
    Known {
        /// What is known of its processes.
        details: Box<RuntimeDetails>,
        /// The languages that were seen beside the chosen one.
        beside: Vec<ProgrammingLanguage>,
    },
    /// Several languages, none of which is more likely than the others.
    Several(Vec<ProgrammingLanguage>),
    /// Nothing was seen yet.
    Unseen,
}

/// Decides what runs in a container.
///
/// `seen` has an entry for each kind of process that a node has found in it. `said` is a user's override, which wins; what
/// it leaves out (environment of the image, C library, the version if the language is the same) is taken from what was
/// seen.
pub fn runtime(seen: &[&RuntimeDetails], said: Option<&RuntimeDetails>) -> Runtime {
    if let Some(said) = said {
        return Runtime::Known {
            details: Box::new(complete(said, seen)),
            beside: Vec::new(),
        };
    }
    let languages: BTreeSet<_> = seen.iter().map(|details| details.language).collect();
    let chosen = match languages.iter().copied().collect::<Vec<_>>().as_slice() {
        [] => return Runtime::Unseen,
        [only] => *only,
        several => match likely(several).as_slice() {
            [one] => *one,
            _ => return Runtime::Several(several.to_vec()),
        },
    };
    // Several processes of one language: the first by version, so that the order of reports does not matter.
    let mut of_language: Vec<_> = seen.iter().filter(|details| details.language == chosen).collect();
    of_language.sort_by(|a, b| a.runtime_version.cmp(&b.runtime_version));
    match of_language.first() {
        Some(details) => Runtime::Known {
            details: Box::new(with_all_agents(details, seen)),
            beside: languages.into_iter().filter(|language| *language != chosen).collect(),
        },
        None => Runtime::Unseen,
    }
}

/// The languages that an agent could be meant for: without what is not recognised, a shell beside a program for instance,
/// and without servers in front of one, unless nothing else is there.
fn likely(languages: &[ProgrammingLanguage]) -> Vec<ProgrammingLanguage> {
    let recognised = languages
        .iter()
        .copied()
        .filter(|language| !matches!(language, ProgrammingLanguage::Unknown | ProgrammingLanguage::Ignored));
    let recognised: Vec<_> = recognised.collect();
    let with_agent = |language: &ProgrammingLanguage| {
        let default = distributions::default_for(*language);
        default.is_some_and(|distribution| distribution.language == *language)
    };
    let supported: Vec<_> = recognised.iter().copied().filter(with_agent).collect();
    if supported.is_empty() { recognised } else { supported }
}

fn complete(said: &RuntimeDetails, seen: &[&RuntimeDetails]) -> RuntimeDetails {
    let mut details = said.clone();
    let same = seen.iter().find(|seen| seen.language == said.language);
    let Some(seen) = same.or(seen.first()) else {
        return details;
    };
    if details.env_from_container_runtime.is_empty() {
        details.env_from_container_runtime = seen.env_from_container_runtime.clone();
        details.cri_error_message = details.cri_error_message.or_else(|| seen.cri_error_message.clone());
    }
    details.lib_c_type = details.lib_c_type.or(seen.lib_c_type);
    details.secure_execution_mode = details.secure_execution_mode.or(seen.secure_execution_mode);
    if seen.language == said.language && details.runtime_version.is_none() {
        details.runtime_version = seen.runtime_version.clone();
    }
    if details.other_agents.is_empty() {
        details.other_agents = seen.other_agents.clone();
    }
    details
}

/// The agents of other vendors may be in any process of the container, and ours would be in all.
fn with_all_agents(details: &RuntimeDetails, seen: &[&RuntimeDetails]) -> RuntimeDetails {
    let mut details = details.clone();
    let mut agents: Vec<_> = seen.iter().flat_map(|seen| seen.other_agents.clone()).collect();
    agents.sort_by(|a, b| a.name.cmp(&b.name));
    agents.dedup();
    details.other_agents = agents;
    details
}

/// A language as the API writes it.
pub fn name(language: ProgrammingLanguage) -> String {
    let value = serde_json::to_value(language).ok();
    value
        .and_then(|value| Some(value.as_str()?.to_owned()))
        .unwrap_or_default()
}

/// Languages as the API writes them, with commas.
pub fn names(languages: &[ProgrammingLanguage]) -> String {
    languages
        .iter()
        .map(|language| name(*language))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use controllers_api::workload::{EnvVar, LibC, OtherAgent};

    fn details(language: ProgrammingLanguage) -> RuntimeDetails {
        RuntimeDetails {
            container_name: "app".to_owned(),
            cri_error_message: None,
            env_from_container_runtime: Vec::new(),
            env_vars: Vec::new(),
            language,
            lib_c_type: None,
            other_agents: Vec::new(),
            runtime_version: None,
            secure_execution_mode: None,
        }
    }

    fn chosen(languages: &[ProgrammingLanguage]) -> Result<(ProgrammingLanguage, usize), usize> {
        let seen: Vec<_> = languages.iter().map(|language| details(*language)).collect();
        match runtime(&seen.iter().collect::<Vec<_>>(), None) {
            Runtime::Known { details, beside } => Ok((details.language, beside.len())),
            Runtime::Several(languages) => Err(languages.len()),
            Runtime::Unseen => Err(0),
        }
    }

    #[test]
    fn of_several_languages_the_one_that_an_agent_is_for_is_chosen() {
        use ProgrammingLanguage::{CPlusPlus, Java, Nginx, Python, Redis, Unknown};
        assert_eq!(chosen(&[]), Err(0));
        assert_eq!(chosen(&[Java]), Ok((Java, 0)));
        assert_eq!(chosen(&[Unknown]), Ok((Unknown, 0)));
        assert_eq!(chosen(&[Java, Java]), Ok((Java, 0)));
        assert_eq!(chosen(&[Nginx, Python]), Ok((Python, 1)));
        assert_eq!(chosen(&[Unknown, Python, CPlusPlus]), Ok((Python, 2)));
        assert_eq!(chosen(&[Unknown, CPlusPlus]), Ok((CPlusPlus, 1)));
        assert_eq!(chosen(&[Python, Java]), Err(2));
        assert_eq!(chosen(&[Nginx, Redis]), Err(2));
    }

    #[test]
    fn what_a_user_says_wins_and_is_completed_by_what_was_seen() {
        let mut seen = details(ProgrammingLanguage::Java);
        seen.runtime_version = Some("17".to_owned());
        seen.lib_c_type = Some(LibC::Musl);
        seen.env_from_container_runtime = vec![EnvVar::default()];
        let said = details(ProgrammingLanguage::Python);
        let Runtime::Known { details, .. } = runtime(&[&seen], Some(&said)) else {
            panic!();
        };
        assert_eq!(
            (details.language, details.lib_c_type),
            (ProgrammingLanguage::Python, Some(LibC::Musl))
        );
        assert_eq!(
            (details.runtime_version, details.env_from_container_runtime.len()),
            (None, 1)
        );
        let said = super::tests::details(ProgrammingLanguage::Java);
        let Runtime::Known { details, .. } = runtime(&[&seen], Some(&said)) else {
            panic!();
        };
        assert_eq!(details.runtime_version.as_deref(), Some("17"));
    }

    #[test]
    fn an_agent_in_any_process_of_the_container_counts() {
        let mut other = details(ProgrammingLanguage::Unknown);
        other.other_agents = vec![OtherAgent {
            name: Some("Datadog".to_owned()),
        }];
        let seen = details(ProgrammingLanguage::Java);
        let Runtime::Known { details, .. } = runtime(&[&seen, &other], None) else {
            panic!();
        };
        assert_eq!(details.other_agents.len(), 1);
    }
}
