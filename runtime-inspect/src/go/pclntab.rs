//! Go's function table (`.gopclntab`), which survives stripping: function names and where each begins and ends.
//!
//! Format: `runtime/symtab.go` and `debug/gosym/pclntab.go` of the Go source. Four layouts exist, told apart by their
//! magic: Go 1.2, 1.16, 1.18 and 1.20. A wrong entry is skipped and counted; it never loses the rest of the table.

use std::collections::HashMap;

const MAGIC_1_2: u32 = 0xffff_fffb;
const MAGIC_1_16: u32 = 0xffff_fffa;
const MAGIC_1_18: u32 = 0xffff_fff0;
const MAGIC_1_20: u32 = 0xffff_fff1;
/// Twenty times the functions of the largest Go programs known.
const MAX_FUNCTIONS: u64 = 10_000_000;
/// Longer names come from deeply nested generics, which no probe wants.
const MAX_NAME: usize = 4096;

/// Why a function table cannot be read at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PclntabError {
    /// The table begins with no known magic.
    #[error("unknown magic {0:#010x} of the Go function table")]
    UnknownMagic(u32),
    /// The header names a pointer size or instruction size that no 64-bit Go has.
    #[error("the header of the Go function table is wrong: {0}")]
    BadHeader(&'static str),
    /// A part of the table lies outside it.
    #[error("the Go function table is truncated: {0} lies outside its {1} bytes")]
    Truncated(&'static str, usize),
}

/// The layouts of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layout {
    /// Go 1.2 to 1.15.
    Go12,
    /// Go 1.16 and 1.17.
    Go116,
    /// Go 1.18 and 1.19.
    Go118,
    /// Go 1.20 and later.
    Go120,
}

/// The decoded header: offsets into the table, all checked to lie within it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Which layout the magic names.
    pub layout: Layout,
    /// Size of a pointer, always 8 here.
    pub pointer_size: usize,
    /// Number of functions.
    pub functions: usize,
    /// Offset of the names.
    pub names: usize,
    /// Offset of the function descriptions and, where the layout has it so, of the sorted index.
    pub descriptions: usize,
    /// Offset of the sorted index of functions.
    pub index: usize,
    /// Where the header keeps the text start (offset in the table) and what the file holds there: Go 1.18 to 1.25.
    pub text_start: Option<(u64, u64)>,
    /// The first function's offset from the text start, for layouts that hold offsets.
    pub first_entry: Option<u32>,
}

impl Header {
    /// Decodes the header at the start of `table`.
    pub fn parse(table: &[u8]) -> Result<Self, PclntabError> {
        let truncated = |what| PclntabError::Truncated(what, table.len());
        let magic = word(table, 0, 4).ok_or(truncated("the header"))? as u32;
        let layout = match magic {
            MAGIC_1_2 => Layout::Go12,
            MAGIC_1_16 => Layout::Go116,
            MAGIC_1_18 => Layout::Go118,
            MAGIC_1_20 => Layout::Go120,
            other => return Err(PclntabError::UnknownMagic(other)),
        };
        check_fixed_bytes(table.get(..8).ok_or(truncated("the header"))?)?;
        let pointer_size = 8;
        let field = |index: usize| word(table, 8 + index * pointer_size, pointer_size).ok_or(truncated("the header"));
        let functions = field(0)?;
        if functions > MAX_FUNCTIONS {
            return Err(PclntabError::BadHeader("it counts more than ten million functions"));
        }
        let offset = |index: usize, what| -> Result<usize, PclntabError> {
            let value = field(index)?;
            usize::try_from(value)
                .ok()
                .filter(|&value| value <= table.len())
                .ok_or(truncated(what))
        };
        let (names, descriptions, index) = match layout {
            Layout::Go12 => (0, 0, 8 + pointer_size),
            Layout::Go116 => {
                let index = offset(6, "the function index")?;
                (offset(2, "the function names")?, index, index)
            }
            Layout::Go118 | Layout::Go120 => {
                let index = offset(7, "the function index")?;
                (offset(3, "the function names")?, index, index)
            }
        };
        let relative = layout >= Layout::Go118;
        let header = Self {
            layout,
            pointer_size,
            functions: functions as usize,
            names,
            descriptions,
            index,
            text_start: if relative {
                Some((8 + 2 * pointer_size as u64, field(2)?))
            } else {
                None
            },
            first_entry: if relative {
                word(table, index, 4).map(|value| value as u32)
            } else {
                None
            },
        };
        let end = header
            .functions
            .checked_mul(2 * header.entry_size())
            .and_then(|size| size.checked_add(index));
        match end.and_then(|end| end.checked_add(header.entry_size())) {
            Some(end) if end <= table.len() => Ok(header),
            _ => Err(truncated("the function index")),
        }
    }

