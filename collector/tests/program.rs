//! The program itself: exit statuses, messages, signals and readiness.

#![allow(clippy::unwrap_used)]

use probe_wire::handover::Message;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_odigos-collector");

fn configuration(directory: &Path, text: &str) -> std::path::PathBuf {
    let path = directory.join("collector.yaml");
    std::fs::write(&path, text).unwrap();
    path
}

fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = Command::new(PROGRAM).args(arguments).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn a_bad_configuration_ends_it_with_all_errors_before_anything_starts() {
    let directory = tempfile::tempdir().unwrap();
    let spans = directory.path().join("spans.jsonl");
    let text = format!(
        "receivers:\n  ebpf: {{sockt: x}}\nexporters:\n  file: {{path: '{}'}}\nservice:\n  pipelines:\n    traces:\n      receivers: [ebpf]\n      exporters: [fil]\n",
        spans.display()
    );
    let path = configuration(directory.path(), &text);
    let name = path.display();
    let (status, errors) = run(&["--config", path.to_str().unwrap()]);
    let expected = format!(
        "{name}:2: receivers::ebpf::socket: is required: the path of Odiglet's hand-over socket\n\
         {name}:2: receivers::ebpf::sockt: unknown key; did you mean \"socket\"?\n\
         {name}:9: service::pipelines::traces::exporters: \"fil\" is not defined; did you mean \"file\"?\n"
    );
    assert_eq!(errors, expected, "found:\n{errors}");
    assert_eq!(status, Some(2));
    assert!(!spans.exists());
}

#[test]
fn usage_and_a_missing_file_are_told_apart_from_failure() {
    let (status, errors) = run(&[]);
    assert_eq!(status, Some(2));
    assert!(errors.contains("--config"), "{errors}");
    let (status, errors) = run(&["--config", "/nonexistent/c.yaml"]);
    assert_eq!(status, Some(2));
    assert!(
        errors.contains("/nonexistent/c.yaml: cannot read it: No such file"),
        "{errors}"
    );
}

#[test]
fn a_component_that_cannot_start_is_a_failure() {
    let directory = tempfile::tempdir().unwrap();
    let text = "{receivers: {ebpf: {socket: /nonexistent/s}}, exporters: {file: {path: /nonexistent/f}}, \
        service: {pipelines: {traces: {receivers: [ebpf], exporters: [file]}}}}";
    let path = configuration(directory.path(), text);
    let (status, errors) = run(&["--config", path.to_str().unwrap()]);
    assert_eq!(status, Some(1));
    let expected =
        "odigos-collector: exporter file cannot start: cannot write the file /nonexistent/f: No such file or directory";
    assert!(errors.contains(expected), "{errors}");
}

/// Starts the program with a socket, a file and a service manager's socket.
fn start(directory: &Path) -> (Child, UnixListener, UnixDatagram) {
    let (socket, manager) = (directory.join("handover.sock"), directory.join("notify"));
    let listener = UnixListener::bind(&socket).unwrap();
    let notified = UnixDatagram::bind(&manager).unwrap();
    let text = format!(
        "{{receivers: {{ebpf: {{socket: '{}'}}}}, exporters: {{file: {{path: '{}'}}, terminal: }}, \
         service: {{pipelines: {{traces: {{receivers: [ebpf], exporters: [file, terminal]}}}}}}}}",
        socket.display(),
        directory.join("spans.jsonl").display()
    );
    let child = Command::new(PROGRAM)
        .arg("--config")
        .arg(configuration(directory, &text))
        .env("NOTIFY_SOCKET", &manager)
        .env_remove("ODIGOS_LOG")
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    (child, listener, notified)
}

fn notification(manager: &UnixDatagram) -> String {
    let mut buffer = [0; 64];
    let length = manager.recv(&mut buffer).unwrap();
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

#[test]
fn it_says_when_it_is_ready_and_drains_on_a_signal_with_its_account() {
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let directory = tempfile::tempdir().unwrap();
        let (mut child, listener, manager) = start(directory.path());
        assert_eq!(notification(&manager), "READY=1");
        let _agent = listener.accept().unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, signal).unwrap();
        assert_eq!(notification(&manager), "STOPPING=1");
        let mut log = String::new();
        child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{log}");
        for line in [
            "ebpf: received 0",
            "traces -> file: received 0, exported 0, dropped 0, held 0",
        ] {
            assert!(log.contains(line), "{line} is not in\n{log}");
        }
    }
}

#[test]
fn it_ends_by_itself_when_the_agent_says_that_all_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let (mut child, listener, _manager) = start(directory.path());
    let (mut agent, _) = listener.accept().unwrap();
    let mut frame = Vec::new();
    Message::Drain.encode(&mut frame);
    agent.write_all(&frame).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let log = BufReader::new(child.stderr.take().unwrap());
    assert!(log.lines().all(|line| !line.unwrap().contains("WARN")));
}
