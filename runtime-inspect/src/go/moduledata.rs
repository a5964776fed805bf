//! Where the text of a Go program starts, for function tables that hold offsets from it.
//!
//! Up to Go 1.25 the table's own header says it. From Go 1.26 on only `runtime.firstmoduledata` does: it is found by
//! its first word, which points to the table, and believed only if several other fields agree with the table.
//! Layout: `runtime.moduledata` in the Go source, unchanged in these fields since Go 1.16.

use crate::facts::elf::{ElfError, ElfFile, Segment};
use crate::go::pclntab::{self, Header};
use crate::go::relocations::Relocations;

const FUNCNAMES: u64 = 8;
const MINPC: u64 = 160;
const TEXT: u64 = 176;
const SIZE: u64 = 192;

/// The address of the first byte of Go code, or `None` if nothing trustworthy says it.
pub fn text_start(
    elf: &ElfFile,
    relocations: &Relocations,
    table: u64,
    header: &Header,
) -> Result<Option<u64>, ElfError> {
    if let Some((offset, in_file)) = header.text_start {
        let start = relocations.pointer(table.wrapping_add(offset), in_file);
        if start != 0 && elf.is_code(start) {
            return Ok(Some(start));
        }
    }
    for candidate in relocations.pointing_to(table) {
        if let Some(start) = checked_text(elf, relocations, table, header, candidate) {
            return Ok(Some(start));
        }
    }
    search_data(elf, relocations, table, header)
}

/// Looks for the pointer to the table in the writable segments, where a linker without relocations leaves it.
fn search_data(elf: &ElfFile, relocations: &Relocations, table: u64, header: &Header) -> Result<Option<u64>, ElfError> {
    let needle = table.to_le_bytes();
    elf.search(Segment::is_data, |vaddr, bytes| {
        let aligned = memchr::memmem::find_iter(bytes, &needle).map(|position| vaddr.wrapping_add(position as u64));
        let mut candidates = aligned.filter(|address| address % 8 == 0);
        candidates.find_map(|candidate| checked_text(elf, relocations, table, header, candidate))
    })
}

/// The text start of the module data at `at`, if that is what lies there.
fn checked_text(elf: &ElfFile, relocations: &Relocations, table: u64, header: &Header, at: u64) -> Option<u64> {
    let bytes = elf.read_vaddr(at, SIZE, "the module data").ok()?;
    let pointer = |offset: u64| {
        let in_file = pclntab::word(&bytes, offset as usize, 8).unwrap_or(0);
        relocations.pointer(at.wrapping_add(offset), in_file)
    };
    let names = pointer(FUNCNAMES) == table.checked_add(header.names as u64)?;
    let text = pointer(TEXT);
    let first = text.checked_add(u64::from(header.first_entry?))? == pointer(MINPC);
    (names && first && elf.is_code(text)).then_some(text)
}
