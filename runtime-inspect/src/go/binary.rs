//! A Go program on disk: its versions, functions, code and struct offsets.

use crate::facts::elf::{ElfError, ElfFile, Machine};
use crate::go::build_info::{self, BuildInfo, Module};
use crate::go::dwarf::struct_layouts;
use crate::go::moduledata;
use crate::go::offsets::{FieldOffsets, Missing};
use crate::go::pclntab::{self, Header, PclntabError};
use crate::go::relocations::Relocations;
use crate::go::version::GoVersion;

/// No function that a probe wants is nearly as long; a larger one is a damaged entry.
const MAX_BODY: u64 = 1 << 20;
/// The table begins at a multiple of this.
const TABLE_ALIGN: u64 = 16;
const TABLE_SECTIONS: [&str; 2] = [".gopclntab", ".data.rel.ro.gopclntab"];

/// Why something about a Go program cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GoError {
    /// The file is not a Go program: an answer, not a failure.
    #[error("not a Go program: it has no Go build information")]
    NotGo,
    /// The file cannot be read as ELF.
    #[error(transparent)]
    Elf(#[from] ElfError),
    /// The program has no function table that could be found.
    #[error("the Go function table was not found")]
    NoFunctionTable,
    /// The function table is damaged.
    #[error(transparent)]
    Pclntab(#[from] PclntabError),
    /// Nothing says where the text starts, so the table's offsets mean nothing.
    #[error("the start of the Go text was not found")]
    NoTextStart,
}

/// A function of a Go program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoFunction {
    /// The name that was asked for: without vendor prefix.
    pub name: String,
    /// The name in the binary: with any vendor prefix.
    pub symbol: String,
    /// Address of the first byte, before the load bias is added.
    pub entry_vaddr: u64,
    /// Offset of the first byte in the file: what a uprobe takes.
    pub file_offset: u64,
    /// Bytes up to the next function, padding included.
    pub size: u64,
}

/// An open Go program. It keeps the file open and the build information in memory; all else is read when asked for.
#[derive(Debug)]
pub struct GoBinary {
    elf: ElfFile,
    info: BuildInfo,
}

impl GoBinary {
    /// Takes a file for this machine's processor; [`GoError::NotGo`] if no Go linker made it.
    pub fn open(elf: ElfFile) -> Result<Self, GoError> {
        elf.require_host_machine()?;
        let info = build_info::read(&elf)?.ok_or(GoError::NotGo)?;
        Ok(Self { elf, info })
    }

    /// The file.
    pub fn elf(&self) -> &ElfFile {
        &self.elf
    }

    /// The processor that the code is for.
    pub fn machine(&self) -> Machine {
        self.elf.machine()
    }

    /// Such as `go1.26.8`.
    pub fn version(&self) -> &str {
        &self.info.go_version
    }

    /// [`Self::version`] as numbers, if it has them.
    pub fn release(&self) -> Option<GoVersion> {
        self.info.go_version.parse().ok()
    }

    /// The main module, then its dependencies.
    pub fn modules(&self) -> &[Module] {
        &self.info.modules
    }

    /// All of the build information.
    pub fn build_info(&self) -> &BuildInfo {
        &self.info
    }

    /// The functions with one of these names, in order of address, every vendored or duplicated copy included. A name
    /// that is absent from the result is not in the binary: never linked, or inlined everywhere.
    pub fn functions(&self, names: &[&str]) -> Result<Vec<GoFunction>, GoError> {
        let (vaddr, table) = self.function_table()?;
        let header = Header::parse(&table)?;
        let relocations = Relocations::read(&self.elf)?;
        let text_start = if header.text_start.is_some() {
            moduledata::text_start(&self.elf, &relocations, vaddr, &header)?.ok_or(GoError::NoTextStart)?
        } else {
            0
        };
        let pointer = |offset: u64, in_file: u64| relocations.pointer(vaddr.wrapping_add(offset), in_file);
        let lookup = pclntab::find(&table, &header, text_start, pointer, names);
        Ok(lookup
            .found
            .into_iter()
            .filter_map(|found| self.function(found, names))
            .collect())
    }

    /// The machine code of a function.
    pub fn body(&self, function: &GoFunction) -> Result<Vec<u8>, GoError> {
        Ok(self
            .elf
            .read_vaddr(function.entry_vaddr, function.size, "the body of a Go function")?)
    }

    /// The offsets of the fields of these structs, found in one pass over the DWARF; a struct that is not in it is
    /// answered from the table.
    pub fn field_offsets(&self, types: &[&str]) -> FieldOffsets {
        // Damaged debugging information is no reason to give up: the table may still answer.
        let layouts = struct_layouts(&self.elf, types).unwrap_or_default();
        FieldOffsets::new(layouts, &self.info)
    }

    /// The offset of one field. Each call is a pass over the DWARF: for several, ask [`Self::field_offsets`].
    pub fn field_offset(&self, type_name: &str, field: &str) -> Result<u64, Missing> {
        self.field_offsets(&[type_name]).get(type_name, field)
    }

    /// A damaged entry (outside the code, absurdly long, or in a segment that the file does not hold) is left out.
    fn function(&self, found: pclntab::Found, names: &[&str]) -> Option<GoFunction> {
        let size = found.end - found.entry;
        let in_file = self.elf.available_at(found.entry).ok()?;
        if size > MAX_BODY.min(in_file) || !self.elf.is_code(found.entry) {
            return None;
        }
        Some(GoFunction {
            name: names.get(found.wanted).copied()?.to_owned(),
            symbol: found.symbol,
            entry_vaddr: found.entry,
            file_offset: self.elf.file_offset(found.entry).ok()?,
            size,
        })
    }

    /// Address and bytes of the function table: by its section, else by its magic in the loaded segments.
    fn function_table(&self) -> Result<(u64, Vec<u8>), GoError> {
        for name in TABLE_SECTIONS {
            if let Some(section) = self.elf.section(name) {
                return Ok((section.vaddr, self.elf.section_bytes(section, "the Go function table")?));
            }
        }
        let vaddr = self.search_table()?.ok_or(GoError::NoFunctionTable)?;
        let size = self.elf.available_at(vaddr)?;
        Ok((vaddr, self.elf.read_vaddr(vaddr, size, "the Go function table")?))
    }

    fn search_table(&self) -> Result<Option<u64>, GoError> {
        let found = self.elf.search(
            |_| true,
            |vaddr, bytes| {
                let first = (vaddr.wrapping_neg() % TABLE_ALIGN) as usize;
                let mut positions = (first..bytes.len()).step_by(TABLE_ALIGN as usize);
                let position = positions.find(|&position| pclntab::looks_like_header(&bytes[position..]));
                position.map(|position| vaddr.wrapping_add(position as u64))
            },
        )?;
        Ok(found)
    }
}
