//! The layers that the configuration is made of, the lowest first: defaults, the size preset, profiles (each above those that
//! it depends on), and the ConfigMaps. A later layer's value replaces an earlier one's; mappings are merged key by key, lists
//! are replaced as a whole. Every value keeps the place where it was written, so that it can be said who has set it.

use super::profiles::{self, Profile};
use super::{KEY, OdigosConfiguration};
use collector_config::{ConfigError, Entry, Errors, Node, Value};
use std::collections::BTreeMap;

/// What holds where nobody says anything.
pub const DEFAULTS: &str = include_str!("defaults.yaml");
/// The preset of sizes where none is chosen.
const DEFAULT_SIZE: &str = "size_m";

/// The ConfigMaps that users and installers write, the lowest first.
pub const SOURCES: [&str; 3] = ["odigos-configuration", "odigos-remote-config", "odigos-local-ui-config"];

/// The ConfigMaps' documents, by name; one that is not there says nothing.
pub type Documents = BTreeMap<String, String>;

/// What the layers have come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Effective {
    /// The configuration.
    pub configuration: OdigosConfiguration,
    /// The same as a document, with every default.
    pub document: Node,
    /// Where each value comes from: the key from the root, such as `rollout.maxConcurrentRollouts`, and `default`,
    /// `profile size_m` or `odigos-configuration:12`.
    pub provenance: BTreeMap<String, String>,
    /// The profiles that are in force, dependencies first.
    pub profiles: Vec<&'static Profile>,
    /// The document of each source as it was taken.
    pub accepted: Documents,
    /// What was refused, and what users should know.
    pub findings: Vec<Finding>,
}

/// Something to tell about a source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The ConfigMap.
    pub source: String,
    /// Whether the source was refused for it; else it is only to be known.
    pub refused: bool,
    /// The line and the key, and what is wrong.
    pub message: String,
}

/// Puts the layers together. A source that is wrong in itself, or would make the whole wrong, is left out as it is written now,
/// and is taken as it was accepted last (`accepted`, as the last [`Effective::accepted`]); the others are not touched by that.
pub fn effective(written: &Documents, accepted: &Documents) -> Effective {
    let mut findings = Vec::new();
    let mut taken = Documents::new();
    for source in SOURCES {
        let Some(text) = written.get(source) else {
            continue;
        };
        taken.insert(source.to_owned(), text.clone());
        let Err(errors) = build(&taken) else {
            continue;
        };
        findings.extend(errors.iter().map(|error| finding(source, error, true)));
        taken.remove(source);
        if let Some(last) = accepted.get(source) {
            taken.insert(source.to_owned(), last.clone());
            if build(&taken).is_err() {
                taken.remove(source);
            }
        }
    }
    finish(taken, findings)
}

fn finish(mut taken: Documents, mut findings: Vec<Finding>) -> Effective {
    let built = build(&taken).or_else(|_| {
        taken.clear();
        build(&taken)
    });
    // The defaults and presets alone are right: a test reads them.
    let Built {
        configuration,
        document,
        profiles,
        warnings,
    } = built.unwrap_or_else(|errors| unreachable!("the defaults are wrong: {errors}"));
    let source_of = |error: &ConfigError| error.position.file.to_string();
    findings.extend(
        warnings
            .iter()
            .map(|warning| finding(&source_of(warning), warning, false)),
    );
    let mut provenance = BTreeMap::new();
    origins(&document, String::new(), &mut provenance);
    Effective {
        configuration,
        document,
        provenance,
        profiles,
        accepted: taken,
        findings,
    }
}

struct Built {
    configuration: OdigosConfiguration,
    document: Node,
    profiles: Vec<&'static Profile>,
    warnings: Vec<ConfigError>,
}

