//! A directory of the file system, locked against other processes.

use crate::{Disk, DiskFile};
use rustix::fs::{self, AtFlags, FileType, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::collections::hash_map::RandomState;
use std::fs::DirBuilder;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

const LOCK: &str = "lock";
const OWNER_ONLY: Mode = Mode::from_raw_mode(0o600);
/// The most pieces that the kernel takes in one call (`IOV_MAX`).
const PIECES: usize = 1024;

/// A [`Disk`] that is a directory. Files in it are opened relative to its descriptor, never through a symbolic link, and
/// only their owner may read them: they hold what users sent. Nobody else can open it while this exists.
#[derive(Debug)]
pub struct Directory {
    directory: OwnedFd,
    /// Held, not used: the lock goes with the descriptor, also when the process is killed.
    _lock: OwnedFd,
}

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It cannot be made, opened or locked.
    #[error("cannot use {path} as a queue: {what}")]
    Io {
        /// The directory.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// Another queue has it open.
    #[error("cannot use {path} as a queue: {holder} has it open; give each queue a directory of its own")]
    InUse {
        /// The directory.
        path: PathBuf,
        /// Who, as far as it can be told.
        holder: String,
    },
}

impl Directory {
    /// Opens and locks a directory; makes it if it is not there, for its owner only.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let failed = |what| {
            move |source: Errno| OpenError::Io {
                path: path.to_owned(),
                what,
                source: source.into(),
            }
        };
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|source| OpenError::Io {
            path: path.to_owned(),
            what: "making the directory",
            source,
        })?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = fs::open(path, flags, Mode::empty()).map_err(failed("opening the directory"))?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let lock = fs::openat(&directory, LOCK, flags, OWNER_ONLY).map_err(failed("opening its file `lock`"))?;
        match fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                return Err(OpenError::InUse {
                    path: path.to_owned(),
                    holder: read_holder(&lock),
                });
            }
            Err(error) => return Err(failed("locking its file `lock`")(error)),
        }
        write_holder(&lock);
        Ok(Directory { directory, _lock: lock })
    }
}

/// Only for the message of whoever comes second, so it does not matter if there is no room for it.
fn write_holder(lock: &OwnedFd) {
    let name = std::env::args_os().next().map(PathBuf::from);
    let name = name.as_deref().and_then(Path::file_name).unwrap_or_default();
    let holder = format!("process {} ({})", std::process::id(), name.to_string_lossy());
    let _ = fs::ftruncate(lock, 0);
    let _ = rustix::io::pwrite(lock, holder.as_bytes(), 0);
}

fn read_holder(lock: &OwnedFd) -> String {
    let mut text = [0; 256];
    let length = rustix::io::pread(lock, &mut text[..], 0).unwrap_or(0);
    let holder: String = String::from_utf8_lossy(&text[..length])
        .chars()
        .filter(|char| !char.is_control())
        .collect();
    if holder.is_empty() {
        "another process".to_owned()
    } else {
        holder
    }
}

impl Disk for Directory {
    type File = OwnedFd;

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::Dir::read_from(&self.directory)? {
            let entry = entry?;
            // A name that is not UTF-8 is not one of ours.
            if let Ok(name) = entry.file_name().to_str() {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<OwnedFd> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(fs::openat(&self.directory, name, flags, OWNER_ONLY)?)
    }

    fn open(&self, name: &str) -> io::Result<OwnedFd> {
        // Without waiting, should somebody have put a pipe there.
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = fs::openat(&self.directory, name, flags, Mode::empty())?;
        if FileType::from_raw_mode(fs::fstat(&file)?.st_mode) != FileType::RegularFile {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok(file)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let flags = RenameFlags::NOREPLACE;
        match fs::renameat_with(&self.directory, from, &self.directory, to, flags) {
            // Some file systems know no flags; then a file under the new name would be lost, so look first.
            Err(Errno::INVAL | Errno::NOSYS) => self.rename_if_free(from, to),
            result => Ok(result?),
        }
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        Ok(fs::unlinkat(&self.directory, name, AtFlags::empty())?)
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(fs::fsync(&self.directory)?)
    }

    fn random(&self) -> u64 {
        // The standard library seeds its hashers from the system's random numbers, and each differently.
        RandomState::new().build_hasher().finish()
    }
}

impl Directory {
    fn rename_if_free(&self, from: &str, to: &str) -> io::Result<()> {
        match fs::statat(&self.directory, to, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(fs::renameat(&self.directory, from, &self.directory, to)?),
            Ok(_) => Err(Errno::EXIST.into()),
            Err(error) => Err(error.into()),
        }
    }
}

impl DiskFile for OwnedFd {
    fn length(&self) -> io::Result<u64> {
        Ok(u64::try_from(fs::fstat(self)?.st_size).unwrap_or(0))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match rustix::io::pread(self.as_fd(), &mut buffer[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(more) => done += more,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(done)
    }

    fn write_at(&self, pieces: &[&[u8]], mut offset: u64) -> io::Result<()> {
        let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        let mut rest = &mut slices[..];
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            let some = rest.len().min(PIECES);
            match rustix::io::pwritev(self.as_fd(), &rest[..some], offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    offset += written as u64;
                    IoSlice::advance_slices(&mut rest, written);
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        Ok(fs::ftruncate(self, length)?)
    }

    fn sync(&self) -> io::Result<()> {
        // The length is data here: it is written with fdatasync too, as it is needed to read the file.
        Ok(fs::fdatasync(self)?)
    }
}
