//! What the running kernel offers, found out by trying, and what a missing facility costs.

use crate::object::Aligned;
use crate::{log, preemption};
use libbpf_rs::libbpf_sys;
use libbpf_rs::{ObjectBuilder, ProgramMut, UprobeMultiOpts};
use std::path::Path;

static DETECT: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/detect.bpf.o")));

/// Something of the kernel that a probe rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Facility {
    /// The capabilities to load and attach programs.
    Privileges,
    /// Type information of the kernel.
    Btf,
    /// The file system that holds pins.
    Bpffs,
    /// The file system that describes tracepoints.
    Tracefs,
    /// `BPF_MAP_TYPE_RINGBUF`.
    Ring,
    /// The helper `bpf_loop`.
    Loop,
    /// The helper `bpf_task_pt_regs`.
    TaskRegisters,
    /// Tracepoints with typed arguments.
    BtfTracepoints,
    /// Tracepoints of what a socket sent or received.
    SocketTracepoints,
    /// Tracepoints of system calls.
    SyscallTracepoints,
    /// Probes in programs, through perf events.
    Uprobes,
    /// Probes in programs, many by one link.
    UprobeMulti,
    /// Values that tell attachments apart.
    Cookies,
    /// Trampolines at kernel functions, of a kernel that leaves out none of their programs' runs.
    Fentry,
    /// Breakpoints at kernel functions.
    Kprobes,
}

/// A facility's name, whether nothing works without it, and what its absence costs.
#[derive(Debug, Clone, Copy)]
pub struct Description {
    /// Which one.
    pub facility: Facility,
    /// As the field calls it.
    pub name: &'static str,
    /// Nothing can be traced without it.
    pub required: bool,
    /// What is lost, or what takes its place.
    pub cost: &'static str,
}

const fn describe(facility: Facility, name: &'static str, required: bool, cost: &'static str) -> Description {
    Description {
        facility,
        name,
        required,
        cost,
    }
}

/// All facilities, in the order in which a person would look for a cause.
pub static DESCRIPTIONS: &[Description] = &[
    describe(
        Facility::Privileges,
        "privileges",
        true,
        "nothing can be traced; run as root or with CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE (CAP_SYS_ADMIN for perf uprobes)",
    ),
    describe(
        Facility::Btf,
        "BTF (/sys/kernel/btf/vmlinux)",
        true,
        "nothing can be traced; the kernel needs CONFIG_DEBUG_INFO_BTF",
    ),
    describe(
        Facility::Ring,
        "ring buffer",
        true,
        "nothing can be traced; Linux 5.8 or later is needed",
    ),
    describe(
        Facility::Loop,
        "bpf_loop",
        true,
        "nothing can be traced; Linux 5.17 or later is needed",
    ),
    describe(
        Facility::TaskRegisters,
        "bpf_task_pt_regs",
        false,
        "HTTP/1 is not seen by system calls, only by fentry, kprobes or socket tracepoints",
    ),
    describe(
        Facility::BtfTracepoints,
        "tp_btf",
        true,
        "starting and ending processes and closing connections are not seen",
    ),
    describe(
        Facility::Tracefs,
        "tracefs",
        false,
        "HTTP/1 is not seen by system calls, only by fentry, kprobes or socket tracepoints",
    ),
    describe(
        Facility::SocketTracepoints,
        "socket tracepoints",
        false,
        "where fentry and kprobes are missing too, HTTP/1 is seen by system calls, at a small cost to each call; Linux 6.3 or later has them",
    ),
    describe(
        Facility::SyscallTracepoints,
        "syscall tracepoints",
        false,
        "HTTP/1 is not seen by system calls, only by fentry, kprobes or socket tracepoints",
    ),
    describe(
        Facility::Fentry,
        "fentry",
        false,
        "HTTP/1 is seen by kprobes, socket tracepoints or system calls instead; the last two miss requests through io_uring",
    ),
    describe(
        Facility::Kprobes,
        "kprobe",
        false,
        "where fentry is missing too, HTTP/1 is seen by socket tracepoints or system calls instead",
    ),
    describe(
        Facility::Uprobes,
        "uprobe",
        false,
        "no probes inside of programs: Go is traced from the kernel side only, without routes",
    ),
    describe(
        Facility::UprobeMulti,
        "uprobe.multi",
        false,
        "probes inside of programs are attached one by one: slower to attach and to detach",
    ),
    describe(
        Facility::Cookies,
        "BPF cookie",
        false,
        "no probes inside of programs: Go is traced from the kernel side only, without routes",
    ),
    describe(
        Facility::Bpffs,
        "bpffs (/sys/fs/bpf)",
        false,
        "nothing can be pinned: a restart of the agent loses what happens meanwhile",
    ),
];

