//! Programs that preempt each other on one processor, in the middle of a probe too: whatever the probes keep in memory of that
//! processor must not be taken for the other's. It needs a kernel that is preemptible itself, which the virtual machines'
//! are made for its time; elsewhere it shows no more than that many threads do not mix.

use super::connection::Connection;
use super::go_http::probe_sample;
use super::program::Program;
use super::traced::PAUSE;
use super::{GoSpan, Traced, account, facilities};
use crate::samples::GO_HTTP;
use anyhow::{Context, Result, ensure};
use probe_loader::table::Group;
use probe_loader::{Facility, Target};
use probe_wire::layout::Counter;
use rustix::process::{getpriority_process, setpriority_process};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::collections::HashSet;
use std::io::Read;
use std::net::{Shutdown, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long the programs make requests.
const TIME: Duration = Duration::from_secs(2);
/// How long they may take to start and to end; the patient ones come last.
const PATIENCE: Duration = Duration::from_secs(30);
/// The numbers of a program's requests begin at a multiple of this, so that they tell which program made them.
const SHARE: usize = 100_000_000;
/// The programs' priorities, and their longest pauses in microseconds. Two take turns as the kernel's clock says; the third
/// preempts them whenever a pause ends, and leaves them most of the time, so that it finds them within probes.
const PROGRAMS: [(i32, usize); 3] = [(10, 0), (10, 0), (-20, 8_000)];

/// A program that makes requests.
struct Storm {
    program: Program,
    /// Open as long as it is to go on.
    connection: TcpStream,
}

/// Where virtual machines mount debugfs, whose switch makes the kernel preemptible. No other machine has this folder, so
/// that none is changed by a test.
pub const PREEMPTION_SWITCH: &str = "/debug";

pub(super) fn one_processor(traced: &mut Traced) -> Result<()> {
    while_preemptible(|| storms(traced))
}

/// Where the kernel leaves out runs of a program, that is told; and only fexit programs are left out.
pub(super) fn skipped(traced: &mut Traced) -> Result<()> {
    while_preemptible(|| unequal_threads(traced))
}

fn switch() -> PathBuf {
    Path::new(PREEMPTION_SWITCH).join("sched/preempt")
}

/// Does something while the kernel preempts itself, where that can be switched.
fn while_preemptible(work: impl FnOnce() -> Result<()>) -> Result<()> {
    let switch = switch();
    let Ok(modes) = std::fs::read_to_string(&switch) else {
        return work();
    };
    let mode = modes
        .split(['(', ')'])
        .nth(1)
        .context("no mode of preemption")?
        .to_owned();
    std::fs::write(&switch, "full").context("cannot make the kernel preemptible")?;
    let done = work();
    std::fs::write(&switch, mode)?;
    done
}

/// Of a call that was left out neither is known whether it was of a span nor of which: there may be as many spans too few,
/// and those of the same connection may be wrong.
fn unequal_threads(traced: &mut Traced) -> Result<()> {
    let requests = ask_on_one_processor(traced)?;
    let may_skip = traced.probes().http1() == Some(Group::Http1Fentry);
    traced.probes().flush()?;
    let counted = traced.counted();
    let missing = (2 * requests as u64).checked_sub(counted.get(Counter::Seen));
    let skipped = counted.get(Counter::Skipped);
    ensure!(
        missing.is_some_and(|missing| missing <= skipped),
        "{requests} requests: {counted:?}"
    );
    let is_preemptible = switch().exists();
    ensure!(
        (skipped > 0) == (may_skip && is_preemptible),
        "what is left out is not what was to be shown: {counted:?}"
    );
    if may_skip {
        // Exchanges of which a part was not seen are still in progress.
        traced.finish()?;
    }
    Ok(())
}

/// Two threads make requests on one processor, of which one preempts the other again and again. Returns how many they made.
fn ask_on_one_processor(traced: &mut Traced) -> Result<usize> {
    const REQUESTS: usize = 1_000;
    let (made, is_done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let requests = |nice: i32, pause: Option<Duration>, goes_on: &dyn Fn(usize) -> bool| -> Result<()> {
        pin_to_first()?;
        setpriority_process(None, nice).context("cannot change the priority")?;
        let connection = Connection::over("127.0.0.1:0")?;
        let mut number = 0;
        while goes_on(number) {
            account::ask(&connection, number)?;
            made.fetch_add(1, Ordering::Relaxed);
            number += 1;
            pause.into_iter().for_each(std::thread::park_timeout);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let patient = scope.spawn(|| {
            let done = requests(10, None, &|number| number < REQUESTS);
            is_done.store(true, Ordering::Release);
            done
        });
        let urgent = scope.spawn(|| requests(-20, Some(PAUSE), &|_| !is_done.load(Ordering::Acquire)));
        while !is_done.load(Ordering::Acquire) {
            traced.read_now()?;
            std::thread::park_timeout(PAUSE);
        }
        for thread in [patient, urgent] {
            thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))??;
        }
        traced.read_now()?;
        Ok(made.load(Ordering::Relaxed))
    })
}

