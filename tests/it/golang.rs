//! Go's net/http, traced inside stripped programs of several Go releases.

use crate::support::servers::{build_go, build_go_with};
use crate::support::{Program, Span, Traced, account, binary, check_account, free_port, in_file, until};
use runtime_inspect::facts::elf::ElfFile;
use runtime_inspect::facts::elf::contents::ElfContents;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Of the machine's own toolchain, and of old ones that the Go proxy serves as modules.
const RELEASES: [&str; 4] = ["local", "go1.24.6", "go1.22.12", "go1.19.13"];
const SCOPE: &str = "io.odigos.go.net_http";

fn start(release: &str, options: &[&str]) -> Traced {
    start_with(release, options, &[])
}

/// With variables in the server's environment, which makes it one with TLS.
fn start_with(release: &str, options: &[&str], environment: &[&str]) -> Traced {
    start_at(release, options, environment, &[])
}

/// The same, with addresses at which it listens beside the one that is asked.
fn start_at(release: &str, options: &[&str], environment: &[&str], others: &[&str]) -> Traced {
    let folder = TempDir::new().unwrap();
    build_go("nethttp", release, "-s -w", &folder.path().join("nethttp"));
    start_built(folder, release, options, environment, others)
}

/// The same with a program that was built into the folder.
fn start_built(folder: TempDir, release: &str, options: &[&str], environment: &[&str], others: &[&str]) -> Traced {
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    // Releases before 1.22 take a pattern for a path; later ones are told so by the module's old version.
    let patterns = if has_patterns(release) {
        "PATTERNS=wildcards"
    } else {
        "PATTERNS="
    };
    let mut server = vec!["env", patterns, "GODEBUG=httpmuxgo121=0"];
    server.extend(environment);
    server.extend(["./nethttp", &address]);
    server.extend(others);
    let mut traced = Traced::start(folder, options, &server, port);
    if !environment.is_empty() {
        traced.scheme = "https";
    }
    // Until its binary is known its first requests are seen without their routes, and with TLS not at all.
    until("a span of net/http", || {
        traced.curl(&["--insecure"], WARM_UP);
        let spans = in_file(&traced.file);
        spans.iter().any(|span| span.scope == SCOPE).then_some(())
    });
    traced
}

/// Asked for until the probes are attached.
const WARM_UP: &str = "/warm-up";

fn has_patterns(release: &str) -> bool {
    release != "go1.19.13"
}

/// Those of the Go program, without the warm-up.
fn measured(spans: Vec<Span>) -> Vec<Span> {
    let of_program = |span: &Span| {
        span.resource
            .get("process.executable.name")
            .is_some_and(|name| name == "nethttp")
    };
    spans
        .into_iter()
        .filter(|span| of_program(span) && span.get("url.path") != WARM_UP)
        .collect()
}

fn only<'a>(spans: &'a [Span], path: &str) -> &'a Span {
    let found: Vec<&Span> = spans
        .iter()
        .filter(|span| span.is_server() && span.get("url.path") == path)
        .collect();
    assert_eq!(found.len(), 1, "server spans of {path}: {found:#?}");
    found[0]
}

/// Every kind of request, and what its span says.
fn check_requests(traced: Traced, release: &str) {
    traced.curl(&[], "/hello/42?x=1");
    traced.curl(&["--data", "abc"], "/echo");
    traced.curl(&[], "/missing");
    traced.curl(&[], "/fail");
    traced.curl(&["--head"], "/empty");
    traced.curl(&[], "/big?size=1048576");
    let megabyte = traced.file.with_file_name("megabyte");
    std::fs::write(&megabyte, vec![b'x'; 1 << 20]).unwrap();
    let data = format!("@{}", megabyte.display());
    traced.curl(&["--header", "Expect: 100-continue", "--data-binary", &data], "/upload");
    let target = format!("127.0.0.1:{}", traced.port);
    let calls = ["/call", "/call/goroutine", "/call/pool"];
    for (index, call) in calls.iter().enumerate() {
        traced.curl(&[], &format!("{call}?to={target}/hello/{index}"));
    }
    // Seven plain requests; three with a request of their own, which this server answers too.
    let expected = 7 + 3 * 3;
    until(&format!("{expected} spans of {release}"), || {
        (measured(in_file(&traced.file)).len() >= expected).then_some(())
    });
    let (spans, log) = traced.finish();
    check_account(&log);
    let spans = measured(spans);
    assert_eq!(spans.len(), expected, "one span for each request: {spans:#?}");
    assert!(spans.iter().all(|span| span.scope == SCOPE), "{release}: {spans:#?}");
    check_servers(&spans, release);
    for (index, call) in calls.iter().enumerate() {
        // The creator of a goroutine is known since Go 1.21.
        if has_patterns(release) || *call != "/call/goroutine" {
            check_call(&spans, call, index);
        }
    }
}

