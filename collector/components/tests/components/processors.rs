//! Processors in a running engine: what they keep, drop and change, and the pipelines that they are not for.

use crate::feed::{finish, start_text, wait_for};
use collector_components::COMPONENTS;
use collector_config::Node;
use collector_engine::{Descriptors, Engine, Plan};
use std::path::Path;

fn start(feed: &str, processors: &str, names: &str, file: &Path) -> Engine {
    start_text(&format!(
        "
receivers: {{feed: {{{feed}}}}}
processors: {{{processors}}}
exporters: {{file: {{path: '{}'}}}}
service: {{pipelines: {{traces: {{receivers: [feed], processors: [{names}], exporters: [file]}}}}}}
",
        file.display()
    ))
}

/// How often `text` is in what the processors let through.
fn count(feed: &str, processors: &str, names: &str, wanted: u64, text: &str) -> usize {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("spans.jsonl");
    let engine = start(feed, processors, names, &path);
    wait_for(&engine, "all is written", |file| file.exported == wanted);
    finish(engine);
    std::fs::read_to_string(&path).unwrap().matches(text).count()
}

#[test]
fn resources_and_spans_leave_the_collector_changed() {
    let processors = "resource: {attributes: [{key: k8s.cluster.name, value: prod-1, action: upsert}]},
        attributes: {actions: [{key: region, value: eu, action: insert}]}";
    let all = |text: &str| count("payloads: 2, spans: 3", processors, "resource, attributes", 6, text);
    assert_eq!(all("\"region\""), 6);
    assert_eq!(all("\"k8s.cluster.name\""), 2);
    assert_eq!(all("\"service.name\""), 2);
}

#[test]
fn what_is_sampled_out_is_counted_and_whole_traces_stay() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("spans.jsonl");
    let sampler = "probabilistic_sampler: {sampling_percentage: 25}";
    let engine = start("payloads: 400, spans: 2", sampler, "probabilistic_sampler", &path);
    let handle = engine.handle();
    wait_for(&engine, "all is decided", |file| {
        let pipeline = &handle.account().pipelines[0];
        let dropped = pipeline.dropped.get("sampled_out").copied().unwrap_or_default();
        pipeline.received == 800 && dropped + file.exported == 800
    });
    let exported = finish(engine).exported;
    assert!((120..280).contains(&exported) && exported.is_multiple_of(2), "{exported} of 800");
}

#[test]
fn a_pipeline_that_a_processor_is_not_configured_for_is_an_error() {
    let text = "
receivers: {otlp: {protocols: {http: }}}
processors:
  attributes:
    include: {match_type: strict, services: [shop]}
    actions: [{key: a, action: delete}]
exporters: {nop: }
service:
  pipelines:
    traces: {receivers: [otlp], processors: [attributes], exporters: [nop]}
    logs: {receivers: [otlp], processors: [attributes], exporters: [nop]}
";
    let root = Node::parse(text, "c.yaml").unwrap();
    let errors = Plan::new(&root, &COMPONENTS, Descriptors::new())
        .unwrap_err()
        .to_string();
    let expected = "c.yaml:11: service::pipelines::logs: \"attributes\" is not configured for logs: include: services is \
                    not for them; what is: log_bodies, ";
    assert!(errors.starts_with(expected), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
}
