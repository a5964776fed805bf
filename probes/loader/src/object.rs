use crate::pins::Pins;
use crate::{Facilities, Facility, log, table};
use libbpf_rs::libbpf_sys;
use libbpf_rs::{Object, ObjectBuilder, OpenMapMut, OpenObject, ProgramAttachType};
use rustix::fs::stat;
use std::ffi::CString;
use std::hash::Hasher;
use std::path::PathBuf;

/// libelf reads the object in place, so it must be aligned as ELF headers are.
#[repr(C, align(8))]
pub(crate) struct Aligned<T: ?Sized>(pub(crate) T);

static OBJECT: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/odigos.bpf.o")));
/// Inode of the initial pid namespace (`PROC_PID_INIT_INO` in the kernel's include/linux/proc_ns.h).
const INITIAL_PID_NAMESPACE: u64 = 0xEFFF_FFFC;

/// How the object is loaded.
#[derive(Debug, Clone)]
pub struct Options {
    /// Bytes of the ring of spans: a power of two, at least a page.
    pub ring_bytes: u32,
    /// What a process is traced for from its exec on, before user space has looked at it; 0 for nothing.
    pub adopt_flags: u32,
    /// A directory of bpffs in which programs and maps outlive this process, for a successor to adopt; `None` if they
    /// are to end with it.
    pub pins: Option<PathBuf>,
    /// Probes in programs let themselves be preempted, as they must on kernels before Linux 6.10, even where they need not.
    /// Requests may then be lost, and are counted (`state_full`). For tests of that.
    pub never_keep_processor: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            ring_bytes: 8 << 20,
            adopt_flags: 0,
            pins: None,
            never_keep_processor: false,
        }
    }
}