fn storms(traced: &mut Traced) -> Result<()> {
    let slot = probe_sample(traced, false)?;
    let programs = with_one_processor(|| {
        let numbered = PROGRAMS.iter().enumerate();
        numbered
            .map(|(index, &(nice, pause))| start(index, nice, pause))
            .collect::<Result<Vec<_>>>()
    })?;
    for program in &programs {
        traced.trace_go(program.pid(), Target::GO_SERVER | Target::GO_CLIENT, slot)?;
    }
    let pids: Vec<u32> = programs.iter().map(Program::pid).collect();
    let mut storms = programs.into_iter().map(Storm::begin).collect::<Result<Vec<_>>>()?;
    let begin = Instant::now();
    while begin.elapsed() < TIME {
        std::thread::park_timeout(PAUSE);
        ensure!(traced.read_now()?.is_empty(), "spans of the kernel side");
    }
    let preemptions = storms.iter().map(Storm::preemptions).sum::<Result<u64>>()?;
    let made = storms.iter_mut().map(Storm::end).collect::<Result<Vec<_>>>()?;
    ensure!(
        made.iter().all(|&requests| requests > 0) && preemptions > 50,
        "the programs have hardly preempted each other: {preemptions} times in {made:?} requests"
    );
    let emitted = check_account(traced, made.iter().sum())?;
    check_contents(&traced.take_go(emitted)?, &pids, &made)?;
    traced.probes().detach_go(slot);
    Ok(())
}

/// What is started meanwhile may run only on the first of the processors that this thread has.
fn with_one_processor<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    let allowed = pin_to_first()?;
    let done = work();
    sched_setaffinity(None, &allowed)?;
    done
}

/// This thread may run only on the first of the processors that it has; returns those.
fn pin_to_first() -> Result<CpuSet> {
    let allowed = sched_getaffinity(None)?;
    let first = (0..CpuSet::MAX_CPU).find(|&number| allowed.is_set(number));
    let mut one = CpuSet::new();
    one.set(first.context("no processor to run on")?);
    sched_setaffinity(None, &one)?;
    Ok(allowed)
}

/// The program inherits its priority from this thread, which gets its own back.
fn start(index: usize, nice: i32, pause: usize) -> Result<Program> {
    let normal = getpriority_process(None)?;
    setpriority_process(None, nice).context("cannot change the priority")?;
    let (first, pause) = ((index * SHARE).to_string(), pause.to_string());
    // Go itself would have one thread for one processor.
    let program = Program::start(&GO_HTTP, &["storm", &first, &pause], &[("GOMAXPROCS", "4")]);
    setpriority_process(None, normal)?;
    program
}

impl Storm {
    fn begin(program: Program) -> Result<Self> {
        let connection = TcpStream::connect(program.address)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        Ok(Storm { program, connection })
    }

    /// Ends it; returns how many requests it has made.
    fn end(&mut self) -> Result<usize> {
        self.connection.shutdown(Shutdown::Write)?;
        let mut count = String::new();
        self.connection.read_to_string(&mut count).context("it does not end")?;
        Ok(count.trim_end().parse()?)
    }

    /// How often its threads had to give their processor away.
    fn preemptions(&self) -> Result<u64> {
        let mut sum = 0;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.program.pid()))? {
            let status = std::fs::read_to_string(thread?.path().join("status"))?;
            let mut lines = status.lines();
            let count = lines.find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"));
            sum += count.context("no count of switches")?.trim().parse::<u64>()?;
        }
        Ok(sum)
    }
}

/// Every request has a record, or is counted as lost: where the kernel cannot keep the processor for a probe, and where the
/// ring is not read as fast as it is written. Returns the number of records.
fn check_account(traced: &Traced, requests: usize) -> Result<usize> {
    let counted = traced.counted();
    let [seen, emitted, yielded, ring_full] =
        [Counter::Seen, Counter::Emitted, Counter::StateFull, Counter::RingFull].map(|counter| counted.get(counter));
    ensure!(
        seen == requests as u64 && seen == emitted + yielded + ring_full && emitted > 0,
        "{requests} requests: {counted:?}"
    );
    if !traced.is_preempted()? {
        ensure!(
            yielded == 0,
            "lost although no other program can come in between: {counted:?}"
        );
    } else if switch().exists() && facilities().has(Facility::UprobeMulti) {
        // Probes that are attached one by one take turns on a processor, by a lock of the kernel's.
        ensure!(yielded > 0, "no probe was preempted by another: {counted:?}");
    }
    Ok(emitted as usize)
}

/// Each part of a record was read from another place of the program's memory, and names the request that it is of.
fn check_contents(spans: &[GoSpan], pids: &[u32], made: &[usize]) -> Result<()> {
    let mut seen = HashSet::new();
    for span in spans {
        let number = span
            .target
            .strip_prefix("/hello/")
            .and_then(|number| number.parse::<usize>().ok());
        let number = number.with_context(|| format!("no request of these: {span:#?}"))?;
        let agrees = span.user_agent == format!("agent-{number}")
            && span.host == format!("host-{number}.example")
            && span.traceparent == format!("00-{number:032x}-{number:016x}-01")
            && (span.method.as_str(), span.scheme.as_str()) == ("GET", "http");
        ensure!(agrees, "parts of several requests: {span:#?}");
        let (program, index) = (number / SHARE, number % SHARE);
        let owner = pids.get(program).filter(|_| index < made[program]);
        ensure!(owner == Some(&span.span.pid), "of another process: {span:#?}, {pids:?}");
        ensure!(seen.insert(number), "a second record of one request: {span:#?}");
    }
    Ok(())
}
