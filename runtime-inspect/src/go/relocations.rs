//! Pointers in position-independent binaries: the linker leaves their values in relative relocations, not in the data.

use object::elf;

use crate::facts::elf::{ElfError, ElfFile, Machine, word};

/// Two million relocations of 24 bytes; the largest Go programs have a few hundred thousand.
const MAX_TABLE: u64 = 48 << 20;
const ENTRY: usize = 24;

/// The relative relocations of a file, sorted by address.
#[derive(Debug, Default)]
pub struct Relocations {
    entries: Vec<(u64, u64)>,
}

impl Relocations {
    /// Reads the table that `PT_DYNAMIC` names; empty for a file that is loaded where it was linked.
    pub fn read(elf: &ElfFile) -> Result<Self, ElfError> {
        if !elf.position_independent() {
            return Ok(Self::default());
        }
        let Some((vaddr, size)) = table(elf)? else {
            return Ok(Self::default());
        };
        if size > MAX_TABLE {
            return Err(ElfError::TooLarge {
                what: "the relocation table",
                len: size,
                limit: MAX_TABLE,
            });
        }
        let bytes = elf.read_vaddr(vaddr, size, "the relocation table")?;
        let relative = relative_type(elf.machine());
        let mut entries: Vec<(u64, u64)> = bytes
            .chunks_exact(ENTRY)
            .filter(|entry| word(entry, 8) & 0xffff_ffff == relative)
            .map(|entry| (word(entry, 0), word(entry, 16)))
            .collect();
        if !entries.is_sorted() {
            entries.sort_unstable();
        }
        Ok(Self { entries })
    }

    /// The pointer at `vaddr`, given what the file holds there.
    pub fn pointer(&self, vaddr: u64, in_file: u64) -> u64 {
        match self.entries.binary_search_by_key(&vaddr, |&(at, _)| at) {
            Ok(index) => self.entries[index].1,
            Err(_) => in_file,
        }
    }

    /// The addresses whose pointer is `target`.
    pub fn pointing_to(&self, target: u64) -> impl Iterator<Item = u64> + '_ {
        self.entries
            .iter()
            .filter(move |&&(_, addend)| addend == target)
            .map(|&(at, _)| at)
    }
}

/// Address and size of the table with addends.
fn table(elf: &ElfFile) -> Result<Option<(u64, u64)>, ElfError> {
    let Some(dynamic) = elf.segments().iter().find(|segment| segment.kind == elf::PT_DYNAMIC) else {
        return Ok(None);
    };
    let bytes = elf.read_at(dynamic.offset, dynamic.file_size.min(1 << 16), "the dynamic section")?;
    let tag = |wanted: u32| {
        let mut entries = bytes.chunks_exact(16);
        entries
            .find(|entry| word(entry, 0) == u64::from(wanted))
            .map(|entry| word(entry, 8))
    };
    Ok(tag(elf::DT_RELA).zip(tag(elf::DT_RELASZ)))
}

fn relative_type(machine: Machine) -> u64 {
    let kind = if machine == Machine::AARCH64 {
        elf::R_AARCH64_RELATIVE
    } else {
        elf::R_X86_64_RELATIVE
    };
    u64::from(kind)
}
