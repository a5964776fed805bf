//! The Go binaries of this machine: planned and probed once each, however many processes run them.

use probe_loader::plan::{GoHttpPlan, plan_go_http};
use probe_loader::{Facilities, Facility, FileId, Probes};
use runtime_inspect::facts::elf::ElfFile;
use runtime_inspect::facts::process::Process;
use runtime_inspect::go::GoBinary;
use std::collections::{BTreeSet, HashMap};

/// Which halves of net/http are traced inside of a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Halves {
    pub(crate) server: bool,
    pub(crate) client: bool,
}

/// What was attached to which file, and for whom.
#[derive(Debug)]
pub(crate) struct GoBinaries {
    /// Why no binary is probed, if that is so.
    missing: Option<String>,
    known: HashMap<FileId, Known>,
}

#[derive(Debug)]
struct Known {
    /// The loader's slot; `None` if there was nothing to attach, or it failed.
    slot: Option<u32>,
    halves: Halves,
    processes: BTreeSet<u32>,
}

impl GoBinaries {
    pub(crate) fn new(facilities: &Facilities) -> Self {
        let missing = [Facility::Uprobes, Facility::Cookies]
            .into_iter()
            .find_map(|facility| facilities.missing(facility));
        GoBinaries {
            missing: missing.map(str::to_owned),
            known: HashMap::new(),
        }
    }

    /// Probes the binary that the process runs. Whatever goes wrong leaves the process to the kernel side.
    pub(crate) fn attach(&mut self, pid: u32, probes: &mut Probes) -> Halves {
        if self.missing.is_some() {
            return Halves::default();
        }
        let elf = match Process::open(pid)
            .map_err(anyhow::Error::from)
            .and_then(|process| Ok(process.exe()?))
        {
            Ok(elf) => elf,
            Err(error) => {
                tracing::debug!(pid, error = format!("{error:#}"), "a Go program cannot be opened");
                return Halves::default();
            }
        };
        let identity = elf.identity();
        let file = FileId {
            device: identity.device,
            inode: identity.inode,
        };
        let known = self.known.entry(file).or_insert_with(|| attach(elf, file, pid, probes));
        known.processes.insert(pid);
        known.halves
    }

    /// The process runs its binary no longer; a binary that nobody runs is probed no longer.
    pub(crate) fn release(&mut self, pid: u32, probes: &mut Probes) {
        self.known.retain(|_, known| {
            known.processes.remove(&pid);
            if known.processes.is_empty()
                && let Some(slot) = known.slot
            {
                probes.detach_go(slot);
            }
            !known.processes.is_empty()
        });
    }
}

fn attach(elf: ElfFile, file: FileId, pid: u32, probes: &mut Probes) -> Known {
    let attached = GoBinary::open(elf).map_err(anyhow::Error::from).and_then(|binary| {
        let plan = plan_go_http(&binary)?;
        for disabled in &plan.disabled {
            tracing::info!(pid, feature = ?disabled.feature, reason = disabled.reason, "a Go program is traced without a feature");
        }
        let slot = if plan.is_empty() {
            None
        } else {
            Some(probes.attach_go(binary.elf().descriptor(), file, &plan)?)
        };
        Ok((slot, halves(&plan)))
    });
    let (slot, halves) = attached.unwrap_or_else(|error| {
        tracing::warn!(
            pid,
            error = format!("{error:#}"),
            "a Go program is traced from the kernel side only"
        );
        (None, Halves::default())
    });
    Known {
        slot,
        halves,
        processes: BTreeSet::new(),
    }
}

fn halves(plan: &GoHttpPlan) -> Halves {
    Halves {
        server: plan.has_server(),
        client: plan.has_client(),
    }
}
