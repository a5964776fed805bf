//! What the kernel tells of the loaded programs: how much work the verifier had, of which each has a budget, and which runs were
//! left out.

use super::Probes;
use libbpf_rs::query::ProgInfoIter;
use libbpf_rs::{Error, Program, Result, libbpf_sys};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd};
use std::collections::BTreeMap;

impl Probes {
    /// Each loaded program's name and the instructions that the verifier processed to accept it, as the kernel reports
    /// them since Linux 5.16.
    pub fn verified_instructions(&self) -> Result<BTreeMap<String, u32>> {
        let mut names = BTreeMap::new();
        for program in self.object.progs().filter(|program| program.autoload()) {
            names.insert(
                Program::id_from_fd(program.as_fd())?,
                program.name().to_string_lossy().into_owned(),
            );
        }
        let loaded = ProgInfoIter::default();
        Ok(loaded
            .filter_map(|info| Some((names.remove(&info.id)?, info.verified_insns)))
            .collect())
    }

    /// How often the kernel did not run a program that was due, since another run of it was under way on that processor. Where
    /// the programs are pinned this counts from when they were first attached.
    pub fn skipped(&self) -> Result<u64> {
        self.attached
            .iter()
            .map(|program| recursion_misses(program.as_fd()))
            .sum()
    }
}

/// The kernel's own count, 0 where it has none (before Linux 5.12).
fn recursion_misses(program: BorrowedFd<'_>) -> Result<u64> {
    let mut info = libbpf_sys::bpf_prog_info::default();
    let mut length = size_of_val(&info) as u32;
    // SAFETY: the kernel writes at most `length` bytes to `info`, which has that size; no pointer in it asks for more.
    let status =
        unsafe { libbpf_sys::bpf_obj_get_info_by_fd(program.as_raw_fd(), (&raw mut info).cast(), &raw mut length) };
    match status {
        0 => Ok(info.recursion_misses),
        error => Err(Error::from_raw_os_error(-error)),
    }
}
