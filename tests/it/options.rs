//! What `odigos run` is asked for: what it traces, for how long, by a file, and how it says that it is ready.

use crate::support::servers::{get, start_python};
use crate::support::{Observed, PATIENCE, Span, account, check_account, free_port, in_file, until};
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The server's spans, as pid and path.
fn served(spans: &[Span], pid: u32) -> Vec<&str> {
    let own = spans
        .iter()
        .filter(|span| span.is_server() && span.resource["process.pid"] == pid.to_string());
    own.map(|span| span.get("url.path")).collect()
}

/// This looks at the whole machine, so only at what the test itself has started.
#[test]
fn without_a_selection_everything_is_traced_but_the_run_itself() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("spans.jsonl");
    let export = format!("file:{}", file.display());
    let run = Observed::start_selecting(free_port(), &["-o", "quiet", "--export", &export]);
    let before = ["/before/0", "/before/1", "/before/2"];
    run.ask(&before);
    let port = free_port();
    let later = start_python(port);
    get(port, "/later");
    until("the spans of both servers", || {
        let spans = in_file(&file);
        (served(&spans, run.server_pid()).len() >= 3 && !served(&spans, later.pid()).is_empty()).then_some(())
    });
    let (pid, server) = (run.pid(), run.server_pid());
    let finished = run.stop();
    assert!(finished.status.success(), "{}", finished.log);
    let spans = in_file(&file);
    assert_eq!(served(&spans, server), before, "{}", finished.log);
    assert_eq!(served(&spans, later.pid()), ["/later"], "{}", finished.log);
    let by_the_run = |span: &&Span| {
        span.resource
            .get("process.pid")
            .is_some_and(|it| *it == pid.to_string())
    };
    assert_eq!(spans.iter().filter(by_the_run).count(), 0, "it traces itself");
    // The test asked, and is a process like any other.
    let own = std::process::id().to_string();
    let asked = |span: &&Span| {
        !span.is_server() && span.resource.get("process.pid") == Some(&own) && span.get("url.full").ends_with("/later")
    };
    assert_eq!(spans.iter().filter(asked).count(), 1, "{}", finished.log);
}

#[test]
fn a_run_for_a_time_ends_by_itself_with_its_account() {
    let run = Observed::start(&["-o", "quiet", "--duration", "3s"]);
    run.ask(&["/", "/", "/"]);
    let finished = run.wait();
    assert_eq!(finished.status.code(), Some(0), "{}", finished.log);
    check_account(&finished.log);
    assert_eq!(account(&finished.log, "exported"), 3, "{}", finished.log);
}

#[test]
fn a_file_of_options_adds_to_those_of_the_command_line() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (by_file, excluded, excluded_port) = (free_port(), at("excluded"), free_port());
    fs::copy("/usr/bin/curl", &excluded).unwrap();
    let config = at("odigos.yaml");
    let text = format!(
        "port: [{by_file}, {excluded_port}]\nexe: ['{0}']\nexclude: ['{0}']\nexport: ['file:{1}']\nring_size: 1MiB\nduration: 10m\n",
        excluded.display(),
        at("by-file.jsonl").display()
    );
    fs::write(&config, text).unwrap();
    let export = format!("file:{}", at("by-option.jsonl").display());
    let server = start_python(by_file);
    // The command line's own port comes with the helper.
    let run = Observed::start(&["-o", "quiet", "--export", &export, "--config", config.to_str().unwrap()]);
    run.ask(&["/by-option"]);
    get(by_file, "/by-file");
    let url = format!("http://127.0.0.1:{by_file}/by-curl");
    let asked = Command::new(&excluded)
        .args(["--silent", "--output", "/dev/null", &url])
        .status()
        .unwrap();
    assert!(asked.success());
    let by_option = run.server_pid();
    let finished = run.stop();
    assert!(finished.status.success(), "{}", finished.log);
    for name in ["by-file.jsonl", "by-option.jsonl"] {
        let spans = in_file(&at(name));
        assert_eq!(served(&spans, by_option), ["/by-option"], "{name}: {}", finished.log);
        assert_eq!(
            served(&spans, server.pid()),
            ["/by-file", "/by-curl"],
            "{name}: {}",
            finished.log
        );
        assert_eq!(spans.len(), 3, "{name}: the excluded client has no spans: {spans:#?}");
    }
}

#[test]
fn a_single_value_of_the_command_line_wins_over_the_files() {
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("odigos.yaml");
    fs::write(&config, "duration: 10m\n").unwrap();
    let run = Observed::start(&[
        "-o",
        "quiet",
        "--duration",
        "100ms",
        "--config",
        config.to_str().unwrap(),
    ]);
    let finished = run.wait();
    assert_eq!(finished.status.code(), Some(0), "{}", finished.log);
    fs::write(&config, "duration: 100ms\n").unwrap();
    let run = Observed::start(&["-o", "quiet", "--config", config.to_str().unwrap()]);
    let finished = run.wait();
    assert_eq!(finished.status.code(), Some(0), "{}", finished.log);
}

#[test]
fn the_service_manager_is_told_when_all_is_attached_and_when_it_ends() {
    let folder = TempDir::new().unwrap();
    let address = folder.path().join("notify");
    let manager = UnixDatagram::bind(&address).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let told = || {
        let mut message = [0; 64];
        let length = manager.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..length]).into_owned()
    };
    let mut odigos = Command::new(crate::support::binary("odigos"));
    odigos.env("NOTIFY_SOCKET", &address);
    let run = Observed::start_by(&mut odigos, Stdio::null(), &["-o", "quiet"]);
    assert_eq!(told(), "READY=1");
    // From now on, no request is missed.
    run.ask(&["/at-once"]);
    let finished = run.stop();
    assert_eq!(told(), "STOPPING=1");
    assert!(finished.status.success(), "{}", finished.log);
    assert_eq!(account(&finished.log, "exported"), 1, "{}", finished.log);
    assert!(
        finished.log.contains("odigos: ready, 1 process is traced"),
        "{}",
        finished.log
    );
}
