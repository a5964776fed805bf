//! Struct layouts from a Go program's DWARF, compressed or not.

use std::collections::{BTreeMap, HashSet};

use gimli::{AttributeValue, EndianSlice, LittleEndian};

use crate::facts::elf::{ElfError, ElfFile, MAX_READ, Section};
use crate::go::pclntab::without_vendor;

type Reader<'a> = EndianSlice<'a, LittleEndian>;

const SHF_COMPRESSED: u64 = 1 << 11;
const ELFCOMPRESS_ZLIB: u32 = 1;
/// Header of a compressed section in ELF64 (`Elf64_Chdr`), and that of the older `.zdebug_` form.
const COMPRESSION_HEADER: usize = 24;
const ZDEBUG_HEADER: usize = 12;

/// Why the debugging information of a binary cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DwarfError {
    /// A section cannot be read from the file.
    #[error(transparent)]
    Elf(#[from] ElfError),
    /// A section is compressed in a way other than zlib, or its compressed data is damaged.
    #[error("cannot decompress {0}: {1}")]
    Compression(&'static str, &'static str),
    /// The sections contradict each other.
    #[error("malformed DWARF: {0}")]
    Malformed(#[from] gimli::Error),
}

/// Where the fields of a struct are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StructLayout {
    /// The type, such as `net/http.Request`, without any vendor prefix.
    pub name: String,
    /// Whether the type came from a vendored copy of its package.
    pub vendored: bool,
    /// Size in bytes.
    pub size: u64,
    /// Offset of each field in bytes.
    pub fields: BTreeMap<String, u64>,
}

/// Finds the layouts of the named structs in one pass. Empty if the file has no DWARF. A unit that does not parse is
/// left out; the others still count. It ends as soon as each struct has been found outside a vendored package.
pub fn struct_layouts(elf: &ElfFile, names: &[&str]) -> Result<Vec<StructLayout>, DwarfError> {
    let Some(sections) = Sections::read(elf)? else {
        return Ok(Vec::new());
    };
    let dwarf = sections.dwarf();
    let wanted: HashSet<&str> = names.iter().copied().collect();
    let mut layouts = Vec::new();
    let mut headers = dwarf.units();
    while let Some(header) = headers.next()? {
        let _ = collect_unit(&dwarf, header, &wanted, &mut layouts);
        if layouts.iter().filter(|layout| !layout.vendored).count() >= wanted.len() {
            break;
        }
    }
    Ok(layouts)
}

/// Adds the wanted structs of one unit; what was complete before a decoding error stays.
fn collect_unit<'a>(
    dwarf: &gimli::Dwarf<Reader<'a>>,
    header: gimli::UnitHeader<Reader<'a>>,
    wanted: &HashSet<&str>,
    layouts: &mut Vec<StructLayout>,
) -> Result<(), gimli::Error> {
    // The header is enough: a whole `Unit` would also decode the line program, which is not read at all.
    let abbreviations = dwarf.abbreviations(&header)?;
    let mut entries = header.entries_raw(&abbreviations, None)?;
    let mut open: Option<(isize, StructLayout)> = None;
    while !entries.is_empty() {
        let depth = entries.next_depth();
        if open.as_ref().is_some_and(|(outer, _)| depth <= *outer) {
            layouts.extend(open.take().map(|(_, layout)| layout));
        }
        let Some(abbreviation) = entries.read_abbreviation()? else {
            continue;
        };
        let specifications = abbreviation.attributes();
        match abbreviation.tag() {
            gimli::DW_TAG_structure_type => {
                let attributes = read_attributes(&mut entries, specifications, dwarf, header.encoding())?;
                open = attributes.as_struct(wanted).map(|layout| (depth, layout));
            }
            gimli::DW_TAG_member if open.as_ref().is_some_and(|(outer, _)| depth == outer + 1) => {
                let attributes = read_attributes(&mut entries, specifications, dwarf, header.encoding())?;
                if let (Some((_, layout)), Some((name, offset))) = (&mut open, attributes.as_member()) {
                    layout.fields.insert(name, offset);
                }
            }
            _ => entries.skip_attributes(specifications)?,
        }
    }
    layouts.extend(open.map(|(_, layout)| layout));
    Ok(())
}

/// The attributes that matter of a struct or a member.
#[derive(Default)]
struct Attributes<'a> {
    name: Option<Reader<'a>>,
    size: Option<u64>,
    offset: Option<u64>,
}

impl Attributes<'_> {
    fn as_struct(&self, wanted: &HashSet<&str>) -> Option<StructLayout> {
        let full = self.name?.slice();
        let name = std::str::from_utf8(without_vendor(full)).ok()?;
        if !wanted.contains(name) {
            return None;
        }
        let vendored = name.len() != full.len();
        Some(StructLayout {
            name: name.to_owned(),
            vendored,
            size: self.size?,
            fields: BTreeMap::new(),
        })
    }

    fn as_member(&self) -> Option<(String, u64)> {
        Some((String::from_utf8_lossy(self.name?.slice()).into_owned(), self.offset?))
    }
}

