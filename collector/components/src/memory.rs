//! What the system says of this process's memory.

use std::fs;

/// Bytes that are resident.
pub(crate) fn resident() -> Option<u64> {
    Statm::read().map(|statm| statm.resident)
}

/// Bytes that are resident and not a file's.
pub(crate) fn private() -> Option<u64> {
    Statm::read().map(|statm| statm.resident.saturating_sub(statm.shared))
}

/// The bytes that this process may use: its control group's limit, or what the machine has.
pub(crate) fn usable() -> u64 {
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

/// Two fields of proc_pid_statm(5), in bytes.
struct Statm {
    resident: u64,
    shared: u64,
}

impl Statm {
    fn read() -> Option<Statm> {
        let statm = fs::read_to_string("/proc/self/statm").ok()?;
        let mut pages = statm.split_whitespace().skip(1).map(str::parse::<u64>);
        let mut bytes = || Some(pages.next()?.ok()? * rustix::param::page_size() as u64);
        Some(Statm {
            resident: bytes()?,
            shared: bytes()?,
        })
    }
}

fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_system_says_what_is_resident_and_usable() {
        let (private, resident) = (private().unwrap(), resident().unwrap());
        assert!(private > 100 * 1024, "{private}");
        assert!(private < resident, "{private} {resident}");
        assert!(usable() > resident);
        assert_eq!(total("MemTotal:       2048 kB\nMemFree: 1 kB\n"), Some(2 << 20));
    }
}
