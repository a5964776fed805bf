use crate::support::{judge, snapshot};
use controllers_core::collectors::*;
use controllers_core::destinations::{Destination, SecretReference, Signal};
use serde_json::json;

const SIGNALS: [Signal; 3] = [Signal::Traces, Signal::Metrics, Signal::Logs];

fn outlet(name: &str, kind: &str, data: &[(&str, &str)], secrets: &[&str]) -> Outlet {
    Outlet {
        destination: Destination {
            name: name.to_owned(),
            kind: kind.to_owned(),
            signals: SIGNALS.to_vec(),
            data: data
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            secret: Some(SecretReference {
                name: format!("{name}-secret"),
                keys: secrets.iter().map(|key| (*key).to_owned()).collect(),
            }),
        },
        ..Outlet::default()
    }
}

fn otlp(name: &str) -> Outlet {
    outlet(name, "otlp", &[("OTLP_GRPC_ENDPOINT", "ingest.example:4317")], &[])
}

fn appdynamics() -> Outlet {
    let data = [
        ("APPDYNAMICS_ACCOUNT_NAME", "acme"),
        ("APPDYNAMICS_ENDPOINT_URL", "https://ingest.example"),
    ];
    outlet("appd", "appdynamics", &data, &["APPDYNAMICS_API_KEY"])
}

/// The processors of an Action for all signals.
fn processors(name: &str, mut spec: serde_json::Value) -> Vec<Component> {
    spec["signals"] = serde_json::json!(["TRACES", "METRICS", "LOGS"]);
    let spec = serde_json::from_value(spec).unwrap();
    action(name, &spec, &Facts::default()).unwrap().processors
}

fn check_gateway(name: &str, input: &Gateway) -> Configuration {
    let configuration = gateway(input);
    judge(&configuration.root).unwrap_or_else(|errors| panic!("{errors}\n{}", configuration.root.to_yaml()));
    snapshot(&format!("collectors/{name}.yaml"), &configuration.root.to_yaml());
    configuration
}

#[test]
fn a_gateway_with_one_destination_sends_everything_there() {
    let input = Gateway {
        outlets: vec![otlp("one")],
        memory: MemoryLimits::of(600),
        ..Gateway::default()
    };
    let configuration = check_gateway("gateway-one", &input);
    assert_eq!(
        configuration.outlets,
        [("one".to_owned(), OutletState::Configured(vec![]))]
    );
    assert_eq!(configuration.notes, []);
}

#[test]
fn a_gateway_without_a_usable_destination_still_runs() {
    let input = Gateway {
        outlets: vec![outlet("broken", "otlp", &[], &[])],
        memory: MemoryLimits::of(300),
        ..Gateway::default()
    };
    let configuration = check_gateway("gateway-none", &input);
    assert!(matches!(configuration.outlets[0].1, OutletState::Refused(_)));
}

#[test]
fn a_broken_destination_costs_only_itself() {
    let with = |outlets: Vec<Outlet>| {
        gateway(&Gateway {
            outlets,
            memory: MemoryLimits::of(600),
            ..Gateway::default()
        })
    };
    let disabled = Outlet {
        is_disabled: true,
        ..otlp("off")
    };
    let unselecting = Outlet {
        selector: Some(Selector {
            data_streams: vec!["nobody".to_owned()],
            ..Selector::default()
        }),
        ..otlp("empty")
    };
    let broken = outlet("broken", "jaegr", &[], &[]);
    let configuration = with(vec![broken, disabled, otlp("good"), unselecting]);
    assert_eq!(configuration.root, with(vec![otlp("good")]).root);
    let states: Vec<_> = configuration.outlets.into_iter().map(|(_, state)| state).collect();
    assert!(matches!(states[0], OutletState::Refused(_)));
    assert_eq!(
        states[1..],
        [
            OutletState::Disabled,
            OutletState::Configured(vec![]),
            OutletState::NothingSelected
        ]
    );
}

#[test]
fn a_gateway_with_streams_actions_sampling_and_a_queue_on_disk() {
    let workload = |namespace: &str, workload: Option<(&str, Name)>| Workload {
        namespace: namespace.to_owned(),
        workload: workload.map(|(kind, name)| (kind.to_owned(), name)),
    };
    let stream = DataStream {
        name: "shop".to_owned(),
        workloads: vec![
            workload("shop", Some(("Deployment", Name::Exact("cart".to_owned())))),
            workload("shop", Some(("StatefulSet", Name::Matching("db-.*$".to_owned())))),
            workload("payment", None),
        ],
    };
    let selected = Outlet {
        selector: Some(Selector {
            data_streams: vec!["shop".to_owned()],
            namespaces: vec!["ops".to_owned()],
        }),
        ..otlp("selected")
    };
    let cluster = json!({"addClusterInfo": {
        "clusterAttributes": [{"attributeName": "k8s.cluster.name", "attributeStringValue": "prod$"}],
        "overwriteExistingValues": true,
    }});
    let deletion = json!({"deleteAttribute": {"attributeNamesToDelete": ["http.request.header.cookie"]}});
    let rules = json!({
        "noisyOperations": [{"operation": {"httpServer": {"route": "/healthz"}}, "percentageAtMost": 1}],
        "highlyRelevantOperations": [{"error": true}],
        "costReductionRules": [{"percentageAtMost": 10, "sourceScopes": {"namespaces": ["shop"]}}],
    });
    let mut sampled = Rules::default();
    sampled.extend(sampling(&serde_json::from_value(rules).unwrap()).unwrap());
    let input = Gateway {
        outlets: vec![otlp("all"), selected, appdynamics()],
        data_streams: vec![stream],
        processors: [processors("cluster", cluster), processors("secrets", deletion)].concat(),
        sampling: sampled,
        memory: MemoryLimits::of(850),
        queue_directory: Some("/var/lib/odigos/queue".to_owned()),
        ..Gateway::default()
    };
    let configuration = check_gateway("gateway-streams", &input);
    assert_eq!(
        configuration.secrets[0].variable,
        "DESTINATION_APPD__APPDYNAMICS_API_KEY"
    );
}

#[test]
fn a_node_collector_sends_the_ring_and_otlp_to_the_gateway() {
    let mut input = NodeCollector {
        signals: SIGNALS.to_vec(),
        gateway: GatewayAddress {
            service: "odigos-gateway.odigos-system".to_owned(),
            by_trace: None,
        },
        socket: Some("/run/odigos/odiglet.sock".to_owned()),
        memory: MemoryLimits::of(500),
        ..NodeCollector::default()
    };
    let configuration = node(&input);
    assert_eq!(judge(&configuration.root), Ok(()));
    snapshot("collectors/node.yaml", &configuration.root.to_yaml());
    assert_eq!(configuration.notes.len(), 2);
    input.signals.clear();
    let idle = node(&input);
    assert_eq!(judge(&idle.root), Ok(()));
    assert!(!idle.root.to_yaml().contains("otlp/gateway"));
}
