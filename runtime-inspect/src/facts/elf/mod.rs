//! A bounded reader of 64-bit little-endian ELF files.
//!
//! It reads the headers once and everything else on demand by `pread`, so a binary of a gigabyte costs only what is
//! asked of it. Segments are what the kernel loads and therefore must make sense; the section table is only for
//! debuggers, may lie or be missing, and its error is kept aside in [`ElfFile::section_error`].
//! Format: the System V gABI, "Object Files".

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

pub mod contents;
mod error;
mod identity;

pub use error::{ElfError, Machine};
pub use identity::{BuildId, ElfIdentity};

use object::LittleEndian;
use object::elf;
use object::pod;

/// No single read of a target's file is larger than this; the largest function tables seen are half of it.
pub const MAX_READ: u64 = 256 << 20;
/// Executables have a dozen program headers; the format would allow 65535.
const MAX_SEGMENTS: u64 = 1024;
/// Executables have some forty sections; with `-ffunction-sections` kept, thousands.
const MAX_SECTIONS: u64 = 32 * 1024;
const MAX_SECTION_NAMES: u64 = 8 << 20;

/// A loaded part of the file (`PT_LOAD`) or one that describes the load (`PT_DYNAMIC`, `PT_NOTE`, ...).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// `p_type`.
    pub kind: u32,
    /// `p_flags`.
    pub flags: u32,
    /// Offset in the file.
    pub offset: u64,
    /// Address when loaded at bias 0.
    pub vaddr: u64,
    /// Bytes in the file.
    pub file_size: u64,
    /// Bytes in memory.
    pub mem_size: u64,
}

impl Segment {
    /// Whether the segment is loaded and executable.
    pub fn is_code(&self) -> bool {
        self.kind == elf::PT_LOAD && self.flags & elf::PF_X != 0
    }

    /// Whether the segment is loaded and writable.
    pub fn is_data(&self) -> bool {
        self.kind == elf::PT_LOAD && self.flags & elf::PF_W != 0
    }

    fn holds(&self, vaddr: u64) -> bool {
        self.kind == elf::PT_LOAD
            && vaddr
                .checked_sub(self.vaddr)
                .is_some_and(|delta| delta < self.file_size)
    }
}

/// One entry of the section table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its name, such as `.text`.
    pub name: String,
    /// `sh_type`.
    pub kind: u32,
    /// `sh_flags`.
    pub flags: u64,
    /// Address when loaded at bias 0, or 0.
    pub vaddr: u64,
    /// Offset in the file.
    pub offset: u64,
    /// Size in bytes.
    pub size: u64,
}

/// An open ELF file whose headers have been checked.
#[derive(Debug)]
pub struct ElfFile {
    file: File,
    identity: ElfIdentity,
    machine: Machine,
    position_independent: bool,
    segments: Vec<Segment>,
    sections: Vec<Section>,
    section_error: Option<ElfError>,
}

