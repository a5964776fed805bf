use crate::feed::{errors, finish, start, wait_for};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tonic::metadata::MetadataMap;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status};

/// What a server has received, and what it is to answer; with nothing said it accepts.
#[derive(Default)]
struct Script {
    answers: VecDeque<Result<ExportTraceServiceResponse, Status>>,
    received: Vec<(MetadataMap, ExportTraceServiceRequest)>,
}

#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Script>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut script = self.0.lock().unwrap();
        let (metadata, _, body) = request.into_parts();
        script.received.push((metadata, body));
        let answer = script
            .answers
            .pop_front()
            .unwrap_or_else(|| Ok(ExportTraceServiceResponse::default()));
        answer.map(Response::new)
    }
}

/// A gRPC server that ends with this value.
struct Running {
    address: SocketAddr,
    collector: Collector,
    _runtime: tokio::runtime::Runtime,
}

impl Running {
    fn start(answers: impl IntoIterator<Item = Result<ExportTraceServiceResponse, Status>>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let collector = Collector::default();
        collector.0.lock().unwrap().answers = answers.into_iter().collect();
        let service = TraceServiceServer::new(collector.clone());
        let address = runtime.block_on(async {
            let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
            let address = incoming.local_addr().unwrap();
            tokio::spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
            address
        });
        Running {
            address,
            collector,
            _runtime: runtime,
        }
    }

    fn requests(&self) -> usize {
        self.collector.0.lock().unwrap().received.len()
    }

    fn settings(&self, more: &str) -> String {
        format!(
            "endpoint: '{}', tls: {{insecure: true}}, compression: none{more}",
            self.address
        )
    }
}

const QUICK: &str = ", retry_on_failure: {initial_interval: 10ms}";

fn spans(request: &ExportTraceServiceRequest) -> usize {
    request
        .resource_spans
        .iter()
        .flat_map(|resource| &resource.scope_spans)
        .map(|scope| scope.spans.len())
        .sum()
}

#[test]
fn encoded_payloads_arrive_whole_with_their_headers() {
    let server = Running::start([]);
    let engine = start(
        "payloads: 500, spans: 20",
        "otlp",
        &server.settings(", headers: {X-Token: abc}"),
    );
    wait_for(&engine, "all is exported", |otlp| otlp.exported == 10_000);
    finish(engine);
    let script = server.collector.0.lock().unwrap();
    assert_eq!(
        script.received.iter().map(|(_, request)| spans(request)).sum::<usize>(),
        10_000
    );
    let (metadata, request) = &script.received[0];
    assert_eq!(metadata.get("x-token").unwrap(), "abc");
    assert!(
        metadata
            .get("user-agent")
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("odigos-collector/")
    );
    assert_eq!(request.resource_spans[0].scope_spans[0].spans[0].name, "GET /a");
    // Five hundred payloads went out in fewer requests.
    assert!(script.received.len() < 100, "{} requests", script.received.len());
}

#[test]
fn a_retryable_failure_is_tried_again_and_delivered_once() {
    let server = Running::start([
        Err(Status::unavailable("starting")),
        Err(Status::new(Code::DataLoss, "moving")),
        Ok(ExportTraceServiceResponse::default()),
    ]);
    let engine = start("spans: 5", "otlp", &server.settings(QUICK));
    wait_for(&engine, "all is exported", |otlp| otlp.exported == 5);
    assert_eq!(finish(engine).dropped.len(), 0);
    assert_eq!(server.requests(), 3);
}

#[test]
fn a_partial_success_is_never_sent_again_and_its_rejections_are_counted() {
    let partial_success = Some(ExportTracePartialSuccess {
        rejected_spans: 2,
        error_message: "too old".to_owned(),
    });
    let server = Running::start([Ok(ExportTraceServiceResponse { partial_success })]);
    let engine = start("spans: 5", "otlp", &server.settings(QUICK));
    wait_for(&engine, "three are exported", |otlp| otlp.exported == 3);
    assert_eq!(finish(engine).dropped[&"rejected"], 2);
    assert_eq!(server.requests(), 1);
}

#[test]
fn an_endpoint_that_nobody_listens_at_costs_the_items_and_not_the_shutdown() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = unused.local_addr().unwrap();
    drop(unused);
    let settings = format!("endpoint: '{address}', tls: {{insecure: true}}");
    let engine = start("payloads: 30, spans: 10", "otlp", &settings);
    wait_for(&engine, "all items have come", |otlp| otlp.received == 300);
    let begun = Instant::now();
    let account = finish(engine);
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "the drain took {:?}",
        begun.elapsed()
    );
    assert_eq!((account.exported, account.dropped[&"export_failed"]), (0, 300));
}

#[test]
fn an_endpoint_that_never_answers_ends_with_the_drains_deadline() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = format!(
        "endpoint: '{}', tls: {{insecure: true}}, timeout: 60s",
        silent.local_addr().unwrap()
    );
    let engine = start("spans: 10", "otlp", &settings);
    wait_for(&engine, "all items have come", |otlp| otlp.received == 10);
    engine.handle().drain(Duration::from_millis(300));
    assert_eq!(finish(engine).dropped[&"export_failed"], 10);
}

#[test]
fn a_destination_that_comes_back_gets_what_waited() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = unused.local_addr().unwrap();
    drop(unused);
    let settings = format!("endpoint: '{address}', tls: {{insecure: true}}, compression: none{QUICK}");
    let engine = start("spans: 10", "otlp", &settings);
    wait_for(&engine, "all items have come", |otlp| otlp.received == 10);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let collector = Collector::default();
    let service = TraceServiceServer::new(collector.clone());
    runtime.spawn(Server::builder().add_service(service).serve(address));
    wait_for(&engine, "all is exported", |otlp| otlp.exported == 10);
    finish(engine);
    assert_eq!(collector.0.lock().unwrap().received.len(), 1);
}

#[test]
fn settings_that_cannot_work_are_found_before_the_start() {
    for (settings, expected) in [
        ("tls: {insecure: true}", "endpoint: is required"),
        (
            "endpoint: 'h', tls: {insecure: true}",
            "endpoint: \"h\" is not host:port",
        ),
        (
            "endpoint: 'http://h:1', headers: {'a b': c}",
            "headers: \"a b\" is not a valid header",
        ),
        (
            "endpoint: 'http://h:1', compression: deflate",
            "compression: \"deflate\" is none of none, gzip, zstd",
        ),
        (
            "endpoint: 'http://h:1', timout: 1s",
            "timout: unknown key; did you mean \"timeout\"?",
        ),
    ] {
        let found = errors("otlp", settings);
        assert!(found.contains(expected), "{settings}: {found}");
    }
}