    /// Size of one of the two words of an entry of the index.
    fn entry_size(&self) -> usize {
        if self.layout >= Layout::Go118 {
            4
        } else {
            self.pointer_size
        }
    }
}

fn check_fixed_bytes(header: &[u8]) -> Result<(), PclntabError> {
    if header[4] != 0 || header[5] != 0 {
        return Err(PclntabError::BadHeader("its padding is not zero"));
    }
    if !matches!(header[6], 1 | 2 | 4) {
        return Err(PclntabError::BadHeader("its instruction size is not 1, 2 or 4"));
    }
    if header[7] != 8 {
        return Err(PclntabError::BadHeader("its pointer size is not 8"));
    }
    Ok(())
}

/// Whether a function table may begin here: used where there is no section table to say so.
pub fn looks_like_header(bytes: &[u8]) -> bool {
    let magic = word(bytes, 0, 4).map(|magic| magic as u32);
    matches!(magic, Some(MAGIC_1_2 | MAGIC_1_16 | MAGIC_1_18 | MAGIC_1_20))
        && bytes.get(..8).is_some_and(|header| check_fixed_bytes(header).is_ok())
}

/// A function found in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Which of the wanted names it is.
    pub wanted: usize,
    /// The name in the table, with any vendor prefix.
    pub symbol: String,
    /// Address of its first byte.
    pub entry: u64,
    /// Address after its last byte (padding included).
    pub end: u64,
}

/// The result of a pass over the table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lookup {
    /// The wanted functions, in order of address; a vendored copy is one more of the same name.
    pub found: Vec<Found>,
    /// Entries that point outside the table and were skipped.
    pub damaged: usize,
}

/// Finds the functions with one of the names in one pass. `text_start` is added where the layout holds offsets;
/// `pointer` turns (offset in the table, value in the file) into an address where it holds addresses.
pub fn find(
    table: &[u8],
    header: &Header,
    text_start: u64,
    pointer: impl Fn(u64, u64) -> u64,
    wanted: &[&str],
) -> Lookup {
    let by_name: HashMap<&[u8], usize> = wanted
        .iter()
        .enumerate()
        .map(|(index, name)| (name.as_bytes(), index))
        .collect();
    let endings = Endings::of(wanted);
    let address = |index: usize| entry_address(table, header, text_start, &pointer, index);
    let mut lookup = Lookup::default();
    for index in 0..header.functions {
        let Some(symbol) = symbol(table, header, index) else {
            lookup.damaged += 1;
            continue;
        };
        if !endings.may_match(symbol) {
            continue;
        }
        let Some(&which) = by_name.get(without_vendor(symbol)) else {
            continue;
        };
        match (address(index), address(index + 1)) {
            (Some(entry), Some(end)) if entry < end => {
                let symbol = String::from_utf8_lossy(symbol).into_owned();
                lookup.found.push(Found {
                    wanted: which,
                    symbol,
                    entry,
                    end,
                });
            }
            _ => lookup.damaged += 1,
        }
    }
    lookup
}

/// The names of all functions, in order of address; damaged entries are left out.
pub fn symbols<'a>(table: &'a [u8], header: &'a Header) -> impl Iterator<Item = &'a [u8]> + 'a {
    (0..header.functions).filter_map(|index| symbol(table, header, index))
}

