//! Why a file is not an ELF executable of this machine.

use std::io;

use object::elf;

/// Why a file could not be read as an ELF executable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ElfError {
    /// A directory, FIFO, socket or device stands where a file was expected; reading one could block for ever.
    #[error("not a regular file")]
    NotRegular,
    /// The first bytes are not those of an ELF file.
    #[error("not an ELF file")]
    NotElf,
    /// The file ends before something that its headers promise.
    #[error("truncated: {what} needs bytes {offset}..{end}, the file has {size}", end = offset.saturating_add(*len))]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Where it should begin, in bytes.
        offset: u64,
        /// How many bytes it should have.
        len: u64,
        /// The size of the file in bytes.
        size: u64,
    },
    /// Something is larger than any real program's, so it is not read at all.
    #[error("{what} is {len} bytes or entries, more than the limit of {limit}")]
    TooLarge {
        /// What was being read.
        what: &'static str,
        /// The size that the file claims.
        len: u64,
        /// The largest that is accepted.
        limit: u64,
    },
    /// A 32-bit ELF file.
    #[error("a 32-bit ELF file, which is not supported")]
    Class32,
    /// A big-endian ELF file.
    #[error("a big-endian ELF file, which is not supported")]
    BigEndian,
    /// An ELF file for another processor.
    #[error("built for {found}, this machine is {expected}")]
    OtherMachine {
        /// The processor that the file names.
        found: Machine,
        /// The processor of this build.
        expected: Machine,
    },
    /// A header contradicts the format.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// The address is in no loaded segment, or not in the part of it that the file holds.
    #[error("address {0:#x} is not backed by the file")]
    Unmapped(u64),
    /// The system refused to open or read the file.
    #[error("cannot read: {0}")]
    Read(io::ErrorKind),
}

impl From<io::Error> for ElfError {
    fn from(error: io::Error) -> Self {
        Self::Read(error.kind())
    }
}

/// The processor an ELF file is for (`e_machine`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Machine(pub u16);

impl Machine {
    /// AMD64.
    pub const X86_64: Self = Self(elf::EM_X86_64);
    /// ARM64.
    pub const AARCH64: Self = Self(elf::EM_AARCH64);

    /// The processor this crate was built for, which is the one whose processes it inspects.
    pub const fn host() -> Self {
        if cfg!(target_arch = "aarch64") {
            Self::AARCH64
        } else {
            Self::X86_64
        }
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::X86_64 => f.write_str("x86_64"),
            Self::AARCH64 => f.write_str("aarch64"),
            Self(elf::EM_386) => f.write_str("i386"),
            Self(elf::EM_ARM) => f.write_str("arm"),
            Self(elf::EM_RISCV) => f.write_str("riscv"),
            Self(elf::EM_PPC64) => f.write_str("ppc64"),
            Self(elf::EM_S390) => f.write_str("s390x"),
            Self(other) => write!(f, "ELF machine {other}"),
        }
    }
}
