//! eBPF programs and maps, as the kernel knows them: what a process holds, and what is there though nobody holds it. Other
//! tests, and other programs of this machine, have their own.

use libbpf_rs::query::ProgInfoIter;
use libbpf_rs::{MapHandle, Program, ProgramType};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Numbers of objects, which the kernel does not give again.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Objects {
    pub programs: BTreeSet<u32>,
    pub maps: BTreeSet<u32>,
    /// A link keeps its program, so that a link is gone where its program is.
    pub links: BTreeSet<u32>,
}

impl Objects {
    /// What the process has open.
    pub fn held_by(pid: u32) -> Self {
        let mut objects = Objects::default();
        objects.add_held_by(Path::new("/proc").join(pid.to_string()).as_path());
        objects
    }

    fn add_held_by(&mut self, process: &Path) {
        // A process may end, and a descriptor be closed, while one looks.
        let descriptors = fs::read_dir(process.join("fdinfo")).into_iter().flatten().flatten();
        let texts = descriptors.filter_map(|entry| fs::read_to_string(entry.path()).ok());
        for line in texts.collect::<String>().lines() {
            let Some((key, value)) = line.split_once(":\t") else {
                continue;
            };
            let numbers = match key {
                "prog_id" => &mut self.programs,
                "map_id" => &mut self.maps,
                "link_id" => &mut self.links,
                _ => continue,
            };
            numbers.insert(value.trim().parse().unwrap());
        }
    }

    /// Those of its programs and maps that the kernel still has.
    pub fn left(&self) -> (Vec<u32>, Vec<u32>) {
        let programs = self.programs.iter().filter(|id| Program::fd_from_id(**id).is_ok());
        let maps = self.maps.iter().filter(|id| MapHandle::from_map_id(**id).is_ok());
        (programs.copied().collect(), maps.copied().collect())
    }
}

/// The number of the newest program; programs that are loaded later have greater ones.
pub fn newest_program() -> u32 {
    ProgInfoIter::default().map(|program| program.id).max().unwrap_or(0)
}

/// Programs of probes, loaded after that one, that no process holds and no file system keeps.
pub fn orphans_since(newest: u32) -> Vec<(u32, String)> {
    // Before the holders are asked, who may load more.
    let programs: Vec<_> = ProgInfoIter::default()
        .filter(|program| program.id > newest && is_of_a_probe(program.ty))
        .collect();
    let mut held = Objects::default();
    for process in fs::read_dir("/proc").unwrap().flatten() {
        held.add_held_by(&process.path());
    }
    held.programs.extend(pinned_below(Path::new("/sys/fs/bpf")));
    programs
        .into_iter()
        .filter(|program| !held.programs.contains(&program.id))
        .map(|program| (program.id, program.name.to_string_lossy().into_owned()))
        .collect()
}

fn is_of_a_probe(kind: ProgramType) -> bool {
    matches!(
        kind,
        ProgramType::Kprobe | ProgramType::Tracing | ProgramType::Tracepoint | ProgramType::RawTracepoint
    )
}

/// The programs that are pinned in the folder and below.
fn pinned_below(folder: &Path) -> Vec<u32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => pinned_below(&entry.path()),
            _ => program_at(&entry.path()).into_iter().collect(),
        })
        .collect()
}

fn program_at(path: &Path) -> Option<u32> {
    let descriptor = Program::fd_from_pinned_path(path).ok()?;
    Program::id_from_fd(std::os::fd::AsFd::as_fd(&descriptor)).ok()
}
