//! Spans sent through the gateway's configuration as it is written, by the collector that runs it.

use crate::flow::{Collector, attribute, attributes, free_port, post, spans, written};
use controllers_api::sampling::SamplingSpec;
use controllers_core::collectors::*;
use controllers_core::destinations::{Destination, Signal};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A destination of its own: a collector that writes what it gets into a file.
struct Sink {
    port: u16,
    file: PathBuf,
    collector: Collector,
}

impl Sink {
    fn start(folder: &Path, name: &str) -> Sink {
        let (port, file) = (free_port(), folder.join(name));
        let collector = Collector::start(&format!(
            "
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:{port}'}}}}}}}}
exporters: {{file: {{path: '{}'}}}}
service: {{telemetry: {{metrics: {{level: none}}}}, pipelines: {{traces: {{receivers: [otlp], exporters: [file]}}}}}}
",
            file.display()
        ));
        Sink { port, file, collector }
    }

    /// What it got, once the gateway has ended.
    fn end(self) -> Vec<Value> {
        self.collector.end();
        spans(&written(&self.file))
    }
}

fn outlet(name: &str, sink: &Sink, selector: Option<Selector>) -> Outlet {
    Outlet {
        destination: Destination {
            name: name.to_owned(),
            kind: "otlp".to_owned(),
            signals: vec![Signal::Traces],
            data: BTreeMap::from([("OTLP_GRPC_ENDPOINT".to_owned(), format!("127.0.0.1:{}", sink.port))]),
            secret: None,
        },
        is_disabled: false,
        selector,
    }
}

/// The gateway on ports of its own.
fn start(input: &Gateway) -> (Collector, u16) {
    let configuration = gateway(input);
    for (name, state) in &configuration.outlets {
        assert_eq!(*state, OutletState::Configured(Vec::new()), "{name}");
    }
    run(&configuration.root.to_yaml())
}

/// A configuration on ports of its own.
fn run(yaml: &str) -> (Collector, u16) {
    let (grpc, http, health) = (free_port(), free_port(), free_port());
    let yaml = [(OTLP_GRPC_PORT, grpc), (OTLP_HTTP_PORT, http), (HEALTH_PORT, health)]
        .iter()
        .fold(yaml.to_owned(), |yaml, (port, own)| {
            yaml.replace(&format!("0.0.0.0:{port}"), &format!("127.0.0.1:{own}"))
        });
    (Collector::start(&yaml), http)
}

fn span(trace: u128, more: Value) -> Value {
    let mut span = json!({
        "traceId": format!("{trace:032x}"), "spanId": format!("{:016x}", trace as u64 + 1), "name": "GET", "kind": 2,
        "startTimeUnixNano": "1000000000", "endTimeUnixNano": "1001000000",
    });
    span.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    span
}

fn of(namespace: &str, deployment: &str, spans: Vec<Value>) -> Value {
    let resource = [
        ("k8s.namespace.name", json!(namespace)),
        ("k8s.deployment.name", json!(deployment)),
        ("service.name", json!(deployment)),
    ];
    json!({"resource": {"attributes": attributes(&resource)}, "scopeSpans": [{"spans": spans}]})
}

fn services(spans: &[Value]) -> Vec<String> {
    let mut services: Vec<_> = spans
        .iter()
        .map(|span| attribute(&span["resource"], "service.name").unwrap())
        .collect();
    services.sort();
    services
}

