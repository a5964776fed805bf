use crate::feed::{errors, finish, start, start_unbatched, wait_for};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

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

#[test]
fn protobuf_messages_stand_behind_their_lengths_compressed_or_not() {
    for compression in ["none", "zstd"] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("made/for/it/spans");
        let settings = format!(
            "path: '{}', format: proto, compression: {compression}, create_directory: true, flush_interval: 1s",
            path.display()
        );
        let engine = start_unbatched("payloads: 5, spans: 2", "file", &settings);
        wait_for(&engine, "all is written", |file| file.exported == 10);
        finish(engine);
        let bytes = std::fs::read(&path).unwrap();
        let (mut rest, mut spans) = (&bytes[..], 0);
        while let Some((length, body)) = rest.split_first_chunk() {
            let (message, behind) = body.split_at(u32::from_be_bytes(*length) as usize);
            let message = match compression {
                "zstd" => zstd::decode_all(message).unwrap(),
                _ => message.to_vec(),
            };
            let request = ExportTraceServiceRequest::decode(&message[..]).unwrap();
            spans += request.resource_spans[0].scope_spans[0].spans.len();
            rest = behind;
        }
        assert_eq!((spans, rest.len()), (10, 0));
    }
}

#[test]
fn settings_of_files_that_would_not_be_kept_are_refused() {
    for (settings, expected) in [
        (
            "append: true, rotation: {}",
            "append: cannot be used together with rotation",
        ),
        (
            "append: true, compression: zstd",
            "append: cannot be used together with compression",
        ),
        (
            "group_by: {enabled: true, resource_attribute: a}",
            "group_by::enabled: must be false",
        ),
        ("format: xml", "format: \"xml\" is none of json, proto"),
        ("rotation: {max_megabytes: 0}", "rotation::max_megabytes"),
        ("directory_permissions: '9'", "expected an octal number"),
    ] {
        let error = errors("file", &format!("path: x, {settings}"));
        assert!(error.contains(expected), "{settings}: {error}");
    }
}
