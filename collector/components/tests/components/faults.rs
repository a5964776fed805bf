//! What the exporters do when their destination misbehaves. Each test ends with the account of every item.

use crate::feed::{errors, finish, start, start_unbatched, wait_for};
use crate::standin::{Act, StandIn, status};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant, SystemTime};

const QUICK: &str = ", retry_on_failure: {initial_interval: 10ms}";
/// A request is tried again only in a minute, which no test waits for.
const SLOW: &str = ", retry_on_failure: {initial_interval: 60s, max_interval: 60s}";

#[expect(clippy::disallowed_methods, reason = "a date in a header is one")]
fn now() -> SystemTime {
    SystemTime::now()
}

fn settings(server: &StandIn, more: &str) -> String {
    format!("endpoint: 'http://{}', compression: none{more}", server.address)
}

fn spans(body: &[u8]) -> usize {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    scopes.map(|scope| scope.spans.len()).sum()
}

fn received_spans(server: &StandIn) -> usize {
    server.received(|received| received.iter().map(|request| spans(&request.body)).sum())
}

/// Delivers five spans to a server that does `act` first, and to one that then accepts.
fn delivered_after(exporter: &str, act: Act, requests: usize) -> StandIn {
    let server = StandIn::start([act]);
    let engine = start("spans: 5", exporter, &settings(&server, QUICK));
    wait_for(&engine, "all is exported", |otlp| otlp.exported == 5);
    assert!(finish(engine).dropped.is_empty());
    assert_eq!(server.requests(), requests, "{exporter}");
    server
}

#[test]
fn a_connection_that_is_reset_before_the_answer_costs_one_more_attempt() {
    for exporter in ["otlp", "otlphttp"] {
        let server = delivered_after(exporter, Act::Reset, 2);
        assert_eq!(server.connections(), 2, "{exporter}");
    }
}

#[test]
fn a_connection_that_is_reset_in_the_middle_of_the_body_costs_one_more_attempt() {
    for exporter in ["otlp", "otlphttp"] {
        let server = StandIn::start([Act::ResetInBody]);
        let engine = start("spans: 30000", exporter, &settings(&server, QUICK));
        wait_for(&engine, "all is exported", |otlp| otlp.exported == 30_000);
        assert!(finish(engine).dropped.is_empty());
        assert_eq!(received_spans(&server), 30_000, "{exporter}");
    }
}

#[test]
fn a_destination_that_does_not_answer_is_asked_again_after_the_timeout() {
    for exporter in ["otlp", "otlphttp"] {
        let server = StandIn::start([Act::Hang]);
        let more = format!(", timeout: 100ms{QUICK}");
        let engine = start("spans: 5", exporter, &settings(&server, &more));
        wait_for(&engine, "all is exported", |otlp| otlp.exported == 5);
        assert!(finish(engine).dropped.is_empty());
        assert_eq!(server.requests(), 2, "{exporter}");
    }
}

#[test]
fn a_destination_that_never_answers_is_given_up() {
    for exporter in ["otlp", "otlphttp"] {
        let server = StandIn::start((0..1000).map(|_| Act::Hang));
        let more = ", timeout: 20ms, retry_on_failure: {initial_interval: 10ms, max_elapsed_time: 200ms}";
        let engine = start("spans: 5", exporter, &settings(&server, more));
        wait_for(&engine, "all is dropped", |otlp| {
            otlp.dropped.get("export_failed") == Some(&5)
        });
        assert_eq!(finish(engine).exported, 0);
        assert!(server.requests() > 1, "{exporter}");
    }
}

#[test]
fn a_slow_destination_has_several_requests_at_the_same_time() {
    for exporter in ["otlp", "otlphttp"] {
        let server = StandIn::start((0..4).map(|_| Act::Gather(4)));
        let more = ", sending_queue: {num_consumers: 4}";
        let engine = start_unbatched("payloads: 8, spans: 10", exporter, &settings(&server, more));
        wait_for(&engine, "all is exported", |otlp| otlp.exported == 80);
        assert!(finish(engine).dropped.is_empty());
        assert_eq!((server.requests(), received_spans(&server)), (8, 80), "{exporter}");
        assert!(server.connections() <= 4, "{exporter}: {}", server.connections());
    }
}

