//! One process, by its `/proc/PID` directory.
//!
//! The directory is opened once and everything is read through that descriptor. It stays tied to this process: when the
//! process ends and its number goes to another one, reads fail instead of telling about the other. So does the start
//! time tell two processes of one number apart, where a caller remembers a number for longer.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{self, Mode, OFlags};
use rustix::io::Errno;

use super::cgroup::{self, Container, MAX_CGROUP};
use super::elf::{ElfError, ElfFile};
use super::environment::{Environment, MAX_ENVIRONMENT};
use super::mappings::{self, MAX_MAPPINGS, MappedFile};

/// No more than this much of a command line is read, in bytes: class paths are long.
const MAX_CMDLINE: usize = 1 << 20;
const MAX_ARGUMENTS: usize = 16 * 1024;
const MAX_STAT: usize = 4096;
/// The beginning, before what grows with groups and processors.
const MAX_STATUS: usize = 512;
const MAX_AUXV: usize = 4096;
const AT_SECURE: u64 = 23;

/// Why a process could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProcessError {
    /// There is no process of this number, or it has ended.
    #[error("process {pid} has ended or never was")]
    Gone {
        /// The number.
        pid: u32,
    },
    /// The number belongs to another process than the one that was meant.
    #[error(
        "process number {pid} was reused: the process meant began at {expected}, this one at {found} ticks after boot"
    )]
    Reused {
        /// The number.
        pid: u32,
        /// Start time of the process that was meant, in clock ticks since boot.
        expected: u64,
        /// Start time of the process that is there.
        found: u64,
    },
    /// The number is that of a thread that is not the first of its process.
    #[error("{pid} is a thread of process {process}")]
    Thread {
        /// The number.
        pid: u32,
        /// The number of its process.
        process: u32,
    },
    /// A thread of the kernel, which has no program.
    #[error("process {pid} is a kernel thread")]
    KernelThread {
        /// The number.
        pid: u32,
    },
    /// The system refused.
    #[error("cannot read {what} of process {pid}: {kind}")]
    Read {
        /// The number.
        pid: u32,
        /// Which file below `/proc/PID`.
        what: &'static str,
        /// Why.
        kind: io::ErrorKind,
    },
}

/// An open process.
#[derive(Debug)]
pub struct Process {
    pid: u32,
    start_time: u64,
    directory: OwnedFd,
}

