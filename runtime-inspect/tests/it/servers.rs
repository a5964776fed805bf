//! Real servers of the distribution, without network: they listen on sockets in a folder of their own.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use runtime_inspect::Language;

use crate::go_sample::{run, scratch};
use crate::running::{Running, compiled};

fn check(process: &Running, language: Language, version: &str) {
    let inspection = process.inspect();
    assert_eq!(inspection.language, Some(language), "{:#?}", inspection.findings);
    assert_eq!(
        inspection.runtime_version.as_deref(),
        Some(version),
        "{:#?}",
        inspection.findings
    );
    assert!(inspection.libc_version.is_some(), "{:#?}", inspection.findings);
}

/// The first word that is a dotted number.
fn version_in(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_digit() && c != '.');
    words
        .map(|word| word.trim_matches('.'))
        .find(|word| word.contains('.'))
        .unwrap()
        .to_owned()
}

#[test]
fn nginx_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let configuration = format!(
        "daemon off; master_process off; pid {0}/pid; error_log stderr; events {{}} http {{ access_log off; server {{ listen unix:{0}/socket; }} }}",
        folder.path().display()
    );
    fs::write(folder.path().join("conf"), configuration).unwrap();
    let mut command = Command::new("/usr/sbin/nginx");
    command
        .arg("-p")
        .arg(folder.path())
        .arg("-c")
        .arg(folder.path().join("conf"));
    let process = Running::until(&mut command, || socket.exists());
    let output = Command::new("/usr/sbin/nginx").arg("-v").output().unwrap();
    check(
        &process,
        Language::Nginx,
        &version_in(&String::from_utf8_lossy(&output.stderr)),
    );
}

#[test]
fn redis_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let mut command = Command::new("redis-server");
    command
        .args(["--port", "0", "--save", "", "--unixsocket"])
        .arg(&socket)
        .current_dir(folder.path());
    let process = Running::until(&mut command, || socket.exists());
    check(
        &process,
        Language::Redis,
        &version_in(&run(Command::new("redis-server").arg("--version"))),
    );
}

/// The server refuses to run as root.
fn account(name: &str) -> (u32, u32) {
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let line = passwd
        .lines()
        .find(|line| line.starts_with(&format!("{name}:")))
        .unwrap();
    let mut ids = line.split(':').skip(2).map(|id| id.parse().unwrap());
    (ids.next().unwrap(), ids.next().unwrap())
}

fn postgres_binaries() -> std::path::PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").unwrap();
    versions
        .map(|entry| entry.unwrap().path().join("bin"))
        .find(|bin| bin.join("postgres").exists())
        .unwrap()
}

#[test]
fn postgres_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (uid, gid) = account("postgres");
    chown(folder.path(), Some(uid), Some(gid)).unwrap();
    let as_postgres = |program: &Path| {
        let mut command = Command::new(program);
        command.uid(uid).gid(gid).current_dir(folder.path());
        command
    };
    let (bin, data) = (postgres_binaries(), folder.path().join("data"));
    run(as_postgres(&bin.join("initdb"))
        .args(["--no-sync", "-A", "trust", "-D"])
        .arg(&data));
    let mut command = as_postgres(&bin.join("postgres"));
    command
        .arg("-D")
        .arg(&data)
        .args(["-c", "listen_addresses=", "-k"])
        .arg(folder.path())
        .stderr(Stdio::null());
    let process = Running::until(&mut command, || folder.path().join(".s.PGSQL.5432").exists());
    check(
        &process,
        Language::Postgres,
        &version_in(&run(Command::new(bin.join("postgres")).arg("--version"))),
    );
    assert_eq!(process.inspect().service_name.as_deref(), Some("postgres"));
}

#[test]
fn mariadb_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (data, socket) = (folder.path().join("data"), folder.path().join("socket"));
    fs::create_dir(&data).unwrap();
    let mut command = Command::new("/usr/sbin/mariadbd");
    command.args([
        "--no-defaults",
        "--user=root",
        "--skip-networking",
        "--skip-grant-tables",
        "--bootstrap",
    ]);
    command.arg(format!("--datadir={}", data.display()));
    // In bootstrap mode the server reads statements from its input, and runs until that is closed.
    let log = folder.path().join("log");
    command.stderr(fs::File::create(&log).unwrap());
    let process = Waiting::start(&mut command, &data);
    assert!(!socket.exists());
    let version =
        version_in(&run(Command::new("/usr/sbin/mariadbd").args(["--no-defaults", "--version"])).replace("Ver ", ""));
    let inspection = runtime_inspect::inspect(process.0.id()).unwrap();
    assert_eq!(inspection.language, Some(Language::Mysql), "{:#?}", inspection.findings);
    assert_eq!(
        inspection.runtime_version.as_deref(),
        Some(version.as_str()),
        "{:#?}",
        inspection.findings
    );
}

#[test]
fn mysql_is_told_by_its_name_and_its_release() {
    let folder = tempfile::tempdir_in(scratch()).unwrap();
    let server = folder.path().join("mysqld");
    fs::copy(compiled("mysqld", &["gcc"], "mysqld.c"), &server).unwrap();
    let process = Running::ready(&mut Command::new(&server));
    // Only the release is there under a name of its own; the full version is a bare number like others.
    check(&process, Language::Mysql, "8.4");
    assert_eq!(process.inspect().service_name.as_deref(), Some("mysqld"));
}

/// A server with an open input.
struct Waiting(std::process::Child);

impl Waiting {
    fn start(command: &mut Command, data: &Path) -> Self {
        let this = Self(command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap());
        let start = std::time::Instant::now();
        while !data.join("ibdata1").exists() {
            assert!(start.elapsed().as_secs() < 60, "not up in time");
            std::thread::park_timeout(std::time::Duration::from_millis(5));
        }
        this
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
