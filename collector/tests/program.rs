//! The program itself: exit statuses, messages, signals and readiness.

#![allow(clippy::unwrap_used)]

use collector_config::{Config, Errors, MetricLevel, Node};
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
        service: {telemetry: {metrics: {level: none}}, pipelines: {traces: {receivers: [ebpf], exporters: [file]}}}}";
    let path = configuration(directory.path(), text);
    let (status, errors) = run(&["--config", path.to_str().unwrap()]);
    assert_eq!(status, Some(1));
    let expected =
        "odigos-collector: exporter file cannot start: cannot write the file /nonexistent/f: No such file or directory";
    assert!(errors.contains(expected), "{errors}");
}

#[test]
fn an_address_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = configuration(
        directory.path(),
        &format!(
            "receivers: {{otlp: {{protocols: {{http: {{endpoint: '{address}'}}}}}}}}\nexporters: {{nop: }}\n\
             service: {{telemetry: {{metrics: {{level: none}}}}, pipelines: {{traces: {{receivers: [otlp], exporters: [nop]}}}}}}\n"
        ),
    );
    let (status, error) = run(&["--config", path.to_str().unwrap()]);
    assert_eq!(status, Some(1), "{error}");
    assert!(error.contains(&format!("cannot listen on {address}")), "{error}");
    assert!(error.contains("Address already in use"), "{error}");
}

