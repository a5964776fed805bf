//! The program while its wall clock is set an hour on and back: nothing that it waits for comes earlier, later or never.

#![allow(clippy::unwrap_used)]

mod support;

use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use support::http::{Destination, Received, free_port, get, post};
use support::{Collector, PROGRAM, wait_until};

const HOUR: i64 = 3600;
/// Longer than any wait that is configured, and shorter than what a jump could make of one.
const STALLED: Duration = Duration::from_secs(30);

/// The program, and its wall clock.
struct Program {
    collector: Collector,
    http: SocketAddr,
    live: SocketAddr,
    jump: std::fs::File,
    _directory: tempfile::TempDir,
}

fn compiled(directory: &Path) -> PathBuf {
    let library = directory.join("wall_clock.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clock/wall_clock.c");
    let mut compiler = Command::new("gcc");
    compiler
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&library)
        .arg(source);
    assert!(compiler.status().unwrap().success());
    library
}

impl Program {
    /// `pipelines` names the receiver `otlp` and the exporter `otlphttp`.
    fn start(destination: SocketAddr, processors: &str, pipelines: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let [http, live] = [(); 2].map(|()| free_port());
        let text = format!(
            "
receivers: {{otlp: {{protocols: {{http: {{endpoint: '{http}'}}}}}}}}
processors:
{processors}
extensions:
  live: {{endpoint: '{live}'}}
  file_storage: {{directory: '{}', create_directory: true}}
exporters:
  otlphttp:
    endpoint: 'http://{destination}'
    compression: none
    encoding: json
    retry_on_failure: {{initial_interval: 1s, randomization_factor: 0, max_elapsed_time: 60s}}
    sending_queue: {{storage: file_storage}}
service:
  extensions: [live, file_storage]
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
{pipelines}
",
            directory.path().join("storage").display()
        );
        let (configuration, jump) = (directory.path().join("collector.yaml"), directory.path().join("jump"));
        std::fs::write(&configuration, text).unwrap();
        std::fs::write(&jump, 0i64.to_ne_bytes()).unwrap();
        let mut command = Command::new(PROGRAM);
        command.arg("--config").arg(&configuration);
        command
            .env("LD_PRELOAD", compiled(directory.path()))
            .env("WALL_CLOCK_JUMP", &jump);
        let program = Program {
            collector: Collector::spawn(command),
            http,
            live,
            jump: std::fs::File::options().write(true).open(&jump).unwrap(),
            _directory: directory,
        };
        wait_until("it runs", || get(live, "/").is_some());
        program
    }

    fn set_clock(&self, seconds: i64) {
        self.jump.write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
    }

    fn send_log(&self, body: &str) {
        let record = format!("{{\"body\":{{\"stringValue\":\"{body}\"}}}}");
        let request = format!("{{\"resourceLogs\":[{{\"scopeLogs\":[{{\"logRecords\":[{record}]}}]}}]}}");
        assert_eq!(post(self.http, "/v1/logs", &request), Some(200));
    }

    /// Traces of one span each, which is no root.
    fn send_traces(&self, name: &str, numbers: std::ops::Range<u32>) {
        let span = |number| {
            format!(
                "{{\"traceId\":\"{number:032x}\",\"spanId\":\"00000000000000aa\",\"parentSpanId\":\"00000000000000bb\",\"name\":\"{name}\"}}"
            )
        };
        let spans: Vec<String> = numbers.map(|number| span(number + 1)).collect();
        let request = format!(
            "{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{}]}}]}}]}}",
            spans.join(",")
        );
        assert_eq!(post(self.http, "/v1/traces", &request), Some(200));
    }

    fn live(&self) -> serde_json::Value {
        serde_json::from_str(&get(self.live, "/").unwrap().1).unwrap()
    }

    /// Its log, when it has ended.
    fn stop(self) -> String {
        self.collector.stop()
    }
}

fn is_about(request: &Received, text: &str) -> bool {
    String::from_utf8_lossy(&request.body).contains(text)
}

/// How long after `since` a request about `text` came.
fn came(destination: &Destination, path: &str, text: &str, accepted: bool, since: Instant) -> Duration {
    let find = || {
        let mut received = destination.received(path).into_iter();
        received.find(|request| is_about(request, text) && request.accepted == accepted)
    };
    wait_until(text, || find().is_some());
    find().unwrap().at - since
}

#[expect(clippy::disallowed_methods, reason = "it is what the test is about")]
fn unix_seconds() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

