//! Many requests through the whole of `odigos run`: each has its span, none has two, and what a ring without room loses is
//! counted exactly.

use crate::support::load::{Connections, Steady};
use crate::support::servers::{build_go, get, nginx};
use crate::support::{Traced, account, check_account, free_port, in_file, until};
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use tempfile::TempDir;

const REQUESTS: u64 = 100_000;
const CONNECTIONS: usize = 50;
/// Holds all of them, however slow this build of the collector is.
const LARGE_RING: &str = "128MiB";
const PREFIX: &str = "/item/";

fn start_nginx(ring: &str) -> Traced {
    let folder = TempDir::new().unwrap();
    let port = free_port();
    let server = nginx(folder.path(), port);
    let server: Vec<&str> = server.iter().map(String::as_str).collect();
    Traced::start(folder, &["--ring-size", ring], &server, port)
}

/// A stripped Go server, once its probes are attached: what went before has other paths.
fn start_go(ring: &str) -> Traced {
    let folder = TempDir::new().unwrap();
    build_go("trivial", "local", "-s -w", &folder.path().join("trivial"));
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let traced = Traced::start(folder, &["--ring-size", ring], &["./trivial", &address], port);
    until("a span from inside", || {
        get(port, "/warm-up");
        let spans = in_file(&traced.file);
        spans
            .iter()
            .any(|span| span.scope == "io.odigos.go.net_http")
            .then_some(())
    });
    traced
}

/// How often each numbered request has a span, and how many spans there are besides. The file is searched as text: it is
/// large, and a span has one path.
fn count(file: &Path, requests: u64) -> (Vec<u32>, u64) {
    let text = std::fs::read_to_string(file).unwrap();
    let (mut times, mut others) = (vec![0; requests as usize], 0);
    for path in text.split("\"url.path\",\"value\":{\"stringValue\":\"").skip(1) {
        let (path, _) = path.split_once('"').unwrap();
        match path.strip_prefix(PREFIX) {
            Some(number) => times[number.parse::<usize>().unwrap()] += 1,
            None => others += 1,
        }
    }
    (times, others)
}

fn every_request_has_its_span(traced: Traced) {
    Connections::open(traced.port, PREFIX, CONNECTIONS).ask(0..REQUESTS);
    let (log, folder, file) = traced.end();
    let (times, _) = count(&file, REQUESTS);
    let wrong: Vec<usize> = (0..times.len()).filter(|number| times[*number] != 1).collect();
    assert!(
        wrong.is_empty(),
        "{} requests have no span or several, such as {:?}\n{log}",
        wrong.len(),
        wrong.first()
    );
    check_account(&log);
    // What another test's program said before it was refused, and what it had not ended, is in the account, too; of the
    // requests made here each has its span.
    let others = account(&log, "not_selected") + account(&log, "undecided") + account(&log, "unfinished");
    let wanted = account(&log, "seen") - others;
    assert_eq!(wanted, account(&log, "exported"), "{log}");
    drop(folder);
}

#[test]
fn a_hundred_thousand_requests_to_nginx_have_one_span_each() {
    every_request_has_its_span(start_nginx(LARGE_RING));
}

#[test]
fn a_hundred_thousand_requests_to_go_have_one_span_each() {
    every_request_has_its_span(start_go(LARGE_RING));
}

/// A burst while nobody reads the ring, and requests before and after it.
fn what_is_lost_is_counted(traced: Traced) {
    const PART: u64 = 2_000;
    let mut connections = Connections::open(traced.port, PREFIX, CONNECTIONS);
    connections.ask(0..PART);
    traced.signal(Signal::STOP);
    connections.ask(PART..2 * PART);
    traced.signal(Signal::CONT);
    connections.ask(2 * PART..3 * PART);
    let (log, folder, file) = traced.end();
    let (times, others) = count(&file, 3 * PART);
    assert!(times.iter().all(|times| *times <= 1), "a request has two spans\n{log}");
    let kept = times.iter().filter(|times| **times == 1).count() as u64;
    check_account(&log);
    let lost = account(&log, "ring_full");
    assert!(lost > 0, "{log}");
    assert_eq!(account(&log, "exported"), kept + others, "{log}");
    assert_eq!(kept + lost, 3 * PART, "{log}");
    drop(folder);
}

#[test]
fn what_a_ring_without_room_loses_of_nginx_is_counted() {
    what_is_lost_is_counted(start_nginx("64KiB"));
}

#[test]
fn what_a_ring_without_room_loses_of_go_is_counted() {
    what_is_lost_is_counted(start_go("64KiB"));
}

/// What a killed run has left running, until the test ends.
struct Left(Pid);

impl Left {
    fn nginx_in(folder: &Path) -> Self {
        let pid = std::fs::read_to_string(folder.join("pid")).unwrap();
        Left(Pid::from_raw(pid.trim().parse().unwrap()).unwrap())
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        // If it has ended, the test has failed already.
        let _ = kill_process(self.0, Signal::TERM);
    }
}

#[test]
fn a_run_killed_under_load_harms_nobody_and_the_next_one_traces_on() {
    let traced = start_nginx(LARGE_RING);
    let port = traced.port;
    let load = Steady::start(Connections::open(port, PREFIX, CONNECTIONS), 2_000);
    let goes_on = || {
        let before = load.answered();
        until("answers", || (load.answered() > before + 1_000).then_some(()));
    };
    goes_on();
    let (folder, _stderr) = traced.crash();
    let _left = Left::nginx_in(folder.path());
    goes_on();
    // The next run's own command has nothing to do with it.
    let next = Traced::start(TempDir::new().unwrap(), &[], &["sleep", "600"], port);
    let first = load.answered();
    goes_on();
    let requests = load.stop();
    let (log, _folder, file) = next.end();
    check_account(&log);
    let (times, _) = count(&file, requests);
    let since_ready = &times[first as usize + CONNECTIONS..];
    assert!(since_ready.iter().all(|times| *times == 1), "{since_ready:?}\n{log}");
    assert!(times.iter().all(|times| *times <= 1), "a request has two spans\n{log}");
}
