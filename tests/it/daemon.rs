//! The agent and the collector as daemons of their own: what one leaves, its successor takes up.

use crate::support::load::{Connections, Steady};
use crate::support::servers::{get, nginx, start, start_python};
use crate::support::{Program, Span, account, binary, free_port, in_file, until};
use probe_wire::handover::Message;
use std::fs;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// A node: its folder, its pins and what runs on it.
struct Node {
    folder: TempDir,
    pins: PathBuf,
    port: u16,
}

impl Node {
    fn new() -> Self {
        // A bpffs takes no name with a dot.
        let folder = tempfile::Builder::new().prefix("odigos-test-").tempdir().unwrap();
        let name = folder.path().file_name().unwrap().to_owned();
        Node {
            pins: Path::new("/sys/fs/bpf").join(name),
            folder,
            port: free_port(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The agent, which traces only the server on this port, whatever else goes on on this machine.
    fn odiglet(&self) -> Command {
        let mut command = Command::new(binary("odiglet"));
        command
            .arg("--port")
            .arg(self.port.to_string())
            .arg("--socket")
            .arg(self.path("odiglet.sock"))
            .arg("--pins")
            .arg(&self.pins);
        command
    }

    fn start_odiglet(&self) -> Program {
        self.start_odiglet_with(LARGE_RING)
    }

    fn start_odiglet_with(&self, ring: &str) -> Program {
        let mut odiglet = Program::start(self.odiglet().args(["--ring-size", ring]));
        odiglet.wait_for("ready");
        odiglet
    }

    fn start_collector(&self, file: &str) -> Program {
        let config = self.path("collector.yaml");
        let text = format!(
            "receivers:\n  ebpf:\n    socket: {}\nprocessors:\n  batch:\nexporters:\n  file:\n    path: {}\nservice:\n  \
             telemetry: {{metrics: {{level: none}}}}\n  pipelines:\n    traces:\n      receivers: [ebpf]\n      processors: [batch]\n      exporters: [file]\n",
            self.path("odiglet.sock").display(),
            self.path(file).display()
        );
        fs::write(&config, text).unwrap();
        Program::start(Command::new(binary("odigos-collector")).arg("--config").arg(&config))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Unlinking the pins detaches what a failed test has left.
        let _ = fs::remove_dir_all(&self.pins);
    }
}

fn served(files: &[PathBuf], prefix: &str) -> Vec<String> {
    let spans = files.iter().flat_map(|file| in_file(file));
    let paths = spans
        .filter(|span| span.is_server())
        .map(|span| span.get("url.path").to_owned());
    let mut paths: Vec<String> = paths.filter(|path| path.starts_with(prefix)).collect();
    paths.sort();
    paths
}

#[test]
fn requests_while_agent_and_collector_are_dead_are_reported_by_their_successors() {
    let node = Node::new();
    let port = node.port;
    let _server = start_python(port);
    let files = [node.path("first.jsonl"), node.path("second.jsonl")];
    let mut odiglet = node.start_odiglet();
    let mut collector = node.start_collector("first.jsonl");
    get(port, "/gap/0");
    until("the first span", || (served(&files, "/gap/").len() == 1).then_some(()));
    odiglet.kill();
    get(port, "/gap/1");
    until("the span while the agent is dead", || {
        (served(&files, "/gap/").len() == 2).then_some(())
    });
    collector.kill();
    for request in 2..20 {
        get(port, &format!("/gap/{request}"));
    }
    let mut odiglet = node.start_odiglet();
    let mut collector = node.start_collector("second.jsonl");
    get(port, "/gap/20");
    until("all spans", || (served(&files, "/gap/").len() >= 21).then_some(()));
    collector.stop();
    odiglet.stop();
    let mut expected: Vec<String> = (0..=20).map(|request| format!("/gap/{request}")).collect();
    expected.sort();
    assert_eq!(served(&files, "/gap/"), expected, "each request once");
    let clean = node.odiglet().arg("clean").status().unwrap();
    assert!(clean.success() && !node.pins.exists());
}

/// Reads what the agent tells a collector until an entity is said to be gone.
fn wait_for_a_retired_entity(collector: &mut UnixStream) {
    collector.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let (mut told, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        while let Some((message, length)) = Message::decode(&told).unwrap() {
            told.drain(..length);
            if let Message::EntityGone { .. } = message {
                return;
            }
        }
        let count = collector.read(&mut piece).unwrap();
        assert!(count > 0, "the agent has closed the connection");
        told.extend_from_slice(&piece[..count]);
    }
}

#[test]
fn a_collector_that_comes_after_a_process_was_forgotten_names_its_spans_all_the_same() {
    let node = Node::new();
    let mut odiglet = node.start_odiglet();
    // Holds the lease, and reads nothing of the ring.
    let mut idle = UnixStream::connect(node.path("odiglet.sock")).unwrap();
    let mut server = start_python(node.port);
    let pid = server.pid();
    get(node.port, "/brief");
    server.kill();
    wait_for_a_retired_entity(&mut idle);
    drop(idle);
    let mut collector = node.start_collector("spans.jsonl");
    let spans = until("the span", || {
        let spans = in_file(&node.path("spans.jsonl"));
        spans.iter().any(Span::is_server).then_some(spans)
    });
    collector.stop();
    odiglet.stop();
    let span = spans.iter().find(|span| span.get("url.path") == "/brief").unwrap();
    assert_eq!(span.resource.get("process.pid"), Some(&pid.to_string()), "{span:?}");
    // More than its executable only where the agent had looked at it before it ended.
    assert!(span.resource["service.name"].starts_with("python"), "{span:?}");
}

#[test]
fn a_second_agent_is_refused_and_names_the_lock() {
    let node = Node::new();
    let mut first = node.start_odiglet();
    let mut second = Program::start(&mut node.odiglet());
    assert_eq!(second.wait().code(), Some(1));
    assert!(
        second.log.contains("another agent is running") && second.log.contains("odiglet.lock"),
        "{}",
        second.log
    );
    assert!(first.stop().success(), "{}", first.log);
}

/// About as many requests a second as a busy service of a node has.
const PER_SECOND: u64 = 2_000;
/// What the paths of the load begin with.
const LOAD: &str = "/load/";
const LARGE_RING: &str = "8388608";

/// A node with an nginx that is asked all the time, from when the agent is ready, and the files of all collectors so far.
struct Busy {
    node: Node,
    ring: &'static str,
    _server: Program,
    load: Steady,
    files: Vec<PathBuf>,
}

impl Busy {
    fn start(ring: &'static str) -> (Self, Program) {
        let node = Node::new();
        let command = nginx(node.folder.path(), node.port);
        let server = start(Command::new(&command[0]).args(&command[1..]), node.port);
        let odiglet = node.start_odiglet_with(ring);
        let busy = Busy {
            load: Steady::start(Connections::open(node.port, LOAD, 50), PER_SECOND),
            ring,
            _server: server,
            files: Vec::new(),
            node,
        };
        (busy, odiglet)
    }

    fn start_odiglet(&self) -> Program {
        self.node.start_odiglet_with(self.ring)
    }

    fn start_collector(&mut self) -> Program {
        let name = format!("{}.jsonl", self.files.len());
        self.files.push(self.node.path(&name));
        self.node.start_collector(&name)
    }

    /// Waits until so many more spans are in the newest file.
    fn wait_for_spans(&self, more: usize) {
        let file = self.files.last().unwrap();
        let before = count_spans(file);
        until("more spans", || (count_spans(file) >= before + more).then_some(()));
    }

    /// Waits until so many more requests were answered.
    fn wait_for_requests(&self, more: u64) {
        let before = self.load.answered();
        until("more requests", || {
            (self.load.answered() >= before + more).then_some(())
        });
    }

    /// Ends everything; returns the ids of the spans of each request, and the last collector's account.
    fn finish(self, mut odiglet: Program, mut collector: Program) -> (Vec<Vec<String>>, String) {
        let requests = self.load.stop();
        collector.stop();
        odiglet.stop();
        check_that_nothing_waits(&collector.log);
        let clean = self.node.odiglet().arg("clean").status().unwrap();
        assert!(clean.success() && !self.node.pins.exists());
        let mut ids = vec![Vec::new(); requests as usize];
        for span in self.files.iter().flat_map(|file| in_file(file)) {
            let number = span.get("url.path").strip_prefix(LOAD).unwrap();
            ids[number.parse::<usize>().unwrap()].push(span.span_id);
        }
        (ids, collector.log.clone())
    }
}

/// The ring was read to its end, and a successor accounts for what it did not read itself.
fn check_that_nothing_waits(log: &str) {
    let value = |name: &str| account(log, name);
    let read = value("read_before") + value("decoded") + value("undecodable");
    let read = read + value("not_selected") + value("undecided");
    assert_eq!((value("emitted"), value("pending")), (read, 0), "{log}");
}

fn count_spans(file: &Path) -> usize {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.matches("\"spanId\"").count()
}

/// Returns how many requests have no span; none has two different ones. A collector that is killed between writing and
/// saying so leaves the very same span to be written again: the same by its id.
fn missing(ids: &[Vec<String>]) -> usize {
    let twice: Vec<_> = ids.iter().filter(|ids| ids.iter().any(|id| *id != ids[0])).collect();
    assert!(twice.is_empty(), "requests with two different spans: {twice:?}");
    ids.iter().filter(|ids| ids.is_empty()).count()
}

#[test]
fn killing_the_agent_under_load_loses_nothing() {
    let (mut busy, mut odiglet) = Busy::start(LARGE_RING);
    let collector = busy.start_collector();
    busy.wait_for_spans(1000);
    odiglet.kill();
    busy.wait_for_spans(1000);
    let odiglet = busy.start_odiglet();
    busy.wait_for_spans(1000);
    let (ids, log) = busy.finish(odiglet, collector);
    assert_eq!(missing(&ids), 0, "of {} requests: {log}", ids.len());
}

#[test]
fn killing_the_collector_under_load_loses_nothing() {
    let (mut busy, odiglet) = Busy::start(LARGE_RING);
    let mut collector = busy.start_collector();
    for _ in 0..3 {
        busy.wait_for_spans(1000);
        // Not just after a write: some spans are under way.
        busy.wait_for_requests(100);
        collector.kill();
        busy.wait_for_requests(1000);
        collector = busy.start_collector();
    }
    busy.wait_for_spans(1000);
    let (ids, log) = busy.finish(odiglet, collector);
    assert_eq!(missing(&ids), 0, "of {} requests: {log}", ids.len());
}

#[test]
fn killing_agent_and_collector_under_load_loses_nothing() {
    let (mut busy, mut odiglet) = Busy::start(LARGE_RING);
    let mut collector = busy.start_collector();
    busy.wait_for_spans(1000);
    busy.wait_for_requests(100);
    odiglet.kill();
    collector.kill();
    busy.wait_for_requests(2000);
    let odiglet = busy.start_odiglet();
    let collector = busy.start_collector();
    busy.wait_for_spans(3000);
    let (ids, log) = busy.finish(odiglet, collector);
    assert_eq!(missing(&ids), 0, "of {} requests: {log}", ids.len());
}

#[test]
fn what_a_full_ring_loses_while_both_are_dead_is_counted() {
    // Small enough to be filled soon, and large enough to keep what is under way in an eighth of it.
    let (mut busy, mut odiglet) = Busy::start("2097152");
    let mut collector = busy.start_collector();
    busy.wait_for_spans(1000);
    odiglet.kill();
    collector.kill();
    // Far more than the ring holds: a record has more than 200 bytes.
    busy.wait_for_requests(12_000);
    let odiglet = busy.start_odiglet();
    let collector = busy.start_collector();
    busy.wait_for_spans(1000);
    let (ids, log) = busy.finish(odiglet, collector);
    let lost = account(&log, "ring_full");
    assert!(lost > 0, "{log}");
    assert_eq!(account(&log, "seen"), ids.len() as u64, "{log}");
    assert_eq!(missing(&ids) as u64, lost, "{log}");
}