impl Process {
    /// Opens a process by its number.
    pub fn open(pid: u32) -> Result<Self, ProcessError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = match fs::open(format!("/proc/{pid}"), flags, Mode::empty()) {
            Ok(directory) => directory,
            Err(Errno::NOENT | Errno::SRCH) => return Err(ProcessError::Gone { pid }),
            Err(error) => return Err(read_error(pid, "the directory", error)),
        };
        let mut this = Self {
            pid,
            start_time: 0,
            directory,
        };
        this.start_time = this.read_start_time()?;
        Ok(this)
    }

    /// Opens the process of this number that began at `start_time`, and no other.
    pub fn open_started(pid: u32, start_time: u64) -> Result<Self, ProcessError> {
        let this = Self::open(pid)?;
        if this.start_time == start_time {
            Ok(this)
        } else {
            Err(ProcessError::Reused {
                pid,
                expected: start_time,
                found: this.start_time,
            })
        }
    }

    /// Fails unless the number is a process's: `/proc` opens for the number of any thread, though it lists only processes.
    pub fn refuse_thread(&self) -> Result<(), ProcessError> {
        let process = thread_group(&self.read("status", MAX_STATUS)?).ok_or(ProcessError::Gone { pid: self.pid })?;
        if process == self.pid {
            return Ok(());
        }
        Err(ProcessError::Thread { pid: self.pid, process })
    }

    /// The number.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// When it began, in clock ticks since boot.
    pub fn start_time(&self) -> u64 {
        self.start_time
    }

    /// Its `/proc/PID` directory.
    pub fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// Fails if the process has ended since it was opened.
    pub fn still_there(&self) -> Result<(), ProcessError> {
        self.read_start_time().map(drop)
    }

    /// The path of its program in its own mount namespace, and whether that file has been deleted or replaced.
    pub fn exe_path(&self) -> Result<(String, bool), ProcessError> {
        let target = match fs::readlinkat(&self.directory, "exe", Vec::new()) {
            Ok(target) => target,
            // A zombie has no program any more; a kernel thread never had one.
            Err(Errno::NOENT) => return Err(self.without_program()),
            Err(error) => return Err(read_error(self.pid, "exe", error)),
        };
        let path = target.to_string_lossy().into_owned();
        Ok(match path.strip_suffix(" (deleted)") {
            Some(live) => (live.to_owned(), true),
            None => (path, false),
        })
    }

    /// Its program. The link leads to the very file that runs, even when that has been deleted or replaced.
    pub fn exe(&self) -> Result<ElfFile, ElfError> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let file = fs::openat(&self.directory, "exe", flags, Mode::empty()).map_err(io::Error::from)?;
        ElfFile::from_file(file.into())
    }

    /// Its arguments, as it shows them now: a program may overwrite them.
    pub fn cmdline(&self) -> Result<Vec<String>, ProcessError> {
        let bytes = self.read("cmdline", MAX_CMDLINE)?;
        let bytes = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
        if bytes.is_empty() {
            return Ok(Vec::new());
        }
        let arguments = bytes.split(|&byte| byte == 0).take(MAX_ARGUMENTS);
        Ok(arguments
            .map(|argument| String::from_utf8_lossy(argument).into_owned())
            .collect())
    }

    /// The environment it was started with.
    pub fn environment(&self) -> Result<Environment, ProcessError> {
        Ok(Environment::parse(&self.read("environ", MAX_ENVIRONMENT)?))
    }

    /// The files it has mapped.
    pub fn mapped_files(&self) -> Result<Vec<MappedFile>, ProcessError> {
        Ok(mappings::parse(&self.read("maps", MAX_MAPPINGS)?))
    }

    /// Whether the dynamic linker runs in its secure mode (`AT_SECURE`), in which it ignores `LD_PRELOAD` and the like.
    pub fn secure(&self) -> Result<Option<bool>, ProcessError> {
        Ok(secure_of_auxv(&self.read("auxv", MAX_AUXV)?))
    }

    /// The container it is in.
    pub fn container(&self) -> Result<Option<Container>, ProcessError> {
        let text = self.read("cgroup", MAX_CGROUP)?;
        Ok(cgroup::container(&String::from_utf8_lossy(&text)))
    }

    fn without_program(&self) -> ProcessError {
        match self.read("stat", MAX_STAT).ok().as_deref().and_then(parse_stat) {
            Some(stat) if stat.is_kernel_thread => ProcessError::KernelThread { pid: self.pid },
            _ => ProcessError::Gone { pid: self.pid },
        }
    }

    fn read_start_time(&self) -> Result<u64, ProcessError> {
        let text = self.read("stat", MAX_STAT)?;
        let stat = parse_stat(&text).ok_or(ProcessError::Gone { pid: self.pid })?;
        if stat.ended {
            Err(ProcessError::Gone { pid: self.pid })
        } else {
            Ok(stat.start_time)
        }
    }

    fn read(&self, what: &'static str, limit: usize) -> Result<Vec<u8>, ProcessError> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = fs::openat(&self.directory, what, flags, Mode::empty());
        let file = file.map_err(|error| read_error(self.pid, what, error))?;
        read_up_to(file.as_fd(), limit).map_err(|error| match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(errno) => read_error(self.pid, what, errno),
            None => ProcessError::Read {
                pid: self.pid,
                what,
                kind: error.kind(),
            },
        })
    }
}

