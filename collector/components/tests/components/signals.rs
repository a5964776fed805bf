//! Metrics and logs go the same way as traces, to services and paths of their own.

use crate::feed::{finish, start_text, wait_for};
use crate::standin::{Act, StandIn};
use collector_pdata::{Signal, count, json};

const SIGNALS: [(&str, Signal, &str); 3] = [
    ("traces", Signal::Traces, "trace.v1.TraceService"),
    ("metrics", Signal::Metrics, "metrics.v1.MetricsService"),
    ("logs", Signal::Logs, "logs.v1.LogsService"),
];

/// Delivers a hundred items of a signal, and returns the server's account of what it took: path and items.
fn delivered(name: &str, exporter: &str, more: &str, acts: Vec<Act>) -> StandIn {
    let server = StandIn::start(acts);
    let engine = start_text(&format!(
        "
receivers: {{feed: {{spans: 100, signal: {name}}}}}
exporters: {{{exporter}: {{endpoint: 'http://{}', compression: none{more}}}}}
service: {{pipelines: {{{name}: {{receivers: [feed], exporters: [{exporter}]}}}}}}
",
        server.address
    ));
    wait_for(&engine, "all is exported", |otlp| otlp.exported == 100);
    assert!(finish(engine).dropped.is_empty());
    server
}

#[test]
fn each_signal_goes_to_a_service_of_its_own() {
    for (name, signal, service) in SIGNALS {
        for (exporter, path) in [
            ("otlp", format!("/opentelemetry.proto.collector.{service}/Export")),
            ("otlphttp", format!("/v1/{name}")),
        ] {
            delivered(name, exporter, "", vec![]).received(|received| {
                assert_eq!(received[0].path, path);
                assert_eq!(count(signal, &received[0].body), Ok(100), "{name}");
            });
        }
    }
}

#[test]
fn each_signal_can_be_json() {
    for (name, signal, _) in SIGNALS {
        delivered(name, "otlphttp", ", encoding: json", vec![]).received(|received| {
            let encoded = json::decode(signal, &received[0].body, &json::Limits::default()).unwrap();
            assert_eq!(count(signal, &encoded), Ok(100), "{name}");
        });
    }
}

#[test]
fn each_signal_can_be_halved() {
    for (name, signal, _) in SIGNALS {
        let server = delivered(name, "otlphttp", "", vec![Act::Limit(400)]);
        server.received(|received| {
            let taken = received.iter().filter(|request| request.body.len() <= 400);
            let items: usize = taken.map(|request| count(signal, &request.body).unwrap()).sum();
            assert_eq!(items, 100, "{name}");
            assert!(received.len() > 2, "{name}");
        });
    }
}
