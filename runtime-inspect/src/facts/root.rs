//! Files as a process sees them, through `/proc/PID/root`.
//!
//! The tree below is the target's to shape, so a path is resolved by the kernel inside that root, without magic links;
//! what it names is opened as a mere reference first, and for reading only once it is known to be a regular file: a
//! FIFO or a device there is never opened. A FUSE file system may still answer slowly: call this off the main thread.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{self, FileType, Mode, OFlags, ResolveFlags};

/// Why a file of a target could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RootError {
    /// The system refused.
    #[error("cannot open: {0}")]
    Open(io::ErrorKind),
    /// It is a directory, FIFO, socket or device.
    #[error("not a regular file but a {0}")]
    NotRegular(&'static str),
    /// It is larger than the caller wants.
    #[error("{size} bytes long, more than the limit of {limit}")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
}

impl From<rustix::io::Errno> for RootError {
    fn from(error: rustix::io::Errno) -> Self {
        Self::Open(io::Error::from(error).kind())
    }
}

/// The root directory of a process.
#[derive(Debug)]
pub struct TargetRoot {
    directory: OwnedFd,
}

impl TargetRoot {
    /// Opens the root of the process whose `/proc/PID` directory this is.
    pub fn open(process: BorrowedFd<'_>) -> Result<Self, RootError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self {
            directory: fs::openat(process, "root", flags, Mode::empty())?,
        })
    }

    /// Opens a regular file for reading.
    pub fn open_file(&self, path: &str) -> Result<File, RootError> {
        let reference = self.resolve(path)?;
        let kind = FileType::from_raw_mode(fs::fstat(&reference)?.st_mode);
        if kind != FileType::RegularFile {
            return Err(RootError::NotRegular(kind_name(kind)));
        }
        // The descriptor's own link leads to the very file that was looked at, whatever its path names by now.
        let link = format!("/proc/self/fd/{}", reference.as_raw_fd());
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        Ok(File::from(fs::open(link, flags, Mode::empty())?))
    }

    /// Reads a whole regular file of at most `limit` bytes as text.
    pub fn read_text(&self, path: &str, limit: u64) -> Result<String, RootError> {
        let file = self.open_file(path)?;
        let size = fs::fstat(&file)?.st_size.unsigned_abs();
        if size > limit {
            return Err(RootError::TooLarge { size, limit });
        }
        let bytes =
            super::process::read_up_to(file.as_fd(), limit as usize).map_err(|error| RootError::Open(error.kind()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn resolve(&self, path: &str) -> Result<OwnedFd, RootError> {
        const TRIES: usize = 8;
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let mut result = Err(rustix::io::Errno::AGAIN);
        for _ in 0..TRIES {
            result = fs::openat2(&self.directory, path, flags, Mode::empty(), resolve);
            // A rename anywhere in the system makes the kernel unsure of `..`; it asks to try again.
            if result.as_ref().err() != Some(&rustix::io::Errno::AGAIN) {
                break;
            }
        }
        Ok(result?)
    }
}

fn kind_name(kind: FileType) -> &'static str {
    match kind {
        FileType::Directory => "directory",
        FileType::Fifo => "FIFO",
        FileType::Socket => "socket",
        FileType::CharacterDevice | FileType::BlockDevice => "device",
        _ => "special file",
    }
}
