//! A stripped Go program: what its net/http answers, seen from the kernel side and by probes inside, and what it asks.

use super::program::Program;
use super::{GoSpan, Span, Traced};
use crate::samples::GO_HTTP;
use anyhow::{Context, Result, ensure};
use probe_loader::plan::plan_go_http;
use probe_loader::{FileId, Target};
use probe_wire::SpanHeader;
use probe_wire::layout::Counter;
use runtime_inspect::facts::elf::ElfFile;
use runtime_inspect::go::GoBinary;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// The sample, running, with its probes.
struct Probed {
    program: Program,
    /// The loader's number of the binary.
    slot: u32,
}

/// Where a server's requests are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Inside,
    Outside,
    /// From the kernel side, and probed since it has shown TLS.
    Both,
}

impl Probed {
    /// From here on only the sample is traced, and not this process, which is its client.
    fn start(traced: &mut Traced, side: Side) -> Result<Self> {
        Probed::start_wrapping(traced, side, "")
    }

    /// The same, with its connections wrapped as these letters say.
    fn start_wrapping(traced: &mut Traced, side: Side, layers: &str) -> Result<Self> {
        // So the module's old version does not turn patterns off.
        let environment = [
            ("PATTERNS", "wildcards"),
            ("GODEBUG", "httpmuxgo121=0"),
            ("LAYERS", layers),
        ];
        let program = Program::start(&GO_HTTP, &["127.0.0.1:0"], &environment)?;
        let slot = probe_sample(traced, side != Side::Outside)?;
        let go = Target::GO_SERVER | Target::GO_CLIENT;
        let flags = match side {
            Side::Inside => go,
            Side::Outside | Side::Both => go | Target::HTTP1_SERVER,
        };
        traced.trace_go(program.pid(), flags, slot)?;
        Ok(Probed { program, slot })
    }

    /// Makes a request over a connection of its own and returns the whole answer, and the client's address.
    fn ask(&self, head: &str, body: &str) -> Result<(String, SocketAddr)> {
        let mut stream = TcpStream::connect(self.program.address).context("cannot connect")?;
        let request = format!("{head}\r\nHost: shop.example:81\r\nUser-Agent: test\r\nConnection: close\r\n{body}");
        stream.write_all(request.as_bytes())?;
        let client = stream.local_addr()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok((String::from_utf8_lossy(&answer).into_owned(), client))
    }

    fn get(&self, path: &str) -> Result<(String, SocketAddr)> {
        self.ask(&format!("GET {path} HTTP/1.1"), "\r\n")
    }
}

/// From here on no longer this process is traced, but those of the sample that are named then. Returns the loader's number
/// of the binary. Whether its server is probed too is for the caller to say.
pub(super) fn probe_sample(traced: &mut Traced, with_server: bool) -> Result<u32> {
    traced.probes().remove_target(std::process::id())?;
    let binary = GoBinary::open(ElfFile::open(GO_HTTP.path())?)?;
    let plan = plan_go_http(&binary)?;
    ensure!(plan.disabled.is_empty(), "not all can be traced: {:?}", plan.disabled);
    let identity = binary.elf().identity();
    let file = FileId {
        device: identity.device,
        inode: identity.inode,
    };
    let slot = traced.probes().attach_go(binary.elf().descriptor(), file, &plan)?;
    if with_server {
        traced
            .probes()
            .attach_go_server(slot, binary.elf().descriptor(), &plan)?;
    }
    Ok(slot)
}

/// What a server span must say beside what all of them say.
struct Expected {
    method: &'static str,
    target: &'static str,
    pattern: &'static str,
    status: u16,
    request_body: u64,
    response_body: u64,
}

pub(super) fn servers(traced: &mut Traced) -> Result<()> {
    let probed = Probed::start(traced, Side::Inside)?;
    let expected = |method, target, pattern, status, request_body, response_body| Expected {
        method,
        target,
        pattern,
        status,
        request_body,
        response_body,
    };
    let table = [
        expected("GET", "/hello/42?x=1", "GET /hello/{id}", 200, 0, 6),
        expected("POST", "/echo", "/echo", 200, 3, 3),
        expected("GET", "/missing", "", 404, 0, 19),
        expected("GET", "/fail", "/fail", 500, 0, 7),
        expected("HEAD", "/empty", "/empty", 200, 0, 0),
        expected("GET", "/big?size=100000", "/big", 200, 0, 100_000),
    ];
    for expected in &table {
        let head = format!("{} {} HTTP/1.1", expected.method, expected.target);
        let body = match expected.request_body {
            0 => "\r\n".to_owned(),
            length => format!("Content-Length: {length}\r\n\r\n{}", "b".repeat(length as usize)),
        };
        let (answer, client) = probed.ask(&head, &body)?;
        ensure!(
            answer.starts_with(&format!("HTTP/1.1 {} ", expected.status)),
            "{head}: {answer:.200}"
        );
        let span = only(traced)?;
        check(&span, expected, &client.to_string(), probed.program.pid())?;
    }
    kept_connection(traced, &probed)?;
    a_handler_that_panics(traced, &probed)?;
    traced.probes().detach_go(probed.slot);
    Ok(())
}

