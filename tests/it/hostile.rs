//! Processes whose files lie, block or belong to another: they are served as far as possible, and never harmed.

use crate::support::servers::{build_go, get, in_namespace, start, start_python};
use crate::support::{PATIENCE, Program, Span, binary, check_account, free_port, in_file, until};
use serde_json::Value;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// `odigos run` of these processes only, with its spans in a file.
struct Run {
    program: Program,
    file: PathBuf,
}

impl Run {
    fn of(pids: &[u32], folder: &Path) -> Self {
        let file = folder.join("spans.jsonl");
        let mut command = Command::new(binary("odigos"));
        command
            .args(["run", "--output", "quiet", "--export"])
            .arg(format!("file:{}", file.display()));
        for pid in pids {
            command.args(["--pid", &pid.to_string()]);
        }
        let mut program = Program::start(&mut command);
        program.wait_for("ready");
        Run { program, file }
    }

    fn wait_for(&self, path: &str) -> Span {
        until(&format!("the span of {path}"), || {
            in_file(&self.file)
                .into_iter()
                .find(|span| span.is_server() && span.get("url.path") == path)
        })
    }

    /// Ends it; returns its spans and what it said.
    fn finish(mut self) -> (Vec<Span>, String) {
        let status = self.program.stop();
        assert!(status.success(), "{status}: {}", self.program.log);
        check_account(&self.program.log);
        (in_file(&self.file), self.program.log.clone())
    }
}

fn inspect(pid: u32) -> Value {
    // Whatever blocks it is to fail the test, not to hang it.
    let output = Command::new("timeout")
        .arg(PATIENCE.as_secs().to_string())
        .arg(binary("odigos"))
        .args(["inspect", "-o", "json", "--pid", &pid.to_string()])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    serde_json::from_slice::<Value>(&output.stdout).unwrap()[0].take()
}

/// A Go server whose file can be changed while it runs: it runs from an overlay, and what lies below is not protected.
struct Changeable {
    server: Program,
    below: PathBuf,
    port: u16,
    folder: TempDir,
}

impl Changeable {
    fn start(program: &Path) -> Self {
        let folder = TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["below", "empty", "merged"] {
            fs::create_dir(at(name)).unwrap();
        }
        let below = at("below").join("server");
        fs::copy(program, &below).unwrap();
        let mount = format!(
            "mount -t overlay overlay -o lowerdir={0}/below:{0}/empty {0}/merged",
            folder.path().display()
        );
        let port = free_port();
        let mut command = in_namespace(&mount);
        command
            .arg(at("merged").join("server"))
            .arg(format!("127.0.0.1:{port}"));
        Changeable {
            server: start(&mut command, port),
            below,
            port,
            folder,
        }
    }
}

/// What is done to the file of a running program, and what is said of it.
struct Damage {
    name: &'static str,
    damage: fn(&File),
    /// A part of the reason in `inspect`.
    said: &'static str,
    /// Whether net/http is traced inside nevertheless.
    inside: bool,
}

/// Offsets in the header of an ELF file (the System V gABI, "ELF Header").
const E_MACHINE: u64 = 0x12;
const E_SHOFF: u64 = 0x28;
const E_SHNUM: u64 = 0x3c;
const SECTION_HEADER: usize = 64;

const DAMAGES: [Damage; 5] = [
    Damage {
        name: "cut off within the debug information",
        damage: |file| file.set_len(file.metadata().unwrap().len() - 4096).unwrap(),
        said: "",
        inside: true,
    },
    Damage {
        name: "a section table beyond the end",
        damage: |file| file.write_all_at(&(u64::MAX / 2).to_le_bytes(), E_SHOFF).unwrap(),
        said: "section table cannot be read",
        inside: true,
    },
    Damage {
        name: "sections that lie",
        damage: lying_sections,
        said: "section table cannot be read",
        inside: true,
    },
    Damage {
        name: "another machine",
        damage: |file| file.write_all_at(&183u16.to_le_bytes(), E_MACHINE).unwrap(),
        said: "built for aarch64, this machine is x86_64",
        inside: false,
    },
    Damage {
        name: "no ELF file any more",
        damage: |file| file.write_all_at(b"nonsense", 0).unwrap(),
        said: "not an ELF file",
        inside: false,
    },
];

/// Every section claims to lie nearly anywhere, with nearly any size.
fn lying_sections(file: &File) {
    let number = |offset: u64, bytes: &mut [u8]| file.read_exact_at(bytes, offset).unwrap();
    let (mut offset, mut count) = ([0; 8], [0; 2]);
    number(E_SHOFF, &mut offset);
    number(E_SHNUM, &mut count);
    let table = vec![0x7f; SECTION_HEADER * usize::from(u16::from_le_bytes(count))];
    file.write_all_at(&table, u64::from_le_bytes(offset)).unwrap();
}