fn read_attributes<'a>(
    entries: &mut gimli::EntriesRaw<'_, '_, Reader<'a>>,
    specifications: &[gimli::AttributeSpecification],
    dwarf: &gimli::Dwarf<Reader<'a>>,
    encoding: gimli::Encoding,
) -> Result<Attributes<'a>, gimli::Error> {
    let mut attributes = Attributes::default();
    for &specification in specifications {
        let attribute = entries.read_attribute(specification)?;
        match attribute.name() {
            gimli::DW_AT_name => attributes.name = text(dwarf, attribute.value()),
            gimli::DW_AT_byte_size => attributes.size = attribute.udata_value(),
            gimli::DW_AT_data_member_location => attributes.offset = member_offset(attribute.value(), encoding),
            _ => {}
        }
    }
    Ok(attributes)
}

/// The text of a name. Forms that go through a unit's string table are not used by Go's compiler, only by C's.
fn text<'a>(dwarf: &gimli::Dwarf<Reader<'a>>, value: AttributeValue<Reader<'a>>) -> Option<Reader<'a>> {
    match value {
        AttributeValue::String(text) => Some(text),
        AttributeValue::DebugStrRef(offset) => dwarf.debug_str.get_str(offset).ok(),
        AttributeValue::DebugLineStrRef(offset) => dwarf.debug_line_str.get_str(offset).ok(),
        _ => None,
    }
}

/// A member's offset: a constant, or (Go before 1.20 or so) the expression `plus_uconst N`.
fn member_offset(value: AttributeValue<Reader<'_>>, encoding: gimli::Encoding) -> Option<u64> {
    if let Some(offset) = value.udata_value() {
        return Some(offset);
    }
    let AttributeValue::Exprloc(expression) = value else {
        return None;
    };
    match expression.operations(encoding).next().ok()?? {
        gimli::Operation::PlusConstant { value } => Some(value),
        gimli::Operation::UnsignedConstant { value } => Some(value),
        _ => None,
    }
}

/// The decompressed sections that naming types takes.
struct Sections {
    info: Vec<u8>,
    abbrev: Vec<u8>,
    strings: Vec<u8>,
    line_strings: Vec<u8>,
}

impl Sections {
    fn read(elf: &ElfFile) -> Result<Option<Self>, DwarfError> {
        let info = debug_section(elf, ".debug_info", ".zdebug_info")?;
        if info.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self {
            info,
            abbrev: debug_section(elf, ".debug_abbrev", ".zdebug_abbrev")?,
            strings: debug_section(elf, ".debug_str", ".zdebug_str")?,
            line_strings: debug_section(elf, ".debug_line_str", ".zdebug_line_str")?,
        }))
    }

    fn dwarf(&self) -> gimli::Dwarf<Reader<'_>> {
        let slice = |bytes| EndianSlice::new(bytes, LittleEndian);
        gimli::Dwarf {
            debug_info: gimli::DebugInfo::from(slice(&self.info)),
            debug_abbrev: gimli::DebugAbbrev::from(slice(&self.abbrev)),
            debug_str: gimli::DebugStr::from(slice(&self.strings)),
            debug_line_str: gimli::DebugLineStr::from(slice(&self.line_strings)),
            ..gimli::Dwarf::default()
        }
    }
}

/// A section by its name, or by the name that Go before 1.19 gave to the compressed form; empty if absent.
fn debug_section(elf: &ElfFile, name: &'static str, compressed: &'static str) -> Result<Vec<u8>, DwarfError> {
    if let Some(section) = elf.section(name) {
        let bytes = elf.section_bytes(section, name)?;
        return if section.flags & SHF_COMPRESSED == 0 {
            Ok(bytes)
        } else {
            inflate_section(&bytes, name)
        };
    }
    let Some(section) = elf.section(compressed) else {
        return Ok(Vec::new());
    };
    inflate_zdebug(elf, section, compressed)
}

fn inflate_section(bytes: &[u8], name: &'static str) -> Result<Vec<u8>, DwarfError> {
    let header = bytes
        .get(..COMPRESSION_HEADER)
        .ok_or(DwarfError::Compression(name, "its header is cut off"))?;
    let kind = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
    if kind != ELFCOMPRESS_ZLIB {
        return Err(DwarfError::Compression(name, "it is not compressed with zlib"));
    }
    inflate(&bytes[COMPRESSION_HEADER..], name)
}

fn inflate_zdebug(elf: &ElfFile, section: &Section, name: &'static str) -> Result<Vec<u8>, DwarfError> {
    let bytes = elf.section_bytes(section, name)?;
    if !bytes.starts_with(b"ZLIB") || bytes.len() < ZDEBUG_HEADER {
        return Err(DwarfError::Compression(name, "its header is wrong"));
    }
    inflate(&bytes[ZDEBUG_HEADER..], name)
}

/// Grows with what is really there, not with the size that the header claims, and stops at the limit.
fn inflate(bytes: &[u8], name: &'static str) -> Result<Vec<u8>, DwarfError> {
    miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(bytes, MAX_READ as usize)
        .map_err(|_| DwarfError::Compression(name, "its data is damaged or too large"))
}
