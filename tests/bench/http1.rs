//! What the kernel side of HTTP/1 costs: CPU time of the server added per request and the throughput left, for nginx and
//! for Python's http.server; and what a process that is not traced pays per system call.
//!
//! `cargo bench -p odigos-tests --bench http1 [-- nginx|python|untraced]`, as root, with nginx, wrk and python3
//! installed and two processors. Server on the first, load on the second, bare and traced in turn within one run.

use anyhow::{Context, Result, bail, ensure};
use probe_loader::{Facilities, Options, Probes, Target};
use probe_ring::{Counters, Ring};
use rustix::thread::{CpuSet, sched_setaffinity};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Bare and traced, this many times.
const ROUNDS: usize = 8;
const SECONDS: u32 = 2;
const SERVER_CPU: usize = 0;
const LOAD_CPU: usize = 1;

fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wants = |name: &str| wanted.is_empty() || wanted.iter().any(|word| word == name);
    let mut traced = Subject::load()?;
    println!("HTTP/1 is seen by {:?}", traced.probes.http1());
    if wants("untraced") {
        untraced(&mut traced)?;
    }
    if wants("nginx") {
        let directory = tempfile::tempdir()?;
        let server = nginx(directory.path())?;
        compare("nginx, return 200", &mut traced, &server)?;
    }
    if wants("python") {
        let directory = tempfile::tempdir()?;
        std::fs::write(directory.path().join("index.html"), "hello\n")?;
        compare("python3 -m http.server", &mut traced, &python(directory.path())?)?;
    }
    Ok(())
}

/// The probes, and their ring.
struct Subject {
    probes: Probes,
    ring: Ring,
    counters: Counters,
}

impl Subject {
    fn load() -> Result<Self> {
        let probes = Probes::load(&Options::default(), &Facilities::detect())?;
        let ring = Ring::map(probes.spans()?, probes.ring_bytes() as usize)?;
        let counters = Counters::map(&probes.counters()?)?;
        Ok(Subject { probes, ring, counters })
    }
}

/// A running server: the process to look at, and what keeps it running.
struct Server {
    child: Child,
    pid: u32,
    port: u16,
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

fn nginx(directory: &Path) -> Result<Server> {
    let port = free_port()?;
    let path = directory.display();
    let configuration = format!(
        "daemon off; worker_processes 1; pid {path}/pid; error_log {path}/error;
         events {{ worker_connections 1024; }}
         http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {path}/b; proxy_temp_path {path}/p;
           fastcgi_temp_path {path}/f; uwsgi_temp_path {path}/u; scgi_temp_path {path}/s;
           server {{ listen 127.0.0.1:{port}; location / {{ return 200 'hello'; }} }} }}"
    );
    let file = directory.join("nginx.conf");
    std::fs::write(&file, configuration)?;
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
    Ok(Server { child, pid, port })
}

fn python(directory: &Path) -> Result<Server> {
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
    Ok(Server { child, pid, port })
}

/// The process itself, or below it the child of a child that has none.
fn innermost(pid: u32) -> Result<u32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    match children.split_whitespace().next() {
        Some(child) => innermost(child.parse()?),
        None => Ok(pid),
    }
}

fn pinned(program: &str, cpu: usize) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &cpu.to_string(), program]);
    command
}

fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn wait_for(port: u16) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        ensure!(Instant::now() < deadline, "the server does not listen");
        std::thread::yield_now();
    }
    Ok(())
}

/// One measurement under load.
#[derive(Debug, Clone, Copy, Default)]
struct Sample {
    /// CPU time of the server per request.
    micros: f64,
    per_second: f64,
    requests: u64,
}

fn compare(name: &str, subject: &mut Subject, server: &Server) -> Result<()> {
    let (mut bare, mut traced) = (Vec::new(), Vec::new());
    load(server)?;
    for _ in 0..ROUNDS {
        bare.push(load(server)?);
        traced.push(traced_load(subject, server)?);
    }
    let (bare, traced) = (best(&bare), best(&traced));
    println!(
        "{name}: bare {:.2} us, {:.0}/s; traced {:.2} us, {:.0}/s; added {:.2} us a request, {:.3} of bare throughput",
        bare.micros,
        bare.per_second,
        traced.micros,
        traced.per_second,
        traced.micros - bare.micros,
        traced.per_second / bare.per_second
    );
    Ok(())
}

/// Under load with the probes attached and the ring read, as the collector would.
fn traced_load(subject: &mut Subject, server: &Server) -> Result<Sample> {
    let flags = Target::HTTP1;
    subject.probes.set_target(server.pid, Target { entity: 1, flags })?;
    subject.probes.attach_http1()?;
    let before = subject.counters.snapshot();
    let done = AtomicBool::new(false);
    let (ring, mut records) = (&mut subject.ring, 0_u64);
    let sample = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let _ = pin_to(LOAD_CPU);
            while !done.load(Ordering::Acquire) {
                records += ring.read(usize::MAX, |_| {}) as u64;
                // As the collector does: a reader that looked all the time would take the load's CPU.
                std::thread::park_timeout(Duration::from_millis(5));
            }
        });
        let sample = load(server);
        done.store(true, Ordering::Release);
        reader.join().map_err(|_| anyhow::anyhow!("the reader panicked"))?;
        sample
    })?;
    subject.probes.detach()?;
    subject.probes.remove_target(server.pid)?;
    subject.ring.read(usize::MAX, |_| records += 1);
    let after = subject.counters.snapshot();
    let differences: Vec<_> = before
        .iter()
        .zip(after.iter())
        .map(|((_, a), (name, b))| (name, b - a))
        .collect();
    let seen = differences
        .iter()
        .find(|(name, _)| *name == "seen")
        .map_or(0, |(_, count)| *count);
    ensure!(
        seen >= sample.requests,
        "{} requests, counted {differences:?}",
        sample.requests
    );
    Ok(sample)
}