impl ElfFile {
    /// Opens the file at `path`. A FIFO or device there is refused without blocking.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ElfError> {
        let nonblock = rustix::fs::OFlags::NONBLOCK.bits() as i32;
        let file = File::options().read(true).custom_flags(nonblock).open(path)?;
        Self::from_file(file)
    }

    /// Takes over a file that is already open; its position is not used.
    pub fn from_file(file: File) -> Result<Self, ElfError> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(ElfError::NotRegular);
        }
        let identity = ElfIdentity::of_file(&metadata);
        let header = read_header(&file, identity.size)?;
        let mut this = Self {
            file,
            identity,
            machine: Machine(header.e_machine.get(LittleEndian)),
            position_independent: header.e_type.get(LittleEndian) == elf::ET_DYN,
            segments: Vec::new(),
            sections: Vec::new(),
            section_error: None,
        };
        this.segments = this.read_segments(&header)?;
        this.identity.build_id = BuildId::read(&this);
        match this.read_sections(&header) {
            Ok(sections) => this.sections = sections,
            Err(error) => this.section_error = Some(error),
        }
        Ok(this)
    }

    /// The key under which results about this file may be cached.
    pub fn identity(&self) -> &ElfIdentity {
        &self.identity
    }

    /// The processor the file is for.
    pub fn machine(&self) -> Machine {
        self.machine
    }

    /// Fails unless the file is for the processor of this build.
    pub fn require_host_machine(&self) -> Result<(), ElfError> {
        let expected = Machine::host();
        if self.machine == expected {
            Ok(())
        } else {
            Err(ElfError::OtherMachine {
                found: self.machine,
                expected,
            })
        }
    }

    /// Whether the file is loaded at an address of the kernel's choice (`ET_DYN`: PIE or shared library).
    pub fn position_independent(&self) -> bool {
        self.position_independent
    }

    /// Size of the file in bytes.
    pub fn size(&self) -> u64 {
        self.identity.size
    }

    /// The program headers.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The sections, empty if the table is missing or wrong.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The open file itself, for whoever attaches to it: a path could come to mean another.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Why there are no sections although the header promises some.
    pub fn section_error(&self) -> Option<&ElfError> {
        self.section_error.as_ref()
    }

    /// The section of that name.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// Reads `len` bytes at `offset`; `what` names them in an error. Nothing is allocated before the bounds are checked.
    pub fn read_at(&self, offset: u64, len: u64, what: &'static str) -> Result<Vec<u8>, ElfError> {
        read_bounded(&self.file, self.identity.size, offset, len, what)
    }

    /// Reads the bytes of a section as they are in the file, compressed or not.
    pub fn section_bytes(&self, section: &Section, what: &'static str) -> Result<Vec<u8>, ElfError> {
        if section.kind == elf::SHT_NOBITS {
            return Ok(Vec::new());
        }
        self.read_at(section.offset, section.size, what)
    }

    /// Reads `len` bytes at an address, which must all be in one loaded segment of the file.
    pub fn read_vaddr(&self, vaddr: u64, len: u64, what: &'static str) -> Result<Vec<u8>, ElfError> {
        let segment = self.segment_at(vaddr)?;
        let within = vaddr - segment.vaddr;
        if len > segment.file_size - within {
            return Err(ElfError::Unmapped(vaddr.saturating_add(len)));
        }
        self.read_at(segment.offset.saturating_add(within), len, what)
    }

    /// Reads up to `len` bytes at an address: fewer where the segment ends.
    pub fn read_vaddr_up_to(&self, vaddr: u64, len: u64, what: &'static str) -> Result<Vec<u8>, ElfError> {
        let available = self.available_at(vaddr)?;
        self.read_vaddr(vaddr, len.min(available), what)
    }

    /// How many bytes the file holds from `vaddr` to the end of its segment.
    pub fn available_at(&self, vaddr: u64) -> Result<u64, ElfError> {
        let segment = self.segment_at(vaddr)?;
        let in_file = self
            .size()
            .saturating_sub(segment.offset.saturating_add(vaddr - segment.vaddr));
        Ok((segment.file_size - (vaddr - segment.vaddr)).min(in_file))
    }

    /// Searches the file-backed bytes of some loaded segments in pieces, until `look` finds something. Each piece
    /// overlaps the next by 256 bytes, so what is shorter lies whole in one of them. Overlapping segments cannot make
    /// this long: after [`MAX_READ`] bytes it ends.
    pub fn search<T>(
        &self,
        segments: impl Fn(&Segment) -> bool,
        mut look: impl FnMut(u64, &[u8]) -> Option<T>,
    ) -> Result<Option<T>, ElfError> {
        const PIECE: u64 = 1 << 20;
        const OVERLAP: u64 = 256;
        let mut budget = MAX_READ;
        for segment in self
            .segments
            .iter()
            .filter(|segment| segment.kind == elf::PT_LOAD && segments(segment))
        {
            let in_file = self.size().saturating_sub(segment.offset).min(segment.file_size);
            let mut done = 0;
            while done < in_file && budget > 0 {
                let vaddr = segment.vaddr.wrapping_add(done);
                let len = (PIECE - vaddr % PIECE).min(in_file - done).min(budget);
                let read = (len + OVERLAP).min(in_file - done);
                let bytes = self.read_at(segment.offset + done, read, "a loaded segment")?;
                if let Some(found) = look(vaddr, &bytes) {
                    return Ok(Some(found));
                }
                done += len;
                budget -= len;
            }
        }
        Ok(None)
    }

    /// The offset in the file of an address: what a uprobe is attached to.
    pub fn file_offset(&self, vaddr: u64) -> Result<u64, ElfError> {
        let segment = self.segment_at(vaddr)?;
        segment
            .offset
            .checked_add(vaddr - segment.vaddr)
            .ok_or(ElfError::Malformed("segment offset overflows"))
    }

    /// Whether the address is in executable code.
    pub fn is_code(&self, vaddr: u64) -> bool {
        self.segments
            .iter()
            .any(|segment| segment.is_code() && segment.holds(vaddr))
    }

    fn segment_at(&self, vaddr: u64) -> Result<&Segment, ElfError> {
        self.segments
            .iter()
            .find(|segment| segment.holds(vaddr))
            .ok_or(ElfError::Unmapped(vaddr))
    }

    fn read_segments(&self, header: &elf::FileHeader64<LittleEndian>) -> Result<Vec<Segment>, ElfError> {
        let count = u64::from(header.e_phnum.get(LittleEndian));
        if count == 0 {
            return Ok(Vec::new());
        }
        if usize::from(header.e_phentsize.get(LittleEndian)) != size_of::<elf::ProgramHeader64<LittleEndian>>() {
            return Err(ElfError::Malformed("the program header size is not that of ELF64"));
        }
        limit("the program header table", count, MAX_SEGMENTS)?;
        let size = count * size_of::<elf::ProgramHeader64<LittleEndian>>() as u64;
        let bytes = self.read_at(header.e_phoff.get(LittleEndian), size, "the program header table")?;
        let headers = pod_slice::<elf::ProgramHeader64<LittleEndian>>(&bytes)?;
        headers.iter().map(segment_of).map(checked_segment).collect()
    }

    fn read_sections(&self, header: &elf::FileHeader64<LittleEndian>) -> Result<Vec<Section>, ElfError> {
        let offset = header.e_shoff.get(LittleEndian);
        if offset == 0 {
            return Ok(Vec::new());
        }
        let entry = size_of::<elf::SectionHeader64<LittleEndian>>() as u64;
        if u64::from(header.e_shentsize.get(LittleEndian)) != entry {
            return Err(ElfError::Malformed("the section header size is not that of ELF64"));
        }
        // More than 65279 sections are counted in the first entry; an executable never has so many.
        let count = u64::from(header.e_shnum.get(LittleEndian));
        limit("the section table", count, MAX_SECTIONS)?;
        let bytes = self.read_at(offset, count * entry, "the section table")?;
        let headers = pod_slice::<elf::SectionHeader64<LittleEndian>>(&bytes)?;
        let names = self.read_section_names(header, headers)?;
        Ok(headers.iter().map(|header| section_of(header, &names)).collect())
    }

    fn read_section_names(
        &self,
        header: &elf::FileHeader64<LittleEndian>,
        sections: &[elf::SectionHeader64<LittleEndian>],
    ) -> Result<Vec<u8>, ElfError> {
        let index = usize::from(header.e_shstrndx.get(LittleEndian));
        let Some(names) = sections.get(index) else {
            return Err(ElfError::Malformed("the section table has no names"));
        };
        let size = names.sh_size.get(LittleEndian);
        limit("the section names", size, MAX_SECTION_NAMES)?;
        self.read_at(names.sh_offset.get(LittleEndian), size, "the section names")
    }
}

