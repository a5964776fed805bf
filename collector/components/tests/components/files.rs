use crate::feed::{errors, finish, start, wait_for};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;

#[test]
fn every_span_is_in_the_file_as_otlp_json() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("spans.jsonl");
    std::fs::write(&path, "of an earlier run").unwrap();
    let engine = start("payloads: 50, spans: 7", "file", &format!("path: '{}'", path.display()));
    wait_for(&engine, "all is written", |file| file.exported == 350);
    // A reader may look while the collector runs.
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(finish(engine).exported, 350);
    let mut names = Vec::new();
    for line in text.lines() {
        let request: ExportTraceServiceRequest = serde_json::from_str(line).unwrap();
        for scope in request.resource_spans.iter().flat_map(|resource| &resource.scope_spans) {
            names.extend(scope.spans.iter().map(|span| span.name.clone()));
        }
    }
    assert_eq!(names.len(), 350);
    assert!(names.iter().all(|name| name == "GET /a"));
    assert!(text.contains("\"startTimeUnixNano\":\"1700000000000000000\""), "{text}");
    assert!(
        text.contains("\"traceId\":\"00000000000000000000000000000001\""),
        "{text}"
    );
}

#[test]
fn a_file_may_be_appended_to() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("spans.jsonl");
    for _ in 0..2 {
        let engine = start("", "file", &format!("path: '{}', append: true", path.display()));
        wait_for(&engine, "the span is written", |file| file.exported == 1);
        finish(engine);
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
}

#[test]
fn a_full_disk_is_counted() {
    let engine = start("payloads: 3, spans: 2", "file", "path: /dev/full, append: true");
    wait_for(&engine, "all is dropped", |file| file.held == 0 && file.received == 6);
    let account = finish(engine);
    assert_eq!((account.exported, account.dropped[&"write_failed"]), (0, 6));
}

#[test]
fn a_file_without_a_path_is_a_configuration_error() {
    assert_eq!(errors("file", ""), "line 1: exporters::file::path: is required");
    assert_eq!(
        errors("file", "path: ''"),
        "line 1: exporters::file::path: must not be empty"
    );
}