fn load(server: &Server) -> Result<Sample> {
    let before = cpu_time(server.pid)?;
    let output = pinned("wrk", LOAD_CPU)
        .args([
            "-t1",
            "-c32",
            &format!("-d{SECONDS}"),
            &format!("http://127.0.0.1:{}/", server.port),
        ])
        .output()
        .context("cannot run wrk")?;
    let spent = cpu_time(server.pid)? - before;
    let report = String::from_utf8(output.stdout)?;
    let requests: u64 = word_before(&report, " requests in")?.parse()?;
    let per_second: f64 = report
        .lines()
        .find_map(|line| line.strip_prefix("Requests/sec:"))
        .context("wrk told no throughput")?
        .trim()
        .parse()?;
    Ok(Sample {
        micros: spent.as_secs_f64() * 1e6 / requests as f64,
        per_second,
        requests,
    })
}

fn word_before<'a>(report: &'a str, text: &str) -> Result<&'a str> {
    let (before, _) = report.split_once(text).with_context(|| format!("wrk said: {report}"))?;
    before
        .split_whitespace()
        .next_back()
        .context("wrk told no number of requests")
}

/// User and system time that a process has spent: fields 14 and 15 of /proc/PID/stat, in ticks (proc(5)).
fn cpu_time(pid: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("/proc/PID/stat has no name")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let (Some(user), Some(system)) = (fields.get(11), fields.get(12)) else {
        bail!("/proc/PID/stat is too short")
    };
    let ticks: u64 = user.parse::<u64>()? + system.parse::<u64>()?;
    Ok(Duration::from_secs_f64(
        ticks as f64 / rustix::param::clock_ticks_per_second() as f64,
    ))
}

/// The least CPU time and the highest throughput: what else runs on the machine only makes both worse.
fn best(samples: &[Sample]) -> Sample {
    let fold = |best: Sample, sample: &Sample| Sample {
        micros: best.micros.min(sample.micros),
        per_second: best.per_second.max(sample.per_second),
        requests: best.requests + sample.requests,
    };
    samples[1..].iter().fold(samples[0], fold)
}

fn pin_to(cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu);
    Ok(sched_setaffinity(None, &set)?)
}

/// System calls, to be made again and again.
type Work<'a> = &'a mut dyn FnMut() -> std::io::Result<()>;

/// This process is no target: what it pays is what every process on the machine pays.
fn untraced(subject: &mut Subject) -> Result<()> {
    pin_to(SERVER_CPU)?;
    let mut null = std::fs::File::options().write(true).open("/dev/null")?;
    let mut zero = std::fs::File::open("/dev/zero")?;
    let (mut left, mut right) = std::os::unix::net::UnixStream::pair()?;
    let mut buffer = [0; 16];
    let mut works: [(&str, u32, Work<'_>); 3] = [
        ("write to /dev/null", 1, &mut || null.write_all(b"x")),
        ("read of /dev/zero", 1, &mut || zero.read_exact(&mut [0; 1])),
        ("write and read of a socket pair", 2, &mut || {
            left.write_all(b"ping")?;
            right.read_exact(&mut buffer[..4])
        }),
    ];
    for (name, calls, work) in &mut works {
        let (mut bare, mut attached) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            bare.push(nanos_per_call(*work, *calls)?);
            subject.probes.attach_http1()?;
            attached.push(nanos_per_call(*work, *calls)?);
            subject.probes.detach()?;
        }
        bare.sort_by(f64::total_cmp);
        attached.sort_by(f64::total_cmp);
        let (bare, attached) = (bare[0], attached[0]);
        println!(
            "{name}, not traced: bare {bare:.0} ns a call, attached {attached:.0} ns, added {:.0} ns",
            attached - bare
        );
    }
    // The server that is measured next has this processor to itself.
    pin_to(LOAD_CPU)
}

/// The shortest of many short runs, which whatever else runs on the machine has not interrupted.
fn nanos_per_call(work: &mut dyn FnMut() -> std::io::Result<()>, calls: u32) -> Result<f64> {
    const RUNS: u32 = 100;
    const TIMES: u32 = 2_000;
    let mut least = Duration::MAX;
    for _ in 0..RUNS {
        let begin = Instant::now();
        for _ in 0..TIMES {
            work()?;
        }
        least = least.min(begin.elapsed());
    }
    Ok(least.as_nanos() as f64 / f64::from(TIMES * calls))
}
