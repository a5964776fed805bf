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
    /// What was attached; `None` if there was nothing to attach, or it failed.
    probed: Option<Probed>,
    /// Of [`Target`].
    flags: u32,
    processes: BTreeSet<u32>,
}

#[derive(Debug)]
struct Probed {
    /// The loader's.
    slot: u32,
    plan: GoHttpPlan,
    /// Open, since probes of the server may be wanted later.
    binary: GoBinary,
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

    /// Probes the binary that the process runs; returns what is traced of it, without an entity. Whatever goes wrong leaves
    /// the process to the kernel side.
    pub(crate) fn attach(&mut self, pid: u32, probes: &mut Probes) -> Target {
        let outside = Target {
            flags: Target::HTTP1,
            ..Target::default()
        };
        if self.missing.is_some() {
            return outside;
        }
        let elf = match Process::open(pid)
            .map_err(anyhow::Error::from)
            .and_then(|process| Ok(process.exe()?))
        {
            Ok(elf) => elf,
            Err(error) => {
                tracing::debug!(pid, error = format!("{error:#}"), "a Go program cannot be opened");
                return outside;
            }
        };
        let identity = elf.identity();
        let file = FileId {
            device: identity.device,
            inode: identity.inode,
        };
        let known = self.known.entry(file).or_insert_with(|| attach(elf, file, pid, probes));
        known.processes.insert(pid);
        Target {
            flags: known.flags,
            binary: known.probed.as_ref().map_or(0, |probed| probed.slot),
            ..Target::default()
        }
    }

    /// The process serves connections that the kernel side cannot read.
    pub(crate) fn attach_server(&mut self, pid: u32, probes: &mut Probes) {
        let runs = |known: &&Known| known.processes.contains(&pid);
        let Some(probed) = self.known.values().find(runs).and_then(|known| known.probed.as_ref()) else {
            return;
        };
        let attached = probes.attach_go_server(probed.slot, probed.binary.elf().descriptor(), &probed.plan);
        if let Err(error) = attached {
            tracing::warn!(pid, %error, "requests with TLS or over Unix sockets are not traced");
        }
    }

    /// The process runs its binary no longer; a binary that nobody runs is probed no longer.
    pub(crate) fn release(&mut self, pid: u32, probes: &mut Probes) {
        self.known.retain(|_, known| {
            known.processes.remove(&pid);
            if known.processes.is_empty()
                && let Some(probed) = &known.probed
            {
                probes.detach_go(probed.slot);
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
        let flags = flags(&plan, probes.http1().is_some(), binary.modules());
        if plan.is_empty() {
            return Ok((None, flags));
        }
        let slot = probes.attach_go(binary.elf().descriptor(), file, &plan)?;
        Ok((Some(Probed { slot, plan, binary }), flags))
    });
    let (probed, flags) = attached.unwrap_or_else(|error| {
        tracing::warn!(
            pid,
            error = format!("{error:#}"),
            "a Go program is traced from the kernel side only"
        );
        (None, Target::HTTP1)
    });
    Known {
        probed,
        flags,
        processes: BTreeSet::new(),
    }
}

fn flags(plan: &GoHttpPlan, sees_http1: bool, modules: &[Module]) -> u32 {
    let has_other_http = modules.iter().any(|module| OTHER_HTTP.contains(&module.path.as_str()));
    Halves::of_net_http(plan, sees_http1).completed(has_other_http).flags()
}

/// Who traces one half of a program's HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tracer {
    Nobody,
    /// The kernel side, as in any program.
    Kernel,
    /// The kernel side, which recognises net/http; probes are added for connections that it cannot read.
    KernelAndGo,
    /// Probes in net/http.
    Probes,
}

impl Tracer {
    /// Of [`Target`], where these are the half's flags for net/http and for the kernel side.
    fn flags(self, go: u32, http1: u32) -> u32 {
        match self {
            Tracer::Nobody => 0,
            Tracer::Kernel => http1,
            Tracer::KernelAndGo => go | http1,
            Tracer::Probes => go,
        }
    }
}

/// The requests that a program answers, and those that it makes.
#[derive(Debug, Clone, Copy)]
struct Halves {
    server: Tracer,
    client: Tracer,
}

impl Halves {
    /// What net/http does: its server is left to the kernel side where that recognises it, its client is always probed.
    fn of_net_http(plan: &GoHttpPlan, sees_http1: bool) -> Self {
        let server = match (plan.has_server(), plan.is_seen_outside() && sees_http1) {
            (false, _) => Tracer::Nobody,
            (true, true) => Tracer::KernelAndGo,
            (true, false) => Tracer::Probes,
        };
        let client = if plan.has_client() {
            Tracer::Probes
        } else {
            Tracer::Nobody
        };
        Halves { server, client }
    }

    /// A half that net/http does not do is watched only if something else in the binary may do it, since watching has its cost.
    fn completed(self, has_other_http: bool) -> Self {
        let without_net_http = self.server == Tracer::Nobody && self.client == Tracer::Nobody;
        let complete = |tracer| match tracer {
            Tracer::Nobody if has_other_http || without_net_http => Tracer::Kernel,
            tracer => tracer,
        };
        Halves {
            server: complete(self.server),
            client: complete(self.client),
        }
    }

    fn flags(self) -> u32 {
        self.server.flags(Target::GO_SERVER, Target::HTTP1_SERVER)
            | self.client.flags(Target::GO_CLIENT, Target::HTTP1_CLIENT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_net_http_does_is_traced_as_cheaply_as_can_be_and_the_rest_only_if_something_else_may_do_it() {
        use Tracer::{KernelAndGo, Nobody, Probes};
        let check = |server, client, has_other_http, expected: u32| {
            let halves = Halves { server, client };
            assert_eq!(
                halves.completed(has_other_http).flags(),
                expected,
                "{halves:?}, other HTTP: {has_other_http}"
            );
        };
        let go = Target::GO_SERVER | Target::GO_CLIENT;
        check(KernelAndGo, Nobody, false, Target::GO_SERVER | Target::HTTP1_SERVER);
        check(Probes, Nobody, false, Target::GO_SERVER);
        check(Probes, Nobody, true, Target::GO_SERVER | Target::HTTP1_CLIENT);
        check(KernelAndGo, Probes, true, go | Target::HTTP1_SERVER);
        check(Probes, Probes, true, go);
        check(Nobody, Probes, true, Target::GO_CLIENT | Target::HTTP1_SERVER);
        check(Nobody, Probes, false, Target::GO_CLIENT);
        check(Nobody, Nobody, false, Target::HTTP1);
    }
}