#[test]
fn each_destination_gets_exactly_its_own_data_stream() {
    let folder = TempDir::new().unwrap();
    let sinks = ["money", "ops", "all"].map(|name| Sink::start(folder.path(), name));
    let deployment = |namespace: &str, name: Name| Workload {
        namespace: namespace.to_owned(),
        workload: Some(("Deployment".to_owned(), name)),
    };
    let stream = |name: &str, workloads: Vec<Workload>| DataStream {
        name: name.to_owned(),
        workloads,
    };
    let whole = |namespace: &str| Workload {
        namespace: namespace.to_owned(),
        workload: None,
    };
    let to = |stream: &str| Selector {
        data_streams: vec![stream.to_owned()],
        namespaces: Vec::new(),
    };
    let input = Gateway {
        outlets: vec![
            outlet("money", &sinks[0], Some(to("money"))),
            outlet("ops", &sinks[1], Some(to("ops"))),
            outlet("all", &sinks[2], None),
        ],
        data_streams: vec![
            stream(
                "money",
                vec![deployment("shop", Name::Exact("cart".to_owned())), whole("payment")],
            ),
            stream(
                "ops",
                vec![
                    deployment("shop", Name::Matching("job-.*".to_owned())),
                    deployment("shop", Name::Exact("cart".to_owned())),
                ],
            ),
        ],
        memory: MemoryLimits::of(600),
        metrics_port: free_port(),
        ..Gateway::default()
    };
    let (collector, port) = start(&input);
    let workloads = [
        ("shop", "cart"),
        ("shop", "job-7"),
        ("shop", "search"),
        ("payment", "cards"),
        ("other", "cart"),
    ];
    let resources = workloads.iter().zip(1..).map(|((namespace, name), trace)| {
        of(
            namespace,
            name,
            vec![span(trace, json!({})), span(trace + 100, json!({}))],
        )
    });
    post(port, "traces", &json!({"resourceSpans": resources.collect::<Vec<_>>()}));
    collector.end();
    let [money, ops, all] = sinks.map(Sink::end);
    assert_eq!(services(&money), ["cards", "cards", "cart", "cart"]);
    assert!(
        money
            .iter()
            .all(|span| attribute(&span["resource"], "k8s.namespace.name").unwrap() != "other")
    );
    assert_eq!(services(&ops), ["cart", "cart", "job-7", "job-7"]);
    assert_eq!(all.len(), 10);
}

