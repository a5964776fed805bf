//! `odigos run` on real servers, asked by curl.

use crate::support::{Program, Span, Traced, binary, check_account, free_port, in_file, until};
use std::fs;
use std::process::{Child, Command};
use tempfile::TempDir;

/// What curl was answered: path, method, status, and the bytes of the body where the server tells.
type Expected = (&'static str, &'static str, &'static str, Option<u64>);

fn check_server_span(span: &Span, expected: Expected, port: u16) {
    let (path, method, status, body) = expected;
    assert_eq!(span.get("http.request.method"), method, "{span:#?}");
    assert_eq!(span.get("url.path"), path, "{span:#?}");
    assert_eq!(span.get("http.response.status_code"), status, "{span:#?}");
    assert_eq!(span.get("server.port"), port.to_string(), "{span:#?}");
    assert_eq!(span.get("server.address"), "127.0.0.1", "{span:#?}");
    assert_eq!(span.get("client.address"), "127.0.0.1", "{span:#?}");
    assert!(span.get("user_agent.original").starts_with("curl/"), "{span:#?}");
    assert_eq!(span.status == 2, status.starts_with('5'), "{span:#?}");
    assert!(span.start < span.end, "{span:#?}");
    if let Some(body) = body {
        assert_eq!(span.get("http.response.body.size"), body.to_string(), "{span:#?}");
    }
}

const MEGABYTE: u64 = 1 << 20;

#[test]
fn pythons_file_server_is_traced_as_it_is() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("large"), vec![b'x'; MEGABYTE as usize]).unwrap();
    fs::write(folder.path().join("small"), "hello").unwrap();
    let port = free_port();
    let port_text = port.to_string();
    let server = ["python3", "-m", "http.server", "--bind", "127.0.0.1", &port_text];
    let traced = Traced::start(folder, &[], &server, port);
    traced.curl(&[], "/small?a=1");
    traced.curl(&[], "/missing");
    traced.curl(&["--head"], "/large");
    traced.curl(&["--data", "abc"], "/post");
    traced.curl(&[], "/large");
    until("five spans of the server", || {
        (in_file(&traced.file).iter().filter(|span| span.is_server()).count() == 5).then_some(())
    });
    let (spans, log) = traced.finish();
    check_account(&log);
    for expected in FILE_SERVER {
        let of_request = |span: &&Span| {
            span.is_server() && span.get("url.path") == expected.0 && span.get("http.request.method") == expected.1
        };
        let span = spans
            .iter()
            .find(of_request)
            .unwrap_or_else(|| panic!("no span of {expected:?}: {spans:#?}"));
        check_server_span(span, expected, port);
        let language = span.resource.get("telemetry.sdk.language").map(String::as_str);
        assert_eq!(language, Some("python"), "{span:#?}\n{log}");
    }
    let with_query = |span: &Span| span.get("url.path") == "/small" && span.get("url.query") == "a=1";
    assert!(spans.iter().any(with_query), "{spans:#?}");
    let with_body = |span: &Span| span.get("url.path") == "/post" && span.get("http.request.body.size") == "3";
    assert!(spans.iter().any(with_body), "{spans:#?}");
    check_curls_spans(&spans);
}

/// A server behind several programs that each run the next, as version managers start it, where the kernel side meets every one
/// of them and the agent is busy with others.
#[test]
fn a_server_is_named_from_its_first_request_however_many_programs_lead_to_it() {
    // In a process of its own: the ends of its children would interrupt what this one loads into the kernel meanwhile.
    let _storm = Storm::start();
    for _ in 0..4 {
        let (spans, log) = spans_behind_programs();
        let servers: Vec<&Span> = spans.iter().filter(|span| span.is_server()).collect();
        let named = |span: &&Span| {
            span.resource
                .get("telemetry.sdk.language")
                .is_some_and(|it| it == "python")
        };
        assert_eq!(servers.len(), 3, "{spans:#?}\n{log}");
        assert!(servers.iter().all(named), "{servers:#?}\n{log}");
    }
}

/// Starts one program after the other until it is let go of.
struct Storm(Child);

