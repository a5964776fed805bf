use super::read;

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