#[test]
fn one_consumer_sends_one_request_after_the_other() {
    for exporter in ["otlp", "otlphttp"] {
        let server = StandIn::start([Act::Hang]);
        let more = ", timeout: 200ms, sending_queue: {num_consumers: 1}, retry_on_failure: {enabled: false}";
        let engine = start_unbatched("payloads: 3, spans: 10", exporter, &settings(&server, more));
        server.wait_for_requests(1);
        wait_for(&engine, "the rest is exported", |otlp| otlp.exported == 20);
        assert_eq!(finish(engine).dropped[&"export_failed"], 10);
        let gap = server.received(|received| received[1].at - received[0].at);
        assert!(gap >= Duration::from_millis(150), "{exporter}: {gap:?}");
    }
}

#[test]
fn an_answer_without_an_end_is_not_read_to_its_end() {
    // The status of HTTP has said that the request was taken; gRPC's would have come at the end.
    for (exporter, exported) in [("otlphttp", 5), ("otlp", 0)] {
        let server = StandIn::start([Act::Endless]);
        let engine = start("spans: 5", exporter, &settings(&server, SLOW));
        wait_for(&engine, "it has an end", |otlp| otlp.held == 0 && otlp.received == 5);
        let account = finish(engine);
        assert_eq!(account.exported, exported);
        assert_eq!(account.dropped.get("export_failed").copied().unwrap_or(0), 5 - exported);
        // What we read, and what fits into the buffers of two sockets.
        assert!(server.poured() < 64 << 20, "{exporter}: {} bytes", server.poured());
    }
}

#[test]
fn an_answer_that_breaks_off_behind_its_status_counts_by_that() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let settings = format!("endpoint: 'http://{address}', compression: none{QUICK}");
    let engine = start("spans: 5", "otlphttp", &settings);
    let (mut stream, _) = listener.accept().unwrap();
    read_request(&mut stream);
    stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nno")
        .unwrap();
    drop(stream);
    wait_for(&engine, "all is exported", |otlp| otlp.exported == 5);
    assert!(finish(engine).dropped.is_empty());
    listener.set_nonblocking(true).unwrap();
    let again = listener.accept();
    assert!(again.is_err(), "it was sent again, though it was taken");
}

#[test]
fn an_answer_that_breaks_off_before_grpcs_status_costs_one_more_attempt() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let settings = format!("endpoint: 'http://{address}', compression: none{QUICK}");
    let engine = start("spans: 5", "otlp", &settings);
    let (mut stream, _) = listener.accept().unwrap();
    // SETTINGS; then HEADERS with `:status: 200`, a part of a message in DATA, and RST_STREAM with INTERNAL_ERROR.
    stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).unwrap();
    read_headers(&mut stream);
    stream.write_all(&[0, 0, 1, 1, 4, 0, 0, 0, 1, 0x88]).unwrap();
    stream.write_all(&[0, 0, 3, 0, 0, 0, 0, 0, 1, 0, 0, 0]).unwrap();
    stream.write_all(&[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 2]).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let server = StandIn::start([]);
    let (second, _) = listener.accept().unwrap();
    relay(second, std::net::TcpStream::connect(server.address).unwrap());
    wait_for(&engine, "all is exported", |otlp| otlp.exported == 5);
    assert!(finish(engine).dropped.is_empty());
    assert_eq!(server.requests(), 1);
}

/// Reads a request of HTTP/1.1 to its end.
fn read_request(stream: &mut impl Read) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap();
    stream.read_exact(&mut vec![0; length.parse().unwrap()]).unwrap();
}

#[test]
fn a_date_is_of_the_destinations_clock_whatever_ours_shows() {
    let hour = Duration::from_secs(3600);
    for theirs in [now() + hour, now() - hour] {
        let date = |time| httpdate::fmt_http_date(time);
        let (date, after) = (date(theirs), date(theirs + Duration::from_secs(2)));
        let server = StandIn::start([status(503, &[("date", &date), ("retry-after", &after)])]);
        let engine = start("spans: 3", "otlphttp", &settings(&server, QUICK));
        wait_for(&engine, "all is exported", |otlp| otlp.exported == 3);
        assert!(finish(engine).dropped.is_empty());
        let waited = server.received(|received| received[1].at - received[0].at);
        assert!(waited >= Duration::from_secs(2), "only {waited:?}");
    }
}

