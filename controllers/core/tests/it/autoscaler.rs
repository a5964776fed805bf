//! The collectors' objects, and what users are told.

use crate::support::{judge, snapshot};
use collector_config::Node;
use controllers_api::collectors_group::CollectorsGroup;
use controllers_api::conditions::{DestinationConfigured as Configured, TransformedToProcessor as Transformed};
use controllers_core::autoscaler::verdict::{Kind, Reason, Verdict};
use controllers_core::autoscaler::*;
use controllers_core::collectors::Facts;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

fn object<T: DeserializeOwned>(kind: &str, name: &str, spec: Value) -> Arc<T> {
    labelled(kind, name, spec, json!({}))
}

fn labelled<T: DeserializeOwned>(kind: &str, name: &str, spec: Value, labels: Value) -> Arc<T> {
    let object = json!({
        "apiVersion": "odigos.io/v1alpha1", "kind": kind, "spec": spec,
        "metadata": {"name": name, "namespace": "odigos-system", "uid": format!("uid-{name}"), "labels": labels},
    });
    Arc::new(serde_json::from_value(object).unwrap())
}

fn group(name: &str, role: &str) -> Arc<CollectorsGroup> {
    let spec = json!({
        "role": role, "collectorOwnMetricsPort": 8888,
        "resourcesSettings": {
            "cpuRequestMillicores": 500, "cpuLimitMillicores": 1000, "memoryRequestMiB": 600, "memoryLimitMiB": 600,
            "memoryLimiterLimitMiB": 550, "memoryLimiterSpikeLimitMiB": 110, "gomemlimitMiB": 440,
            "minReplicas": 2, "maxReplicas": 8,
        },
    });
    object("CollectorsGroup", name, spec)
}

/// A cluster with both groups, a ready gateway and a destination with a secret.
fn cluster() -> Observed {
    let destination = json!({
        "type": "honeycomb", "destinationName": "honey", "signals": ["TRACES", "LOGS"],
        "data": {"HONEYCOMB_ENDPOINT": "api.honeycomb.io"}, "secretRef": {"name": "honey-secret"},
    });
    let facts = SecretFacts {
        keys: ["HONEYCOMB_API_KEY".to_owned()].into(),
        version: "17".to_owned(),
    };
    Observed {
        namespace: "odigos-system".to_owned(),
        image: Image {
            name: "odigos-collector:1.0".to_owned(),
            pull_secrets: Vec::new(),
        },
        facts: Facts::default(),
        gateway_group: Some(group(GATEWAY, "CLUSTER_GATEWAY")),
        node_group: Some(group(NODE_COLLECTOR, "NODE_COLLECTOR")),
        destinations: vec![object("Destination", "honey", destination)],
        secrets: BTreeMap::from([("honey-secret".to_owned(), facts)]),
        actions: Vec::new(),
        processors: Vec::new(),
        samplings: Vec::new(),
        legacy: Vec::new(),
        sources: Vec::new(),
        gateway: Some(rolled_out("")),
        node: None,
        gateway_files: BTreeMap::new(),
        node_files: BTreeMap::new(),
    }
}

fn rolled_out(file: &str) -> Rollout {
    Rollout {
        is_observed: true,
        desired: 2,
        updated: 2,
        total: 2,
        available: 2,
        file: Some(file.to_owned()),
    }
}

fn yaml(object: &impl Serialize) -> String {
    let text = serde_json::to_string(object).unwrap();
    Node::parse(&text, "").unwrap().to_yaml()
}

fn gateway(decision: &Decision) -> &GatewayObjects {
    decision.gateway.as_ref().unwrap()
}

/// The newest configuration of a ConfigMap, which the collector must accept.
fn configuration(data: &Option<BTreeMap<String, String>>, file: &str) -> String {
    let text = &data.as_ref().unwrap()[file];
    let node = Node::parse(text, "").unwrap();
    judge(&node).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    text.clone()
}

fn gateway_file(decision: &Decision) -> String {
    Rollout::of_deployment(&gateway(decision).deployment).file.unwrap()
}

fn gateway_configuration(decision: &Decision) -> String {
    configuration(&gateway(decision).config_map.data, &gateway_file(decision))
}

