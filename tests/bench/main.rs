//! What tracing costs.
//!
//! `cargo bench -p odigos-tests --bench cost [-- untraced|nginx|python|go|run]`, as root, with nginx, wrk, python3 and Go
//! installed and two processors. `nginx`, `python` and `go`: CPU time of the server added per request and the throughput
//! left, server on the first processor, load on the second, bare and traced in turn within one run. `untraced`: what a
//! process that is not traced pays per system call. `run`: what `odigos run` itself needs.

mod load;
mod run;
mod servers;
mod untraced;

use anyhow::{Result, ensure};
use load::{Sample, best, load, median, pin_to};
use probe_loader::plan::GoHttpPlan;
use probe_loader::{Facilities, FileId, Options, Probes, Target};
use probe_ring::{Counters, Ring};
use runtime_inspect::go::GoBinary;
use servers::Server;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Bare and traced, this many times, unless the variable `ROUNDS` says otherwise.
const ROUNDS: usize = 12;
const SECONDS: u32 = 2;
const SERVER_CPU: usize = 0;
const LOAD_CPU: usize = 1;

/// How a server is traced.
enum Way {
    /// From the kernel side.
    Http1,
    /// Inside of its Go binary.
    Go(Box<(GoBinary, FileId, GoHttpPlan)>),
}

fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wants = |name: &str| wanted.is_empty() || wanted.iter().any(|word| word == name);
    let mut traced = Subject::load()?;
    println!("HTTP/1 is seen by {:?}", traced.probes.http1());
    if wants("untraced") {
        untraced::measure(&mut traced)?;
    }
    if wants("nginx") {
        let directory = tempfile::tempdir()?;
        let server = servers::nginx(directory.path())?;
        compare("nginx, return 200", &mut traced, &server)?;
    }
    if wants("go") {
        let directory = tempfile::tempdir()?;
        compare(
            "Go net/http, trivial handler",
            &mut traced,
            &servers::go(directory.path())?,
        )?;
    }
    if wants("python") {
        let directory = tempfile::tempdir()?;
        std::fs::write(directory.path().join("index.html"), "hello\n")?;
        compare(
            "python3 -m http.server",
            &mut traced,
            &servers::python(directory.path())?,
        )?;
    }
    drop(traced);
    if wants("run") {
        run::measure()?;
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

    /// Traces a server in its way; for a Go binary returns the slot of its probes.
    fn attach(&mut self, server: &Server) -> Result<Option<u32>> {
        // What is kept of a thread is let go of at its end.
        self.probes.attach_processes()?;
        let (flags, slot) = match &server.way {
            Way::Http1 => {
                self.probes.attach_http1()?;
                (Target::HTTP1, None)
            }
            Way::Go(binary) => {
                let (binary, file, plan) = binary.as_ref();
                self.probes.attach_http1()?;
                let slot = self.probes.attach_go(binary.elf().descriptor(), *file, plan)?;
                let flags = Target::HTTP1_SERVER | Target::GO_SERVER | Target::GO_CLIENT;
                (flags, Some(slot))
            }
        };
        let target = Target {
            entity: 1,
            flags,
            binary: slot.unwrap_or_default(),
            ..Target::default()
        };
        self.probes.set_target(server.pid, target)?;
        Ok(slot)
    }
}

fn compare(name: &str, subject: &mut Subject, server: &Server) -> Result<()> {
    let rounds = std::env::var("ROUNDS").map_or(Ok(ROUNDS), |rounds| rounds.parse())?;
    load(server)?;
    let (mut bare, mut traced) = (vec![load(server)?], Vec::new());
    for _ in 0..rounds {
        traced.push(traced_load(subject, server)?);
        bare.push(load(server)?);
    }
    let (added, ratio) = against_neighbours(&traced, &bare);
    println!("{name}: medians of {rounds} rounds: added {added:.2} us a request, {ratio:.3} of bare throughput");
    // What no difference at all looks like on this machine.
    let (every_other, between): (Vec<_>, Vec<_>) = (
        bare.iter().step_by(2).copied().collect(),
        bare.iter().skip(1).step_by(2).copied().collect(),
    );
    let (added, ratio) = against_neighbours(&between, &every_other);
    println!("{name}: bare rounds by the same measure: added {added:.2} us a request, {ratio:.3} of bare throughput");
    let (bare, traced) = (best(&bare), best(&traced));
    println!(
        "{name}: best rounds: bare {:.2} us, {:.0}/s; traced {:.2} us, {:.0}/s; added {:.2} us a request, {:.3} of bare throughput",
        bare.micros,
        bare.per_second,
        traced.micros,
        traced.per_second,
        traced.micros - bare.micros,
        traced.per_second / bare.per_second
    );
    Ok(())
}

/// The medians of what each round adds to, and leaves of, the mean of the two rounds around it: the machine grows faster and
/// slower over a run, and so it does in the bare ones.
fn against_neighbours(rounds: &[Sample], around: &[Sample]) -> (f64, f64) {
    let pairs = || {
        let means = around.windows(2).map(|pair| {
            let mean = |figure: fn(&Sample) -> f64| (figure(&pair[0]) + figure(&pair[1])) / 2.0;
            (mean(|round| round.micros), mean(|round| round.per_second))
        });
        rounds.iter().zip(means)
    };
    let added = median(pairs().map(|(round, (micros, _))| round.micros - micros));
    let ratio = median(pairs().map(|(round, (_, per_second))| round.per_second / per_second));
    (added, ratio)
}

/// Under load with the probes attached and the ring read, as the collector would.
fn traced_load(subject: &mut Subject, server: &Server) -> Result<Sample> {
    let slot = subject.attach(server)?;
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
    slot.into_iter().for_each(|slot| subject.probes.detach_go(slot));
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
