use crate::feed::{errors, finish, start, wait_for};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

type Answer = Response<Full<Bytes>>;

#[derive(Default)]
struct Script {
    answers: VecDeque<Answer>,
    received: Vec<(Instant, String, HeaderMap, Bytes)>,
}

/// An HTTP server that ends with this value.
struct Running {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
    _runtime: tokio::runtime::Runtime,
}

impl Running {
    fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let script = Arc::new(Mutex::new(Script {
            answers: answers.into_iter().collect(),
            received: Vec::new(),
        }));
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = script.clone();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let script = shared.clone();
                let service = service_fn(move |request| answer(script.clone(), request));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Running {
            address,
            script,
            _runtime: runtime,
        }
    }

    fn settings(&self) -> String {
        format!(
            "endpoint: 'http://{}/base/', headers: {{x-token: abc}}, compression: none, \
             retry_on_failure: {{initial_interval: 10ms}}",
            self.address
        )
    }

    fn requests(&self) -> usize {
        self.script.lock().unwrap().received.len()
    }
}

async fn answer(script: Arc<Mutex<Script>>, request: Request<Incoming>) -> Result<Answer, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let mut script = script.lock().unwrap();
    script
        .received
        .push((Instant::now(), head.uri.path().to_owned(), head.headers, body));
    Ok(script.answers.pop_front().unwrap_or_default())
}

fn status(code: u16) -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = StatusCode::from_u16(code).unwrap();
    answer
}

#[test]
fn encoded_payloads_arrive_as_one_body_at_the_traces_path() {
    let server = Running::start([]);
    let engine = start("payloads: 40, spans: 20", "otlphttp", &server.settings());
    wait_for(&engine, "all is exported", |otlp| otlp.exported == 800);
    finish(engine);
    let script = server.script.lock().unwrap();
    let mut spans = 0;
    for (_, path, headers, body) in &script.received {
        assert_eq!(path, "/base/v1/traces");
        assert_eq!(headers["content-type"], "application/x-protobuf");
        assert_eq!(headers["x-token"], "abc");
        assert_eq!(headers["content-length"], body.len().to_string().as_str());
        let request = ExportTraceServiceRequest::decode(&body[..]).unwrap();
        spans += request
            .resource_spans
            .iter()
            .map(|resource| resource.scope_spans[0].spans.len())
            .sum::<usize>();
    }
    assert_eq!(spans, 800);
}

#[test]
fn only_the_four_retryable_answers_are_tried_again() {
    for code in [429, 502, 503, 504] {
        let server = Running::start([status(code)]);
        let engine = start("spans: 3", "otlphttp", &server.settings());
        wait_for(&engine, "all is exported", |otlp| otlp.exported == 3);
        assert!(finish(engine).dropped.is_empty());
        assert_eq!(server.requests(), 2, "{code}");
    }
    for code in [301, 400, 404, 500, 501] {
        let server = Running::start([status(code)]);
        let engine = start("spans: 3", "otlphttp", &server.settings());
        wait_for(&engine, "all is dropped", |otlp| {
            otlp.dropped.get("export_failed") == Some(&3)
        });
        finish(engine);
        assert_eq!(server.requests(), 1, "{code}");
    }
}

#[test]
fn retry_after_is_honoured() {
    let mut busy = status(503);
    busy.headers_mut().insert("retry-after", "1".parse().unwrap());
    let server = Running::start([busy]);
    let engine = start("spans: 3", "otlphttp", &server.settings());
    wait_for(&engine, "all is exported", |otlp| otlp.exported == 3);
    finish(engine);
    let script = server.script.lock().unwrap();
    let waited = script.received[1].0 - script.received[0].0;
    assert!(waited.as_millis() >= 1000, "waited only {waited:?}");
}

#[test]
fn a_partial_success_is_never_sent_again_and_its_rejections_are_counted() {
    let partial_success = Some(ExportTracePartialSuccess {
        rejected_spans: 1,
        error_message: String::new(),
    });
    let body = ExportTraceServiceResponse { partial_success }.encode_to_vec();
    let server = Running::start([Response::new(Full::new(body.into()))]);
    let engine = start("spans: 3", "otlphttp", &server.settings());
    wait_for(&engine, "two are exported", |otlp| otlp.exported == 2);
    assert_eq!(finish(engine).dropped[&"rejected"], 1);
    assert_eq!(server.requests(), 1);
}

#[test]
fn a_giant_answer_is_not_read_to_its_end() {
    let server = Running::start([Response::new(Full::new(vec![b'x'; 64 << 20].into()))]);
    let engine = start("spans: 3", "otlphttp", &server.settings());
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
