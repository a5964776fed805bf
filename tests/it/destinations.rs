//! Where `odigos run` sends spans: a real collector, standard output, and an endpoint that is not there.

use crate::support::{Observed, Program, Span, account, binary, check_account, free_port, in_file, in_text, until};
use std::collections::BTreeSet;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// Our collector with an OTLP receiver and a file.
struct Collector {
    _program: Program,
    _folder: TempDir,
    grpc: u16,
    http: u16,
    file: PathBuf,
}

impl Collector {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let (grpc, http) = (free_port(), free_port());
        let file = folder.path().join("received.jsonl");
        let config = folder.path().join("collector.yaml");
        let text = format!(
            "receivers:\n  otlp:\n    protocols:\n      grpc: {{endpoint: '127.0.0.1:{grpc}'}}\n      http: {{endpoint: '127.0.0.1:{http}'}}\n\
             exporters:\n  file: {{path: '{}'}}\n\
             service:\n  telemetry: {{metrics: {{level: none}}}}\n  pipelines:\n    traces: {{receivers: [otlp], exporters: [file]}}\n",
            file.display()
        );
        std::fs::write(&config, text).unwrap();
        let program = Program::start(Command::new(binary("odigos-collector")).arg("--config").arg(&config));
        for port in [grpc, http] {
            until("the collector listens", || TcpStream::connect(("127.0.0.1", port)).ok());
        }
        Collector {
            _program: program,
            _folder: folder,
            grpc,
            http,
            file,
        }
    }
}

const REQUESTS: usize = 200;

/// Every request to the server has one span among these, and nothing else has any.
fn check_spans(spans: &[Span], paths: &[String]) {
    let seen: BTreeSet<&str> = spans.iter().map(|span| span.get("url.path")).collect();
    let asked: BTreeSet<&str> = paths.iter().map(String::as_str).collect();
    assert_eq!(seen, asked);
    assert_eq!(spans.len(), paths.len(), "a request has several spans");
    let complete =
        |span: &Span| span.is_server() && span.resource.get("service.name").is_some_and(|it| it == "http.server");
    assert!(spans.iter().all(complete), "{spans:#?}");
}

/// All spans arrive at the collector's endpoint, and the run's account says so.
fn check_delivery(destination: impl Fn(&Collector) -> String) {
    let collector = Collector::start();
    let run = Observed::start(&["-o", "quiet", "--export", &destination(&collector)]);
    let paths: Vec<String> = (0..REQUESTS).map(|number| format!("/item/{number}")).collect();
    run.ask(&paths.iter().map(String::as_str).collect::<Vec<_>>());
    let finished = run.stop();
    assert!(finished.status.success(), "{}", finished.log);
    check_account(&finished.log);
    assert_eq!(account(&finished.log, "exported"), REQUESTS as u64, "{}", finished.log);
    assert_eq!(account(&finished.log, "held"), 0, "{}", finished.log);
    until("all spans in the collector's file", || {
        (in_file(&collector.file).len() >= REQUESTS).then_some(())
    });
    check_spans(&in_file(&collector.file), &paths);
}

#[test]
fn a_collector_receives_every_span_by_otlp_over_grpc() {
    check_delivery(|collector| format!("otlp://127.0.0.1:{}", collector.grpc));
}

#[test]
fn a_collector_receives_every_span_by_otlp_over_http() {
    check_delivery(|collector| format!("otlphttp://127.0.0.1:{}", collector.http));
}

#[test]
fn standard_output_as_a_destination_has_one_request_a_line_and_nothing_else() {
    let run = Observed::start(&["--export", "stdout"]);
    run.ask(&["/first", "/second"]);
    let finished = run.stop();
    assert!(finished.status.success(), "{}", finished.log);
    check_account(&finished.log);
    check_spans(&in_text(&finished.out), &["/first".to_owned(), "/second".to_owned()]);
}

#[test]
fn a_destination_that_is_named_twice_gets_each_span_once() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("spans.jsonl");
    let config = folder.path().join("odigos.yaml");
    let export = format!("file:{}", file.display());
    std::fs::write(&config, format!("export: ['{export}', stdout]\n")).unwrap();
    let config = config.to_str().unwrap();
    let run = Observed::start(&[
        "-o", "json", "--config", config, "--export", &export, "--export", "stdout",
    ]);
    run.ask(&["/first", "/second"]);
    let finished = run.stop();
    assert!(finished.status.success(), "{}", finished.log);
    let paths = ["/first".to_owned(), "/second".to_owned()];
    check_spans(&in_file(&file), &paths);
    check_spans(&in_text(&finished.out), &paths);
}

#[test]
fn a_run_whose_destination_takes_nothing_fails_and_says_which_and_why() {
    let port = free_port();
    for scheme in ["otlp", "otlphttp"] {
        let destination = format!("{scheme}://127.0.0.1:{port}");
        let run = Observed::start(&["-o", "quiet", "--export", &destination]);
        run.ask(&["/lost"]);
        let finished = run.stop();
        assert_eq!(finished.status.code(), Some(1), "{}", finished.log);
        assert!(
            finished.log.contains("exported 0, dropped 1 (export_failed 1)"),
            "{}",
            finished.log
        );
        let said = finished.log.lines().last().unwrap();
        assert!(
            said.contains(&destination) && said.contains("Connection refused"),
            "{said}"
        );
    }
}

#[test]
fn a_run_without_spans_does_not_fail_for_a_destination_that_is_not_there() {
    let run = Observed::start(&["-o", "quiet", "--export", &format!("otlp://127.0.0.1:{}", free_port())]);
    let finished = run.stop();
    assert!(finished.status.success(), "{}", finished.log);
}
