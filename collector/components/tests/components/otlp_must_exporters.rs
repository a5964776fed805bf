//! What OTLP demands of a client, one test a sentence (the specification's sections "OTLP/gRPC Response" to "OTLP/HTTP
//! Connection"). `otlp_must` has what it demands of a server.

use crate::feed::{ExporterAccount, finish, start, start_text, start_unbatched, wait_for};
use crate::otlp_must::{gzip, tonic_types_status};
use crate::standin::{Act, StandIn, grpc, status};
use http::Response;
use http_body_util::Full;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsPartialSuccess, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use std::time::{Duration, SystemTime};

const EXPORTERS: [&str; 2] = ["otlp", "otlphttp"];
const QUICK: &str = ", retry_on_failure: {initial_interval: 10ms}";
/// `Status{code: 8, details: [Any{RetryInfo{retry_delay: {nanos: 300000000}}}]}` in base64.
const RETRY_INFO: &str = "CAgaNAoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIICgYQgMaGjwE=";

fn settings(server: &StandIn, more: &str) -> String {
    format!("endpoint: 'http://{}', compression: none{more}", server.address)
}

/// Five spans to a server that does `act` first, and that takes all after it: the server, when all has an end, and the
/// account.
fn after(exporter: &str, act: Act) -> (StandIn, ExporterAccount) {
    let server = StandIn::start([act]);
    let engine = start("spans: 5", exporter, &settings(&server, QUICK));
    wait_for(&engine, "all has an end", |otlp| otlp.received == 5 && otlp.held == 0);
    (server, finish(engine))
}

/// An accepted request with a body, and in gRPC with its prefix and status.
fn accepted(exporter: &str, body: Vec<u8>) -> Act {
    if exporter == "otlphttp" {
        return Act::Answer(Response::new(Full::new(body.into())));
    }
    let framed = [&[0][..], &(body.len() as u32).to_be_bytes(), &body].concat();
    let mut response = Response::new(Full::new(framed.into()));
    response.headers_mut().insert("grpc-status", "0".parse().unwrap());
    Act::Answer(response)
}

fn partial(rejected_spans: i64, message: &str) -> Vec<u8> {
    let partial_success = Some(ExportTracePartialSuccess {
        rejected_spans,
        error_message: message.to_owned(),
    });
    ExportTraceServiceResponse { partial_success }.encode_to_vec()
}

#[test]
fn a_partial_success_must_not_be_tried_again() {
    for exporter in EXPORTERS {
        let (server, account) = after(exporter, accepted(exporter, partial(2, "too old")));
        assert_eq!((account.exported, account.dropped[&"rejected"]), (3, 2), "{exporter}");
        assert_eq!(server.requests(), 1, "{exporter}");
    }
}

#[test]
fn a_partial_success_counts_what_each_signal_calls_its_items() {
    let metrics = ExportMetricsServiceResponse {
        partial_success: Some(ExportMetricsPartialSuccess {
            rejected_data_points: 1,
            ..Default::default()
        }),
    };
    let logs = ExportLogsServiceResponse {
        partial_success: Some(ExportLogsPartialSuccess {
            rejected_log_records: 1,
            ..Default::default()
        }),
    };
    for (signal, body) in [("metrics", metrics.encode_to_vec()), ("logs", logs.encode_to_vec())] {
        for exporter in EXPORTERS {
            let server = StandIn::start([accepted(exporter, body.clone())]);
            let engine = start_text(&format!(
                "
receivers: {{feed: {{spans: 5, signal: {signal}}}}}
exporters: {{{exporter}: {{{}}}}}
service: {{pipelines: {{{signal}: {{receivers: [feed], exporters: [{exporter}]}}}}}}
",
                settings(&server, QUICK)
            ));
            wait_for(&engine, "all has an end", |otlp| otlp.received == 5 && otlp.held == 0);
            let account = finish(engine);
            assert_eq!((account.exported, account.dropped[&"rejected"]), (4, 1), "{signal}");
            assert_eq!(server.requests(), 1, "{signal}: {exporter}");
        }
    }
}

