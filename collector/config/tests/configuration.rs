//! Whole documents, as a user writes them.

#![allow(clippy::unwrap_used)]

use collector_config::{Config, Errors, Node, Section};
use std::time::Duration;

fn read(text: &str) -> Result<Config, String> {
    let root = Node::parse(text, "c.yaml").map_err(|errors| errors.to_string())?;
    let mut errors = Errors::default();
    let config = Config::read(&root, &mut errors);
    errors.unless_any(config).map_err(|errors| errors.to_string())
}

const GOOD: &str = "
receivers:
  ebpf:
    socket: /run/odigos/handover.sock
processors:
  batch:
exporters:
  otlp/2: {endpoint: 'localhost:4317', tls: {insecure: true}}
  file:
    path: spans.jsonl
service:
  pipelines:
    traces:
      receivers: [ebpf]
      processors: [batch]
      exporters: [otlp/2, file]
";

#[test]
fn a_good_document_is_read_whole() {
    let config = read(GOOD).unwrap();
    assert_eq!(config.exporters[0].id.to_string(), "otlp/2");
    assert_eq!(config.exporters[0].id.kind(), "otlp");
    assert_eq!(config.pipelines[0].id.to_string(), "traces");
    assert_eq!(config.pipelines[0].exporters.len(), 2);
}

#[test]
fn all_errors_are_found_at_once_each_with_its_key_and_line() {
    let text = "
reciever:
receivers:
  ebpf:
  ebpf/:
exporters:
  otlp: {}
service:
  pipeline: {}
  pipelines:
    trace:
      receivers: [ebpf, ebpf]
      exporters: [oltp]
      processor: []
    logs:
      receivers: ebpf
";
    let expected = "\
c.yaml:2: reciever: unknown key; did you mean \"receivers\"?
c.yaml:5: receivers::ebpf/: the name after \"ebpf/\" is missing
c.yaml:9: service::pipeline: unknown key; did you mean \"pipelines\"?
c.yaml:11: service::pipelines::trace: a pipeline's id begins with traces, metrics or logs, not with \"trace\"; did you mean \"traces\"?
c.yaml:12: service::pipelines::trace::receivers: \"ebpf\" is named twice
c.yaml:13: service::pipelines::trace::exporters: \"oltp\" is not defined; did you mean \"otlp\"?
c.yaml:14: service::pipelines::trace::processor: unknown key; did you mean \"processors\"?
c.yaml:16: service::pipelines::logs::exporters: needs at least one component
c.yaml:16: service::pipelines::logs::receivers: expected a list, found text";
    let found = read(text).unwrap_err();
    assert_eq!(found, expected, "found:\n{found}");
}

#[test]
fn an_empty_document_lacks_its_service() {
    assert_eq!(read("# nothing\n").unwrap_err(), "service: is required");
}

#[test]
fn syntax_errors_and_duplicate_keys_name_their_line() {
    for (text, line) in [("a: [1, 2\nb: 3\n", "c.yaml:2: "), ("a: 1\nb: 2\na: 3\n", "c.yaml:3: ")] {
        let message = read(text).unwrap_err();
        assert!(message.starts_with(line), "{text:?}: {message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[test]
fn a_section_reads_settings_and_collects_what_is_wrong() {
    let text = "
endpoint: localhost:4317
timeout: 5 seconds
enabled: 'yes'
size: -1
format: jsn
headers: {a: b, c: 4}
tls: {insecure: true, ca: x}
";
    let root = Node::parse(text, "").unwrap();
    let mut errors = Errors::default();
    let mut section = Section::open("exporters::otlp", &root, &mut errors);
    assert_eq!(section.required_text("endpoint"), Some("localhost:4317"));
    assert_eq!(section.required_text("path"), None);
    assert_eq!(
        section.duration("timeout", Duration::from_secs(9)),
        Duration::from_secs(9)
    );
    assert!(section.flag("enabled", true));
    assert_eq!(section.count("size", 7), 7);
    assert_eq!(section.choice("format", &[("tree", 1), ("json", 2)]), None);
    assert_eq!(section.texts("headers"), [("a", "b")]);
    assert!(section.section("tls", |tls| tls.flag("insecure", false)));
    assert!(!section.section("retry", |retry| retry.flag("enabled", false)));
    section.finish();
    let found = errors.unless_any(()).unwrap_err().to_string();
    let expected = "\
line 2: exporters::otlp::path: is required
line 3: exporters::otlp::timeout: expected a duration such as 200ms or 1m30s, found \"5 seconds\"
line 4: exporters::otlp::enabled: expected true or false, found \"yes\"
line 5: exporters::otlp::size: expected a whole number that is not negative, found -1
line 6: exporters::otlp::format: \"jsn\" is none of tree, json; did you mean \"json\"?
line 7: exporters::otlp::headers::c: expected text, found a number
line 8: exporters::otlp::tls::ca: unknown key";
    assert_eq!(found, expected, "found:\n{found}");
}