fn check_damage(program: &Path, case: &Damage) {
    eprintln!("{}", case.name);
    let mut changeable = Changeable::start(program);
    let file = File::options().write(true).read(true).open(&changeable.below).unwrap();
    (case.damage)(&file);
    let pid = changeable.server.pid();
    let seen = inspect(pid);
    assert!(seen.to_string().contains(case.said), "{}: {seen:#}", case.name);
    let run = Run::of(&[pid], changeable.folder.path());
    let port = changeable.port;
    assert!(get(port, "/damaged").starts_with("HTTP/1.1 404"));
    let span = run.wait_for("/damaged");
    assert_eq!(span.get("http.response.status_code"), "404", "{span:#?}");
    let (spans, log) = run.finish();
    assert_eq!(spans.len(), 1, "{}: {spans:#?}", case.name);
    assert_eq!(
        span.scope == "io.odigos.go.net_http",
        case.inside,
        "{}: {span:#?} {log}",
        case.name
    );
    assert!(
        get(port, "/after").starts_with("HTTP/1.1 404"),
        "{}: the server is harmed",
        case.name
    );
    assert!(changeable.server.stop().code().is_none(), "it ends by the signal alone");
}

#[test]
fn a_running_go_program_whose_file_is_damaged_is_traced_as_far_as_possible() {
    let folder = TempDir::new().unwrap();
    let program = folder.path().join("server");
    build_go("nethttp", "local", "", &program);
    DAMAGES.iter().for_each(|case| check_damage(&program, case));
}

#[test]
fn a_program_of_another_machine_cannot_be_started_and_is_named() {
    let folder = TempDir::new().unwrap();
    let program = folder.path().join("server");
    fs::copy("/bin/true", &program).unwrap();
    let file = File::options().write(true).open(&program).unwrap();
    file.write_all_at(&183u16.to_le_bytes(), E_MACHINE).unwrap();
    drop(file);
    let mut command = Command::new(binary("odigos"));
    let mut run = Program::start(command.args(["run", "--output", "quiet", "--"]).arg(&program));
    assert_eq!(run.wait().code(), Some(1), "{}", run.log);
    let says = format!("cannot start {}: Exec format error", program.display());
    assert!(run.log.contains(&says), "{}", run.log);
}

/// The files that a process has mapped.
fn mapped(pid: u32) -> Vec<String> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let mut files: Vec<String> = maps
        .lines()
        .filter_map(|line| line.find('/').map(|start| line[start..].to_owned()))
        .filter(|path| Path::new(path).is_file())
        .collect();
    files.sort();
    files.dedup();
    files
}

#[test]
fn fifos_in_place_of_the_files_of_a_process_block_nobody() {
    let folder = TempDir::new().unwrap();
    let fifo = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let port = free_port();
    let mut command = in_namespace("");
    command.args(["python3", "-m", "http.server", "--bind", "127.0.0.1", &port.to_string()]);
    let server = start(&mut command, port);
    let pid = server.pid();
    let files = mapped(pid);
    assert!(files.iter().any(|path| path.contains("/libc.so")), "{files:?}");
    // By one program: the next one would wait for its own libraries.
    let table: String = files
        .iter()
        .map(|file| format!("{} {file} none bind 0 0\n", fifo.display()))
        .collect();
    fs::write(folder.path().join("fstab"), table).unwrap();
    let mut bind = Command::new("nsenter");
    bind.args(["--mount", "--target", &pid.to_string(), "mount", "--all", "--fstab"]);
    assert!(bind.arg(folder.path().join("fstab")).status().unwrap().success());
    let seen = inspect(pid);
    assert!(seen.to_string().contains("not a regular file but a FIFO"), "{seen:#}");
    assert_eq!(seen["language"], "python", "{seen:#}");
    let run = Run::of(&[pid], folder.path());
    get(port, "/fifo");
    run.wait_for("/fifo");
    run.finish();
    assert!(get(port, "/after").contains("404"), "the server is harmed");
}

/// Starts a server that gets this process id. Whoever else starts processes may be faster, hence the tries.
fn start_as(pid: u32, port: u16) -> Program {
    until(&format!("a process with the id {pid}"), || {
        fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).unwrap();
        let mut command = Command::new("python3");
        command
            .args(["-m", "http.server", "--bind", "127.0.0.1", &port.to_string()])
            .stdout(Stdio::null());
        let server = Program::start(&mut command);
        (server.pid() == pid).then_some(server)
    })
}

#[test]
fn a_process_that_takes_over_the_id_of_a_traced_one_is_not_traced() {
    let folder = TempDir::new().unwrap();
    let (port, witness_port) = (free_port(), free_port());
    let mut server = start_python(port);
    let witness = start_python(witness_port);
    let pid = server.pid();
    let run = Run::of(&[pid, witness.pid()], folder.path());
    get(port, "/first");
    run.wait_for("/first");
    server.kill();
    let successor_port = free_port();
    let _successor = start_as(pid, successor_port);
    until("the successor listens", || {
        std::net::TcpStream::connect(("127.0.0.1", successor_port)).ok()
    });
    // Were it traced, it would be from its exec on, long before it listens.
    for request in 0..10 {
        get(successor_port, &format!("/second/{request}"));
    }
    get(witness_port, "/witness");
    run.wait_for("/witness");
    let (spans, _) = run.finish();
    let of_successor: Vec<&Span> = spans
        .iter()
        .filter(|span| span.get("url.path").starts_with("/second"))
        .collect();
    assert!(of_successor.is_empty(), "{of_successor:#?}");
    assert_eq!(spans.len(), 2, "{spans:#?}");
}
