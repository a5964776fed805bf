//! What one ELF file says about the program in it: learnt once, and then kept under the file's identity.

use object::elf;

use super::{ElfError, ElfFile, Machine, Segment, c_string, word};
use crate::go::build_info::{self, BuildInfo};

const MAX_DYNAMIC: u64 = 64 << 10;
const MAX_STRINGS: u64 = 32 << 20;
const MAX_COMMENT: u64 = 64 << 10;
const MAX_NEEDED: usize = 1024;
const DYNAMIC_ENTRY: usize = 16;
/// How far from its start the prefix of a standard-library path may be cut by the end of a piece.
const COMMIT_LEN: usize = 40;

/// Exported names that tell which runtime is linked into an executable.
pub const MARKER_SYMBOLS: [&str; 5] = [
    "napi_create_function",
    "Py_BytesMain",
    "ruby_process_options",
    "php_module_startup",
    "JNI_CreateJavaVM",
];

/// The facts about an ELF file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElfContents {
    /// The processor.
    pub machine: Machine,
    /// Libraries that the dynamic linker loads first (`DT_NEEDED`).
    pub needed: Vec<String>,
    /// The dynamic linker (`PT_INTERP`); none for a static program.
    pub interpreter: Option<String>,
    /// Compilers that worked on it (`.comment`).
    pub compilers: Vec<String>,
    /// Which of [`MARKER_SYMBOLS`] its dynamic symbol names hold.
    pub markers: Vec<&'static str>,
    /// Go's build information.
    pub go: Option<BuildInfo>,
    /// The compiler commit in the paths of Rust's standard library, which panic messages keep in stripped programs.
    pub rust_commit: Option<String>,
    /// Whether it has the section in which .NET's native compiler puts managed code.
    pub dotnet_native: bool,
    /// Why the section table could not be read, where it could not.
    pub section_error: Option<ElfError>,
}

impl ElfContents {
    /// Reads the facts. What is damaged is left out; the headers themselves have been checked.
    pub fn read(elf: &ElfFile) -> Self {
        let dynamic = Dynamic::read(elf).unwrap_or_default();
        let compilers = compilers(elf);
        let go = build_info::read(elf).ok().flatten();
        // Searching a whole file is only worth it where nothing else has told.
        let rust_commit = if go.is_none() && is_small(elf) {
            rust_commit(elf)
        } else {
            None
        };
        Self {
            machine: elf.machine(),
            interpreter: interpreter(elf),
            markers: MARKER_SYMBOLS.into_iter().filter(|name| dynamic.names(name)).collect(),
            needed: dynamic.needed,
            compilers,
            go,
            rust_commit,
            dotnet_native: elf.section("__managedcode").is_some(),
            section_error: elf.section_error().cloned(),
        }
    }
}

/// Rust programs of more than this exist, but their compiler is in `.comment` unless someone removed it.
fn is_small(elf: &ElfFile) -> bool {
    const SMALL: u64 = 64 << 20;
    elf.size() <= SMALL
}

/// The dynamic section's libraries and names.
#[derive(Default)]
struct Dynamic {
    needed: Vec<String>,
    strings: Vec<u8>,
}

impl Dynamic {
    fn read(elf: &ElfFile) -> Result<Self, ElfError> {
        let Some(segment) = elf.segments().iter().find(|segment| segment.kind == elf::PT_DYNAMIC) else {
            return Ok(Self::default());
        };
        let bytes = elf.read_at(
            segment.offset,
            segment.file_size.min(MAX_DYNAMIC),
            "the dynamic section",
        )?;
        let entries = || {
            bytes
                .chunks_exact(DYNAMIC_ENTRY)
                .map(|entry| (word(entry, 0), word(entry, 8)))
        };
        let value = |tag: u32| {
            entries()
                .find(|&(found, _)| found == u64::from(tag))
                .map(|(_, value)| value)
        };
        let (Some(at), Some(size)) = (value(elf::DT_STRTAB), value(elf::DT_STRSZ)) else {
            return Ok(Self::default());
        };
        let strings = elf.read_vaddr(at, size.min(MAX_STRINGS), "the dynamic strings")?;
        let needed = entries()
            .filter(|&(tag, _)| tag == u64::from(elf::DT_NEEDED))
            .filter_map(|(_, offset)| c_string(&strings, usize::try_from(offset).ok()?))
            .take(MAX_NEEDED)
            .collect();
        Ok(Self { needed, strings })
    }

    /// Whether a dynamic symbol (or a library) has exactly this name.
    fn names(&self, name: &str) -> bool {
        memchr::memmem::find_iter(&self.strings, name).any(|at| {
            let before = at.checked_sub(1).map(|before| self.strings[before]);
            before == Some(0) && self.strings.get(at + name.len()) == Some(&0)
        })
    }
}

fn interpreter(elf: &ElfFile) -> Option<String> {
    let segment = elf.segments().iter().find(|segment| segment.kind == elf::PT_INTERP)?;
    let bytes = elf
        .read_at(segment.offset, segment.file_size.min(4096), "the interpreter's name")
        .ok()?;
    c_string(&bytes, 0)
}

fn compilers(elf: &ElfFile) -> Vec<String> {
    let Some(section) = elf.section(".comment") else {
        return Vec::new();
    };
    if section.size > MAX_COMMENT {
        return Vec::new();
    }
    let bytes = elf
        .section_bytes(section, "the compilers' comments")
        .unwrap_or_default();
    let texts = bytes.split(|&byte| byte == 0).filter(|text| !text.is_empty());
    texts.map(|text| String::from_utf8_lossy(text).into_owned()).collect()
}

/// `/rustc/<commit>/library/` in the constants.
fn rust_commit(elf: &ElfFile) -> Option<String> {
    let finder = memchr::memmem::Finder::new("/rustc/");
    let constants = |segment: &Segment| !segment.is_data();
    let found = elf.search(constants, |_, bytes| {
        finder.find_iter(bytes).find_map(|at| {
            let rest = &bytes[at + 7..];
            let commit = rest.get(..COMMIT_LEN)?;
            let is_commit = commit.iter().all(u8::is_ascii_hexdigit) && rest[COMMIT_LEN..].starts_with(b"/library/");
            is_commit.then(|| String::from_utf8_lossy(commit).into_owned())
        })
    });
    found.ok().flatten()
}
