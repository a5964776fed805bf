//! Wrong use and missing things: a clear message and the documented exit status, and nothing left attached.

use crate::support::{Program, binary};
use std::process::Command;

/// Runs `odigos` with these arguments; it must fail with this status and say all of this.
fn check(arguments: &[&str], status: i32, says: &[&str]) {
    let mut run = Program::start(Command::new(binary("odigos")).args(arguments));
    let ended = run.wait();
    assert_eq!(ended.code(), Some(status), "{arguments:?}: {}", run.log);
    for text in says {
        assert!(
            run.log.contains(text),
            "{arguments:?} does not say {text:?}:\n{}",
            run.log
        );
    }
}

#[test]
fn wrong_options_are_all_named_at_once() {
    check(
        &[
            "run",
            "--pid",
            "4194305",
            "--exe",
            "a[",
            "--export",
            "ftp://x",
            "--duration",
            "soon",
            "--ring-size",
            "3MiB",
        ],
        2,
        &[
            "--pid 4194305: no such process",
            "--exe \"a[\"",
            "\"ftp://x\" is not a destination",
            "\"soon\"",
            "\"3MiB\"",
        ],
    );
    check(&["run", "--nonsense"], 2, &["--nonsense"]);
}

#[test]
fn an_unknown_key_of_the_configuration_is_named_with_its_line() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("odigos.yaml");
    std::fs::write(&path, "exe: [python3]\nexport: [stdout]\nringsize: 8MiB\n").unwrap();
    let path = path.to_str().unwrap();
    check(&["run", "--config", path], 2, &[path, "ringsize", "line 3"]);
    check(
        &["run", "--config", "/nowhere/odigos.yaml"],
        2,
        &["/nowhere/odigos.yaml", "No such file"],
    );
}

#[test]
fn an_export_path_that_cannot_be_written_ends_the_run_before_it_begins() {
    check(
        &["run", "--export", "file:/nowhere/spans.json"],
        1,
        &["/nowhere/spans.json", "No such file"],
    );
}

#[test]
fn a_command_that_is_not_there_is_named() {
    check(
        &["run", "-o", "quiet", "--", "/nowhere/server"],
        1,
        &["cannot start /nowhere/server"],
    );
}

#[test]
fn a_process_that_is_gone_cannot_be_inspected() {
    check(
        &["inspect", "--pid", "4194305"],
        1,
        &["process 4194305 has ended or never was"],
    );
}

#[test]
fn without_privileges_the_missing_ones_are_named() {
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--bounding-set=-all",
    ]);
    // The binary may lie in a folder that nobody else may enter, so it is copied to one where they may.
    let folder = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .tempdir()
        .unwrap();
    let copy = folder.path().join("odigos");
    std::fs::copy(binary("odigos"), &copy).unwrap();
    let mut run = Program::start(command.arg(&copy).args(["run", "-o", "quiet"]));
    assert_eq!(run.wait().code(), Some(1), "{}", run.log);
    assert!(
        run.log.contains("privileges is missing") && run.log.contains("CAP_BPF"),
        "{}",
        run.log
    );
}

#[test]
fn an_unreachable_endpoint_is_named_and_what_was_not_delivered_is_accounted_for() {
    let port = crate::support::free_port();
    let endpoint = format!("otlp://127.0.0.1:{port}");
    let web = crate::support::free_port();
    let script = format!(
        "python3 -m http.server --bind 127.0.0.1 {web} & \
         curl --silent --output /dev/null --retry 50 --retry-delay 0 --retry-connrefused http://127.0.0.1:{web}/; kill $!"
    );
    let mut command = Command::new(binary("odigos"));
    command.args([
        "run",
        "-o",
        "quiet",
        "--port",
        &web.to_string(),
        "--export",
        &endpoint,
        "--",
        "sh",
        "-c",
        &script,
    ]);
    let mut run = Program::start(&mut command);
    run.wait();
    assert!(
        run.log.contains(&format!("127.0.0.1:{port}")),
        "the endpoint is not named:\n{}",
        run.log
    );
    assert!(
        run.log.contains("export_failed"),
        "the loss is not accounted for:\n{}",
        run.log
    );
}