/// The last bytes of the wanted names: nearly every other name is told from them by these alone, without looking for a
/// vendor prefix and without hashing it.
struct Endings(Vec<u64>);

impl Endings {
    fn of(wanted: &[&str]) -> Self {
        Self(wanted.iter().map(|name| Self::ending(name.as_bytes())).collect())
    }

    fn may_match(&self, symbol: &[u8]) -> bool {
        self.0.contains(&Self::ending(symbol))
    }

    /// The last eight bytes as a number; names shorter than that are all alike.
    fn ending(name: &[u8]) -> u64 {
        name.last_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }
}

/// The address in word 0 of an entry of the index.
fn entry_address(
    table: &[u8],
    header: &Header,
    text_start: u64,
    pointer: &impl Fn(u64, u64) -> u64,
    index: usize,
) -> Option<u64> {
    let size = header.entry_size();
    let at = header.index + index * 2 * size;
    let value = word(table, at, size)?;
    if header.layout >= Layout::Go118 {
        text_start.checked_add(value)
    } else {
        Some(pointer(at as u64, value))
    }
}

/// The name of a function: index entry -> description -> name.
fn symbol<'a>(table: &'a [u8], header: &Header, index: usize) -> Option<&'a [u8]> {
    let size = header.entry_size();
    let description = word(table, header.index + (index * 2 + 1) * size, size)?;
    // The description begins with the entry address (a pointer) or offset (4 bytes), then the name's offset.
    let entry_width = if header.layout >= Layout::Go118 {
        4
    } else {
        header.pointer_size
    };
    let at = header
        .descriptions
        .checked_add(usize::try_from(description).ok()?)?
        .checked_add(entry_width)?;
    let name = header.names.checked_add(word(table, at, 4)? as usize)?;
    let rest = table.get(name..)?;
    let end = memchr::memchr(0, &rest[..rest.len().min(MAX_NAME)])?;
    Some(&rest[..end])
}

/// Drops everything up to the last `vendor/` path element: copies of a package are the same package to a probe.
pub fn without_vendor(symbol: &[u8]) -> &[u8] {
    if let Some(position) = memchr::memmem::rfind(symbol, b"/vendor/") {
        return &symbol[position + b"/vendor/".len()..];
    }
    symbol.strip_prefix(b"vendor/").unwrap_or(symbol)
}

/// A little-endian unsigned number of `size` (at most 8) bytes.
pub(crate) fn word(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(size)?)?;
    let mut value = [0; 8];
    value[..size].copy_from_slice(bytes);
    Some(u64::from_le_bytes(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendor_prefixes_are_dropped() {
        let check = |symbol: &str, expected: &str| assert_eq!(without_vendor(symbol.as_bytes()), expected.as_bytes());
        check(
            "golang.org/x/net/http2.(*Framer).WriteData",
            "golang.org/x/net/http2.(*Framer).WriteData",
        );
        check("vendor/golang.org/x/net/idna.f", "golang.org/x/net/idna.f");
        check(
            "example.com/a/vendor/golang.org/x/net/http2.f",
            "golang.org/x/net/http2.f",
        );
        check("example.com/a/vendor/b/vendor/c.f", "c.f");
        check("example.com/myvendor/c.f", "example.com/myvendor/c.f");
    }

    #[test]
    fn a_header_that_counts_too_much_is_refused() {
        let mut table = vec![0u8; 128];
        table[..4].copy_from_slice(&MAGIC_1_20.to_le_bytes());
        table[6] = 1;
        table[7] = 8;
        table[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(matches!(Header::parse(&table), Err(PclntabError::BadHeader(_))));
        table[8..16].copy_from_slice(&1000u64.to_le_bytes());
        assert!(matches!(
            Header::parse(&table),
            Err(PclntabError::Truncated("the function index", 128))
        ));
        assert_eq!(
            Header::parse(&[0x7f, b'E', b'L', b'F']),
            Err(PclntabError::UnknownMagic(0x464c_457f))
        );
    }
}
