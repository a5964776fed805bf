//! What the apiserver is told to ask: the webhook configurations, which the instrumentor applies itself.
//!
//! Nothing here may block a cluster: every webhook that does not answer is ignored, none is asked for longer than some seconds,
//! and the configurations belong to an object that goes away with the product. Objects of ours that slip in meanwhile are
//! met by the reconcilers, which do not act on what is wrong.

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhook, MutatingWebhookConfiguration, RuleWithOperations, ServiceReference, ValidatingWebhook,
    ValidatingWebhookConfiguration, WebhookClientConfig,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    LabelSelector, LabelSelectorRequirement, ObjectMeta, OwnerReference,
};
use std::collections::{BTreeMap, BTreeSet};

/// Name of both configurations.
pub const NAME: &str = "odigos-instrumentor";
/// Where new Sources get their labels.
pub const MUTATE_SOURCES: &str = "/mutate/sources";
/// Where pods get their agents.
pub const MUTATE_PODS: &str = "/mutate/pods";
/// The kinds that are judged: plural and path.
pub const VALIDATED: [(&str, &str); 4] = [
    ("sources", "/validate/sources"),
    ("actions", "/validate/actions"),
    ("instrumentationrules", "/validate/instrumentationrules"),
    ("destinations", "/validate/destinations"),
];

/// On objects that the pod webhook must not be asked about.
const SYSTEM: &str = controllers_api::labels::SYSTEM_OBJECT;
/// The label that every namespace has with its own name.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// How the apiserver reaches us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// Through a Service, as in a cluster.
    Service {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its port.
        port: u16,
    },
    /// At `https://host:port`, for an instrumentor outside of the cluster.
    Url(String),
}

/// What decides about the configurations.
#[derive(Clone, Debug)]
pub struct Registration<'a> {
    /// How the apiserver reaches us.
    pub address: &'a Address,
    /// The certificates of the authorities that may have signed ours, as PEM.
    pub bundle: &'a str,
    /// What the configurations vanish with.
    pub owner: Option<&'a OwnerReference>,
    /// The namespaces with instrumented workloads: the pods of no others are asked about.
    pub namespaces: &'a BTreeSet<String>,
}

impl Address {
    /// The names and addresses that a certificate must be for.
    pub fn subjects(&self) -> Vec<String> {
        match self {
            Address::Service { namespace, name, .. } => vec![
                format!("{name}.{namespace}.svc"),
                format!("{name}.{namespace}.svc.cluster.local"),
            ],
            Address::Url(url) => {
                let authority = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
                let authority = authority.split('/').next().unwrap_or_default();
                let host = match authority.rsplit_once(':') {
                    Some((host, port)) if port.bytes().all(|c| c.is_ascii_digit()) => host,
                    _ => authority,
                };
                vec![host.trim_start_matches('[').trim_end_matches(']').to_owned()]
            }
        }
    }

    fn client(&self, path: &str, bundle: &str) -> WebhookClientConfig {
        let ca_bundle = Some(ByteString(bundle.as_bytes().to_vec()));
        match self {
            Address::Service { namespace, name, port } => WebhookClientConfig {
                ca_bundle,
                service: Some(ServiceReference {
                    name: name.clone(),
                    namespace: namespace.clone(),
                    path: Some(path.to_owned()),
                    port: Some(i32::from(*port)),
                }),
                url: None,
            },
            Address::Url(base) => WebhookClientConfig {
                ca_bundle,
                service: None,
                url: Some(format!("{}{path}", base.trim_end_matches('/'))),
            },
        }
    }
}

/// The configuration that asks about changes to objects. The webhook of pods is left out where no namespace is instrumented,
/// so that it costs nothing before there is a Source.
pub fn mutating(registration: &Registration<'_>) -> MutatingWebhookConfiguration {
    let mut webhooks = vec![MutatingWebhook {
        name: "sources.mutate.odigos.io".to_owned(),
        client_config: registration.address.client(MUTATE_SOURCES, registration.bundle),
        rules: Some(vec![rule("odigos.io", "v1alpha1", "sources", &["CREATE", "UPDATE"])]),
        failure_policy: Some("Ignore".to_owned()),
        match_policy: Some("Equivalent".to_owned()),
        side_effects: "None".to_owned(),
        timeout_seconds: Some(5),
        admission_review_versions: vec!["v1".to_owned()],
        // A later webhook may change the workload, so ours is asked again.
        reinvocation_policy: Some("IfNeeded".to_owned()),
        namespace_selector: Some(LabelSelector::default()),
        object_selector: Some(LabelSelector::default()),
        match_conditions: None,
    }];
    if !registration.namespaces.is_empty() {
        webhooks.push(pods(registration));
    }
    MutatingWebhookConfiguration {
        metadata: metadata(registration.owner),
        webhooks: Some(webhooks),
    }
}

fn pods(registration: &Registration<'_>) -> MutatingWebhook {
    MutatingWebhook {
        name: "pods.mutate.odigos.io".to_owned(),
        client_config: registration.address.client(MUTATE_PODS, registration.bundle),
        rules: Some(vec![rule("", "v1", "pods", &["CREATE"])]),
        failure_policy: Some("Ignore".to_owned()),
        match_policy: Some("Equivalent".to_owned()),
        side_effects: "None".to_owned(),
        // A pod waits for no longer than that if nobody answers.
        timeout_seconds: Some(3),
        admission_review_versions: vec!["v1".to_owned()],
        reinvocation_policy: Some("IfNeeded".to_owned()),
        namespace_selector: Some(selector(NAMESPACE_NAME, "In", registration.namespaces.iter().cloned())),
        object_selector: Some(selector(SYSTEM, "NotIn", ["true".to_owned()])),
        match_conditions: None,
    }
}

