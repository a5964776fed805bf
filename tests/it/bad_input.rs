//! Wrong use and missing things: a clear message and the documented exit status, and nothing left attached.

use crate::support::servers::in_namespace;
use crate::support::{Program, Traced, binary, check_account, free_port, in_file, until};
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// Runs `odigos` with these arguments; it must fail with this status and say all of this.
fn check(arguments: &[&str], status: i32, says: &[&str]) {
    check_command(Command::new(binary("odigos")).args(arguments), status, says);
}

fn check_command(command: &mut Command, status: i32, says: &[&str]) {
    let mut run = Program::start(command);
    let ended = run.wait();
    assert_eq!(ended.code(), Some(status), "{command:?}: {}", run.log);
    for text in says {
        assert!(
            run.log.contains(text),
            "{command:?} does not say {text:?}:\n{}",
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
    check(
        &["run", "--export", "stdout", "--output", "tree"],
        2,
        &["--export stdout", "use --output json"],
    );
}

/// The processes that are traced are told by the number of the whole, so that a thread's number would trace nothing.
#[test]
fn the_number_of_a_thread_is_refused_and_its_process_named() {
    let own = std::process::id();
    // Tests run on threads of their own.
    let link = std::fs::read_link("/proc/thread-self").unwrap();
    let thread = link.file_name().unwrap().to_str().unwrap();
    check(
        &["run", "--pid", thread],
        2,
        &[&format!("--pid {thread}: {thread} is a thread of process {own}")],
    );
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

/// What `odigos check` prints in a namespace that was prepared so, and its status.
fn facilities(prepare: &str) -> (String, Option<i32>) {
    let output = in_namespace(prepare)
        .arg(binary("odigos"))
        .arg("check")
        .output()
        .unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code())
}

const NO_BTF: &str = "mount -t tmpfs none /sys/kernel/btf";
const NO_BPFFS: &str = "mount -t tmpfs none /sys/fs";

#[test]
fn a_kernel_without_btf_is_named_and_nothing_is_begun() {
    let mut run = in_namespace(NO_BTF);
    run.arg(binary("odigos"))
        .args(["run", "--output", "quiet", "--", "true"]);
    check_command(&mut run, 1, &["/sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF"]);
    let (table, status) = facilities(NO_BTF);
    let line = table.lines().find(|line| line.starts_with("BTF")).unwrap();
    assert!(line.contains("NO") && line.contains("does not exist"), "{table}");
    assert_eq!(status, Some(1), "{table}");
}

#[test]
fn without_a_bpffs_a_run_traces_all_the_same() {
    let port = free_port();
    let port_text = port.to_string();
    let server = ["python3", "-m", "http.server", "--bind", "127.0.0.1", &port_text];
    let mut odigos = in_namespace(NO_BPFFS);
    odigos.arg(binary("odigos"));
    let traced = Traced::start_by(odigos, TempDir::new().unwrap(), &[], &server, port);
    traced.curl(&[], "/page");
    until("the server's span", || {
        in_file(&traced.file).iter().any(|span| span.is_server()).then_some(())
    });
    check_account(&traced.finish().1);
    let (table, status) = facilities(NO_BPFFS);
    let line = table.lines().find(|line| line.starts_with("bpffs")).unwrap();
    assert!(
        line.contains("NO") && line.contains("/sys/fs/bpf is not a bpf mount"),
        "{table}"
    );
    assert_eq!(status, Some(0), "nothing that is needed is missing: {table}");
}

#[test]
fn a_bpffs_that_was_mounted_for_a_look_at_the_kernel_is_not_left() {
    let prepare = format!("{NO_BPFFS}; mkdir /sys/fs/bpf; {} check", binary("odigos").display());
    let output = in_namespace(&prepare)
        .args(["stat", "--file-system", "--format=%T", "/sys/fs/bpf"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.lines()
            .any(|line| line.starts_with("bpffs") && line.ends_with("yes")),
        "{text}"
    );
    assert_eq!(text.lines().last(), Some("tmpfs"), "{text}");
}

#[test]
fn an_agent_that_cannot_pin_says_so_and_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let check = |pins: PathBuf, prepare: &str, says: &[&str]| {
        let mut odiglet = in_namespace(prepare);
        odiglet.arg(binary("odiglet")).arg("--socket").arg(at("odiglet.sock"));
        odiglet.args(["--port", "1", "--pins"]).arg(&pins);
        check_command(&mut odiglet, 1, says);
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            0,
            "something is left"
        );
    };
    check(at("pins"), "", &["is not on a bpffs", at("pins").to_str().unwrap()]);
    let default = "/sys/fs/bpf/odigos";
    check(
        default.into(),
        NO_BPFFS,
        &[default, "not on a bpffs", "mounting it failed"],
    );
}