fn build(sources: &Documents) -> Result<Built, Errors> {
    let mut written = Vec::new();
    for source in SOURCES {
        if let Some(text) = sources.get(source) {
            written.push(without_secrets(Node::parse(text, source)?));
        }
    }
    let asked = merged(&written);
    let mut errors = Errors::default();
    let profiles = profiles::resolve(&asked, &mut errors);
    let size = size(&asked, &profiles, &mut errors);
    let mut layers = vec![Node::parse(DEFAULTS, "default")?];
    layers.extend(size.and_then(|size| size.configuration.clone()));
    // Of the presets, one counts, and it is below already.
    let others = profiles.iter().filter(|profile| !profile.is_size());
    layers.extend(others.filter_map(|profile| profile.configuration.clone()));
    layers.extend(written);
    let mut document = merged(&layers);
    let names = profiles.iter().map(|profile| profile.name.as_str());
    put(&mut document, "profiles", Node::list(names.map(Node::from)));
    let read = OdigosConfiguration::read(&document);
    let (configuration, mut warnings) = match read {
        Ok(read) => read,
        Err(more) => {
            errors.append(more);
            return Err(errors);
        }
    };
    warnings.extend(errors.take_warnings());
    errors.unless_any(Built {
        configuration,
        document,
        profiles,
        warnings,
    })
}

/// The preset by the key, else the smallest that is among the profiles, else the default.
fn size(asked: &Node, profiles: &[&'static Profile], errors: &mut Errors) -> Option<&'static Profile> {
    let by_key = get(asked, "resourceSizePreset").filter(|node| node.text().is_some_and(|text| !text.is_empty()));
    if let Some(node) = by_key {
        let name = node.text().unwrap_or_default();
        let found = profiles::find(name).filter(|profile| profile.is_size());
        if found.is_none() {
            let known = profiles::all().iter().filter(|profile| profile.is_size());
            let known: Vec<&str> = known.map(|profile| profile.name.as_str()).collect();
            let message = format!("\"{name}\" is none of {}", known.join(", "));
            errors.add("resourceSizePreset", &node.position, message);
        }
        return found;
    }
    let among = profiles.iter().filter(|profile| profile.is_size()).copied();
    among
        .min_by_key(|profile| profile.size)
        .or_else(|| profiles::find(DEFAULT_SIZE))
}

/// A secret in a ConfigMap would be copied to where more people may read. It stays where it is.
fn without_secrets(mut document: Node) -> Node {
    if let Some(Value::Map(entries)) = get_mut(&mut document, "oidc").map(|node| &mut node.value)
        && let Some(secret) = entries.iter_mut().find(|entry| entry.key == "clientSecret")
        && secret.node.text().is_some_and(|text| !text.is_empty())
    {
        secret.node.value = Value::Text("removed".to_owned());
    }
    document
}

/// One document out of several, of which the later win.
pub fn merged(layers: &[Node]) -> Node {
    let empty = Node::map([]);
    layers.iter().fold(empty, merge)
}

fn merge(below: Node, above: &Node) -> Node {
    let (Value::Map(_), Value::Map(entries)) = (&below.value, &above.value) else {
        // A key without a value says nothing.
        return if above.value == Value::Null {
            below
        } else {
            above.clone()
        };
    };
    let mut out = below;
    for entry in entries {
        match entry_mut(&mut out, &entry.key) {
            Some(known) => {
                let before = std::mem::replace(&mut known.node, Node::from(Value::Null));
                if entry.node.value != Value::Null {
                    known.position = entry.position.clone();
                }
                known.node = merge(before, &entry.node);
            }
            None => push(&mut out, entry.clone()),
        }
    }
    out
}

fn push(map: &mut Node, entry: Entry) {
    if let Value::Map(entries) = &mut map.value {
        entries.push(entry);
    }
}

fn put(map: &mut Node, key: &str, mut node: Node) {
    match get_mut(map, key) {
        Some(known) => {
            node.position = known.position.clone();
            *known = node;
        }
        None => push(
            map,
            Entry {
                key: key.to_owned(),
                position: node.position.clone(),
                node,
            },
        ),
    }
}

pub(super) fn get<'a>(map: &'a Node, key: &str) -> Option<&'a Node> {
    match &map.value {
        Value::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node),
        _ => None,
    }
}

fn get_mut<'a>(map: &'a mut Node, key: &str) -> Option<&'a mut Node> {
    entry_mut(map, key).map(|entry| &mut entry.node)
}