/// Why the programs could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The kernel lacks something without which nothing works.
    #[error("{name} is missing: {reason}; {cost}")]
    Missing {
        /// The facility's name.
        name: &'static str,
        /// What was found.
        reason: String,
        /// What that costs.
        cost: &'static str,
    },
    /// The ring cannot have that size.
    #[error("ring size {0} is not a power of two of at least 4096 bytes")]
    RingSize(u32),
    /// libbpf or the kernel refused; the log ends with the verifier's words.
    #[error("{log}\ncannot load the eBPF programs")]
    Refused {
        /// libbpf's error.
        source: libbpf_rs::Error,
        /// What libbpf and the verifier said.
        log: String,
    },
    /// The object and this program do not fit together.
    #[error("the eBPF object has no {0}")]
    NoSuchPart(&'static str),
    /// The directory of pins cannot be used.
    #[error("cannot use the pins below {path}")]
    Pins {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The own pid namespace cannot be read.
    #[error("cannot read /proc/self/ns/pid: {0}")]
    PidNamespace(rustix::io::Errno),
}

/// Opens the object, sets it up for this machine and loads the programs that `wanted` admits.
pub(crate) fn load(
    options: &Options,
    facilities: &Facilities,
    pins: Option<&Pins>,
    wanted: impl Fn(&table::Program) -> bool,
) -> Result<Object, LoadError> {
    if let Some((missing, reason)) = facilities.missing_required().next() {
        return Err(LoadError::Missing {
            name: missing.name,
            reason: reason.to_owned(),
            cost: missing.cost,
        });
    }
    if !options.ring_bytes.is_power_of_two() || options.ring_bytes < 4096 {
        return Err(LoadError::RingSize(options.ring_bytes));
    }
    log::capture();
    let refused = |source| LoadError::Refused {
        source,
        log: log::captured(),
    };
    let mut open = ObjectBuilder::default().open_memory(&OBJECT.0).map_err(refused)?;
    for mut program in open.progs_mut() {
        let entry = program.name().to_str().and_then(table::find);
        let load = entry
            .is_some_and(|entry| facilities.has(entry.needs) && wanted(entry) && entry.optional.is_none_or(kernel_has));
        program.set_autoload(load);
        if entry.is_some_and(|entry| entry.group == table::Group::GoHttp) && facilities.has(Facility::UprobeMulti) {
            program.set_attach_type(ProgramAttachType::TraceUprobeMulti);
        }
    }
    set_ring_size(&mut open, options.ring_bytes).map_err(refused)?;
    set_config(&mut open, options)?;
    if let Some(pins) = pins {
        pin_maps(&mut open, pins).map_err(refused)?;
    }
    open.load().map_err(refused)
}

/// A map that is pinned already is adopted as it is, with what it holds; one that is not is made and pinned.
fn pin_maps(open: &mut OpenObject, pins: &Pins) -> libbpf_rs::Result<()> {
    let named = |map: &OpenMapMut<'_>| !map.name().to_string_lossy().contains('.');
    open.maps_mut().filter(named).try_for_each(|mut map| {
        let path = pins.map(&map.name().to_string_lossy());
        map.set_pin_path(path)
    })
}

/// What tells apart objects whose pins must not be mixed: the programs themselves and what they are set up with.
pub(crate) fn fingerprint(options: &Options, http1: Option<table::Group>) -> u64 {
    let mut hasher = Fnv::default();
    hasher.write(&OBJECT.0);
    hasher.write(&options.ring_bytes.to_ne_bytes());
    hasher.write(&options.adopt_flags.to_ne_bytes());
    hasher.write(&[u8::from(options.never_keep_processor)]);
    hasher.write(format!("{http1:?}").as_bytes());
    hasher.finish()
}

/// FNV-1a, whose result is the same in every build of this program, which the standard library's is not bound to be.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

fn set_ring_size(open: &mut OpenObject, bytes: u32) -> libbpf_rs::Result<()> {
    open.maps_mut()
        .filter(|map| map.name() == "spans")
        .try_for_each(|mut map| map.set_max_entries(bytes))
}

/// Fills `struct config` (records.h), which is all that the object's read-only data holds.
fn set_config(open: &mut OpenObject, options: &Options) -> Result<(), LoadError> {
    let (device, inode) = pid_namespace().map_err(LoadError::PidNamespace)?;
    let mut config = Vec::with_capacity(32);
    config.extend_from_slice(&device.to_ne_bytes());
    config.extend_from_slice(&inode.to_ne_bytes());
    config.extend_from_slice(&u64::from(options.ring_bytes / 4).to_ne_bytes());
    config.extend_from_slice(&options.adopt_flags.to_ne_bytes());
    config.extend_from_slice(&std::process::id().to_ne_bytes());
    config.extend_from_slice(&u32::from(options.never_keep_processor).to_ne_bytes());
    config.extend_from_slice(&[0; 4]);
    let mut map = open
        .maps_mut()
        .find(|map| map.name().to_string_lossy().ends_with(".rodata"))
        .ok_or(LoadError::NoSuchPart("read-only data"))?;
    let data = map.initial_value_mut().ok_or(LoadError::NoSuchPart("read-only data"))?;
    let target = data
        .get_mut(..config.len())
        .ok_or(LoadError::NoSuchPart("struct config"))?;
    target.copy_from_slice(&config);
    Ok(())
}

/// Device and inode of the own pid namespace; zeros if it is the initial one, whose pids the kernel side reports anyway.
fn pid_namespace() -> Result<(u64, u64), rustix::io::Errno> {
    let found = stat("/proc/self/ns/pid")?;
    if found.st_ino == INITIAL_PID_NAMESPACE {
        Ok((0, 0))
    } else {
        Ok((found.st_dev, found.st_ino))
    }
}

/// Whether the running kernel has a function, by its type information.
pub(crate) fn kernel_has(function: &str) -> bool {
    let Ok(name) = CString::new(function) else { return false };
    // SAFETY: the name ends with a 0 and outlives the call, which only reads it.
    unsafe { libbpf_sys::libbpf_find_vmlinux_btf_id(name.as_ptr(), libbpf_sys::BPF_TRACE_FENTRY) > 0 }
}

/// The way in which HTTP/1 is seen, the cheapest and most complete that the kernel offers.
pub fn http1_group(facilities: &Facilities) -> Option<table::Group> {
    if facilities.has(Facility::Fentry) {
        Some(table::Group::Http1Fentry)
    } else if facilities.has(Facility::Kprobes) {
        Some(table::Group::Http1Kprobe)
    } else if facilities.has(Facility::SocketTracepoints) && facilities.has(Facility::TaskRegisters) {
        Some(table::Group::Http1Sockets)
    } else if facilities.has(Facility::SyscallTracepoints) && facilities.has(Facility::TaskRegisters) {
        Some(table::Group::Http1Syscalls)
    } else {
        None
    }
}
