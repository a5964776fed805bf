//! The servers that are measured, each on a processor of its own.

use super::{SERVER_CPU, Way};
use anyhow::{Context, Result, ensure};
use probe_loader::FileId;
use probe_loader::plan::plan_go_http;
use runtime_inspect::facts::elf::ElfFile;
use runtime_inspect::go::GoBinary;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server: the process to look at, and what keeps it running.
pub struct Server {
    child: Child,
    pub pid: u32,
    pub port: u16,
    pub way: Way,
}

impl Drop for Server {
    fn drop(&mut self) {
        // The master of nginx ends its workers on SIGTERM; a killed one would leave them.
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id() as i32) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

pub fn nginx(directory: &Path) -> Result<Server> {
    let port = free_port()?;
    let file = odigos_tests::nginx::configure(directory, port)?;
    let child = pinned("nginx", SERVER_CPU)
        .arg("-c")
        .arg(&file)
        .arg("-p")
        .arg(directory)
        .spawn()?;
    wait_for(port)?;
    let deadline = Instant::now() + Duration::from_secs(10);
    let pid = loop {
        // The master listens before it has a worker.
        match innermost(child.id())? {
            pid if pid != child.id() => break pid,
            _ => ensure!(Instant::now() < deadline, "nginx has no worker"),
        }
        std::thread::yield_now();
    };
    Ok(Server {
        child,
        pid,
        port,
        way: Way::Http1,
    })
}

pub fn python(directory: &Path) -> Result<Server> {
    let port = free_port()?;
    let child = pinned("python3", SERVER_CPU)
        .args(["-m", "http.server", "--bind", "127.0.0.1", &port.to_string()])
        .current_dir(directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    wait_for(port)?;
    // What was started may be a wrapper of it.
    let pid = innermost(child.id())?;
    Ok(Server {
        child,
        pid,
        port,
        way: Way::Http1,
    })
}

pub fn go(directory: &Path) -> Result<Server> {
    let program = directory.join("trivial");
    let built = Command::new("go")
        .args(["build", "-ldflags=-s -w", "-o"])
        .arg(&program)
        .arg("main.go")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("apps/go/trivial"))
        .status()?;
    ensure!(built.success(), "the Go server does not build");
    let elf = ElfFile::open(&program)?;
    let file = FileId {
        device: elf.identity().device,
        inode: elf.identity().inode,
    };
    let binary = GoBinary::open(elf)?;
    let plan = plan_go_http(&binary)?;
    let port = free_port()?;
    let child = pinned(program.to_str().context("a path that is no text")?, SERVER_CPU)
        .arg(format!("127.0.0.1:{port}"))
        .spawn()?;
    wait_for(port)?;
    let pid = innermost(child.id())?;
    Ok(Server {
        child,
        pid,
        port,
        way: Way::Go(Box::new((binary, file, plan))),
    })
}

/// The process itself, or below it the child of a child that has none.
fn innermost(pid: u32) -> Result<u32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    match children.split_whitespace().next() {
        Some(child) => innermost(child.parse()?),
        None => Ok(pid),
    }
}

pub fn pinned(program: &str, cpu: usize) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &cpu.to_string(), program]);
    command
}

pub fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

pub fn wait_for(port: u16) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        ensure!(Instant::now() < deadline, "the server does not listen");
        std::thread::yield_now();
    }
    Ok(())
}