fn check_servers(spans: &[Span], release: &str) {
    let hello = only(spans, "/hello/42");
    if has_patterns(release) {
        assert_eq!(hello.name, "GET /hello/{id}", "{hello:#?}");
        assert_eq!(hello.get("http.route"), "/hello/{id}", "{hello:#?}");
    } else {
        assert_eq!(hello.name, "GET", "{hello:#?}");
    }
    assert_eq!(hello.get("url.query"), "x=1", "{hello:#?}");
    assert_eq!(hello.get("http.response.status_code"), "200", "{hello:#?}");
    assert_eq!(hello.get("server.address"), "127.0.0.1", "{hello:#?}");
    assert_eq!(hello.get("client.address"), "127.0.0.1", "{hello:#?}");
    assert!(hello.get("user_agent.original").starts_with("curl/"), "{hello:#?}");
    assert_eq!(hello.resource["telemetry.sdk.language"], "go", "{hello:#?}");
    assert!(hello.start < hello.end, "{hello:#?}");
    let echo = only(spans, "/echo");
    assert_eq!(echo.get("http.request.method"), "POST", "{echo:#?}");
    assert_eq!(echo.get("http.request.body.size"), "3", "{echo:#?}");
    assert_eq!(echo.get("http.response.body.size"), "3", "{echo:#?}");
    let upload = only(spans, "/upload");
    assert_eq!(upload.get("http.request.body.size"), "1048576", "{upload:#?}");
    assert_eq!(upload.get("http.response.status_code"), "200", "{upload:#?}");
    assert_eq!(only(spans, "/missing").get("http.response.status_code"), "404");
    assert_eq!(
        only(spans, "/missing").status,
        0,
        "a client's error is no error of the server"
    );
    assert_eq!(only(spans, "/fail").get("http.response.status_code"), "500");
    assert_eq!(only(spans, "/fail").status, 2);
    assert_eq!(only(spans, "/empty").get("http.request.method"), "HEAD");
    assert_eq!(only(spans, "/big").get("http.response.body.size"), "1048576");
}

/// A request that was made while another was served is its child, however it was handed on within the program.
fn check_call(spans: &[Span], path: &str, index: usize) {
    let server = only(spans, path);
    let suffix = format!("/hello/{index}");
    let client = spans
        .iter()
        .find(|span| !span.is_server() && span.get("url.full").ends_with(&suffix));
    let client = client.unwrap_or_else(|| panic!("no client span of {path}: {spans:#?}"));
    assert_eq!(client.name, "GET", "{client:#?}");
    assert_eq!(client.get("http.response.status_code"), "200", "{client:#?}");
    assert_eq!(client.trace_id, server.trace_id, "{path}: {client:#?} {server:#?}");
    assert_eq!(client.parent_span_id, server.span_id, "{path}: {client:#?} {server:#?}");
    assert!(
        server.start <= client.start && client.end <= server.end,
        "{path}: {client:#?} {server:#?}"
    );
}

#[test]
fn stripped_programs_of_several_releases_give_one_span_for_each_request() {
    for release in RELEASES {
        eprintln!("{release}");
        check_requests(start(release, &[]), release);
    }
}

/// The program in a folder, built so. It is what it should be: loaded anywhere, and with C in it.
fn built(options: &[&str], cgo: bool) -> TempDir {
    let folder = TempDir::new().unwrap();
    let program = folder.path().join("nethttp");
    let environment = [("CGO_ENABLED", if cgo { "1" } else { "0" })];
    build_go_with("nethttp", "local", options, &environment, &program);
    let elf = ElfFile::open(&program).unwrap();
    let has_libc = ElfContents::read(&elf).needed.iter().any(|name| name == "libc.so.6");
    assert_eq!(has_libc, cgo, "{options:?}");
    assert_eq!(elf.position_independent(), options.contains(&PIE), "{options:?}");
    assert!(elf.section(".symtab").is_none(), "{options:?}: not stripped");
    folder
}

const PIE: &str = "-buildmode=pie";
const STRIPPED: &str = "-ldflags=-s -w";
/// Linked by the C compiler's linker, and by Go's own otherwise.
const EXTERNALLY: &str = "-ldflags=-s -w -linkmode=external";