fn node_configuration(decision: &Decision) -> String {
    let node = decision.node.as_ref().unwrap();
    let file = Rollout::of_daemon_set(&node.daemon_set).file.unwrap();
    configuration(&node.config_map.data, &file)
}

fn verdict<'d>(decision: &'d Decision, kind: Kind, name: &str) -> &'d Verdict {
    let found = decision
        .verdicts
        .iter()
        .find(|verdict| verdict.kind == kind && verdict.name == name);
    found.unwrap_or_else(|| panic!("no verdict on {name}: {:?}", decision.verdicts))
}

#[test]
fn both_collectors_are_made_of_their_groups() {
    let decision = decide(&cluster());
    let GatewayObjects {
        config_map,
        deployment,
        service,
        headless,
        autoscaler,
        disruption_budget,
    } = gateway(&decision);
    let objects = [
        yaml(config_map),
        yaml(deployment),
        yaml(service),
        yaml(headless),
        yaml(autoscaler),
        yaml(disruption_budget),
    ];
    gateway_configuration(&decision);
    snapshot("autoscaler/gateway.yaml", &objects.join("---\n"));
    let NodeObjects {
        config_map,
        daemon_set,
        service,
    } = decision.node.as_deref().unwrap();
    node_configuration(&decision);
    let objects = [yaml(config_map), yaml(daemon_set), yaml(service)];
    snapshot("autoscaler/node.yaml", &objects.join("---\n"));
    let honey = verdict(&decision, Kind::Destination, "honey");
    assert!(honey.holds, "{honey:?}");
    assert_eq!(
        decision.groups.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        [GATEWAY, NODE_COLLECTOR]
    );
}

#[test]
fn no_value_of_a_secret_and_no_right_is_in_the_pods() {
    let decision = decide(&cluster());
    let deployment = yaml(&gateway(&decision).deployment);
    assert!(deployment.contains("secretKeyRef") && deployment.contains("honey-secret"));
    assert!(gateway_configuration(&decision).contains("${env:DESTINATION_HONEY__HONEYCOMB_API_KEY}"));
    for pods in [deployment, yaml(&decision.node.as_ref().unwrap().daemon_set)] {
        for part in [
            "runAsNonRoot: true",
            "readOnlyRootFilesystem: true",
            "allowPrivilegeEscalation: false",
            "automountServiceAccountToken: false",
            "type: RuntimeDefault",
            "- ALL",
        ] {
            assert!(pods.contains(part), "{part}: {pods}");
        }
        assert!(!pods.contains("privileged"));
    }
}

#[test]
fn the_node_collectors_wait_for_a_gateway_and_stay_when_it_is_away_for_a_while() {
    let mut observed = cluster();
    observed.gateway = None;
    let decision = decide(&observed);
    assert!(decision.gateway.is_some() && decision.node.is_none());
    let (name, state) = &decision.groups[1];
    assert_eq!((*name, state.is_ready), (NODE_COLLECTOR, false));
    assert_eq!(state.conditions[0].reason, Reason::WaitingForGateway);
    observed.node = Some(rolled_out(""));
    assert!(decide(&observed).node.is_some());
    observed.gateway_group = None;
    let decision = decide(&observed);
    assert!(decision.gateway.is_none() && decision.node.is_none());
    let honey = verdict(&decision, Kind::Destination, "honey");
    assert_eq!(
        (honey.holds, honey.reason),
        (false, Reason::Destination(Configured::WaitingForGateway))
    );
}

#[test]
fn a_new_configuration_restarts_no_pod() {
    let mut observed = cluster();
    let before = decide(&observed);
    let action = json!({"signals": ["TRACES"], "deleteAttribute": {"attributeNamesToDelete": ["a"]}});
    observed.actions = vec![object("Action", "deletion", action)];
    let after = decide(&observed);
    assert_eq!(gateway(&before).deployment, gateway(&after).deployment);
    assert_ne!(gateway(&before).config_map, gateway(&after).config_map);
    assert!(gateway_configuration(&after).contains("transform/action_deletion"));
    assert!(verdict(&after, Kind::Action, "deletion").holds);
}

