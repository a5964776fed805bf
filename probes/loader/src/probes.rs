mod kernel;

use crate::object::{self, LoadError, Options};
use crate::pins::Pins;
use crate::table::{self, Group};
use crate::uprobes::Binaries;
use crate::{Facilities, Facility, log};
use libbpf_rs::{Link, Map, MapCore, MapFlags, Object, ProgramInput, ProgramMut};
use rustix::fd::{AsFd, OwnedFd};

/// What is traced in a process, and as which entity: the value of the map `targets`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Target {
    /// The id that its records carry.
    pub entity: u32,
    /// A sum of the constants here.
    pub flags: u32,
    /// With one of the flags of Go: the slot of its binary.
    pub binary: u32,
    /// Always 0.
    pub reserved: u32,
}

impl Target {
    /// HTTP/1 requests that it answers, from the kernel side.
    pub const HTTP1_SERVER: u32 = 1 << 0;
    /// HTTP/1 requests that it makes, from the kernel side.
    pub const HTTP1_CLIENT: u32 = 1 << 1;
    /// Requests that Go's net/http answers.
    pub const GO_SERVER: u32 = 1 << 2;
    /// Requests that Go's net/http makes.
    pub const GO_CLIENT: u32 = 1 << 3;
    /// HTTP/1 exchanges in progress are followed to their end, though none begins any more.
    pub const HTTP1_FINISH: u32 = 1 << 4;
    /// The kernel side has told that the process serves connections that it cannot read.
    pub const TOLD_INSIDE: u32 = 1 << 5;
    /// Exchanges that probes in a Go program have seen begin are followed to their end, though none begins any more.
    pub const GO_FINISH: u32 = 1 << 6;
    /// It listens on a port whose listeners are traced, as the kernel side has seen.
    pub const LISTENS: u32 = 1 << 7;
    /// Both sides of HTTP/1, from the kernel side.
    pub const HTTP1: u32 = Self::HTTP1_SERVER | Self::HTTP1_CLIENT;

    fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        let words = [self.entity, self.flags, self.binary, self.reserved];
        for (to, word) in bytes.chunks_exact_mut(4).zip(words) {
            to.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let word = |index: usize| {
            let bytes = bytes.get(4 * index..4 * index + 4)?;
            Some(u32::from_ne_bytes(bytes.try_into().ok()?))
        };
        Some(Target {
            entity: word(0)?,
            flags: word(1)?,
            binary: word(2)?,
            reserved: word(3)?,
        })
    }
}