/// The jumps of one test: on, and then back over where it was.
const JUMPS: [i64; 2] = [HOUR, -HOUR];

#[test]
fn a_batch_and_a_trace_wait_as_long_as_they_should() {
    let destination = Destination::start();
    let processors =
        "  batch: {timeout: 1s}\n  tail_sampling: {decision_wait: 2s, policies: [{name: all, type: always_sample}]}";
    let pipelines = "    logs: {receivers: [otlp], processors: [batch], exporters: [otlphttp]}\n    \
        traces: {receivers: [otlp], processors: [tail_sampling], exporters: [otlphttp]}";
    let program = Program::start(destination.address, processors, pipelines);
    for (round, jump) in (0..).zip(JUMPS) {
        let (log, span) = (format!("log-{round}"), format!("span-{round}"));
        let since = Instant::now();
        program.send_log(&log);
        program.send_traces(&span, round..round + 1);
        program.set_clock(jump);
        for (path, text, least) in [("/v1/logs", &log, 1), ("/v1/traces", &span, 2)] {
            let waited = came(&destination, path, text, true, since);
            let least = Duration::from_secs(least);
            assert!(waited >= least && waited < STALLED, "{text} after {waited:?}, {jump}");
        }
    }
    program.stop();
}

#[test]
fn a_request_is_tried_again_when_it_should_and_not_given_up_before_its_time() {
    let destination = Destination::start();
    let pipelines = "    logs: {receivers: [otlp], exporters: [otlphttp]}";
    let program = Program::start(destination.address, "  {}", pipelines);
    for (round, jump) in JUMPS.into_iter().enumerate() {
        let log = format!("log-{round}");
        destination.set_away(true);
        let before = Instant::now();
        program.send_log(&log);
        let refused = before + came(&destination, "/v1/logs", &log, false, before);
        program.set_clock(jump);
        destination.set_away(false);
        let waited = came(&destination, "/v1/logs", &log, true, refused);
        assert!(
            waited >= Duration::from_millis(900) && waited < STALLED,
            "{waited:?}, {jump}"
        );
    }
    // The program did see it: a failure has the time of day.
    destination.set_away(true);
    program.send_log("log-2");
    wait_until("a failure", || {
        program.live()["pipelines"]["logs"]["exporters"]["otlphttp"]["last_error"]["lasting"] == true
    });
    let live = program.live();
    let error = &live["pipelines"]["logs"]["exporters"]["otlphttp"]["last_error"];
    let apart = error["unix_seconds"].as_i64().unwrap() - (unix_seconds() - HOUR);
    assert!(apart.abs() < 60, "{live:#}");
    destination.set_away(false);
    came(&destination, "/v1/logs", "log-2", true, Instant::now());
    let log = program.stop();
    assert!(
        log.contains("logs -> otlphttp: received 3, exported 3, dropped 0, held 0"),
        "{log}"
    );
}

/// Spans in a second, and what is saved of seconds without any.
const RATE: f64 = 10.0;
const BURST: f64 = 20.0;

#[test]
fn a_rate_stays_what_it_is() {
    let destination = Destination::start();
    let processors = "  tail_sampling: {decision_wait: 100ms, policies: [{name: few, type: rate_limiting, rate_limiting: {spans_per_second: 10}}]}";
    let pipelines = "    traces: {receivers: [otlp], processors: [tail_sampling], exporters: [otlphttp]}";
    let program = Program::start(destination.address, processors, pipelines);
    let kept = |name: &str| -> usize {
        let received = destination.received("/v1/traces");
        let bodies = received
            .iter()
            .map(|request| String::from_utf8_lossy(&request.body).into_owned());
        bodies.map(|body| body.matches(&format!("\"{name}\"")).count()).sum()
    };
    let (since, mut sent) = (Instant::now(), 0);
    for (name, jump) in [("before", 0), ("on", HOUR), ("back", -HOUR)] {
        program.set_clock(jump);
        program.send_traces(name, sent..sent + 500);
        sent += 500;
        // It goes on: some come through, if not of these then of the next.
        wait_until(name, || {
            program.send_traces(name, sent..sent + 1);
            sent += 1;
            kept(name) > 0
        });
    }
    program.stop();
    // The drain has decided on the rest. A clock that went an hour on would have filled the bucket again.
    let most = BURST + RATE * since.elapsed().as_secs_f64();
    let kept: usize = ["before", "on", "back"].map(kept).iter().sum();
    assert!(
        kept as f64 <= most,
        "{kept} spans, not {most}, in {:?}",
        since.elapsed()
    );
}