impl Storm {
    fn start() -> Self {
        Storm(
            Command::new("sh")
                .args(["-c", "while :; do /bin/true; done"])
                .spawn()
                .unwrap(),
        )
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn spans_behind_programs() -> (Vec<Span>, String) {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("page"), "hello").unwrap();
    let port = free_port();
    let last = format!("exec python3 -m http.server --bind 127.0.0.1 {port}");
    let chain = format!("exec sh -c \"exec sh -c '{last}'\"");
    let traced = Traced::start(folder, &[], &["sh", "-c", &chain], port);
    (0..3).for_each(|_| traced.curl(&[], "/page"));
    until("three spans of the server", || {
        (in_file(&traced.file).iter().filter(|span| span.is_server()).count() == 3).then_some(())
    });
    traced.finish()
}

const FILE_SERVER: [Expected; 5] = [
    ("/small", "GET", "200", Some(5)),
    ("/missing", "GET", "404", None),
    ("/post", "POST", "501", None),
    ("/large", "GET", "200", Some(MEGABYTE)),
    ("/large", "HEAD", "200", Some(0)),
];

fn check_curls_spans(spans: &[Span]) {
    let clients: Vec<&Span> = spans.iter().filter(|span| !span.is_server()).collect();
    assert_eq!(clients.len(), 5, "{clients:#?}");
    let by_curl = clients.iter().all(|span| span.resource["service.name"] == "curl");
    let with_url = clients.iter().any(|span| span.get("url.full").ends_with("/small?a=1"));
    assert!(by_curl && with_url, "{clients:#?}");
}

#[test]
fn a_kept_connection_gives_one_span_for_each_request_and_an_excluded_client_none() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("page"), "hello").unwrap();
    let port = free_port();
    let port_text = port.to_string();
    let server = [
        "python3",
        "-m",
        "http.server",
        "--protocol",
        "HTTP/1.1",
        "--bind",
        "127.0.0.1",
        &port_text,
    ];
    let traced = Traced::start(folder, &["--exclude", "curl"], &server, port);
    let url = format!("http://127.0.0.1:{port}/page");
    let output = Command::new(&traced.curl)
        .args(["--silent", &url, &url, &url])
        .output()
        .unwrap();
    assert_eq!(output.stdout, b"hellohellohello");
    let server_spans = || {
        in_file(&traced.file)
            .into_iter()
            .filter(Span::is_server)
            .collect::<Vec<_>>()
    };
    until("three spans", || (server_spans().len() == 3).then_some(()));
    let peers: std::collections::BTreeSet<String> = server_spans()
        .iter()
        .map(|span| span.get("network.peer.port").to_owned())
        .collect();
    assert_eq!(peers.len(), 1, "one connection: {peers:?}");
    let (spans, log) = traced.finish();
    assert_eq!(spans.len(), 3, "{log}\n{spans:#?}");
}

#[test]
fn the_commands_own_exit_status_is_passed_on() {
    let mut run =
        Program::start(Command::new(binary("odigos")).args(["run", "-o", "quiet", "--", "sh", "-c", "exit 7"]));
    assert_eq!(run.wait().code(), Some(7), "{}", run.log);
}

#[test]
fn a_killed_run_leaves_its_command_running_and_the_next_one_traces_it() {
    let folder = TempDir::new().unwrap();
    let port = free_port();
    let port_text = port.to_string();
    let server = ["python3", "-m", "http.server", "--bind", "127.0.0.1", &port_text];
    let traced = Traced::start(folder, &[], &server, port);
    let left = traced.crash();
    // The next run's own command has nothing to do with it.
    let next = Traced::start(TempDir::new().unwrap(), &[], &["sleep", "600"], port);
    next.curl(&[], "/after");
    until("a span of the server that was left", || {
        let spans = in_file(&next.file);
        spans
            .iter()
            .any(|span| span.is_server() && span.get("url.path") == "/after")
            .then_some(())
    });
    let (spans, log) = next.finish();
    check_account(&log);
    let server = spans.iter().find(|span| span.is_server()).unwrap();
    let pid = rustix::process::Pid::from_raw(server.resource["process.pid"].parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    drop(left);
}