fn check(span: &GoSpan, expected: &Expected, client: &str, pid: u32) -> Result<()> {
    let agrees = span.method == expected.method
        && span.target == expected.target
        && span.pattern == expected.pattern
        && span.status == Some(expected.status)
        && span.request_body == Some(expected.request_body)
        && span.response_body == Some(expected.response_body)
        && span.peer == client;
    ensure!(agrees, "{client}: {span:#?}");
    let flags = span.span.flags;
    let agrees = span.host == "shop.example:81"
        && span.user_agent == "test"
        && span.traceparent.is_empty()
        && span.span.pid == pid
        && span.span.start_ns < span.span.end_ns
        && !flags.is_client()
        && !flags.is_incomplete();
    ensure!(agrees, "{span:#?}");
    Ok(())
}

/// The kernel side alone: no probe of the server is in the program.
pub(super) fn servers_from_outside(traced: &mut Traced) -> Result<()> {
    let probed = Probed::start(traced, Side::Outside)?;
    for (path, pattern, status) in [
        ("/hello/42?x=1", "GET /hello/{id}", 200),
        ("/missing", "", 404),
        ("/fail", "/fail", 500),
        ("/big?size=100000", "/big", 200),
    ] {
        probed.get(path)?;
        let span = traced.take(1)?.pop().context("no span")?;
        check_outside(&span, path, status, &probed)?;
        ensure!(span.pattern == pattern, "{span:#?}");
    }
    // A head longer than what is kept leaves room for the route.
    let cookie = "c".repeat(2000);
    probed.ask(&format!("GET /hello/7 HTTP/1.1\r\nCookie: {cookie}"), "\r\n")?;
    let span = traced.take(1)?.pop().context("no span")?;
    check_outside(&span, "/hello/7", 200, &probed)?;
    ensure!(span.pattern == "GET /hello/{id}", "{span:#?}");
    for call in ["/call", "/call/goroutine", "/call/pool"] {
        let path = format!("{call}?to={}/hello/1", probed.program.address);
        let (answer, _) = probed.get(&path)?;
        ensure!(answer.ends_with("200\n"), "{path}: {answer}");
        let (servers, clients) = (traced.take(2)?, traced.take_go(1)?);
        let served = servers.iter().find(|span| span.request.contains(call));
        let served = served.with_context(|| format!("no span of {call}: {servers:#?}"))?;
        let made = &clients[0].span;
        ensure!(
            is_child(made, &served.span) && served.span.start_ns <= made.start_ns && made.end_ns <= served.span.end_ns,
            "{call}: {made:#?} is no child of {served:#?}"
        );
    }
    traced.probes().detach_go(probed.slot);
    Ok(())
}

/// The kernel side alone takes some layers off; where it cannot, the probes in the program tell it who serves.
pub(super) fn wrapped_connections(traced: &mut Traced) -> Result<()> {
    // More layers than are taken off, one that hides what it wraps, and requests that another goroutine has read.
    for (side, layers) in [
        (Side::Outside, "eeee"),
        (Side::Both, ""),
        (Side::Both, "eee"),
        (Side::Both, "eeeeee"),
        (Side::Both, "h"),
        (Side::Both, "s"),
        (Side::Both, "ees"),
    ] {
        wrapped_connection(traced, side, layers).with_context(|| format!("{side:?}, wrapped as {layers:?}"))?;
    }
    Ok(())
}