fn read_header(file: &File, size: u64) -> Result<elf::FileHeader64<LittleEndian>, ElfError> {
    let magic = read_bounded(file, size, 0, 6, "the ELF identification").map_err(|error| match error {
        ElfError::Truncated { .. } => ElfError::NotElf,
        other => other,
    })?;
    if magic[..4] != elf::ELFMAG {
        return Err(ElfError::NotElf);
    }
    if magic[4] == elf::ELFCLASS32 {
        return Err(ElfError::Class32);
    }
    if magic[5] == elf::ELFDATA2MSB {
        return Err(ElfError::BigEndian);
    }
    let bytes = read_bounded(
        file,
        size,
        0,
        size_of::<elf::FileHeader64<LittleEndian>>() as u64,
        "the ELF header",
    )?;
    let (header, _) = pod::from_bytes::<elf::FileHeader64<LittleEndian>>(&bytes)
        .map_err(|()| ElfError::Malformed("the ELF header is too short"))?;
    Ok(*header)
}

fn read_bounded(file: &File, size: u64, offset: u64, len: u64, what: &'static str) -> Result<Vec<u8>, ElfError> {
    if offset.checked_add(len).is_none_or(|end| end > size) {
        return Err(ElfError::Truncated {
            what,
            offset,
            len,
            size,
        });
    }
    limit(what, len, MAX_READ)?;
    let mut bytes = vec![0; len as usize];
    match file.read_exact_at(&mut bytes, offset) {
        Ok(()) => Ok(bytes),
        // The file shrank after its size was read.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(ElfError::Truncated {
            what,
            offset,
            len,
            size: file.metadata()?.len(),
        }),
        Err(error) => Err(error.into()),
    }
}