#[test]
fn a_node_collector_sends_each_trace_whole_to_one_of_several_gateways() {
    let folder = TempDir::new().unwrap();
    let gateways = ["one", "two", "three"].map(|name| Sink::start(folder.path(), name));
    let configuration = node(&NodeCollector {
        signals: vec![Signal::Traces],
        gateway: GatewayAddress {
            service: "gateway".to_owned(),
            by_trace: Some("gateways".to_owned()),
        },
        memory: MemoryLimits::of(500),
        metrics_port: free_port(),
        ..NodeCollector::default()
    });
    // The name would be the headless Service's, with an address for each gateway at one port.
    let addresses: Vec<String> = gateways
        .iter()
        .map(|sink| format!("'127.0.0.1:{}'", sink.port))
        .collect();
    let dns = "dns:\n        hostname: gateways\n        port: \"4317\"\n";
    let listed = format!("static:\n        hostnames: [{}]\n", addresses.join(", "));
    let yaml = configuration.root.to_yaml();
    assert!(yaml.contains(dns), "{yaml}");
    let (collector, port) = run(&yaml.replace(dns, &listed));
    for part in 0..3_u64 {
        let spans = (1..=120_u128).map(|trace| span(trace, json!({"spanId": format!("{:016x}", u64::MAX - part)})));
        post(
            port,
            "traces",
            &json!({"resourceSpans": [of("shop", "cart", spans.collect())]}),
        );
    }
    collector.end();
    let mut seen = std::collections::BTreeSet::new();
    for spans in gateways.map(Sink::end) {
        let mut traces: BTreeMap<String, usize> = BTreeMap::new();
        for span in spans {
            assert_eq!(attribute(&span["resource"], "k8s.node.name").unwrap(), "node-1");
            *traces.entry(span["traceId"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        assert!(traces.len() > 15, "{} of 120 traces", traces.len());
        for (trace, spans) in traces {
            assert_eq!(spans, 3);
            assert!(seen.insert(trace), "a trace came to two gateways");
        }
    }
    assert_eq!(seen.len(), 120);
}

/// How many traces of each name were kept.
fn sampled(spec: Value, traces: Vec<(&str, Vec<Value>)>) -> (BTreeMap<String, usize>, Vec<Value>) {
    let spec: SamplingSpec = serde_json::from_value(spec).unwrap();
    let mut rules = Rules::default();
    rules.extend(sampling(&spec).unwrap());
    let folder = TempDir::new().unwrap();
    let sink = Sink::start(folder.path(), "sink");
    let input = Gateway {
        outlets: vec![outlet("sink", &sink, None)],
        sampling: rules,
        decision_wait: std::time::Duration::from_millis(100),
        memory: MemoryLimits::of(600),
        metrics_port: free_port(),
        ..Gateway::default()
    };
    let (collector, port) = start(&input);
    let resources = traces.into_iter().map(|(service, spans)| of("shop", service, spans));
    post(port, "traces", &json!({"resourceSpans": resources.collect::<Vec<_>>()}));
    collector.end();
    let out = sink.end();
    let mut kept = BTreeMap::new();
    for span in out
        .iter()
        .filter(|span| span["parentSpanId"].as_str().is_none_or(str::is_empty))
    {
        *kept.entry(span["name"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    (kept, out)
}

fn route(trace: u128, name: &str, route: &str, more: Value) -> Value {
    let attributes = attributes(&[("http.route", json!(route)), ("http.request.method", json!("GET"))]);
    let mut whole = json!({"name": name, "attributes": attributes});
    whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    span(trace, whole)
}

#[test]
fn the_first_list_with_a_match_decides() {
    let spec = json!({
        "noisyOperations": [
            {"operation": {"httpServer": {"route": "/healthz"}}},
        ],
        "highlyRelevantOperations": [
            {"error": true},
            {"operation": {"httpServer": {"routePrefix": "/buy"}}, "durationAtLeastMs": 500},
        ],
        "costReductionRules": [
            {"operation": {"httpServer": {"route": "/list"}}, "percentageAtMost": 0},
            {"sourceScopes": {"namespaces": ["elsewhere"]}, "percentageAtMost": 0},
        ],
    });
    let error = json!({"status": {"code": 2}});
    let slow = json!({"endTimeUnixNano": "2000000000"});
    let spans = vec![
        route(1, "noise", "/healthz", json!({})),
        // Also what would be highly relevant: the noise decides.
        route(2, "noise with an error", "/healthz", error.clone()),
        route(3, "error", "/list", error),
        route(4, "costly", "/list", json!({})),
        route(5, "slow", "/buy/now", slow.clone()),
        // Nothing speaks of it.
        route(6, "quick", "/buy/now", json!({})),
        route(7, "slow elsewhere", "/other", slow),
    ];
    let (kept, out) = sampled(spec, vec![("shop", spans)]);
    let names: Vec<&str> = kept.keys().map(String::as_str).collect();
    assert_eq!(names, ["error", "quick", "slow", "slow elsewhere"]);
    let policy = |name: &str| {
        let span = out.iter().find(|span| span["name"] == name).unwrap();
        attribute(span, "tailsampling.policy").unwrap()
    };
    assert!(policy("error").starts_with("relevant/"), "{}", policy("error"));
    assert_eq!(policy("quick"), "rest");
}

#[test]
fn percentages_are_met_and_a_higher_one_keeps_what_a_lower_one_does() {
    let traces = |name: &str| {
        // Ids that a generator would make: the hash is of all of them.
        let spans = (1..=2000_u128).map(|n| {
            route(
                n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835),
                name,
                "/a",
                json!({}),
            )
        });
        vec![("shop", spans.collect::<Vec<_>>())]
    };
    let kept = |percentage: u32| {
        let spec = json!({"costReductionRules": [{"percentageAtMost": percentage}, {"percentageAtMost": 90}]});
        let (_, out) = sampled(spec, traces("any"));
        let ids: std::collections::BTreeSet<String> = out
            .iter()
            .map(|span| span["traceId"].as_str().unwrap().to_owned())
            .collect();
        ids
    };
    let (tenth, half) = (kept(10), kept(50));
    assert!((140..=260).contains(&tenth.len()), "{}", tenth.len());
    assert!((900..=1100).contains(&half.len()), "{}", half.len());
    assert!(tenth.is_subset(&half));
}

#[test]
fn a_trace_is_kept_whole_for_one_of_its_spans() {
    let spec = json!({
        "highlyRelevantOperations": [{"operation": {"kafkaProducer": {"kafkaTopic": "orders"}}}],
        "costReductionRules": [{"percentageAtMost": 0}],
    });
    let produce = |trace: u128, topic: &str| {
        let attributes = attributes(&[
            ("messaging.system", json!("kafka")),
            ("messaging.destination.name", json!(topic)),
        ]);
        span(
            trace,
            json!({
                "name": "send", "kind": 4, "parentSpanId": format!("{:016x}", trace as u64 + 1), "spanId": "00000000000000ff",
                "attributes": attributes,
            }),
        )
    };
    let spans = vec![
        route(1, "order", "/a", json!({})),
        produce(1, "orders"),
        route(2, "other", "/a", json!({})),
        produce(2, "logs"),
    ];
    let (kept, out) = sampled(spec, vec![("shop", spans)]);
    assert_eq!(kept, BTreeMap::from([("order".to_owned(), 1)]));
    assert_eq!(out.len(), 2);
}