#[test]
fn a_new_secret_replaces_the_pods_and_those_of_before_keep_their_file() {
    let mut observed = cluster();
    let before = decide(&observed);
    let old_file = gateway_file(&before);
    observed.gateway_files = gateway(&before).config_map.data.clone().unwrap();
    observed.gateway = Some(rolled_out(&old_file));
    assert_eq!(decide(&observed), before, "nothing has changed");
    observed.secrets.get_mut("honey-secret").unwrap().version = "18".to_owned();
    let rotated = decide(&observed);
    let new_file = gateway_file(&rotated);
    assert_ne!(new_file, old_file);
    let files = |decision: &Decision| gateway(decision).config_map.data.clone().unwrap();
    assert_eq!(files(&rotated)[&old_file], observed.gateway_files[&old_file]);
    assert!(files(&rotated).contains_key(&new_file));
    // Under way: both; then only what is read.
    observed.gateway_files = files(&rotated);
    observed.gateway = Some(Rollout {
        updated: 1,
        total: 3,
        ..rolled_out(&new_file)
    });
    assert_eq!(files(&decide(&observed)).len(), 2);
    observed.gateway = Some(rolled_out(&new_file));
    let after = files(&decide(&observed));
    assert_eq!(after.keys().collect::<Vec<_>>(), [&new_file]);
}

