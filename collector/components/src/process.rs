//! What the system says of this process.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

/// The memory that is resident, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resident {
    /// All of it.
    pub(crate) all: u64,
    /// What is not a file's, and so cannot be had back by reading that again.
    pub(crate) anonymous: u64,
}

/// The second and third field of proc_pid_statm(5), in pages.
pub(crate) fn resident() -> Option<Resident> {
    // Asked many times a second, and to open the file takes longer than to read it.
    static STATM: OnceLock<Option<File>> = OnceLock::new();
    let statm = STATM.get_or_init(|| File::open("/proc/self/statm").ok()).as_ref()?;
    // Seven numbers of at most 20 digits.
    let mut text = [0; 160];
    let length = statm.read_at(&mut text, 0).ok()?;
    let mut pages = str::from_utf8(&text[..length])
        .ok()?
        .split_whitespace()
        .map(str::parse::<u64>);
    let (resident, shared) = (pages.nth(1)?.ok()?, pages.next()?.ok()?);
    let page = rustix::param::page_size() as u64;
    Some(Resident {
        all: resident * page,
        anonymous: resident.saturating_sub(shared) * page,
    })
}

/// `utime` and `stime`, the 14th and 15th field of proc_pid_stat(5), in ticks.
pub(crate) fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// The memory that this process may use: its control group's limit, or what the machine has.
pub(crate) fn usable_memory() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    let limits = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    let group = limits
        .iter()
        .find_map(|path| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok());
    machine.into_iter().chain(group).min().unwrap_or(u64::MAX)
}

fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_knows_its_own_size_and_work() {
        let resident = resident().unwrap();
        assert!(resident.anonymous > 100 * 1024, "{resident:?}");
        assert!(resident.all > resident.anonymous, "{resident:?}");
        assert!(usable_memory() > resident.all);
        assert_eq!(total("MemTotal:       2048 kB\nMemFree: 1 kB\n"), Some(2 << 20));
        assert!(cpu_seconds().is_some_and(|seconds| seconds < 1e6));
    }
}