#[test]
fn a_partial_success_in_json_is_one_too_and_its_unknown_fields_are_ignored() {
    let body = r#"{"new":[{}],"partialSuccess":{"newer":1,"rejectedSpans":"2","errorMessage":"too old"}}"#;
    let mut response = Response::new(Full::new(body.into()));
    let content_type = "application/json".parse().unwrap();
    response.headers_mut().insert("content-type", content_type);
    let server = StandIn::start([Act::Answer(response)]);
    let more = format!(", encoding: json{QUICK}");
    let engine = start("spans: 5", "otlphttp", &settings(&server, &more));
    wait_for(&engine, "all has an end", |otlp| otlp.received == 5 && otlp.held == 0);
    let account = finish(engine);
    assert_eq!((account.exported, account.dropped[&"rejected"]), (3, 2));
    assert_eq!(server.requests(), 1);
}

#[test]
fn a_warning_with_nothing_rejected_is_a_full_success() {
    for exporter in EXPORTERS {
        let (server, account) = after(exporter, accepted(exporter, partial(0, "soon this will be refused")));
        assert_eq!((account.exported, account.dropped.len()), (5, 0), "{exporter}");
        assert_eq!(server.requests(), 1, "{exporter}");
    }
}

#[test]
fn what_grpc_cannot_try_again_must_not_be_tried_again_and_must_be_dropped() {
    // UNKNOWN, INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED, FAILED_PRECONDITION, UNIMPLEMENTED,
    // INTERNAL, UNAUTHENTICATED.
    for code in [2, 3, 5, 6, 7, 9, 12, 13, 16] {
        let (server, account) = after("otlp", grpc(code, "no", None));
        assert_eq!((account.exported, account.dropped[&"export_failed"]), (0, 5), "{code}");
        assert_eq!(server.requests(), 1, "{code}");
    }
}

#[test]
fn what_grpc_can_try_again_is_tried_again() {
    // CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS.
    for code in [1, 4, 10, 11, 14, 15] {
        let (server, account) = after("otlp", grpc(code, "later", None));
        assert_eq!((account.exported, account.dropped.len()), (5, 0), "{code}");
        assert_eq!(server.requests(), 2, "{code}");
    }
}

#[test]
fn resource_exhausted_is_tried_again_only_where_the_server_says_that_it_will_recover() {
    let (server, account) = after("otlp", grpc(8, "busy", None));
    assert_eq!((account.dropped[&"export_failed"], server.requests()), (5, 1));
    let (server, account) = after("otlp", grpc(8, "busy", Some(RETRY_INFO)));
    assert_eq!((account.exported, server.requests()), (5, 2));
}

#[test]
fn a_client_must_throttle_itself_when_the_server_says_so() {
    for code in [8, 14] {
        let (server, account) = after("otlp", grpc(code, "busy", Some(RETRY_INFO)));
        assert_eq!(account.exported, 5, "{code}");
        let waited = server.received(|received| received[1].at - received[0].at);
        assert!(waited >= Duration::from_millis(300), "{code}: only {waited:?}");
    }
}

#[test]
fn both_forms_of_retry_after_are_honoured() {
    for code in [429, 503] {
        // A date has whole seconds, so that three from now are more than two.
        #[expect(clippy::disallowed_methods, reason = "a date in a header is one")]
        let now = SystemTime::now();
        let date = httpdate::fmt_http_date(now + Duration::from_secs(3));
        for after_header in ["1", &date] {
            let (server, account) = after("otlphttp", status(code, &[("retry-after", after_header)]));
            assert_eq!((account.exported, account.dropped.len()), (5, 0), "{code}");
            let waited = server.received(|received| received[1].at - received[0].at);
            assert!(
                waited >= Duration::from_secs(1),
                "{code}, {after_header}: only {waited:?}"
            );
        }
    }
}

#[test]
fn only_four_answers_of_http_are_tried_again_and_all_others_must_not_be() {
    for code in [429, 502, 503, 504] {
        let (server, account) = after("otlphttp", status(code, &[]));
        assert_eq!((account.exported, account.dropped.len()), (5, 0), "{code}");
        assert_eq!(server.requests(), 2, "{code}");
    }
    for code in [301, 400, 401, 403, 404, 405, 408, 422, 500, 501, 505] {
        let (server, account) = after("otlphttp", status(code, &[]));
        assert_eq!((account.exported, account.dropped[&"export_failed"]), (0, 5), "{code}");
        assert_eq!(server.requests(), 1, "{code}");
    }
}