fn entry_mut<'a>(map: &'a mut Node, key: &str) -> Option<&'a mut Entry> {
    match &mut map.value {
        Value::Map(entries) => entries.iter_mut().find(|entry| entry.key == key),
        _ => None,
    }
}

/// Where each value was written; lists are values as a whole.
fn origins(node: &Node, path: String, out: &mut BTreeMap<String, String>) {
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => {
            for entry in entries {
                let separator = if path.is_empty() { "" } else { "." };
                origins(&entry.node, format!("{path}{separator}{}", entry.key), out);
            }
        }
        _ => {
            let position = &node.position;
            let is_users = SOURCES.contains(&&*position.file);
            let origin = match (position.file.is_empty(), is_users) {
                (true, _) => "default".to_owned(),
                (false, true) => format!("{}:{}", position.file, position.line),
                (false, false) => position.file.to_string(),
            };
            out.insert(path, origin);
        }
    }
}

fn finding(source: &str, error: &ConfigError, refused: bool) -> Finding {
    let key = error.path.replace("::", ".");
    // What is wrong together with a preset's value may be written there.
    let line = match error.position.line {
        line if line > 0 && &*error.position.file == source => format!(" line {line}"),
        _ => String::new(),
    };
    let key = if key.is_empty() {
        String::new()
    } else {
        format!("{key}: ")
    };
    Finding {
        source: source.to_owned(),
        refused,
        message: format!("ConfigMap {source}, {KEY}{line}: {key}{}", error.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(texts: &[(&str, &str)]) -> Documents {
        let texts = texts.iter();
        texts
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect()
    }

    fn of(texts: &[(&str, &str)]) -> Effective {
        effective(&documents(texts), &Documents::new())
    }

    #[test]
    fn with_no_source_all_is_default_and_medium() {
        let effective = of(&[]);
        let gateway = &effective.configuration.collector_gateway;
        assert_eq!(gateway.replicas, (2, 8));
        assert_eq!(
            (
                gateway.resources.limit_memory_mib,
                gateway.memory.hard,
                gateway.memory.spike
            ),
            (600, 550, 110)
        );
        assert_eq!(effective.configuration.collector_node.memory.hard, 450);
        assert!(
            effective
                .configuration
                .ignores_namespace("kube-system", "odigos-system")
        );
        assert!(
            effective
                .configuration
                .ignores_namespace("odigos-system", "odigos-system")
        );
        assert_eq!(effective.provenance["rollbackGraceTime"], "default");
        assert_eq!(effective.provenance["collectorGateway.maxReplicas"], "profile size_m");
        assert_eq!(effective.findings, []);
    }

    #[test]
    fn later_sources_win_key_by_key_and_each_key_knows_its_source() {
        let effective = of(&[
            (
                "odigos-configuration",
                "clusterName: a\nrollout:\n  maxConcurrentRollouts: 3\nresourceSizePreset: size_s\n",
            ),
            (
                "odigos-local-ui-config",
                "rollout:\n  automaticRolloutDisabled: true\nclusterName: b\n",
            ),
        ]);
        let rollout = &effective.configuration.rollout;
        assert_eq!(
            (rollout.automatic_rollout_disabled, rollout.max_concurrent_rollouts),
            (true, Some(3))
        );
        assert_eq!(effective.configuration.cluster_name, "b");
        assert_eq!(effective.configuration.collector_gateway.replicas, (1, 5));
        assert_eq!(effective.provenance["clusterName"], "odigos-local-ui-config:3");
        assert_eq!(
            effective.provenance["rollout.maxConcurrentRollouts"],
            "odigos-configuration:3"
        );
    }

    #[test]
    fn a_bad_source_keeps_its_last_good_document_and_says_all_that_is_wrong() {
        let good = of(&[("odigos-configuration", "clusterName: good\n")]);
        let bad = documents(&[
            (
                "odigos-configuration",
                "clusterName: bad\nuiMod: x\nmountMethod: nail\ncollectorGateway: { minReplicas: 0 }\n",
            ),
            ("odigos-remote-config", "clusterName: remote\n"),
        ]);
        let effective = super::effective(&bad, &good.accepted);
        assert_eq!(effective.configuration.cluster_name, "remote");
        assert_eq!(effective.accepted["odigos-configuration"], "clusterName: good\n");
        let messages: Vec<&str> = effective.findings.iter().map(|it| it.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "ConfigMap odigos-configuration, config.yaml line 2: uiMod: unknown key; did you mean \"uiMode\"?",
                "ConfigMap odigos-configuration, config.yaml line 3: mountMethod: \"nail\" is none of k8s-virtual-device, \
                 k8s-host-path, k8s-init-container, virtual-device, host-path, init-container",
                "ConfigMap odigos-configuration, config.yaml line 4: collectorGateway.minReplicas: must be between 1 and \
                 1000, found 0",
            ]
        );
        assert!(effective.findings.iter().all(|it| it.refused));
    }

    #[test]
    fn a_document_that_is_no_yaml_is_refused_with_its_line() {
        let effective = of(&[("odigos-remote-config", "a: [\n")]);
        assert!(
            effective.findings[0]
                .message
                .starts_with("ConfigMap odigos-remote-config, config.yaml line ")
        );
        assert_eq!(effective.configuration, of(&[]).configuration);
    }

    #[test]
    fn the_effective_document_reads_as_the_same_configuration() {
        let effective = of(&[(
            "odigos-configuration",
            "profiles: [size_l, semconv, allow_concurrent_agents]\n",
        )]);
        assert!(effective.configuration.allow_concurrent_agents);
        let again = OdigosConfiguration::parse(&effective.document.to_yaml()).unwrap();
        assert_eq!(again, effective.configuration);
    }

    #[test]
    fn a_profile_brings_what_it_depends_on_and_yields_to_what_is_written() {
        let effective = of(&[(
            "odigos-configuration",
            "profiles: [kratos]\nallowConcurrentAgents: false\n",
        )]);
        let names = &effective.configuration.profiles;
        let place = |name: &str| names.iter().position(|it| it == name);
        assert!(place("semconv") < place("kratos") && place("semconv").is_some());
        assert!(!effective.configuration.allow_concurrent_agents);
        assert_eq!(
            effective.provenance["mountMethod"],
            "profile mount-method-k8s-host-path"
        );
    }

    #[test]
    fn a_secret_goes_no_further() {
        let effective = of(&[(
            "odigos-configuration",
            "oidc:\n  tenantUrl: u\n  clientId: c\n  clientSecret: hush\n",
        )]);
        assert!(!effective.document.to_yaml().contains("hush"));
        assert!(effective.findings[0].message.contains("Secret odigos-oidc"));
    }

    /// What a source may say over time: nothing, something right, something wrong.
    const SAYINGS: [Option<&str>; 4] = [
        None,
        Some("clusterName: a\n"),
        Some("clusterName: b\nprofiles: [kratos]\n"),
        Some("clusterNam: c\n"),
    ];

    proptest::proptest! {
        #[test]
        fn any_order_of_changes_ends_in_the_same_configuration(
            changes in proptest::collection::vec((0..3_usize, 0..4_usize), 0..12),
            last in proptest::array::uniform3(0..3_usize),
        ) {
            let say = |documents: &mut Documents, source: usize, saying: usize| {
                match SAYINGS[saying] {
                    Some(text) => documents.insert(SOURCES[source].to_owned(), text.to_owned()),
                    None => documents.remove(SOURCES[source]),
                };
            };
            let (mut written, mut accepted) = (Documents::new(), Documents::new());
            for (source, saying) in changes {
                say(&mut written, source, saying);
                let effective = super::effective(&written, &accepted);
                for source in SOURCES {
                    proptest::prop_assert_eq!(
                        effective.findings.iter().any(|it| it.source == source && it.refused),
                        written.get(source).map(String::as_str) == SAYINGS[3]
                    );
                }
                accepted = effective.accepted;
            }
            (0..3).for_each(|source| say(&mut written, source, last[source]));
            proptest::prop_assert_eq!(
                super::effective(&written, &accepted),
                super::effective(&written, &Documents::new())
            );
        }
    }
}