#[test]
fn programs_that_are_position_independent_or_hold_c_give_one_span_for_each_request() {
    for (options, cgo) in [
        (&[PIE, STRIPPED][..], false),
        (&[STRIPPED], true),
        (&[EXTERNALLY], true),
        (&[PIE, STRIPPED], true),
        (&[PIE, EXTERNALLY], true),
    ] {
        eprintln!("{options:?}, cgo: {cgo}");
        let traced = start_built(built(options, cgo), "local", &[], &[], &[]);
        check_requests(traced, "local");
    }
}

#[test]
fn servers_with_tls_that_are_position_independent_or_hold_c_are_traced_from_within() {
    for (options, cgo) in [
        (&[PIE, STRIPPED][..], false),
        (&[EXTERNALLY], true),
        (&[PIE, EXTERNALLY], true),
    ] {
        eprintln!("{options:?}, cgo: {cgo}");
        check_tls(start_built(built(options, cgo), "local", &[], &["TLS=1"], &[]));
    }
}

#[test]
fn a_server_with_tls_is_traced_from_within() {
    check_tls(start_with("local", &[], &["TLS=1"]));
}

fn check_tls(traced: Traced) {
    traced.curl(&["--insecure"], "/hello/42?x=1");
    traced.curl(&["--insecure", "--data", "abc"], "/echo");
    until("two spans", || {
        (measured(in_file(&traced.file)).len() >= 2).then_some(())
    });
    let (spans, log) = traced.finish();
    check_account(&log);
    let spans = measured(spans);
    assert_eq!(spans.len(), 2, "{spans:#?}");
    let hello = only(&spans, "/hello/42");
    assert_eq!(hello.name, "GET /hello/{id}", "{hello:#?}");
    assert_eq!(hello.get("url.scheme"), "https", "{hello:#?}");
    assert_eq!(hello.get("http.response.status_code"), "200", "{hello:#?}");
    assert_eq!(only(&spans, "/echo").get("http.response.body.size"), "3");
}

#[test]
fn what_a_server_with_tls_has_in_progress_at_the_end_is_counted() {
    let traced = start_with("local", &[], &["TLS=1"]);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let path = format!("/call?to={}/", silent.local_addr().unwrap());
    let mut curl = Command::new(&traced.curl)
        .args(["--silent", "--insecure", "--output", "/dev/null"])
        .arg(format!("https://127.0.0.1:{}{path}", traced.port))
        .spawn()
        .unwrap();
    // The server waits for an answer, and so does curl for the server's.
    let (asked, _) = silent.accept().unwrap();
    let (spans, log) = traced.finish();
    drop(asked);
    curl.wait().unwrap();
    check_account(&log);
    assert_eq!(account(&log, "unfinished"), 2, "{log}");
    let spans = measured(spans);
    assert!(spans.is_empty(), "{spans:#?}");
}

#[test]
fn a_server_with_tls_that_wraps_its_plain_connections_has_one_span_for_each_request() {
    for layers in ["LAYERS=eee", "LAYERS=h", "LAYERS=s"] {
        eprintln!("{layers}");
        check_plain_beside_tls(layers);
    }
}

/// Requests on both listeners, when the server is seen from both sides.
fn check_plain_beside_tls(layers: &str) {
    let plain = free_port();
    let traced = start_at("local", &[], &["TLS=1", layers], &[&format!("127.0.0.1:{plain}")]);
    traced.curl(&["--insecure"], "/hello/tls");
    let kept = format!("http://127.0.0.1:{plain}/hello/[1-3]");
    let output = Command::new(&traced.curl)
        .args(["--silent", "--show-error", "--fail", "--output", "/dev/null", &kept])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    until("four spans", || {
        (measured(in_file(&traced.file)).len() >= 4).then_some(())
    });
    let (spans, log) = traced.finish();
    check_account(&log);
    let spans = measured(spans);
    assert_eq!(spans.len(), 4, "{layers}: {spans:#?}");
    for (path, scheme) in [
        ("/hello/tls", "https"),
        ("/hello/1", "http"),
        ("/hello/2", "http"),
        ("/hello/3", "http"),
    ] {
        let span = only(&spans, path);
        assert_eq!(span.name, "GET /hello/{id}", "{layers}: {span:#?}");
        assert_eq!(span.get("url.scheme"), scheme, "{layers}: {span:#?}");
    }
}

