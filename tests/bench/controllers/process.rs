//! What a process needs, by procfs.

use anyhow::{Context, Result};
use std::time::Duration;

/// At one moment.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// VmRSS.
    pub resident_mib: f64,
    /// User and system time since the process began.
    pub processor: Duration,
}

impl Usage {
    /// Of a process that runs.
    pub fn of(pid: u32) -> Result<Self> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|value| value.split_whitespace().next())
            .context("no VmRSS")?;
        // Nanoseconds on a processor, of each thread (the kernel's Documentation/scheduler/sched-stats.rst).
        let mut nanos = 0;
        for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
            let path = thread?.path().join("schedstat");
            let text = std::fs::read_to_string(path)?;
            let spent: u64 = text.split_whitespace().next().context("an empty schedstat")?.parse()?;
            nanos += spent;
        }
        Ok(Self {
            resident_mib: kib.parse::<f64>()? / 1024.0,
            processor: Duration::from_nanos(nanos),
        })
    }
}
