//! Real servers and plain requests to them.

use super::{Program, until};
use odigos_tests::nginx;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

/// A command in a mount namespace of its own, in which `prepare` was run by a shell first. What is to be run there is
/// still to be added; it keeps the process id.
pub fn in_namespace(prepare: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &format!("set -e; {prepare}\nexec \"$@\""), "sh"]);
    command
}

/// Builds the Go server below `apps/go`, by this release of Go.
pub fn build_go(app: &str, release: &str, flags: &str, program: &Path) {
    build_go_with(app, release, &["-ldflags", flags], &[], program);
}

/// The same with any options of `go build`, and with variables in its environment.
pub fn build_go_with(app: &str, release: &str, options: &[&str], environment: &[(&str, &str)], program: &Path) {
    let output = Command::new("go")
        .arg("build")
        .args(options)
        .arg("-o")
        .arg(program)
        .arg("main.go")
        .env("GOTOOLCHAIN", release)
        .envs(environment.iter().copied())
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("apps/go").join(app))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{app}, {release}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Python's own file server in the current folder.
pub fn start_python(port: u16) -> Program {
    let mut command = Command::new("python3");
    command.args(["-m", "http.server", "--bind", "127.0.0.1", &port.to_string()]);
    start(&mut command, port)
}

/// Starts a server and waits until it listens.
pub fn start(command: &mut Command, port: u16) -> Program {
    let server = Program::start(command.stdout(Stdio::null()));
    until("the server listens", || TcpStream::connect(("127.0.0.1", port)).ok());
    server
}

/// A request on a connection of its own; returns the whole answer.
pub fn get(port: u16, path: &str) -> String {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(
        connection,
        "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

/// The command of an nginx with one worker, whose files lie in `folder`. It answers every path.
pub fn nginx(folder: &Path, port: u16) -> Vec<String> {
    let file = nginx::configure(folder, port).unwrap();
    let command = [
        "nginx",
        "-c",
        &file.display().to_string(),
        "-p",
        &folder.display().to_string(),
    ];
    command.map(str::to_owned).to_vec()
}