/// Starts the program with a socket, a file and a service manager's socket.
fn start(directory: &Path) -> (Child, UnixListener, UnixDatagram) {
    let (socket, manager) = (directory.join("handover.sock"), directory.join("notify"));
    let listener = UnixListener::bind(&socket).unwrap();
    let notified = UnixDatagram::bind(&manager).unwrap();
    let text = format!(
        "{{receivers: {{ebpf: {{socket: '{}'}}}}, exporters: {{file: {{path: '{}'}}, terminal: }}, \
         service: {{telemetry: {{metrics: {{level: none}}}},          pipelines: {{traces: {{receivers: [ebpf], exporters: [file, terminal]}}}}}}}}",
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

/// Reads the log until a line has the text.
fn await_line(log: &mut impl BufRead, text: &str) {
    let mut all = String::new();
    loop {
        let begin = all.len();
        assert!(log.read_line(&mut all).unwrap() > 0, "{text:?} is not in\n{all}");
        if all[begin..].contains(text) {
            return;
        }
    }
}

#[test]
fn a_changed_configuration_is_used_and_a_broken_one_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let (mut child, listener, manager) = start(directory.path());
    assert_eq!(notification(&manager), "READY=1");
    let _agent = listener.accept().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let path = directory.path().join("collector.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let other = directory.path().join("other.jsonl");
    let changed = text.replace("spans.jsonl", "other.jsonl");
    std::fs::write(&path, &changed).unwrap();
    await_line(&mut log, "a file has changed");
    await_line(&mut log, "the configuration is in use");
    assert!(other.exists());
    std::fs::write(&path, changed.replace("exporters: [file", "exporters: [fil")).unwrap();
    await_line(&mut log, "\"fil\" is not defined; did you mean \"file\"?");
    std::fs::write(&path, &text).unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    await_line(&mut log, "the configuration is in use");
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    await_line(&mut log, "traces -> file: received 0");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn its_log_is_json_if_it_is_told_so() {
    let directory = tempfile::tempdir().unwrap();
    let text = "{receivers: {ebpf: {socket: /nonexistent/\"quoted\"}}, exporters: {nop: }, service: {telemetry: {logs: {encoding: json}, \
        metrics: {level: none}}, pipelines: {traces: {receivers: [ebpf], exporters: [nop]}}}}";
    let mut child = Command::new(PROGRAM)
        .arg("--config")
        .arg(configuration(directory.path(), text))
        .env_remove("ODIGOS_LOG")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut lines: Vec<serde_json::Value> = Vec::new();
    while lines.iter().all(|line| line["level"] != "warn") {
        let mut line = String::new();
        assert!(log.read_line(&mut line).unwrap() > 0, "{lines:?}");
        lines.push(serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")));
    }
    let warning = lines.last().unwrap();
    assert_eq!(
        warning["msg"],
        "cannot connect to Odiglet's hand-over socket; trying again"
    );
    assert_eq!(warning["path"], "/nonexistent/\"quoted\"");
    assert!(warning["error"].as_str().unwrap().contains("No such file"), "{warning}");
    let time = warning["ts"].as_str().unwrap();
    assert!(
        time.len() > 20 && time.ends_with('Z') && time.as_bytes()[10] == b'T',
        "{time}"
    );
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM).unwrap();
    for line in log.lines() {
        lines.push(serde_json::from_str(&line.unwrap()).unwrap());
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(
        lines.last().unwrap()["msg"],
        "traces -> nop: received 0, exported 0, dropped 0, held 0"
    );
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

/// The exit status, standard output and standard error of the program, in a directory and with variables.
fn outcome(directory: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(PROGRAM);
    command
        .args(arguments)
        .current_dir(directory)
        .envs(variables.iter().copied());
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

const VALID: &str = "\
receivers:
  ebpf:
    socket: /run/${env:NAME:-odigos}.sock
exporters:
  file:
    path: ${env:OUT}
service:
  pipelines:
    traces:
      receivers: [ebpf]
      exporters: [file]
";

#[test]
fn validate_says_that_a_configuration_is_valid_and_warns_of_variables_that_are_not_set() {
    let directory = tempfile::tempdir().unwrap();
    configuration(directory.path(), VALID);
    let arguments = ["validate", "--config", "collector.yaml"];
    let (status, out, err) = outcome(directory.path(), &[("OUT", "spans.jsonl")], &arguments);
    assert_eq!(
        (status, out.as_str(), err.as_str()),
        (Some(0), "configuration is valid\n", "")
    );
    assert!(!directory.path().join("spans.jsonl").exists());
    let (_, _, err) = outcome(directory.path(), &[], &arguments);
    let expected = "warning: collector.yaml:6: exporters::file::path: the environment variable OUT is not set; nothing stands in its place\n";
    assert!(err.starts_with(expected), "{err}");
}

#[test]
fn validate_names_all_errors_of_all_sources() {
    let directory = tempfile::tempdir().unwrap();
    configuration(directory.path(), VALID);
    std::fs::write(
        directory.path().join("more.yaml"),
        "\nexporters:\n  file:\n    pth: x\n",
    )
    .unwrap();
    let arguments = [
        "--config=collector.yaml",
        "--config=file:more.yaml",
        "--config",
        "yaml:processors::batch::timeout: soon",
        "--set=processors.batch.send_batch_size=-1",
        "validate",
    ];
    let (status, out, err) = outcome(directory.path(), &[("OUT", "x")], &arguments);
    let expected = "\
--config yaml:1: processors::batch::timeout: expected a duration such as 200ms or 1m30s, found \"soon\"
--set:1: processors::batch::send_batch_size: expected a whole number that is not negative, found -1
more.yaml:4: exporters::file::pth: unknown key; did you mean \"path\"?
";
    assert_eq!(err, expected, "found:\n{err}");
    assert_eq!((status, out.as_str()), (Some(2), ""));
}

#[test]
fn print_config_prints_what_counts_without_secrets() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("token"), "s3cret\n").unwrap();
    let text = "exporters: {otlp: {endpoint: 'a:${env:PORT}', headers: {x: 'Bearer ${file:token}'}, size: '${PORT}', text: '$${PORT}'}}\n";
    configuration(directory.path(), text);
    let shown = |arguments: &[&str]| {
        let arguments = [
            &[
                "print-config",
                "--config=collector.yaml",
                "--set",
                "exporters.otlp.size=5",
            ],
            arguments,
        ]
        .concat();
        let (status, out, err) = outcome(directory.path(), &[("PORT", "4317")], &arguments);
        assert_eq!((status, err.as_str()), (Some(0), ""));
        out
    };
    let yaml = "exporters:\n  otlp:\n    endpoint: \"a:4317\"\n    headers:\n      x: \"[REDACTED]\"\n    size: 5\n    text: \"$${PORT}\"\n";
    assert_eq!(shown(&[]), yaml);
    assert_eq!(shown(&["--unredacted"]), yaml.replace("[REDACTED]", "Bearer s3cret"));
    let json =
        r#"{"exporters":{"otlp":{"endpoint":"a:4317","headers":{"x":"[REDACTED]"},"size":5,"text":"$${PORT}"}}}"#;
    assert_eq!(shown(&["--format", "json"]), format!("{json}\n"));
}

#[test]
fn components_lists_what_the_table_has() {
    let directory = tempfile::tempdir().unwrap();
    let (status, out, err) = outcome(directory.path(), &[], &["components"]);
    assert_eq!((status, err.as_str()), (Some(0), ""));
    let listed = Node::parse(&out, "").unwrap();
    assert_eq!(listed.to_yaml(), out);
    for line in [
        "receivers:\n  - name: ",
        "processors:\n  - name: attributes\n    signals:\n      - traces\n",
        "  - name: otlphttp\n",
        "  - name: otlp_http\n",
    ] {
        assert!(out.contains(line), "{line:?} is not in\n{out}");
    }
}

#[test]
fn the_version_and_usage_errors_have_their_exit_statuses() {
    let directory = tempfile::tempdir().unwrap();
    let (status, out, _) = outcome(directory.path(), &[], &["--version"]);
    assert_eq!(
        (status, out),
        (Some(0), format!("odigos-collector {}\n", env!("CARGO_PKG_VERSION")))
    );
    for (arguments, expected) in [
        (vec!["validate"], "--config <SOURCE>"),
        (
            vec!["--config", "http://a"],
            "the scheme \"http\" is none of file, env, yaml",
        ),
        (vec!["--config=a", "--set=x"], "expected key=value"),
        (vec!["nonsense"], "nonsense"),
    ] {
        let (status, _, err) = outcome(directory.path(), &[], &arguments);
        assert_eq!(status, Some(2), "{arguments:?}");
        assert!(err.contains(expected), "{arguments:?}: {err}");
    }
}

/// Configurations that the OpenTelemetry Collector runs.
#[test]
fn the_structure_of_configurations_made_for_another_collector_is_understood() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut found = 0;
    for file in std::fs::read_dir(directory).unwrap() {
        let path = file.unwrap().path();
        let root = Node::parse(&std::fs::read_to_string(&path).unwrap(), "").unwrap();
        let mut errors = Errors::default();
        let config = Config::read(&root, &mut errors);
        assert!(errors.is_empty(), "{}:\n{errors}", path.display());
        assert_eq!(config.service_extensions[0].id.to_string(), "health_check");
        assert_eq!(config.telemetry.metrics.level, MetricLevel::None);
        assert_eq!(errors.take_warnings(), []);
        found += 1;
    }
    assert!(found >= 7, "only {found} configurations were found");
}