/// The processes that are there now, by number.
pub fn pids() -> io::Result<Vec<u32>> {
    let entries = std::fs::read_dir("/proc")?;
    let mut pids: Vec<u32> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    pids.sort_unstable();
    Ok(pids)
}

fn read_error(pid: u32, what: &'static str, error: Errno) -> ProcessError {
    match error {
        Errno::NOENT | Errno::SRCH => ProcessError::Gone { pid },
        other => ProcessError::Read {
            pid,
            what,
            kind: io::Error::from(other).kind(),
        },
    }
}

/// Reads to the end of the file or to the limit, growing with what is really there.
pub(super) fn read_up_to(file: BorrowedFd<'_>, limit: usize) -> io::Result<Vec<u8>> {
    const PIECE: usize = 16 << 10;
    let mut bytes = Vec::new();
    while bytes.len() < limit {
        let start = bytes.len();
        bytes.resize(limit.min(start + PIECE.max(start)), 0);
        let count = rustix::io::retry_on_intr(|| rustix::io::read(file, &mut bytes[start..]));
        bytes.truncate(start + count.as_ref().copied().unwrap_or(0));
        if count? == 0 {
            break;
        }
    }
    Ok(bytes)
}

/// What `/proc/PID/stat` says.
struct Stat {
    start_time: u64,
    ended: bool,
    is_kernel_thread: bool,
}

/// Fields are counted after the last `)`, because the name before it may hold anything. See `proc_pid_stat(5)`.
fn parse_stat(bytes: &[u8]) -> Option<Stat> {
    const PF_KTHREAD: u64 = 0x0020_0000;
    let text = String::from_utf8_lossy(bytes);
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let flags: u64 = fields.get(6)?.parse().ok()?;
    Some(Stat {
        start_time: fields.get(19)?.parse().ok()?,
        ended: matches!(*fields.first()?, "Z" | "X" | "x"),
        is_kernel_thread: flags & PF_KTHREAD != 0,
    })
}

/// `Tgid` of `/proc/PID/status`, see `proc_pid_status(5)`. Line ends within a name are escaped there.
fn thread_group(status: &[u8]) -> Option<u32> {
    let status = String::from_utf8_lossy(status);
    status
        .lines()
        .find_map(|line| line.strip_prefix("Tgid:"))?
        .trim()
        .parse()
        .ok()
}

/// Pairs of 8-byte type and value. See `getauxval(3)`.
fn secure_of_auxv(bytes: &[u8]) -> Option<bool> {
    let pairs = bytes.chunks_exact(16).map(|pair| {
        let number = |at: usize| pair[at..at + 8].try_into().map(u64::from_ne_bytes).unwrap_or_default();
        (number(0), number(8))
    });
    pairs
        .into_iter()
        .find(|&(kind, _)| kind == AT_SECURE)
        .map(|(_, value)| value != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = parse_stat(b"7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4242 9 9").unwrap();
        assert_eq!(stat.start_time, 4242);
        assert!(!stat.ended && !stat.is_kernel_thread);
        assert!(parse_stat(b"7 (a").is_none());
    }

    #[test]
    fn a_thread_is_told_from_its_process() {
        assert_eq!(
            thread_group(b"Name:\ta\\nTgid:\t1\nUmask:\t0022\nTgid:\t42\nNgid:\t0\n"),
            Some(42)
        );
        assert_eq!(thread_group(b"Name:\ta\n"), None);
        let own = std::process::id();
        assert_eq!(Process::open(own).unwrap().refuse_thread(), Ok(()));
        let thread = std::thread::spawn(|| {
            // The link is that of the thread that reads it: PID/task/TID.
            let link = std::fs::read_link("/proc/thread-self").unwrap();
            let pid = link.file_name().and_then(|name| name.to_str()?.parse().ok()).unwrap();
            (pid, Process::open(pid).unwrap().refuse_thread())
        });
        let (pid, outcome) = thread.join().unwrap();
        assert_eq!(outcome, Err(ProcessError::Thread { pid, process: own }));
    }
}