/// The configuration that asks whether objects may be as they are.
pub fn validating(registration: &Registration<'_>) -> ValidatingWebhookConfiguration {
    let webhooks = VALIDATED.iter().map(|(plural, path)| ValidatingWebhook {
        name: format!("{plural}.odigos.io"),
        client_config: registration.address.client(path, registration.bundle),
        rules: Some(vec![rule("odigos.io", "v1alpha1", plural, &["CREATE", "UPDATE"])]),
        failure_policy: Some("Ignore".to_owned()),
        match_policy: Some("Equivalent".to_owned()),
        side_effects: "None".to_owned(),
        timeout_seconds: Some(5),
        admission_review_versions: vec!["v1".to_owned()],
        namespace_selector: Some(LabelSelector::default()),
        object_selector: Some(LabelSelector::default()),
        match_conditions: None,
    });
    ValidatingWebhookConfiguration {
        metadata: metadata(registration.owner),
        webhooks: Some(webhooks.collect()),
    }
}

fn metadata(owner: Option<&OwnerReference>) -> ObjectMeta {
    ObjectMeta {
        name: Some(NAME.to_owned()),
        labels: Some(BTreeMap::from([(SYSTEM.to_owned(), "true".to_owned())])),
        owner_references: owner.map(|owner| vec![owner.clone()]),
        ..ObjectMeta::default()
    }
}

fn rule(group: &str, version: &str, plural: &str, operations: &[&str]) -> RuleWithOperations {
    let list = |text: &str| Some(vec![text.to_owned()]);
    RuleWithOperations {
        api_groups: list(group),
        api_versions: list(version),
        operations: Some(operations.iter().map(|operation| (*operation).to_owned()).collect()),
        resources: list(plural),
        scope: Some("Namespaced".to_owned()),
    }
}

fn selector(key: &str, operator: &str, values: impl IntoIterator<Item = String>) -> LabelSelector {
    LabelSelector {
        match_expressions: Some(vec![LabelSelectorRequirement {
            key: key.to_owned(),
            operator: operator.to_owned(),
            values: Some(values.into_iter().collect()),
        }]),
        match_labels: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registration<'a>(address: &'a Address, namespaces: &'a BTreeSet<String>) -> Registration<'a> {
        Registration {
            address,
            bundle: "PEM",
            owner: None,
            namespaces,
        }
    }

    fn service() -> Address {
        Address::Service {
            namespace: "odigos-system".to_owned(),
            name: "odigos-instrumentor".to_owned(),
            port: 9443,
        }
    }

    #[test]
    fn no_pod_is_asked_about_before_a_namespace_is_instrumented() {
        let address = service();
        let none = BTreeSet::new();
        let webhooks = mutating(&registration(&address, &none)).webhooks.unwrap();
        assert_eq!(webhooks.len(), 1);
        let some = BTreeSet::from(["shop".to_owned(), "default".to_owned()]);
        let webhooks = mutating(&registration(&address, &some)).webhooks.unwrap();
        let pods = serde_json::to_value(&webhooks[1]).unwrap();
        let expected = serde_json::json!({"matchExpressions": [
            {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["default", "shop"]},
        ]});
        assert_eq!(pods["namespaceSelector"], expected);
        assert_eq!(pods["clientConfig"]["service"]["path"], "/mutate/pods");
    }

    #[test]
    fn nothing_blocks_a_cluster_in_which_nobody_answers() {
        let address = service();
        let some = BTreeSet::from(["shop".to_owned()]);
        let registration = registration(&address, &some);
        for webhook in mutating(&registration).webhooks.unwrap() {
            assert_eq!(webhook.failure_policy.as_deref(), Some("Ignore"), "{}", webhook.name);
            assert!(
                webhook.timeout_seconds.is_some_and(|seconds| seconds <= 5),
                "{}",
                webhook.name
            );
        }
        let webhooks = validating(&registration).webhooks.unwrap();
        assert_eq!(webhooks.len(), VALIDATED.len());
        for webhook in webhooks {
            assert_eq!(webhook.failure_policy.as_deref(), Some("Ignore"), "{}", webhook.name);
            assert!(
                webhook.timeout_seconds.is_some_and(|seconds| seconds <= 5),
                "{}",
                webhook.name
            );
        }
    }

    #[test]
    fn a_certificate_is_for_the_name_by_which_we_are_called() {
        assert_eq!(
            service().subjects(),
            [
                "odigos-instrumentor.odigos-system.svc",
                "odigos-instrumentor.odigos-system.svc.cluster.local"
            ]
        );
        for (url, host) in [
            ("https://10.97.0.1:9443", "10.97.0.1"),
            ("https://[::1]:9443/x", "::1"),
            ("https://hooks.example.com", "hooks.example.com"),
        ] {
            assert_eq!(Address::Url(url.to_owned()).subjects(), [host]);
        }
        let config = Address::Url("https://10.97.0.1:1/".to_owned()).client("/validate/x", "PEM");
        assert_eq!(config.url.as_deref(), Some("https://10.97.0.1:1/validate/x"));
        assert_eq!(config.service, None);
    }
}
