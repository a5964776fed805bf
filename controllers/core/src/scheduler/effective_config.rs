//! The ConfigMap `effective-config`: what is in force, where each value comes from, what was refused, and the documents that
//! were accepted last, so that a scheduler that starts anew still knows them.

use crate::configuration::layers::{Documents, Effective, Finding, SOURCES};
use crate::configuration::{EFFECTIVE, KEY};
use collector_config::Node;
use controllers_api::labels::SYSTEM_OBJECT;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use std::collections::BTreeMap;

/// Where each value comes from: a mapping of keys to `default`, a profile, or a ConfigMap and its line.
pub const PROVENANCE: &str = "provenance.yaml";
/// How each source fares.
pub const SOURCES_KEY: &str = "sources.yaml";
/// Before the name of a source: its document as it was accepted last.
const ACCEPTED: &str = "accepted.";

/// The object. `written` are the sources as they are.
pub fn effective_config(
    namespace: &str,
    owner: Option<OwnerReference>,
    written: &Documents,
    effective: &Effective,
) -> ConfigMap {
    let mut data = BTreeMap::from([
        (KEY.to_owned(), effective.document.to_yaml()),
        (PROVENANCE.to_owned(), provenance(effective)),
        (SOURCES_KEY.to_owned(), sources(written, effective)),
    ]);
    for (source, document) in &effective.accepted {
        data.insert(format!("{ACCEPTED}{source}"), document.clone());
    }
    let mut map = ConfigMap {
        data: Some(data),
        ..ConfigMap::default()
    };
    map.metadata.name = Some(EFFECTIVE.to_owned());
    map.metadata.namespace = Some(namespace.to_owned());
    map.metadata.labels = Some([(SYSTEM_OBJECT.to_owned(), "true".to_owned())].into());
    map.metadata.owner_references = owner.map(|owner| vec![owner]);
    map
}

/// The documents that were accepted last, of the object as it is.
pub fn accepted(map: &ConfigMap) -> Documents {
    let data = map.data.iter().flatten();
    data.filter_map(|(key, text)| Some((key.strip_prefix(ACCEPTED)?.to_owned(), text.clone())))
        .collect()
}

/// The document of a source.
pub fn document(map: &ConfigMap) -> Option<&String> {
    map.data.as_ref()?.get(KEY)
}

fn provenance(effective: &Effective) -> String {
    let keys = effective.provenance.iter();
    Node::map(keys.map(|(key, origin)| (key.as_str(), origin.as_str().into()))).to_yaml()
}

fn sources(written: &Documents, effective: &Effective) -> String {
    let sources = SOURCES.map(|source| {
        let findings: Vec<&Finding> = effective.findings.iter().filter(|it| it.source == source).collect();
        let refused = findings.iter().any(|it| it.refused);
        let state = match (
            written.contains_key(source),
            refused,
            effective.accepted.contains_key(source),
        ) {
            (false, _, _) => "Absent",
            (true, false, _) => "Accepted",
            (true, true, true) => "LastGood",
            (true, true, false) => "Refused",
        };
        let messages = findings.iter().map(|it| it.message.as_str().into());
        let about = Node::map([("state", state.into()), ("messages", Node::list(messages))]);
        (source, about)
    });
    Node::map(sources).to_yaml()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::layers::effective;

    #[test]
    fn what_was_accepted_is_known_again_from_the_object_itself() {
        let written = Documents::from([("odigos-configuration".to_owned(), "clusterName: a\n".to_owned())]);
        let first = effective(&written, &Documents::new());
        let map = effective_config("ns", None, &written, &first);
        let bad = Documents::from([("odigos-configuration".to_owned(), "clusterNam: b\n".to_owned())]);
        let second = effective(&bad, &accepted(&map));
        assert_eq!(second.configuration, first.configuration);
        let map = effective_config("ns", None, &bad, &second);
        assert_eq!(accepted(&map), first.accepted);
        let sources = &map.data.as_ref().unwrap()[SOURCES_KEY];
        assert!(
            sources.contains("LastGood") && sources.contains("did you mean"),
            "{sources}"
        );
    }
}
