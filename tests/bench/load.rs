//! A load by wrk, and what it cost the server.

use super::servers::{Server, pinned};
use super::{LOAD_CPU, SECONDS};
use anyhow::{Context, Result, bail};
use rustix::thread::{CpuSet, sched_setaffinity};
use std::time::Duration;

/// One measurement under load.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sample {
    /// CPU time of the server per request.
    pub micros: f64,
    pub per_second: f64,
    pub requests: u64,
}

/// Runs wrk once.
pub fn load(server: &Server) -> Result<Sample> {
    let before = cpu_time(server.pid)?;
    let output = pinned("wrk", LOAD_CPU)
        .args([
            "-t1",
            "-c50",
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
pub fn cpu_time(pid: u32) -> Result<Duration> {
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

/// The middle one of several figures, of which there is at least one.
pub fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// The least CPU time and the highest throughput: what else runs on the machine only makes both worse.
pub fn best(samples: &[Sample]) -> Sample {
    let fold = |best: Sample, sample: &Sample| Sample {
        micros: best.micros.min(sample.micros),
        per_second: best.per_second.max(sample.per_second),
        requests: best.requests + sample.requests,
    };
    samples[1..].iter().fold(samples[0], fold)
}

pub fn pin_to(cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu);
    Ok(sched_setaffinity(None, &set)?)
}