/// Why a probe could not be attached, or a map not be used.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// A program was refused.
    #[error("{log}\ncannot attach {program}")]
    Refused {
        /// The program's name.
        program: &'static str,
        /// libbpf's error.
        source: libbpf_rs::Error,
        /// What libbpf said.
        log: String,
    },
    /// The kernel offers no way to see HTTP/1.
    #[error("the kernel offers none of fentry, kprobes and syscall tracepoints, so HTTP/1 cannot be seen")]
    NoHttp1,
    /// A map operation failed.
    #[error("cannot use the map {map}")]
    Map {
        /// The map's name.
        map: &'static str,
        /// libbpf's error.
        source: libbpf_rs::Error,
    },
    /// A program could not be run.
    #[error("cannot run {program}")]
    Run {
        /// The program's name.
        program: &'static str,
        /// libbpf's error.
        source: libbpf_rs::Error,
    },
    /// More binaries are probed than there is room for.
    #[error("{0} binaries are probed already, which is the most that can be")]
    TooManyBinaries(usize),
    /// The object and this program do not fit together.
    #[error("the eBPF object has no {0}")]
    NoSuchPart(&'static str),
    /// A descriptor could not be duplicated.
    #[error("cannot duplicate the descriptor of {0}: {1}")]
    Descriptor(&'static str, std::io::Error),
}

/// The loaded programs and what of them is attached. Dropping it detaches them.
pub struct Probes {
    pub(crate) object: Object,
    links: Vec<(Group, Link)>,
    /// What the links of groups run: with pins, perhaps programs that a predecessor has loaded. Kept when a link is gone.
    attached: Vec<OwnedFd>,
    http1: Option<Group>,
    ring_bytes: u32,
    pub(crate) pins: Option<Pins>,
    pub(crate) binaries: Binaries,
    pub(crate) has_uprobe_multi: bool,
}

impl Probes {
    /// Loads what this kernel can take; attaches nothing yet.
    pub fn load(options: &Options, facilities: &Facilities) -> Result<Self, LoadError> {
        Self::load_with(options, facilities, object::http1_group(facilities))
    }

    /// As [`Probes::load`], with HTTP/1 seen in the given way instead of the best one.
    pub fn load_with(options: &Options, facilities: &Facilities, http1: Option<Group>) -> Result<Self, LoadError> {
        let alternatives = [
            Group::Http1Syscalls,
            Group::Http1Sockets,
            Group::Http1Fentry,
            Group::Http1Kprobe,
        ];
        let pins = options
            .pins
            .as_deref()
            .map(|root| Pins::open(root, object::fingerprint(options, http1)))
            .transpose()?;
        let object = object::load(options, facilities, pins.as_ref(), |program| {
            !alternatives.contains(&program.group) || http1 == Some(program.group)
        })?;
        Ok(Probes {
            object,
            links: Vec::new(),
            attached: Vec::new(),
            http1,
            ring_bytes: options.ring_bytes,
            binaries: Binaries::adopt(pins.as_ref())?,
            pins,
            has_uprobe_multi: facilities.has(Facility::UprobeMulti),
        })
    }

    /// Reports processes that start, listen and end from here on.
    pub fn attach_processes(&mut self) -> Result<(), AttachError> {
        self.attach_group(Group::TcpState)?;
        self.attach_group(Group::Process)
    }

    /// Sees HTTP/1 of all targets from here on.
    pub fn attach_http1(&mut self) -> Result<(), AttachError> {
        let group = self.http1.ok_or(AttachError::NoHttp1)?;
        self.attach_group(Group::TcpState)?;
        self.attach_group(group)
    }

    fn attach_group(&mut self, group: Group) -> Result<(), AttachError> {
        if self.links.iter().any(|(attached, _)| *attached == group) {
            return Ok(());
        }
        log::capture();
        for entry in table::PROGRAMS.iter().filter(|entry| entry.group == group) {
            let found = self.object.progs_mut().find(|program| program.name() == entry.name);
            let program = found.ok_or(AttachError::NoSuchPart(entry.name))?;
            match attach(&program, self.pins.as_ref()) {
                Ok((link, program)) => {
                    self.links.push((group, link));
                    self.attached.push(program);
                }
                Err(_) if entry.optional.is_some_and(|function| !object::kernel_has(function)) => {}
                Err(source) => {
                    self.links.retain(|(attached, _)| *attached != group);
                    return Err(AttachError::Refused {
                        program: entry.name,
                        source,
                        log: log::captured(),
                    });
                }
            }
        }
        Ok(())
    }

    /// Traces processes from the moment at which they listen on this port.
    pub fn adopt_port(&self, port: u16) -> Result<(), AttachError> {
        let update = self
            .map("adopted_ports")?
            .update(&port.to_ne_bytes(), &[1], MapFlags::ANY);
        update.map_err(|source| AttachError::Map {
            map: "adopted_ports",
            source,
        })
    }

    fn forget_ports(&self) -> Result<(), AttachError> {
        let map = self.map("adopted_ports")?;
        let failed = |source| AttachError::Map {
            map: "adopted_ports",
            source,
        };
        map.keys().try_for_each(|port| map.delete(&port).map_err(failed))
    }

    /// Whether what is attached outlives this process.
    pub fn are_pinned(&self) -> bool {
        self.pins.is_some()
    }

    /// Takes away what other versions of the programs have pinned, now that these do their work.
    pub fn remove_other_pins(&self) -> std::io::Result<()> {
        self.pins.as_ref().map_or(Ok(()), Pins::remove_others)
    }

    /// All processes that are traced.
    pub fn targets(&self) -> Result<Vec<(u32, Target)>, AttachError> {
        let map = self.map("targets")?;
        let pids = map
            .keys()
            .filter_map(|key| Some(u32::from_ne_bytes(key.try_into().ok()?)));
        let found = pids.map(|pid| Ok(self.target(pid)?.map(|target| (pid, target))));
        found.filter_map(Result::transpose).collect()
    }

    /// Traces a process, or changes what is traced of it.
    pub fn set_target(&self, pid: u32, target: Target) -> Result<(), AttachError> {
        let update = self
            .map("targets")?
            .update(&pid.to_ne_bytes(), &target.to_bytes(), MapFlags::ANY);
        update.map_err(|source| AttachError::Map { map: "targets", source })
    }

    /// What is traced of a process.
    pub fn target(&self, pid: u32) -> Result<Option<Target>, AttachError> {
        let found = self.map("targets")?.lookup(&pid.to_ne_bytes(), MapFlags::ANY);
        let found = found.map_err(|source| AttachError::Map { map: "targets", source })?;
        Ok(found.and_then(|bytes| Target::from_bytes(&bytes)))
    }

    /// Traces a process no longer, in one step with the reading of what was traced of it.
    pub fn take_target(&self, pid: u32) -> Result<Option<Target>, AttachError> {
        let taken = self.map("targets")?.lookup_and_delete(&pid.to_ne_bytes());
        let taken = taken.map_err(|source| AttachError::Map { map: "targets", source })?;
        Ok(taken.and_then(|bytes| Target::from_bytes(&bytes)))
    }

    /// Traces a process no longer. That it was not traced is no error.
    pub fn remove_target(&self, pid: u32) -> Result<(), AttachError> {
        match self.map("targets")?.delete(&pid.to_ne_bytes()) {
            Err(source) if source.kind() != libbpf_rs::ErrorKind::NotFound => {
                Err(AttachError::Map { map: "targets", source })
            }
            _ => Ok(()),
        }
    }

    /// Emits responses whose end only a pause shows; to be called a few times a second.
    pub fn flush(&self) -> Result<(), AttachError> {
        self.run("http1_flush")
    }

    /// Detaches everything and accounts for what is still in progress; the maps stay.
    ///
    /// Each link takes the kernel tens of milliseconds to let go of. So that no exchange begins meanwhile of which only a
    /// half would be seen, none may begin before the first is detached.
    pub fn detach(&mut self) -> Result<(), AttachError> {
        self.links.retain(|(group, _)| *group != Group::Process);
        self.forget_ports()?;
        for (pid, target) in self.targets()? {
            let flags = target.flags & !Target::HTTP1 | Target::HTTP1_FINISH | Target::GO_FINISH;
            self.set_target(pid, Target { flags, ..target })?;
        }
        self.run("http1_flush_last")?;
        self.links.clear();
        self.binaries.clear();
        // Only now has no probe of a program anything left to end.
        self.run("go_http_flush_last")
    }

    /// Runs one of the programs that nothing is attached to, and gives it `struct flush_input`.
    fn run(&self, name: &'static str) -> Result<(), AttachError> {
        let found = self.object.progs_mut().find(|program| program.name() == name);
        let program = found.ok_or(AttachError::NoSuchPart(name))?;
        let refused = |source| AttachError::Run { program: name, source };
        let mut input = self.skipped().map_err(refused)?.to_ne_bytes();
        let input = ProgramInput {
            context_in: Some(&mut input),
            ..ProgramInput::default()
        };
        program.test_run(input).map(drop).map_err(refused)
    }

    /// Bytes of the ring of spans.
    pub fn ring_bytes(&self) -> u32 {
        self.ring_bytes
    }

    /// A descriptor of the ring of spans, to be handed over.
    pub fn spans(&self) -> Result<OwnedFd, AttachError> {
        self.descriptor("spans")
    }

    /// A descriptor of the counters, to be mapped.
    pub fn counters(&self) -> Result<OwnedFd, AttachError> {
        self.descriptor("counters")
    }

    /// A descriptor of the ring of process events, and its size.
    pub fn process_events(&self) -> Result<(OwnedFd, usize), AttachError> {
        let size = self.map("process_events")?.max_entries() as usize;
        Ok((self.descriptor("process_events")?, size))
    }

    /// The way in which HTTP/1 is seen.
    pub fn http1(&self) -> Option<Group> {
        self.http1
    }

    fn descriptor(&self, name: &'static str) -> Result<OwnedFd, AttachError> {
        let map = self.map(name)?;
        map.as_fd()
            .try_clone_to_owned()
            .map_err(|error| AttachError::Descriptor(name, error))
    }

    pub(crate) fn map(&self, name: &'static str) -> Result<Map<'_>, AttachError> {
        self.object
            .maps()
            .find(|map| map.name() == name)
            .ok_or(AttachError::NoSuchPart(name))
    }
}

/// A link that a predecessor has pinned goes on as it is. Returns also the program that it runs.
fn attach(program: &ProgramMut<'_>, pins: Option<&Pins>) -> libbpf_rs::Result<(Link, OwnedFd)> {
    let path = pins.map(|pins| pins.link(&program.name().to_string_lossy()));
    if let Some(path) = path.as_ref().filter(|path| path.exists()) {
        let link = Link::open(path)?;
        let running = libbpf_rs::Program::fd_from_id(link.info()?.prog_id)?;
        return Ok((link, running));
    }
    let mut link = program.attach()?;
    if let Some(path) = path {
        link.pin(path)?;
    }
    Ok((link, program.as_fd().try_clone_to_owned()?))
}
