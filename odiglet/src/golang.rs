//! The Go binaries of this machine: planned and probed once each, however many processes run them.

use probe_loader::plan::{GoHttpPlan, plan_go_http};
use probe_loader::{Facilities, Facility, FileId, Probes, Target};
use runtime_inspect::facts::elf::ElfFile;
use runtime_inspect::facts::process::Process;
use runtime_inspect::go::{GoBinary, Module};
use std::collections::{BTreeSet, HashMap};

/// Go modules that speak HTTP/1 without net/http. A binary with one of them is watched from the kernel side too, for the
/// half of HTTP that net/http does not do in it.
const OTHER_HTTP: [&str; 4] = [
    "github.com/valyala/fasthttp",
    "github.com/panjf2000/gnet",
    "github.com/cloudwego/netpoll",
    "github.com/cloudwego/hertz",
];

/// How the Go program that a process runs would be probed, or why it cannot be.
pub fn plan_of(pid: u32) -> Result<GoHttpPlan, String> {
    let plan = || -> anyhow::Result<GoHttpPlan> {
        let elf = Process::open(pid)?.exe()?;
        Ok(plan_go_http(&GoBinary::open(elf)?)?)
    };
    plan().map_err(|error| format!("{error:#}"))
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
    /// Of [`Target`].
    flags: u32,
    processes: BTreeSet<u32>,
}

/// Why the kernel lets no Go binary be probed, if that is so.
pub(crate) fn missing_facility(facilities: &Facilities) -> Option<&str> {
    [Facility::Uprobes, Facility::Cookies]
        .into_iter()
        .find_map(|facility| facilities.missing(facility))
}

impl GoBinaries {
    pub(crate) fn new(facilities: &Facilities) -> Self {
        GoBinaries {
            missing: missing_facility(facilities).map(str::to_owned),
            known: HashMap::new(),
        }
    }

    /// Probes the binary that the process runs; returns what is traced of it, as flags of [`Target`]. Whatever goes wrong
    /// leaves the process to the kernel side.
    pub(crate) fn attach(&mut self, pid: u32, probes: &mut Probes) -> u32 {
        if self.missing.is_some() {
            return Target::HTTP1;
        }
        let elf = match Process::open(pid)
            .map_err(anyhow::Error::from)
            .and_then(|process| Ok(process.exe()?))
        {
            Ok(elf) => elf,
            Err(error) => {
                tracing::debug!(pid, error = format!("{error:#}"), "a Go program cannot be opened");
                return Target::HTTP1;
            }
        };
        let identity = elf.identity();
        let file = FileId {
            device: identity.device,
            inode: identity.inode,
        };
        let known = self.known.entry(file).or_insert_with(|| attach(elf, file, pid, probes));
        known.processes.insert(pid);
        known.flags
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
        Ok((slot, flags(plan.has_server(), plan.has_client(), binary.modules())))
    });
    let (slot, flags) = attached.unwrap_or_else(|error| {
        tracing::warn!(
            pid,
            error = format!("{error:#}"),
            "a Go program is traced from the kernel side only"
        );
        (None, Target::HTTP1)
    });
    Known {
        slot,
        flags,
        processes: BTreeSet::new(),
    }
}

/// A half that net/http does is traced inside. The other is watched from the kernel side only if something else in the
/// binary may do it: watching costs every system call of the process.
fn flags(server: bool, client: bool, modules: &[Module]) -> u32 {
    let other_http = modules.iter().any(|module| OTHER_HTTP.contains(&module.path.as_str()));
    let outside = !(server || client) || other_http;
    let half = |inside: bool, go: u32, http1: u32| match (inside, outside) {
        (true, _) => go,
        (false, true) => http1,
        (false, false) => 0,
    };
    half(server, Target::GO_SERVER, Target::HTTP1_SERVER) | half(client, Target::GO_CLIENT, Target::HTTP1_CLIENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_net_http_does_is_traced_inside_and_the_rest_only_if_something_else_may_do_it() {
        let check = |server, client, modules: &[&str], expected: u32| {
            let module = |path: &&str| Module {
                path: (*path).to_owned(),
                version: String::new(),
                replaced_by: None,
            };
            let modules: Vec<Module> = modules.iter().map(module).collect();
            assert_eq!(
                flags(server, client, &modules),
                expected,
                "{server} {client} {modules:?}"
            );
        };
        check(true, false, &[], Target::GO_SERVER);
        check(true, true, &[OTHER_HTTP[1]], Target::GO_SERVER | Target::GO_CLIENT);
        check(false, true, &[OTHER_HTTP[0]], Target::GO_CLIENT | Target::HTTP1_SERVER);
        check(false, false, &["example.com/tcp"], Target::HTTP1);
    }
}
