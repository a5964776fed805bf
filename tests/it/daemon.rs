//! The agent and the collector as daemons of their own: what one leaves, its successor takes up.

use crate::support::{Program, binary, free_port, in_file, until};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
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
        let mut odiglet = Program::start(&mut self.odiglet());
        odiglet.wait_for("ready");
        odiglet
    }

    fn start_collector(&self, file: &str) -> Program {
        let config = self.path("collector.yaml");
        let text = format!(
            "receivers:\n  ebpf:\n    socket: {}\nexporters:\n  file:\n    path: {}\nservice:\n  pipelines:\n    traces:\n      \
             receivers: [ebpf]\n      exporters: [file]\n",
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

fn get(port: u16, path: &str) {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(
        connection,
        "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 404"), "{answer}");
}

fn start_server(port: u16) -> Program {
    let mut command = Command::new("python3");
    let server = Program::start(
        command
            .args(["-m", "http.server", "--bind", "127.0.0.1", &port.to_string()])
            .stdout(Stdio::null()),
    );
    until("the server listens", || TcpStream::connect(("127.0.0.1", port)).ok());
    server
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
    let _server = start_server(port);
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