#[test]
fn a_longer_retry_after_than_there_is_time_for_ends_the_request() {
    let server = StandIn::start([status(503, &[("retry-after", "3600")])]);
    let engine = start("spans: 3", "otlphttp", &settings(&server, QUICK));
    wait_for(&engine, "all is dropped", |otlp| {
        otlp.dropped.get("export_failed") == Some(&3)
    });
    finish(engine);
    assert_eq!(server.requests(), 1);
}

#[test]
fn a_request_that_is_too_large_goes_out_in_halves() {
    for exporter in ["otlp", "otlphttp"] {
        let server = StandIn::start([Act::Limit(1000)]);
        let engine = start("spans: 100", exporter, &settings(&server, SLOW));
        wait_for(&engine, "all is exported", |otlp| otlp.exported == 100);
        assert!(finish(engine).dropped.is_empty());
        // What was taken is what is not over the limit, in gRPC together with the prefix.
        let most = if exporter == "otlp" { 995 } else { 1000 };
        let taken: usize = server.received(|received| {
            let taken = received.iter().filter(|request| request.body.len() <= most);
            taken.map(|request| spans(&request.body)).sum()
        });
        assert_eq!(taken, 100, "{exporter}");
    }
}

#[test]
fn an_item_that_is_too_large_by_itself_is_dropped_as_such() {
    for exporter in ["otlp", "otlphttp"] {
        let server = StandIn::start([Act::Limit(10)]);
        let engine = start("spans: 3", exporter, &settings(&server, SLOW));
        wait_for(&engine, "all is dropped", |otlp| {
            otlp.dropped.get("too_large") == Some(&3)
        });
        assert_eq!(finish(engine).exported, 0);
    }
}

/// Reads what a client sends up to its first HEADERS frame.
fn read_headers(stream: &mut impl Read) {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).unwrap();
    assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).unwrap();
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        stream.read_exact(&mut payload).unwrap();
        if head[3] == 1 {
            return;
        }
    }
}

#[test]
fn a_request_that_a_goaway_cuts_off_is_sent_again_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let leaving = listener.local_addr().unwrap();
    let settings = format!("endpoint: 'http://{leaving}', compression: none{SLOW}");
    let begun = Instant::now();
    let engine = start("spans: 5", "otlp", &settings);
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // SETTINGS, and once the request is there GOAWAY: no stream was processed, no error.
    stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).unwrap();
    read_headers(&mut stream);
    stream
        .write_all(&[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        .unwrap();
    // The next connection gets to a server that takes it.
    let server = StandIn::start([]);
    let (second, _) = listener.accept().unwrap();
    relay(second, std::net::TcpStream::connect(server.address).unwrap());
    wait_for(&engine, "all is exported", |otlp| otlp.exported == 5);
    assert!(begun.elapsed() < Duration::from_secs(50), "it waited for the interval");
    assert!(finish(engine).dropped.is_empty());
    assert_eq!(server.requests(), 1);
}

/// Copies both ways until either end closes.
fn relay(near: std::net::TcpStream, far: std::net::TcpStream) {
    for (mut from, mut to) in [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)] {
        std::thread::spawn(move || std::io::copy(&mut from, &mut to));
    }
}

#[test]
fn a_request_waits_for_a_destination_that_is_not_there_yet_if_it_is_told_to() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = unused.local_addr().unwrap();
    drop(unused);
    // Without the wait there would be one attempt, and no other.
    let more = "wait_for_ready: true, timeout: 30s, retry_on_failure: {enabled: false}";
    let settings = format!("endpoint: 'http://{address}', compression: none, {more}");
    let engine = start("spans: 5", "otlp", &settings);
    wait_for(&engine, "all have come", |otlp| otlp.received == 5);
    let server = StandIn::start([]);
    let listener = TcpListener::bind(address).unwrap();
    let (stream, _) = listener.accept().unwrap();
    relay(stream, std::net::TcpStream::connect(server.address).unwrap());
    wait_for(&engine, "all is exported", |otlp| otlp.exported == 5);
    assert!(finish(engine).dropped.is_empty());
    assert_eq!(server.requests(), 1);
}

#[test]
fn an_exporter_without_the_extension_that_it_names_is_found_before_the_start() {
    for exporter in ["otlp", "otlphttp"] {
        let error = errors(exporter, "endpoint: 'http://h:1', auth: {authenticator: basicauth/a}");
        assert!(error.contains("needs the extension \"basicauth/a\""), "{error}");
    }
}
