//! Which build of a program a file holds: what is learnt about a file is kept under this.

use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use object::elf;

use super::ElfFile;

const MAX_NOTES: u64 = 64 << 10;
/// Executables have one or two; each costs a read whenever a file is opened.
const MAX_NOTE_SEGMENTS: usize = 8;
/// GNU's ids have 20 bytes, Go's 83.
const MAX_ID: usize = 256;
const NT_GNU_BUILD_ID: u32 = 3;
const NT_GO_BUILD_ID: u32 = 4;
/// The coarsest time stamps of a file system in use, which are FAT's.
const GRANULARITY: Duration = Duration::from_secs(2);

/// What makes two files the same ELF image, for caches.
///
/// The file is named by device and inode. Which build is in it says the build id, if there is one: a file that is
/// rewritten in place stays the same inode, and may do so within one tick of the clock that stamps it. The id alone would
/// not do, since `strip` leaves it as it is, and since anybody can write a file with the id of another, whose
/// inode number the file system may hand out next; so the size and the time of the last change are part of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ElfIdentity {
    /// Device number of the file system.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// What the linker says that the content is.
    pub build_id: Option<BuildId>,
    /// Size in bytes.
    pub size: u64,
    /// Time of the last change to content or attributes, in nanoseconds since the epoch. Unlike the modification time
    /// no program can set it.
    pub changed_ns: i128,
}

impl ElfIdentity {
    /// Of a file whose build id is not known yet.
    pub(super) fn of_file(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            build_id: None,
            size: metadata.len(),
            changed_ns: i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec()),
        }
    }

    /// Whether other content of the file would have another identity. Without a build id only the time tells a rewritten
    /// file, and one that has changed just now may change again without a new time.
    pub fn is_certain_at(&self, now: SystemTime) -> bool {
        let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.build_id.is_some() || self.changed_ns + (GRANULARITY.as_nanos() as i128) < since_epoch.as_nanos() as i128
    }
}

/// The build id of an ELF file: GNU's note, or else Go's, which its linker writes even where it writes no other.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BuildId(Box<[u8]>);

impl BuildId {
    /// Reads it from the file's notes; `None` if there is none or they are damaged.
    pub(super) fn read(elf: &ElfFile) -> Option<Self> {
        let notes: Vec<Vec<u8>> = elf
            .segments()
            .iter()
            .filter(|segment| segment.kind == elf::PT_NOTE)
            .take(MAX_NOTE_SEGMENTS)
            .filter_map(|segment| {
                elf.read_at(segment.offset, segment.file_size.min(MAX_NOTES), "the notes")
                    .ok()
            })
            .collect();
        let find = |name, kind| notes.iter().find_map(|notes| note(notes, name, kind));
        find(b"GNU\0", NT_GNU_BUILD_ID)
            .or_else(|| find(b"Go\0\0", NT_GO_BUILD_ID))
            .map(|id| Self(id.into()))
    }
}

impl fmt::Display for BuildId {
    /// In hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BuildId({self})")
    }
}

/// The content of the first note of that name and type, unless it is empty. Format: the System V gABI, "Note Section".
fn note<'a>(mut notes: &'a [u8], name: &[u8; 4], kind: u32) -> Option<&'a [u8]> {
    loop {
        let number = |at: usize| Some(u32::from_le_bytes(notes.get(at..at + 4)?.try_into().ok()?));
        let (name_len, len, found) = (number(0)? as usize, number(4)? as usize, number(8)?);
        let name_end = 12usize.checked_add(name_len)?;
        let start = name_end.checked_next_multiple_of(4)?;
        let end = start.checked_add(len)?;
        if found == kind && notes.get(12..name_end)? == name && (1..=MAX_ID).contains(&len) {
            return notes.get(start..end);
        }
        notes = notes.get(end.checked_next_multiple_of(4)?..)?;
    }
}
