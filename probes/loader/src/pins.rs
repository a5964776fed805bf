//! Pins: what stays attached when the agent ends, so that its successor goes on where it was.
//!
//! Below the root each version of the programs has a directory of its own, named by a fingerprint. A successor of the
//! same version adopts the pins; one of another version makes its own and then removes those of all others.

use crate::LoadError;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const UPROBE: &str = "uprobe-";

/// A file by what the kernel knows it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId {
    /// The device.
    pub device: u64,
    /// The inode on it.
    pub inode: u64,
}

/// The pins of one version of the programs.
#[derive(Debug)]
pub(crate) struct Pins {
    root: PathBuf,
    directory: PathBuf,
}

impl Pins {
    pub(crate) fn open(root: &Path, fingerprint: u64) -> Result<Self, LoadError> {
        let directory = root.join(format!("{fingerprint:016x}"));
        match fs::create_dir_all(&directory) {
            Ok(()) => Ok(Pins {
                root: root.to_owned(),
                directory,
            }),
            Err(source) => Err(LoadError::Pins {
                path: directory,
                source,
            }),
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn map(&self, name: &str) -> PathBuf {
        self.directory.join(format!("map_{name}"))
    }

    pub(crate) fn link(&self, program: &str) -> PathBuf {
        self.directory.join(format!("link_{program}"))
    }

    /// A link of a probe in a binary: its slot, the binary's identity, the program, and which of the program's points.
    pub(crate) fn uprobe(&self, slot: u32, file: FileId, program: &str, point: usize) -> PathBuf {
        let FileId { device, inode } = file;
        self.directory
            .join(format!("{UPROBE}{slot}-{device:x}-{inode:x}-{program}-{point}"))
    }

    /// All such links: slot, identity and path.
    pub(crate) fn uprobes(&self) -> io::Result<Vec<(u32, FileId, PathBuf)>> {
        let entries = fs::read_dir(&self.directory)?;
        let paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        Ok(paths
            .into_iter()
            .filter_map(|path| Some((parse_uprobe(&path)?, path)))
            .map(|((slot, file), path)| (slot, file, path))
            .collect())
    }

    pub(crate) fn remove_others(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.root)? {
            let path = entry?.path();
            if path != self.directory {
                remove(&path)?;
            }
        }
        Ok(())
    }
}

/// Detaches and forgets everything that is pinned below `root`. That there is nothing is no error.
pub fn remove(root: &Path) -> io::Result<()> {
    // bpffs removes a pin when its file is unlinked, and what is attached with the last reference to it.
    match fs::remove_dir_all(root) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether a pinned link of a uprobe is of this program.
pub(crate) fn is_of(path: &Path, program: &str) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.split('-').nth_back(1) == Some(program))
}

fn parse_uprobe(path: &Path) -> Option<(u32, FileId)> {
    let mut parts = path.file_name()?.to_str()?.strip_prefix(UPROBE)?.split('-');
    let slot = parts.next()?.parse().ok()?;
    let device = u64::from_str_radix(parts.next()?, 16).ok()?;
    let inode = u64::from_str_radix(parts.next()?, 16).ok()?;
    Some((slot, FileId { device, inode }))
}
