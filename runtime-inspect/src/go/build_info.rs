//! Go's build information: what `go version -m` prints, read from the binary without the Go toolchain.
//!
//! Format: `debug/buildinfo` of the Go source. A 32-byte header at a 16-byte boundary, then (Go 1.18 and later) two
//! strings with a varint length, or (before) pointers to two Go strings.

use crate::facts::elf::{ElfError, ElfFile, word};
use crate::go::relocations::Relocations;

const MAGIC: &[u8; 14] = b"\xff Go buildinf:";
const ALIGN: usize = 16;
const HEADER: usize = 32;
/// The blob lies at the start of the data segment; no linker puts more than a few bytes before it.
const SEARCH: u64 = 1 << 20;
/// A version is a few dozen bytes.
const MAX_VERSION: u64 = 4096;
/// Two thousand modules with long paths are under 1 MiB.
const MAX_MODULES_TEXT: u64 = 4 << 20;
const MAX_MODULES: usize = 20_000;
const INLINE_STRINGS: u8 = 0x2;
const BIG_ENDIAN: u8 = 0x1;

/// One module that the binary was built from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Its path, such as `google.golang.org/grpc`.
    pub path: String,
    /// Its version, such as `v1.82.1`; `(devel)` for the main module. Of a replaced module: the replacement's.
    pub version: String,
    /// The path that replaces it, if it is replaced.
    pub replaced_by: Option<String>,
}

/// What the Go linker wrote about the build.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildInfo {
    /// Such as `go1.26.8`.
    pub go_version: String,
    /// Import path of the main package.
    pub main_path: Option<String>,
    /// The main module first, then its dependencies, as listed.
    pub modules: Vec<Module>,
    /// Build settings such as `CGO_ENABLED=1` and `-ldflags=...`.
    pub settings: Vec<(String, String)>,
}

impl BuildInfo {
    /// The value of a build setting.
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.settings
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, value)| value.as_str())
    }

    /// The version of a module.
    pub fn module_version(&self, path: &str) -> Option<&str> {
        self.modules
            .iter()
            .find(|module| module.path == path)
            .map(|module| module.version.as_str())
    }
}

/// Finds and decodes the build information; `None` if the file is not a Go program.
pub fn read(elf: &ElfFile) -> Result<Option<BuildInfo>, ElfError> {
    let Some((vaddr, header)) = find_header(elf)? else {
        return Ok(None);
    };
    let flags = header[15];
    let texts = if flags & INLINE_STRINGS != 0 {
        inline_texts(elf, vaddr)?
    } else {
        pointed_texts(elf, vaddr, &header)?
    };
    let Some((version, modules)) = texts else {
        return Ok(None);
    };
    let mut info = parse_modules(unframe(&modules));
    info.go_version = String::from_utf8_lossy(&version).into_owned();
    Ok((!info.go_version.is_empty()).then_some(info))
}

/// Address and bytes of the header: at the start of its section, or of the first writable segment.
fn find_header(elf: &ElfFile) -> Result<Option<(u64, Vec<u8>)>, ElfError> {
    let section = elf.section(".go.buildinfo").map(|section| section.vaddr);
    let segments = elf
        .segments()
        .iter()
        .filter(|segment| segment.is_data())
        .map(|segment| segment.vaddr);
    for start in section.into_iter().chain(segments) {
        let Some(aligned) = start.checked_next_multiple_of(ALIGN as u64) else {
            continue;
        };
        let Ok(bytes) = elf.read_vaddr_up_to(aligned, SEARCH, "the Go build information") else {
            continue;
        };
        if let Some(position) = find_magic(&bytes) {
            return Ok(Some((
                aligned + position as u64,
                bytes[position..position + HEADER].to_vec(),
            )));
        }
    }
    Ok(None)
}

/// The first aligned occurrence that has room for a header.
fn find_magic(bytes: &[u8]) -> Option<usize> {
    memchr::memmem::find_iter(bytes, MAGIC).find(|position| position % ALIGN == 0 && bytes.len() - position >= HEADER)
}

type Texts = Option<(Vec<u8>, Vec<u8>)>;

fn inline_texts(elf: &ElfFile, header: u64) -> Result<Texts, ElfError> {
    let limit = HEADER as u64 + MAX_VERSION + MAX_MODULES_TEXT;
    let bytes = elf.read_vaddr_up_to(header, limit, "the Go build information")?;
    Ok(decode_inline(&bytes[HEADER.min(bytes.len())..]))
}

/// Two strings, each after its length as a varint.
pub fn decode_inline(bytes: &[u8]) -> Texts {
    let (version, rest) = counted(bytes, MAX_VERSION)?;
    let modules = counted(rest, MAX_MODULES_TEXT)
        .map(|(modules, _)| modules.to_vec())
        .unwrap_or_default();
    Some((version.to_vec(), modules))
}

