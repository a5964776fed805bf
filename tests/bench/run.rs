//! What our own processes need, `odigos run` or agent and collector apart: CPU time per span at a steady 10 000 spans/s, their
//! memory, that of the maps, and the time until it is attached with 500 processes present.

use super::load::{cpu_time, pin_to};
use super::servers::{Server, nginx, pinned};
use super::{LOAD_CPU, SERVER_CPU};
use anyhow::{Context, Result, bail, ensure};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PER_SECOND: u32 = 10_000;
const SECONDS: u32 = 10;
const PROCESSES: usize = 500;

/// Builds the release binaries if need be.
fn build() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--quiet", "--locked"])
        .args(["--package=odigos", "--package=odiglet", "--package=odigos-collector"])
        .current_dir(&root)
        .status()?;
    ensure!(built.success(), "the binaries do not build");
    Ok(())
}

/// A release binary.
fn binary(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    own.ancestors()
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .with_context(|| format!("{name} was not built beside the benchmark"))
}

/// A running program of ours, which is asked to end when dropped.
struct Run(Child);

impl Run {
    fn start(options: &[&str]) -> Result<Self> {
        let run = ["run", "--output", "quiet"];
        Self::start_program("odigos", &[&run, options].concat(), "ready")
    }

    /// Waits until its standard error has a line with `sign`.
    fn start_program(name: &str, arguments: &[&str], sign: &str) -> Result<Self> {
        let mut child = pinned(binary(name)?.to_str().context("a path that is no text")?, LOAD_CPU)
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(child.stderr.take().context("no standard error")?).lines();
        for line in lines.by_ref() {
            if line?.contains(sign) {
                // What it says later must not block it.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(Run(child));
            }
        }
        bail!("{name} ended before it was ready")
    }

    fn resident_mebibytes(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
    }

    /// Memory of its maps in MiB, by name, as the kernel accounts for them (`memlock` of the map's descriptor).
    fn map_mebibytes(&self) -> Result<Vec<(u64, f64)>> {
        let mut maps = Vec::new();
        for entry in std::fs::read_dir(format!("/proc/{}/fdinfo", self.0.id()))?.flatten() {
            let info = std::fs::read_to_string(entry.path()).unwrap_or_default();
            let field = |name: &str| {
                info.lines()
                    .find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok())
            };
            if let (Some(id), Some(bytes)) = (field("map_id:"), field("memlock:")) {
                maps.push((id, bytes as f64 / f64::from(1 << 20)));
            }
        }
        maps.sort_by_key(|(id, _)| *id);
        maps.dedup_by_key(|(id, _)| *id);
        Ok(maps)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.0.id() as i32) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.0.wait();
    }
}

pub fn measure() -> Result<()> {
    build()?;
    crowd()?;
    steady()?;
    apart()
}

fn steady() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let server = nginx(directory.path())?;
    let file = format!("file:{}", directory.path().join("spans.jsonl").display());
    for (name, destination) in [("nothing exported", None), ("into a file", Some(file.as_str()))] {
        let port = server.port.to_string();
        let mut options = vec!["--port", &port];
        options.extend(destination.map(|file| ["--export", file]).into_iter().flatten());
        let run = Run::start(&options)?;
        let before = cpu_time(run.0.id())?;
        let requests = paced(&server)?;
        let spent = cpu_time(run.0.id())? - before;
        println!(
            "odigos run, {requests} spans at {PER_SECOND}/s, {name}: {:.2} us of CPU a span, {:.1} MiB resident",
            spent.as_secs_f64() * 1e6 / f64::from(requests),
            run.resident_mebibytes()?
        );
    }
    Ok(())
}