/// What was found: for each facility, present or why not.
#[derive(Debug, Clone)]
pub struct Facilities {
    found: Vec<(Facility, Result<(), String>)>,
}

impl Facilities {
    /// Tries each facility. Mounts tracefs where it is missing; leaves nothing else mounted, and nothing attached.
    pub fn detect() -> Self {
        log::capture();
        let found = DESCRIPTIONS
            .iter()
            .map(|d| (d.facility, try_facility(d.facility)))
            .collect();
        Facilities { found }
    }

    /// Whether it is there.
    pub fn has(&self, facility: Facility) -> bool {
        self.missing(facility).is_none()
    }

    /// Why it is not there.
    pub fn missing(&self, facility: Facility) -> Option<&str> {
        let entry = self.found.iter().find(|(known, _)| *known == facility)?;
        entry.1.as_ref().err().map(String::as_str)
    }

    /// What is missing without which nothing works.
    pub fn missing_required(&self) -> impl Iterator<Item = (&'static Description, &str)> {
        DESCRIPTIONS
            .iter()
            .filter(|d| d.required)
            .filter_map(|d| Some((d, self.missing(d.facility)?)))
    }
}

fn try_facility(facility: Facility) -> Result<(), String> {
    use libbpf_sys::{BPF_FUNC_get_attach_cookie, BPF_FUNC_loop, BPF_FUNC_task_pt_regs};
    match facility {
        Facility::Privileges => privileges(),
        Facility::Btf => exists("/sys/kernel/btf/vmlinux"),
        Facility::Bpffs => try_bpffs(),
        Facility::Tracefs => mounted("/sys/kernel/tracing", "tracefs", TRACEFS_MAGIC),
        Facility::Ring => supported(libbpf_rs::MapType::RingBuf.is_supported()),
        Facility::Loop => helper(BPF_FUNC_loop),
        Facility::TaskRegisters => helper(BPF_FUNC_task_pt_regs),
        Facility::Cookies => helper(BPF_FUNC_get_attach_cookie),
        Facility::BtfTracepoints => attach("detect_tp_btf", |program| program.attach()),
        Facility::SyscallTracepoints => attach("detect_syscall_tracepoint", |program| program.attach()),
        Facility::SocketTracepoints => attach("detect_socket_tracepoint", |program| program.attach()),
        Facility::Fentry => {
            attach("detect_fentry", |program| program.attach()).and_then(|()| preemption::never_skips())
        }
        Facility::Kprobes => attach("detect_kprobe", |program| program.attach()),
        Facility::Uprobes => attach("detect_uprobe", |program| program.attach_uprobe(false, -1, OWN_FILE, 0)),
        Facility::UprobeMulti => attach("detect_uprobe_multi", |program| {
            let opts = UprobeMultiOpts {
                offsets: vec![0],
                ..Default::default()
            };
            program.attach_uprobe_multi_with_opts(-1, OWN_FILE, "", opts)
        }),
    }
}

/// A probe at its first byte is never hit: that is the ELF header, which nobody executes.
const OWN_FILE: &str = "/proc/self/exe";
const BPFFS: &str = "/sys/fs/bpf";
const BPF_FS_MAGIC: u64 = 0xcafe_4a11;
const TRACEFS_MAGIC: u64 = 0x7472_6163;
/// Bits of CapEff (capabilities(7)).
const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