#[test]
fn a_request_that_is_too_large_must_not_be_sent_again_as_it_was() {
    let server = StandIn::start([Act::Limit(200)]);
    let engine = start("spans: 20", "otlphttp", &settings(&server, QUICK));
    wait_for(&engine, "all has an end", |otlp| otlp.received == 20 && otlp.held == 0);
    finish(engine);
    server.received(|received| {
        let mut bodies: Vec<&[u8]> = received.iter().map(|request| &request.body[..]).collect();
        // It goes out in halves, and none of them twice.
        assert!(bodies.len() > 1);
        bodies.sort_unstable();
        assert!(bodies.windows(2).all(|pair| pair[0] != pair[1]));
    });
}

#[test]
fn requests_go_by_post_to_the_default_paths_with_their_content_type() {
    for (signal, path) in [
        ("traces", "/v1/traces"),
        ("metrics", "/v1/metrics"),
        ("logs", "/v1/logs"),
    ] {
        for (encoding, content_type) in [("proto", "application/x-protobuf"), ("json", "application/json")] {
            let server = StandIn::start([]);
            let engine = start_text(&format!(
                "
receivers: {{feed: {{spans: 5, signal: {signal}}}}}
exporters: {{otlphttp: {{{}}}}}
service: {{pipelines: {{{signal}: {{receivers: [feed], exporters: [otlphttp]}}}}}}
",
                settings(&server, &format!(", encoding: {encoding}"))
            ));
            wait_for(&engine, "all is exported", |otlp| otlp.exported == 5);
            finish(engine);
            server.received(|received| {
                let request = &received[0];
                assert_eq!((request.method.as_str(), &*request.path), ("POST", path));
                assert_eq!(request.headers["content-type"], content_type);
            });
        }
    }
}

#[test]
fn a_body_that_is_gzip_must_say_so() {
    let server = StandIn::start([]);
    let settings = format!("endpoint: 'http://{}', compression: gzip", server.address);
    let engine = start("spans: 5", "otlphttp", &settings);
    wait_for(&engine, "all is exported", |otlp| otlp.exported == 5);
    finish(engine);
    // The stand-in decompresses what the header says.
    server.received(|received| {
        assert_eq!(received[0].headers["content-encoding"], "gzip");
        let request = ExportTraceServiceRequest::decode(&received[0].body[..]).unwrap();
        assert_eq!(request.resource_spans[0].scope_spans[0].spans.len(), 5);
    });
}

#[test]
fn an_answer_that_is_gzip_is_read_or_was_not_asked_for() {
    let mut response = Response::new(Full::new(gzip(&partial(2, "too old")).into()));
    response
        .headers_mut()
        .insert("content-encoding", "gzip".parse().unwrap());
    let (server, account) = after("otlphttp", Act::Answer(response));
    let asked = server.received(|received| {
        let accepted = received[0].headers.get("accept-encoding");
        accepted.is_some_and(|value| value.to_str().unwrap().contains("gzip"))
    });
    // A server that answers so although nobody asked has taken the request all the same.
    let rejected = account.dropped.get("rejected").copied().unwrap_or(0);
    assert_eq!((account.exported + rejected, server.requests()), (5, 1));
    assert_eq!(rejected > 0, asked, "{account:?}");
}

#[test]
fn in_json_ids_are_hex_enums_are_integers_keys_are_camels_and_64_bit_numbers_are_text() {
    let server = StandIn::start([]);
    let engine = start("spans: 2", "otlphttp", &settings(&server, ", encoding: json"));
    wait_for(&engine, "all is exported", |otlp| otlp.exported == 2);
    finish(engine);
    server.received(|received| {
        let request: serde_json::Value = serde_json::from_slice(&received[0].body).unwrap();
        let span = &request["resourceSpans"][0]["scopeSpans"][0]["spans"][1];
        assert_eq!(span["traceId"], "00000000000000000000000000000001");
        assert_eq!(span["spanId"], "0000000000000002");
        assert_eq!(span["parentSpanId"], "0000000000000001");
        assert_eq!(span["kind"], 2);
        assert_eq!(span["startTimeUnixNano"], "1700000000000000001");
        let text = String::from_utf8_lossy(&received[0].body);
        assert!(!text.contains('_') && !text.contains("KIND"), "{text}");
    });
}