#[test]
fn a_server_on_a_unix_socket_is_traced_from_within() {
    let folder = TempDir::new().unwrap();
    build_go("nethttp", "local", "-s -w", &folder.path().join("nethttp"));
    let socket = folder.path().join("socket");
    let file = folder.path().join("spans.jsonl");
    let mut run = Program::start(
        Command::new(binary("odigos"))
            .args(["run", "--output", "quiet", "--exe"])
            .arg(folder.path().join("nethttp"))
            .args(["--export", &format!("file:{}", file.display()), "--"])
            .args(["./nethttp", socket.to_str().unwrap()])
            .current_dir(folder.path()),
    );
    run.wait_for("ready");
    until("a span", || {
        let asked = Command::new("curl")
            .args(["--silent", "--output", "/dev/null", "--unix-socket"])
            .args([&socket, Path::new("http://test/hello/1")])
            .status()
            .unwrap();
        (asked.success() && !in_file(&file).is_empty()).then_some(())
    });
    run.stop();
    check_account(&run.log);
    let spans = in_file(&file);
    assert!(
        spans
            .iter()
            .all(|span| span.is_server() && span.scope == SCOPE && span.get("url.path") == "/hello/1"),
        "{spans:#?}"
    );
}

#[test]
fn requests_of_a_kept_connection_and_a_remote_parent() {
    let traced = start("local", &[]);
    let mut connection = TcpStream::connect(("127.0.0.1", traced.port)).unwrap();
    for request in 0..3 {
        write!(
            connection,
            "GET /hello/{request} HTTP/1.1\r\nHost: shop.example:81\r\nUser-Agent: test\r\n\
             traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n"
        )
        .unwrap();
        let mut answer = [0; 4096];
        let read = connection.read(&mut answer).unwrap();
        assert!(
            answer[..read].ends_with(b"hello\n"),
            "{}",
            String::from_utf8_lossy(&answer[..read])
        );
    }
    until("three spans", || {
        (measured(in_file(&traced.file)).len() == 3).then_some(())
    });
    let (spans, log) = traced.finish();
    check_account(&log);
    let spans = measured(spans);
    assert_eq!(spans.len(), 3, "{spans:#?}");
    for span in &spans {
        assert_eq!(span.trace_id, "0af7651916cd43dd8448eb211c80319c", "{span:#?}");
        assert_eq!(span.parent_span_id, "b7ad6b7169203331", "{span:#?}");
        assert_eq!(span.get("server.address"), "shop.example", "{span:#?}");
        assert_eq!(span.get("server.port"), "81", "{span:#?}");
        assert_eq!(span.get("user_agent.original"), "test", "{span:#?}");
    }
}

#[test]
fn a_ring_that_is_too_small_loses_spans_and_counts_each() {
    const REQUESTS: u64 = 500;
    let traced = start("local", &["--ring-size", "4096"]);
    // Nobody reads the ring meanwhile.
    traced.signal(rustix::process::Signal::STOP);
    let mut connection = TcpStream::connect(("127.0.0.1", traced.port)).unwrap();
    let mut answer = [0; 4096];
    for _ in 0..REQUESTS {
        connection
            .write_all(b"GET /hello/1 HTTP/1.1\r\nHost: test\r\n\r\n")
            .unwrap();
        assert!(connection.read(&mut answer).unwrap() > 0);
    }
    traced.signal(rustix::process::Signal::CONT);
    let (spans, log) = traced.finish();
    check_account(&log);
    let lost = account(&log, "ring_full");
    assert!(lost > 0, "{log}");
    // What curl was answered during the warm-up may be among what was lost.
    let kept = measured(spans).len() as u64;
    assert!(kept < REQUESTS && kept + lost >= REQUESTS, "{kept} spans: {log}");
}

#[test]
fn inspect_names_what_would_trace_a_go_program_and_shows_why() {
    let traced = start("local", &[]);
    until("the server in the list of processes", || {
        let output = Command::new(binary("odigos"))
            .args(["inspect", "-o", "json"])
            .output()
            .unwrap();
        let all: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let server = all
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["service_name"] == "nethttp")?
            .clone();
        assert_eq!(server["language"], "go", "{server:#}");
        assert!(
            server["runtime_version"].as_str().unwrap().starts_with("1."),
            "{server:#}"
        );
        let by = server["instrumented_by"].as_array().unwrap();
        assert!(
            by.iter()
                .any(|name| name == "go net/http (server from the kernel side, uprobes for TLS and clients)"),
            "{server:#}"
        );
        let findings = server["findings"].as_array().unwrap();
        let evident = |finding: &&serde_json::Value| !finding["evidence"].as_str().unwrap_or_default().is_empty();
        assert_eq!(findings.iter().filter(evident).count(), findings.len(), "{server:#}");
        Some(())
    });
    traced.finish();
}