fn counted(bytes: &[u8], limit: u64) -> Option<(&[u8], &[u8])> {
    let (len, rest) = varint(bytes)?;
    if len > limit || len > rest.len() as u64 {
        return None;
    }
    Some(rest.split_at(len as usize))
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    for (index, byte) in bytes.iter().take(9).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}

/// Before Go 1.18: the header holds two pointers to Go strings (pointer and length).
fn pointed_texts(elf: &ElfFile, vaddr: u64, header: &[u8]) -> Result<Texts, ElfError> {
    if header[14] != 8 || header[15] & BIG_ENDIAN != 0 {
        return Ok(None);
    }
    let relocations = Relocations::read(elf)?;
    let string = |offset: u64, limit: u64| {
        let at = relocations.pointer(vaddr + offset, word(header, offset as usize));
        go_string(elf, &relocations, at, limit)
    };
    let Some(version) = string(16, MAX_VERSION) else {
        return Ok(None);
    };
    let modules = string(24, MAX_MODULES_TEXT).unwrap_or_default();
    Ok(Some((version, modules)))
}

fn go_string(elf: &ElfFile, relocations: &Relocations, at: u64, limit: u64) -> Option<Vec<u8>> {
    let header = elf.read_vaddr(at, 16, "a Go string").ok()?;
    let (data, len) = (relocations.pointer(at, word(&header, 0)), word(&header, 8));
    if len > limit {
        return None;
    }
    elf.read_vaddr(data, len, "a Go string").ok()
}

/// The module text lies between two 16-byte sentinels.
fn unframe(text: &[u8]) -> &[u8] {
    if text.len() >= 33 && text[text.len() - 17] == b'\n' {
        &text[16..text.len() - 16]
    } else {
        &[]
    }
}

/// Parses the lines `path`, `mod`, `dep`, `=>` and `build`; unknown lines are skipped.
pub fn parse_modules(text: &[u8]) -> BuildInfo {
    let text = String::from_utf8_lossy(text);
    let mut info = BuildInfo::default();
    for line in text.lines() {
        let mut parts = line.split('\t');
        match (parts.next(), parts.next()) {
            (Some("path"), Some(path)) => info.main_path = Some(path.to_owned()),
            (Some("mod" | "dep"), Some(path)) if info.modules.len() < MAX_MODULES => {
                let version = parts.next().unwrap_or_default().to_owned();
                info.modules.push(Module {
                    path: path.to_owned(),
                    version,
                    replaced_by: None,
                });
            }
            (Some("=>"), Some(path)) => {
                let version = parts.next().unwrap_or_default();
                replace_last(&mut info.modules, path, version);
            }
            (Some("build"), Some(setting)) => {
                let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
                info.settings.push((key.to_owned(), unquote(value)));
            }
            _ => {}
        }
    }
    info
}

fn replace_last(modules: &mut [Module], path: &str, version: &str) {
    if let Some(module) = modules.last_mut() {
        module.replaced_by = Some(path.to_owned());
        // A replacement by a directory has no version; the layout is then unknown, and an empty version says so.
        version.clone_into(&mut module.version);
    }
}

/// Settings with spaces are quoted as Go strings; only the outer quotes and `\"` matter here.
fn unquote(value: &str) -> String {
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.map_or_else(
        || value.to_owned(),
        |inner| inner.replace("\\\"", "\"").replace("\\\\", "\\"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_replacements_and_settings_are_listed() {
        let text = b"path\texample.com/a/cmd\nmod\texample.com/a\t(devel)\t\ndep\texample.com/b\tv1.2.3\th1:x=\n\
            =>\texample.com/fork\tv1.2.4\th1:y=\nbuild\t-ldflags=\"-s -w\"\nbuild\tCGO_ENABLED=0\nother\tz\n";
        let info = parse_modules(text);
        assert_eq!(info.main_path.as_deref(), Some("example.com/a/cmd"));
        assert_eq!(info.modules.len(), 2);
        assert_eq!(info.module_version("example.com/b"), Some("v1.2.4"));
        assert_eq!(info.modules[1].replaced_by.as_deref(), Some("example.com/fork"));
        assert_eq!(info.setting("-ldflags"), Some("-s -w"));
        assert_eq!(info.setting("CGO_ENABLED"), Some("0"));
    }

    #[test]
    fn a_length_beyond_the_data_is_refused() {
        assert_eq!(decode_inline(&[0xff, 0xff, 0xff, 0xff, 0x0f, b'g']), None);
        assert_eq!(decode_inline(&[0xff; 12]), None);
        assert_eq!(decode_inline(&[2, b'g', b'o']), Some((b"go".to_vec(), Vec::new())));
    }
}
