//! How much work the verifier had: the part of its budget that a program uses differs from kernel to kernel.

use super::Probes;
use libbpf_rs::query::ProgInfoIter;
use libbpf_rs::{Program, Result};
use rustix::fd::AsFd;
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
}