fn privileges() -> Result<(), String> {
    let status = std::fs::read_to_string("/proc/self/status").map_err(|error| format!("/proc/self/status: {error}"))?;
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|value| u64::from_str_radix(value.trim(), 16).ok())
        .ok_or("/proc/self/status has no CapEff")?;
    let has = |capability: u32| effective & (1 << capability) != 0;
    if has(CAP_SYS_ADMIN) || (has(CAP_BPF) && has(CAP_PERFMON)) {
        return Ok(());
    }
    Err("this process has neither CAP_SYS_ADMIN nor CAP_BPF with CAP_PERFMON".into())
}

fn exists(path: &str) -> Result<(), String> {
    if Path::new(path).exists() {
        Ok(())
    } else {
        Err(format!("{path} does not exist"))
    }
}

/// Mounts the file system that holds pins, unless it is there.
pub fn mount_bpffs() -> Result<(), String> {
    mounted(BPFFS, "bpf", BPF_FS_MAGIC)
}

/// Whether pins can be made at this path.
pub fn is_bpffs(path: &Path) -> bool {
    is_of_kind(path, BPF_FS_MAGIC)
}

/// Only an agent that pins needs the mount, so that one made for a try is taken away again.
fn try_bpffs() -> Result<(), String> {
    let was_there = is_bpffs(Path::new(BPFFS));
    mount_bpffs()?;
    if was_there {
        return Ok(());
    }
    rustix::mount::unmount(BPFFS, rustix::mount::UnmountFlags::empty())
        .map_err(|error| format!("{BPFFS} was mounted for a try and cannot be unmounted: {error}"))
}

fn is_of_kind(path: &Path, magic: u64) -> bool {
    rustix::fs::statfs(path).is_ok_and(|found| found.f_type as u64 == magic)
}

fn mounted(path: &str, kind: &str, magic: u64) -> Result<(), String> {
    let is_mounted = || is_of_kind(Path::new(path), magic);
    if is_mounted() {
        return Ok(());
    }
    rustix::mount::mount(kind, path, kind, rustix::mount::MountFlags::empty(), None)
        .map_err(|error| format!("{path} is not a {kind} mount, and mounting it failed: {error}"))?;
    if is_mounted() {
        Ok(())
    } else {
        Err(format!("{path} is not a {kind} mount"))
    }
}

fn supported(answer: libbpf_rs::Result<bool>) -> Result<(), String> {
    match answer {
        Ok(true) => Ok(()),
        Ok(false) => Err("the kernel does not know it".into()),
        Err(error) => Err(format!("{error:#}")),
    }
}

fn helper(id: u32) -> Result<(), String> {
    supported(libbpf_rs::ProgramType::Kprobe.is_helper_supported(id))
}

/// The program of the detection object that reads a number of the kernel's.
pub(crate) const DETECT_NUMBER: &str = "detect_number";

/// Loads one program of the detection object alone, attaches it and takes it away again.
fn attach(name: &str, attach: impl FnOnce(ProgramMut<'_>) -> libbpf_rs::Result<libbpf_rs::Link>) -> Result<(), String> {
    with_program(name, attach).map(drop)
}

/// Loads one program of the detection object alone and does something with it.
pub(crate) fn with_program<T>(
    name: &str,
    work: impl FnOnce(ProgramMut<'_>) -> libbpf_rs::Result<T>,
) -> Result<T, String> {
    let mut open = ObjectBuilder::default()
        .open_memory(&DETECT.0)
        .map_err(|error| format!("{error:#}"))?;
    for mut program in open.progs_mut() {
        let wanted = program.name() == name;
        program.set_autoload(wanted);
    }
    let object = open.load().map_err(|error| format!("load: {error:#}"))?;
    let program = object
        .progs_mut()
        .find(|program| program.name() == name)
        .ok_or("program not found")?;
    work(program).map_err(|error| format!("attach: {error:#}"))
}
