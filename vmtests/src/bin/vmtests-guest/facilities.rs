//! What the kernel permits, found out by using it: the ground truth for the agent's own detection.

use crate::suite::{Named, Shown};
use anyhow::{Context, Result, bail, ensure};
use libbpf_rs::{ErrorKind, Link, MapCore, MapFlags, Object, ObjectBuilder, ProgramMut, UprobeMultiOpts, UprobeOpts};
use odigos_tests::probes::PREEMPTION_SWITCH;
use probe_loader::Facility;
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
};

const OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/facilities.bpf.o"));

/// The tests of this file.
pub const TESTS: &[Named] = &[
    ("kernel_has_btf", kernel_has_btf),
    ("bpffs_can_be_mounted", bpffs_can_be_mounted),
    ("loopback_carries_data", loopback_carries_data),
    ("tracepoint_counts_calls", tracepoint_counts_calls),
    ("kprobe_counts_calls", kprobe_counts_calls),
    ("fentry_counts_calls", fentry_counts_calls),
    ("uprobe_counts_calls", uprobe_counts_calls),
    ("uprobe_multi_counts_calls", uprobe_multi_counts_calls),
    ("probe_write_user_loads", probe_write_user_loads),
];

/// Programs of `facilities.bpf.c`, by their index in its array of counts.
#[derive(Clone, Copy)]
enum Program {
    Kprobe = 0,
    Fentry = 1,
    Tracepoint = 2,
    Uprobe = 3,
    UprobeMulti = 4,
    WriteUser = 5,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Program::Kprobe => "on_kprobe",
            Program::Fentry => "on_fentry",
            Program::Tracepoint => "on_tracepoint",
            Program::Uprobe => "on_uprobe",
            Program::UprobeMulti => "on_uprobe_multi",
            Program::WriteUser => "writes_user",
        }
    }
}

/// The function of this very program that is probed: the C library's, linked in, called by the standard library.
const PROBED: &str = "sched_yield";
const CALLS: u64 = 5;

/// What the agent's own detection must agree with.
pub fn truth(facility: Facility) -> Option<Result<Shown>> {
    match facility {
        Facility::Btf => Some(kernel_has_btf()),
        Facility::SyscallTracepoints => Some(tracepoint_counts_calls()),
        Facility::Kprobes => Some(kprobe_counts_calls()),
        Facility::Fentry => Some(fentry_sees_every_call()),
        Facility::Uprobes => Some(uprobe_counts_calls()),
        Facility::UprobeMulti => Some(uprobe_multi_counts_calls()),
        _ => None,
    }
}

fn kernel_has_btf() -> Result<Shown> {
    let btf = Path::new("/sys/kernel/btf/vmlinux");
    if !btf.exists() {
        return Ok(Shown::Absent(format!("{} is not there", btf.display())));
    }
    let begin = std::fs::read(btf)?;
    // The magic number of the BTF header, in the machine's byte order.
    ensure!(
        begin.starts_with(&0xeb9f_u16.to_ne_bytes()),
        "{} is not BTF",
        btf.display()
    );
    Ok(Shown::Yes)
}

fn bpffs_can_be_mounted() -> Result<Shown> {
    let directory = tempfile::tempdir()?;
    match mount("bpf", directory.path(), "bpf", MountFlags::empty(), None) {
        Err(Errno::NODEV) => return Ok(Shown::Absent("the kernel does not know bpffs".into())),
        mounted => mounted.context("cannot mount")?,
    }
    let pinned = pin_in(directory.path());
    unmount(directory.path(), UnmountFlags::empty()).context("cannot unmount")?;
    pinned.map(|()| Shown::Yes)
}

fn pin_in(directory: &Path) -> Result<()> {
    let mut object = match load(Program::Tracepoint)? {
        Ok(object) => object,
        Err(why) => bail!("no program to pin: {why}"),
    };
    let pin = directory.join("program");
    program(&mut object, Program::Tracepoint)?
        .pin(&pin)
        .context("cannot pin")?;
    ensure!(pin.exists(), "nothing is at {}", pin.display());
    Ok(())
}

fn loopback_carries_data() -> Result<Shown> {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        exchange(address).with_context(|| format!("over {address}"))?;
    }
    Ok(Shown::Yes)
}

fn tracepoint_counts_calls() -> Result<Shown> {
    counts(
        Program::Tracepoint,
        |program| program.attach_tracepoint(libbpf_rs::TracepointCategory::Syscalls, "sys_enter_sched_yield"),
        yield_repeatedly,
    )
}

fn kprobe_counts_calls() -> Result<Shown> {
    counts(
        Program::Kprobe,
        |program| program.attach_kprobe(false, "tcp_sendmsg"),
        send_repeatedly,
    )
}

fn fentry_counts_calls() -> Result<Shown> {
    counts(Program::Fentry, |program| program.attach_trace(), send_repeatedly)
}