fn wrapped_connection(traced: &mut Traced, side: Side, layers: &str) -> Result<()> {
    let probed = Probed::start_wrapping(traced, side, layers)?;
    let mut stream = TcpStream::connect(probed.program.address)?;
    for number in 0..3 {
        let path = format!("/hello/{number}");
        ask_on(&mut stream, &path, "")?;
        let span = traced.take(1)?.pop().context("no span")?;
        check_outside(&span, &path, 200, &probed)?;
        ensure!(span.pattern == "GET /hello/{id}", "{span:#?}");
    }
    // The pool's goroutine has only the context, of the connection's first request and of a later one.
    let mut stream = TcpStream::connect(probed.program.address)?;
    for number in 0..2 {
        let path = format!("/call/pool?to={}/hello/{number}", probed.program.address);
        write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")?;
        read_until(&mut stream, b"200\n")?;
        let (servers, clients) = (traced.take(2)?, traced.take_go(1)?);
        let served = servers.iter().find(|span| span.request.contains("/call"));
        let served = served.with_context(|| format!("no span of the call: {servers:#?}"))?;
        ensure!(
            is_child(&clients[0].span, &served.span),
            "{clients:#?} is no child of {served:#?}"
        );
    }
    // What a probe saw would have been reported before the answer was sent.
    traced.take_go(0)?;
    traced.probes().detach_go(probed.slot);
    Ok(())
}

fn check_outside(span: &Span, path: &str, status: u16, probed: &Probed) -> Result<()> {
    let agrees = span.request.starts_with(&format!("GET {path} HTTP/1.1\r\n"))
        && span.status == Some(status)
        && span.local == probed.program.address
        && span.span.pid == probed.program.pid()
        && span.span.flags.is_go()
        && !span.span.flags.is_client();
    ensure!(agrees, "{path}: {span:#?}");
    Ok(())
}

/// Several requests over one connection, by a client that is traced itself.
fn kept_connection(traced: &mut Traced, probed: &Probed) -> Result<()> {
    let mut stream = TcpStream::connect(probed.program.address)?;
    for number in 0..3 {
        let traceparent = format!("traceparent: {TRACEPARENT}\r\n");
        ask_on(&mut stream, &format!("/hello/{number}"), &traceparent)?;
        let span = only(traced)?;
        ensure!(
            span.target == format!("/hello/{number}") && span.traceparent == TRACEPARENT,
            "{span:#?}"
        );
    }
    Ok(())
}

/// Makes a request over a connection that lasts; its answer must be "hello".
fn ask_on(stream: &mut TcpStream, path: &str, headers: &str) -> Result<()> {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\n{headers}\r\n")?;
    read_until(stream, b"hello\n")
}

fn read_until(stream: &mut TcpStream, end: &[u8]) -> Result<()> {
    let mut answer = Vec::new();
    while !answer.ends_with(end) {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece)?;
        ensure!(
            read > 0,
            "the connection ended after {:?}",
            String::from_utf8_lossy(&answer)
        );
        answer.extend_from_slice(&piece[..read]);
    }
    Ok(())
}

/// Its request has an end, though no answer.
fn a_handler_that_panics(traced: &mut Traced, probed: &Probed) -> Result<()> {
    let (answer, _) = probed.get("/panic")?;
    ensure!(answer.is_empty(), "it was answered: {answer}");
    let span = only(traced)?;
    ensure!(
        span.target == "/panic" && span.status.is_none() && span.span.flags.is_incomplete(),
        "{span:#?}"
    );
    Ok(())
}

pub(super) fn clients(traced: &mut Traced) -> Result<()> {
    let probed = Probed::start(traced, Side::Inside)?;
    // In the handler itself, in a goroutine that it started, and in one that was there before and was handed the context.
    for (number, call) in ["/call", "/call/goroutine", "/call/pool"].into_iter().enumerate() {
        let path = format!("{call}?to={}/hello/{number}", probed.program.address);
        let (answer, _) = probed.get(&path)?;
        ensure!(answer.ends_with("200\n"), "{path}: {answer}");
        let spans = traced.take_go(3)?;
        let made = child_of(&spans, &path, 200).context(call)?;
        let target = format!("/hello/{number}");
        ensure!(made.target == target && made.status == Some(200), "{made:#?}");
        let address = probed.program.address.to_string();
        ensure!(
            made.host == address && made.scheme == "http" && made.method == "GET",
            "{made:#?}"
        );
        find(&spans, &target, false)?;
    }
    a_request_that_fails(traced, &probed)?;
    traced.probes().detach_go(probed.slot);
    Ok(())
}

/// Nothing listens on port 1.
fn a_request_that_fails(traced: &mut Traced, probed: &Probed) -> Result<()> {
    let path = "/call?to=127.0.0.1:1/nobody";
    probed.get(path)?;
    let spans = traced.take_go(2)?;
    let made = child_of(&spans, path, 502)?;
    ensure!(made.target == "/nobody" && made.status.is_none(), "{made:#?}");
    Ok(())
}