#[test]
fn the_status_in_an_error_changes_nothing_about_what_its_code_says() {
    // A Status that says INVALID_ARGUMENT, in a reply that says that it can be tried again.
    let body = b"\x08\x03\x12\x03bad";
    assert_eq!(tonic_types_status(body).0, 3);
    let mut response = Response::new(Full::new(body.as_slice().into()));
    *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
    let (server, account) = after("otlphttp", Act::Answer(response));
    assert_eq!((account.exported, server.requests()), (5, 2));
}

#[test]
fn a_server_that_disconnects_without_an_answer_is_asked_again() {
    for exporter in EXPORTERS {
        let (server, account) = after(exporter, Act::Reset);
        assert_eq!((account.exported, server.requests()), (5, 2), "{exporter}");
    }
}

#[test]
fn the_intervals_between_attempts_must_have_a_random_jitter() {
    for exporter in EXPORTERS {
        let server = StandIn::start((0..8).map(|_| Act::Reset));
        let more = ", retry_on_failure: {initial_interval: 100ms, max_interval: 100ms, multiplier: 1}";
        let engine = start("spans: 5", exporter, &settings(&server, more));
        wait_for(&engine, "all is exported", |otlp| otlp.exported == 5);
        finish(engine);
        let gaps: Vec<f64> = server.received(|received| {
            let gaps = received.windows(2).map(|pair| pair[1].at - pair[0].at);
            gaps.map(|gap| gap.as_secs_f64()).collect()
        });
        // Half an interval to one and a half; that eight are within a tenth of each other does not happen by chance.
        let [shortest, longest] = [f64::min, f64::max].map(|pick| gaps.iter().copied().reduce(pick).unwrap());
        assert_eq!(gaps.len(), 8, "{exporter}: {gaps:?}");
        assert!(shortest >= 0.05, "{exporter}: {gaps:?}");
        assert!(longest - shortest > 0.01, "{exporter}: {gaps:?}");
    }
}

#[test]
fn the_connection_is_kept_between_requests() {
    for exporter in EXPORTERS {
        let server = StandIn::start([]);
        let more = ", sending_queue: {num_consumers: 1}";
        let engine = start_unbatched("payloads: 20, spans: 5", exporter, &settings(&server, more));
        wait_for(&engine, "all is exported", |otlp| otlp.exported == 100);
        finish(engine);
        assert_eq!((server.requests(), server.connections()), (20, 1), "{exporter}");
    }
}

#[test]
fn the_number_of_concurrent_requests_is_configurable() {
    for exporter in EXPORTERS {
        let server = StandIn::start((0..3).map(|_| Act::Gather(3)));
        let more = ", sending_queue: {num_consumers: 3}";
        let engine = start_unbatched("payloads: 6, spans: 5", exporter, &settings(&server, more));
        wait_for(&engine, "all is exported", |otlp| otlp.exported == 30);
        finish(engine);
        assert_eq!(server.requests(), 6, "{exporter}");
        assert!(server.most_present() == 3, "{exporter}: {}", server.most_present());
    }
}

#[test]
fn the_size_of_an_answer_is_limited() {
    for exporter in EXPORTERS {
        let server = StandIn::start([Act::Endless]);
        let more = ", retry_on_failure: {enabled: false}";
        let engine = start("spans: 5", exporter, &settings(&server, more));
        wait_for(&engine, "it has an end", |otlp| otlp.received == 5 && otlp.held == 0);
        finish(engine);
        // What we read, 4 MiB at most, and what fits into the buffers of two sockets.
        assert!(server.poured() < 64 << 20, "{exporter}: {} bytes", server.poured());
    }
}