fn limit(what: &'static str, len: u64, limit: u64) -> Result<(), ElfError> {
    if len > limit {
        Err(ElfError::TooLarge { what, len, limit })
    } else {
        Ok(())
    }
}

/// The bytes as a table of `T`, whose alignment is 1; a remainder is ignored.
fn pod_slice<T: pod::Pod>(bytes: &[u8]) -> Result<&[T], ElfError> {
    pod::slice_from_all_bytes(bytes).map_err(|()| ElfError::Malformed("a table is not a whole number of entries"))
}

fn segment_of(header: &elf::ProgramHeader64<LittleEndian>) -> Segment {
    Segment {
        kind: header.p_type.get(LittleEndian),
        flags: header.p_flags.get(LittleEndian),
        offset: header.p_offset.get(LittleEndian),
        vaddr: header.p_vaddr.get(LittleEndian),
        file_size: header.p_filesz.get(LittleEndian),
        mem_size: header.p_memsz.get(LittleEndian),
    }
}

/// From here on, addresses and offsets within a segment can be added up without overflow.
fn checked_segment(segment: Segment) -> Result<Segment, ElfError> {
    let ends = [
        segment.vaddr.checked_add(segment.mem_size.max(segment.file_size)),
        segment.offset.checked_add(segment.file_size),
    ];
    if ends.contains(&None) {
        Err(ElfError::Malformed("a segment ends beyond the largest address"))
    } else {
        Ok(segment)
    }
}

fn section_of(header: &elf::SectionHeader64<LittleEndian>, names: &[u8]) -> Section {
    let start = header.sh_name.get(LittleEndian) as usize;
    Section {
        name: c_string(names, start).unwrap_or_default(),
        kind: header.sh_type.get(LittleEndian),
        flags: header.sh_flags.get(LittleEndian),
        vaddr: header.sh_addr.get(LittleEndian),
        offset: header.sh_offset.get(LittleEndian),
        size: header.sh_size.get(LittleEndian),
    }
}

/// The NUL-terminated string at `start`, at most 4 KiB of it.
pub(crate) fn c_string(bytes: &[u8], start: usize) -> Option<String> {
    let rest = bytes.get(start..)?;
    let rest = &rest[..rest.len().min(4096)];
    let end = memchr::memchr(0, rest).unwrap_or(rest.len());
    Some(String::from_utf8_lossy(&rest[..end]).into_owned())
}

/// The little-endian word at `at`, which the caller knows to be there.
pub(crate) fn word(bytes: &[u8], at: usize) -> u64 {
    let mut value = [0; 8];
    value.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(value)
}
