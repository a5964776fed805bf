use crate::feed::{errors, finish, start, wait_for};
use crate::standin::{Act, StandIn};
use http::Response;
use http_body_util::Full;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

fn settings(server: &StandIn) -> String {
    format!(
        "endpoint: 'http://{}/base/', headers: {{x-token: abc}}, compression: none",
        server.address
    )
}

#[test]
fn encoded_payloads_arrive_as_one_body_at_the_traces_path() {
    let server = StandIn::start([]);
    let engine = start("payloads: 40, spans: 20", "otlphttp", &settings(&server));
    wait_for(&engine, "all is exported", |otlp| otlp.exported == 800);
    finish(engine);
    let spans: usize = server.received(|received| {
        let spans = received.iter().map(|request| {
            assert_eq!(request.path, "/base/v1/traces");
            assert_eq!(request.headers["x-token"], "abc");
            assert_eq!(
                request.headers["content-length"],
                request.body.len().to_string().as_str()
            );
            let message = ExportTraceServiceRequest::decode(&request.body[..]).unwrap();
            let resources = message.resource_spans.iter();
            resources
                .map(|resource| resource.scope_spans[0].spans.len())
                .sum::<usize>()
        });
        spans.sum()
    });
    assert_eq!(spans, 800);
}

#[test]
fn a_giant_answer_is_not_read_to_its_end() {
    let server = StandIn::start([Act::Answer(Response::new(Full::new(vec![b'x'; 64 << 20].into())))]);
    let engine = start("spans: 3", "otlphttp", &settings(&server));
    // The status has said that the request was taken.
    wait_for(&engine, "all is exported", |otlp| otlp.exported == 3);
    finish(engine);
}

#[test]
fn endpoints_that_cannot_work_are_found_before_the_start() {
    for (endpoint, expected) in [
        ("h:4318", "is not a URL"),
        ("http://", "is not a URL"),
        ("ftp://h", "is not a URL"),
        ("http://h?x=1", "is not a URL"),
    ] {
        let found = errors("otlphttp", &format!("endpoint: '{endpoint}'"));
        assert!(found.contains(expected), "{endpoint}: {found}");
    }
}