/// The agent and the collector, as they are on a node: two processes, the ring handed over.
fn apart() -> Result<()> {
    // A bpffs takes no name with a dot.
    let directory = tempfile::Builder::new().prefix("odigos-bench-").tempdir()?;
    let server = nginx(directory.path())?;
    let path = |name: &str| directory.path().join(name).display().to_string();
    let pins = Pins(Path::new("/sys/fs/bpf").join(directory.path().file_name().context("a folder without a name")?));
    let (socket, spans, config) = (path("odiglet.sock"), path("spans.jsonl"), path("collector.yaml"));
    let configuration = format!(
        "receivers: {{ebpf: {{socket: {socket}}}}}\nprocessors: {{batch: }}\nexporters: {{file: {{path: {spans}}}}}\nservice:\n  \
         telemetry: {{metrics: {{level: none}}}}\n  pipelines:\n    traces: {{receivers: [ebpf], processors: [batch], exporters: [file]}}\n"
    );
    std::fs::write(&config, configuration)?;
    let (port, pinned) = (server.port.to_string(), pins.0.display().to_string());
    let options = ["--port", &port, "--socket", &socket, "--pins", &pinned];
    let odiglet = Run::start_program("odiglet", &options, "ready")?;
    let collector = Run::start_program("odigos-collector", &["--config", &config], "running")?;
    // The first batch shows that the collector has the ring.
    let mut connection = TcpStream::connect(("127.0.0.1", server.port))?;
    connection.write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")?;
    let deadline = Instant::now() + Duration::from_secs(20);
    while std::fs::metadata(&spans).map_or(0, |file| file.len()) == 0 {
        ensure!(Instant::now() < deadline, "no span arrived");
        std::thread::park_timeout(Duration::from_millis(50));
    }
    let spent = || anyhow::Ok(cpu_time(odiglet.0.id())? + cpu_time(collector.0.id())?);
    let before = spent()?;
    let requests = paced(&server)?;
    println!(
        "odiglet and odigos-collector, {requests} spans at {PER_SECOND}/s, into a file: {:.2} us of CPU a span, {:.1} and {:.1} MiB resident",
        (spent()? - before).as_secs_f64() * 1e6 / f64::from(requests),
        odiglet.resident_mebibytes()?,
        collector.resident_mebibytes()?
    );
    Ok(())
}

/// What the agent leaves attached for a successor goes with its pins.
struct Pins(PathBuf);

impl Drop for Pins {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Requests over one connection, evenly spaced by the millisecond.
fn paced(server: &Server) -> Result<u32> {
    pin_to(SERVER_CPU)?;
    let mut connection = TcpStream::connect(("127.0.0.1", server.port))?;
    connection.set_nodelay(true)?;
    let mut buffer = [0; 4096];
    let begin = Instant::now();
    let mut sent = 0;
    while begin.elapsed() < Duration::from_secs(u64::from(SECONDS)) {
        let due = (begin.elapsed().as_secs_f64() * f64::from(PER_SECOND)) as u32;
        while sent < due {
            connection.write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")?;
            ensure!(connection.read(&mut buffer)? > 0, "the server closed the connection");
            sent += 1;
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
    ensure!(
        f64::from(sent) > 0.9 * f64::from(PER_SECOND * SECONDS),
        "only {sent} requests in {SECONDS} s"
    );
    Ok(sent)
}

/// Many processes, ended together.
struct Crowd(Vec<Child>);

impl Drop for Crowd {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn crowd() -> Result<()> {
    let mut crowd = Crowd(Vec::new());
    for _ in 0..PROCESSES {
        crowd.0.push(Command::new("sleep").arg("infinity").spawn()?);
    }
    let begin = Instant::now();
    let run = Run::start(&[])?;
    let took = begin.elapsed();
    let maps = run.map_mebibytes()?;
    // The ring is the one map of its size, 8 MiB and its pages of positions.
    let ring = maps
        .iter()
        .map(|(_, bytes)| *bytes)
        .filter(|bytes| *bytes >= 8.0)
        .fold(0.0, f64::max);
    let all: f64 = maps.iter().map(|(_, bytes)| bytes).sum();
    println!(
        "odigos run with {PROCESSES} more processes: attached after {:.2} s, {:.1} MiB resident, {} maps of {:.1} MiB besides the ring of {ring:.1} MiB",
        took.as_secs_f64(),
        run.resident_mebibytes()?,
        maps.len() - 1,
        all - ring
    );
    Ok(())
}
