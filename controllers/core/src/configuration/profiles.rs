//! Profiles: named presets, a file each in `profiles/`. A profile says configuration, which is a layer, or objects, which the
//! scheduler applies, or other profiles that it needs.

use super::layers::get;
use collector_config::{Errors, Node, Value};
use std::sync::LazyLock;

/// The files, by name.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/profiles.rs"));

/// A named preset.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// What it does, for people.
    pub description: String,
    /// For a preset of sizes, how large; among several, the smallest counts.
    pub size: Option<i64>,
    /// The profiles that come with it, below it.
    pub dependencies: Vec<String>,
    /// What it says of the configuration.
    pub configuration: Option<Node>,
    /// Manifests without name and namespace: `kind` and `spec`.
    pub objects: Vec<Node>,
    /// Why it has no effect here, if it has none.
    pub unavailable: Option<String>,
}

static ALL: LazyLock<Vec<Profile>> = LazyLock::new(|| {
    let files = FILES.iter();
    files
        .filter_map(|(name, text)| Profile::parse(name, text).ok())
        .collect()
});

/// All profiles, by name.
pub fn all() -> &'static [Profile] {
    &ALL
}

/// One of them.
pub fn find(name: &str) -> Option<&'static Profile> {
    all().iter().find(|profile| profile.name == name)
}

impl Profile {
    fn parse(name: &str, text: &str) -> Result<Self, Errors> {
        let root = Node::parse(text, &format!("profile {name}"))?;
        let word = |key| get(&root, key).and_then(Node::text).map(str::to_owned);
        let list = |key| match get(&root, key).map(|node| &node.value) {
            Some(Value::List(nodes)) => nodes.clone(),
            _ => Vec::new(),
        };
        let size = match get(&root, "size").map(|node| &node.value) {
            Some(Value::Int(size)) => Some(*size),
            _ => None,
        };
        Ok(Self {
            name: name.to_owned(),
            description: word("description").unwrap_or_default(),
            size,
            dependencies: list("dependencies")
                .iter()
                .filter_map(|node| node.text().map(str::to_owned))
                .collect(),
            configuration: get(&root, "configuration").cloned(),
            objects: list("objects"),
            unavailable: word("unavailable"),
        })
    }

    /// Whether it is a preset of sizes.
    pub fn is_size(&self) -> bool {
        self.size.is_some()
    }
}

/// The profiles that a document asks for, each after those that it needs. One that does not exist is an error, one that has no
/// effect is to be known.
pub(super) fn resolve(asked: &Node, errors: &mut Errors) -> Vec<&'static Profile> {
    let mut found = Vec::new();
    let Some(Value::List(names)) = get(asked, "profiles").map(|node| &node.value) else {
        return found;
    };
    for node in names {
        // What is no text at all is refused where the list is read.
        let Some(name) = node.text() else { continue };
        let Some(profile) = find(name) else {
            let known = all().iter().map(|profile| profile.name.as_str());
            let hint = collector_config::closest(name, known);
            let hint = hint.map_or_else(String::new, |word| format!("; did you mean \"{word}\"?"));
            errors.add(
                "profiles",
                &node.position,
                format!("there is no profile \"{name}\"{hint}"),
            );
            continue;
        };
        add(profile, &mut found);
        if let Some(why) = &profile.unavailable {
            errors.warn("profiles", &node.position, format!("\"{name}\" has no effect: {why}"));
        }
    }
    found
}

fn add(profile: &'static Profile, found: &mut Vec<&'static Profile>) {
    if found.iter().any(|known| known.name == profile.name) {
        return;
    }
    for name in &profile.dependencies {
        if let Some(needed) = find(name) {
            add(needed, found);
        }
    }
    found.push(profile);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::OdigosConfiguration;
    use crate::configuration::layers::{DEFAULTS, merged};

    #[test]
    fn every_file_is_a_profile_that_does_something_or_says_why_not() {
        assert_eq!(all().len(), FILES.len());
        for profile in all() {
            let does =
                profile.configuration.is_some() || !profile.objects.is_empty() || !profile.dependencies.is_empty();
            assert!(does != profile.unavailable.is_some(), "{}", profile.name);
            assert!(!profile.description.is_empty(), "{}", profile.name);
        }
    }

    #[test]
    fn dependencies_exist_and_go_in_no_circle() {
        fn depth(profile: &Profile, left: u32) {
            assert!(left > 0, "{} depends on itself", profile.name);
            for name in &profile.dependencies {
                depth(find(name).unwrap_or_else(|| panic!("{name} is no profile")), left - 1);
            }
        }
        all().iter().for_each(|profile| depth(profile, 8));
    }

    #[test]
    fn what_a_profile_says_is_valid() {
        let defaults = Node::parse(DEFAULTS, "").unwrap();
        for profile in all() {
            let layer = profile.configuration.clone().into_iter();
            let layers: Vec<Node> = [defaults.clone()].into_iter().chain(layer).collect();
            OdigosConfiguration::read(&merged(&layers)).unwrap_or_else(|errors| panic!("{}: {errors}", profile.name));
        }
    }
}