/// A cluster in which one object of each kind, or more, cannot be used.
fn partly_broken() -> Observed {
    let mut observed = cluster();
    let destination = |name: &str, spec: Value| object("Destination", name, spec);
    let otlp = |endpoint: Value, more: Value| {
        let mut spec = json!({"type": "otlp", "destinationName": "", "signals": ["TRACES"], "data": endpoint});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    let endpoint = json!({"OTLP_GRPC_ENDPOINT": "ingest.example:4317"});
    observed.destinations.extend([
        destination("no-endpoint", otlp(json!({}), json!({}))),
        destination("typo", otlp(endpoint.clone(), json!({"type": "otpl"}))),
        destination(
            "no-secret",
            otlp(endpoint.clone(), json!({"secretRef": {"name": "absent"}})),
        ),
        destination("off", otlp(endpoint.clone(), json!({"disabled": true}))),
        destination(
            "nobody",
            otlp(endpoint, json!({"sourceSelector": {"dataStreams": ["none"]}})),
        ),
    ]);
    observed.actions = vec![object(
        "Action",
        "broken",
        json!({"signals": ["TRACES"], "piiMasking": {"customRegexMaskings": [{"regex": "("}]}}),
    )];
    let processor = |kind: &str, config: Value| {
        let roles = ["CLUSTER_GATEWAY"];
        json!({"type": kind, "signals": ["TRACES"], "collectorRoles": roles, "processorConfig": config})
    };
    observed.processors = vec![
        object("Processor", "unknown", processor("groupbytrace", json!({}))),
        object(
            "Processor",
            "wrong",
            processor("attributes", json!({"actions": [{"key": "a", "action": "explode"}]})),
        ),
    ];
    let rule = json!({"costReductionRules": [{"percentageAtMost": 101}]});
    observed.samplings = vec![object("Sampling", "too-much", rule)];
    observed
}

#[test]
fn what_is_broken_costs_only_itself_and_says_what_to_do() {
    let good = decide(&cluster());
    let decision = decide(&partly_broken());
    assert_eq!(gateway_configuration(&decision), gateway_configuration(&good));
    assert!(verdict(&decision, Kind::Destination, "honey").holds);
    let expected = [
        (
            Kind::Destination,
            "no-endpoint",
            Reason::Destination(Configured::InvalidFields),
            "OTLP_GRPC_ENDPOINT",
        ),
        (
            Kind::Destination,
            "typo",
            Reason::Destination(Configured::UnknownType),
            "did you mean \"otlp\"?",
        ),
        (
            Kind::Destination,
            "no-secret",
            Reason::Destination(Configured::SecretNotFound),
            "no Secret absent",
        ),
        (
            Kind::Destination,
            "off",
            Reason::Destination(Configured::Disabled),
            "spec.disabled",
        ),
        (
            Kind::Destination,
            "nobody",
            Reason::Destination(Configured::NothingSelected),
            "odigos.io/data-stream-<name>",
        ),
        (
            Kind::Action,
            "broken",
            Reason::Action(Transformed::FailedToTransformToProcessor),
            "spec.piiMasking: ",
        ),
        (
            Kind::Processor,
            "unknown",
            Reason::NotSupported,
            "no processor groupbytrace",
        ),
        (
            Kind::Processor,
            "wrong",
            Reason::InvalidFields,
            "\"explode\" is none of",
        ),
        (Kind::Sampling, "too-much", Reason::InvalidFields, "percentageAtMost"),
    ];
    for (kind, name, reason, message) in expected {
        let verdict = verdict(&decision, kind, name);
        assert_eq!((verdict.holds, verdict.reason), (false, reason), "{verdict:?}");
        assert!(verdict.message.contains(message), "{verdict:?}");
    }
}

#[test]
fn several_gateways_that_sample_get_whole_traces() {
    let mut observed = cluster();
    let rules =
        json!({"highlyRelevantOperations": [{"error": true}], "costReductionRules": [{"percentageAtMost": 10}]});
    observed.samplings = vec![object("Sampling", "rules", rules)];
    let decision = decide(&observed);
    assert!(gateway_configuration(&decision).contains("tail_sampling"));
    let node = node_configuration(&decision);
    assert!(
        node.contains("loadbalancing/gateway") && node.contains("odigos-gateway-headless.odigos-system"),
        "{node}"
    );
    let single = Arc::make_mut(observed.gateway_group.as_mut().unwrap());
    single.spec.resources_settings.min_replicas = Some(1);
    single.spec.resources_settings.max_replicas = Some(1);
    assert!(!node_configuration(&decide(&observed)).contains("loadbalancing"));
}

#[test]
fn data_streams_are_those_of_the_sources() {
    let mut observed = cluster();
    let source = |name: &str, labels: Value| {
        let workload = json!({"kind": "Deployment", "name": name, "namespace": "shop"});
        labelled("Source", name, json!({"workload": workload}), labels)
    };
    observed.sources = vec![
        source("cart", json!({"odigos.io/data-stream-money": "true"})),
        source("search", json!({"odigos.io/data-stream-money": "false"})),
    ];
    for (stream, inside, outside) in [("money", "cart", "search"), ("default", "search", "cart")] {
        let mut destination = observed.destinations[0].as_ref().clone();
        let selector = json!({"dataStreams": [stream]});
        destination.spec.source_selector = serde_json::from_value(selector).unwrap();
        observed.destinations = vec![Arc::new(destination)];
        let configuration = gateway_configuration(&decide(&observed));
        assert!(
            configuration.contains(inside) && !configuration.contains(outside),
            "{configuration}"
        );
    }
}

#[test]
fn processors_run_in_the_order_of_their_hints_where_their_roles_say() {
    let mut observed = cluster();
    let processor = |name: &str, hint: i64, roles: Value| {
        let config = json!({"actions": [{"key": "a", "value": "${env:HOME} $$1", "action": "insert"}]});
        let spec = json!({
            "type": "attributes", "signals": ["TRACES"], "collectorRoles": roles, "processorConfig": config,
            "orderHint": hint,
        });
        object("Processor", name, spec)
    };
    let both = json!(["CLUSTER_GATEWAY", "NODE_COLLECTOR"]);
    observed.processors = vec![
        processor("a-last", 20, json!(["CLUSTER_GATEWAY"])),
        processor("b-first", -1, both),
    ];
    let deletion = json!({"signals": ["TRACES"], "deleteAttribute": {"attributeNamesToDelete": ["x"]}});
    observed.actions = vec![object("Action", "deletion", deletion)];
    let decision = decide(&observed);
    let configuration = gateway_configuration(&decision);
    let pipelines = &configuration[configuration.find("pipelines:").unwrap()..];
    let places = [
        "attributes/processor_b-first",
        "transform/action_deletion",
        "attributes/processor_a-last",
    ]
    .map(|id| pipelines.find(id).unwrap());
    assert!(places.is_sorted(), "{pipelines}");
    let node = node_configuration(&decision);
    assert!(node.contains("processor_b-first") && !node.contains("processor_a-last"));
    assert!(node.contains("$${env:HOME}"), "{node}");
}