/// The one request that was made while `path` was served, having checked that it is its child.
fn child_of<'a>(spans: &'a [GoSpan], path: &str, status: u16) -> Result<&'a GoSpan> {
    let served = find(spans, path, false)?;
    ensure!(served.status == Some(status), "{served:#?}");
    let made = spans.iter().find(|span| span.span.flags.is_client());
    let made = made.with_context(|| format!("no client span: {spans:#?}"))?;
    ensure!(
        is_child(&made.span, &served.span),
        "{made:#?} is no child of {served:#?}"
    );
    ensure!(
        served.span.start_ns <= made.span.start_ns && made.span.end_ns <= served.span.end_ns,
        "{made:#?} is not within {served:#?}"
    );
    Ok(made)
}

fn is_child(made: &SpanHeader, served: &SpanHeader) -> bool {
    served.flags.has_context()
        && made.flags.has_parent()
        && made.trace_id == served.trace_id
        && made.parent_span_id == served.span_id
        && made.span_id != served.span_id
}

pub(super) fn detached(traced: &mut Traced) -> Result<()> {
    let probed = Probed::start(traced, Side::Inside)?;
    probed.get("/hello/1")?;
    only(traced)?;
    ensure!(traced.probes().probed_binaries() == 1, "the binary is not known");
    traced.probes().detach_go(probed.slot);
    ensure!(traced.probes().probed_binaries() == 0, "the binary is still known");
    let before = traced.counted().get(Counter::Seen);
    let (answer, _) = probed.get("/hello/2")?;
    ensure!(answer.ends_with("hello\n"), "{answer}");
    // The probes were hit before the answer was sent.
    let after = traced.counted().get(Counter::Seen);
    ensure!(
        before == after,
        "seen although the probes are gone: {before}, then {after}"
    );
    Ok(())
}

/// A request that a program is answering, for which it makes one that nobody answers yet.
struct Waiting {
    probed: Probed,
    client: TcpStream,
    asked: TcpStream,
}

impl Waiting {
    fn start(traced: &mut Traced) -> Result<Self> {
        let probed = Probed::start(traced, Side::Inside)?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let mut client = TcpStream::connect(probed.program.address)?;
        let path = format!("/call?to={}/", listener.local_addr()?);
        write!(client, "GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")?;
        let (mut asked, _) = listener.accept()?;
        read_until(&mut asked, b"\r\n\r\n")?;
        Ok(Waiting { probed, client, asked })
    }

    /// Lets both come to their ends.
    fn end(mut self) -> Result<Probed> {
        self.asked.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
        read_until(&mut self.client, b"200\n")?;
        Ok(self.probed)
    }
}

/// Whatever keeps the end of an exchange from being a span, it is counted.
pub(super) fn unfinished(traced: &mut Traced) -> Result<()> {
    let finished = Waiting::start(traced)?.end()?;
    let spans = traced.take_go(2)?;
    ensure!(spans.iter().all(|span| span.status == Some(200)), "{spans:#?}");
    let let_go = Waiting::start(traced)?;
    traced.probes().remove_target(let_go.probed.program.pid())?;
    let let_go = let_go.end()?;
    let counted = traced.counted();
    ensure!(
        counted.get(Counter::Seen) == 4 && counted.get(Counter::Unfinished) == 2,
        "of a process that is traced no longer: {counted:?}"
    );
    let_go.get("/hello/1")?;
    drop(Waiting::start(traced)?);
    let goes_on = Waiting::start(traced)?;
    let (_, counted) = traced.finish()?;
    ensure!(
        counted.get(Counter::Seen) == 8 && counted.get(Counter::Unfinished) == 6,
        "of a process that has ended, and of one that goes on: {counted:?}"
    );
    goes_on.end()?;
    finished.get("/hello/1")?;
    let now = traced.counted();
    ensure!(now.get(Counter::Seen) == 8, "seen by probes that are gone: {now:?}");
    Ok(())
}

fn only(traced: &mut Traced) -> Result<GoSpan> {
    traced.take_go(1)?.pop().context("no span")
}

fn find<'a>(spans: &'a [GoSpan], target: &str, client: bool) -> Result<&'a GoSpan> {
    let matches = |span: &&GoSpan| span.target == target && span.span.flags.is_client() == client;
    spans
        .iter()
        .find(matches)
        .with_context(|| format!("no span of {target}: {spans:#?}"))
}