/// Where the kernel says by debugfs, which the agent does not need, that it preempts itself, it leaves calls out.
fn fentry_sees_every_call() -> Result<Shown> {
    match std::fs::read_to_string(Path::new(PREEMPTION_SWITCH).join("sched/preempt")) {
        Ok(modes) if modes.contains("(full)") => Ok(Shown::Absent("the kernel preempts itself".into())),
        _ => fentry_counts_calls(),
    }
}

fn uprobe_counts_calls() -> Result<Shown> {
    let options = UprobeOpts {
        func_name: Some(PROBED.into()),
        ..UprobeOpts::default()
    };
    let attach = |program: &ProgramMut<'_>| program.attach_uprobe_with_opts(own_pid(), "/proc/self/exe", 0, options);
    counts(Program::Uprobe, attach, yield_repeatedly)
}

fn uprobe_multi_counts_calls() -> Result<Shown> {
    let options = UprobeMultiOpts {
        syms: vec![PROBED.into()],
        ..UprobeMultiOpts::default()
    };
    let attach =
        |program: &ProgramMut<'_>| program.attach_uprobe_multi_with_opts(own_pid(), "/proc/self/exe", "", options);
    counts(Program::UprobeMulti, attach, yield_repeatedly)
}

fn probe_write_user_loads() -> Result<Shown> {
    Ok(match load(Program::WriteUser)? {
        Ok(_) => Shown::Yes,
        Err(why) => Shown::Absent(why),
    })
}

/// Loads and attaches one program, does what should call it, and compares the count. A refusal to load or to attach is
/// an absence; a program that is attached and not called, or called too often, is a failure.
fn counts(
    which: Program,
    attach: impl FnOnce(&ProgramMut<'_>) -> libbpf_rs::Result<Link>,
    exercise: fn() -> Result<()>,
) -> Result<Shown> {
    let mut object = match load(which)? {
        Ok(object) => object,
        Err(why) => return Ok(Shown::Absent(why)),
    };
    let is_uprobe = matches!(which, Program::Uprobe | Program::UprobeMulti);
    let link = match attach(&program(&mut object, which)?) {
        Ok(link) => link,
        // The tests' own mistake, such as a stripped program, must not look like a kernel's lack.
        Err(error) if is_uprobe && error.kind() == ErrorKind::NotFound => bail!("cannot find {PROBED}: {error:#}"),
        Err(error) => return Ok(Shown::Absent(format!("{error:#}"))),
    };
    exercise()?;
    let counted = hits(&object, which)?;
    drop(link);
    ensure!(counted >= CALLS, "{CALLS} calls, {counted} counted");
    exercise()?;
    let after = hits(&object, which)?;
    ensure!(
        after == counted,
        "counted on after it was detached: {counted}, then {after}"
    );
    Ok(Shown::Yes)
}

/// The object with only this program loaded, or the kernel's refusal.
fn load(which: Program) -> Result<Result<Object, String>> {
    let mut open = ObjectBuilder::default()
        .open_memory(OBJECT)
        .context("the object is damaged")?;
    for mut program in open.progs_mut() {
        let wanted = program.name() == which.name();
        program.set_autoload(wanted);
    }
    Ok(open.load().map_err(|error| format!("{error:#}")))
}

fn program(object: &mut Object, which: Program) -> Result<ProgramMut<'_>> {
    let mut programs = object.progs_mut();
    programs
        .find(|program| program.name() == which.name())
        .context("the object lacks the program")
}

fn hits(object: &Object, which: Program) -> Result<u64> {
    let map = object.maps().find(|map| map.name().to_string_lossy().ends_with(".bss"));
    let value = map
        .context("the object has no counts")?
        .lookup(&0_u32.to_ne_bytes(), MapFlags::ANY)?;
    let value = value.context("the counts are not there")?;
    let at = which as usize * 8;
    let count = value.get(at..at + 8).context("the counts are too short")?;
    Ok(u64::from_ne_bytes(count.try_into()?))
}

fn own_pid() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

fn yield_repeatedly() -> Result<()> {
    (0..CALLS).for_each(|_| std::thread::yield_now());
    Ok(())
}

fn send_repeatedly() -> Result<()> {
    (0..CALLS).try_for_each(|_| exchange("127.0.0.1:0"))
}

/// One connection, and bytes in both directions.
fn exchange(address: &str) -> Result<()> {
    let listener = TcpListener::bind(address).context("cannot listen")?;
    let mut client = TcpStream::connect(listener.local_addr()?).context("cannot connect")?;
    let (mut server, _) = listener.accept().context("cannot accept")?;
    for (from, to) in [(&mut client, b"ping"), (&mut server, b"pong")] {
        from.write_all(to)?;
    }
    let mut received = [0; 4];
    server.read_exact(&mut received)?;
    ensure!(&received == b"ping", "the server received {received:?}");
    client.read_exact(&mut received)?;
    ensure!(&received == b"pong", "the client received {received:?}");
    Ok(())
}
