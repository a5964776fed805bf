//! Looks for a version where a detector said it may be: in the constants of a binary, or in a file beside it.

use std::os::fd::AsFd;

use crate::detect::Pattern;
use crate::facts::elf::{ElfError, ElfFile, Segment};
use crate::facts::process::Process;
use crate::facts::root::{RootError, TargetRoot};

/// A `release` file is a few kilobytes.
const MAX_KEY_FILE: u64 = 64 << 10;
/// A version is shorter.
const MAX_VERSION: usize = 32;

/// The value of `KEY="value"` in a file as the process sees it.
pub fn key_in_file(process: &Process, path: &str, key: &str) -> Result<Option<String>, RootError> {
    let text = TargetRoot::open(process.directory().as_fd())?.read_text(path, MAX_KEY_FILE)?;
    Ok(value_of(&text, key))
}

fn value_of(text: &str, key: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (found, value) = line.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (found == key && !value.is_empty() && value.len() <= MAX_VERSION).then(|| value.to_owned())
    })
}

/// The version in the constants of a binary.
pub fn in_binary(elf: &ElfFile, pattern: &Pattern) -> Result<Option<String>, ElfError> {
    match pattern {
        Pattern::After(text) => {
            let finder = memchr::memmem::Finder::new(text);
            elf.search(is_constant, |_, bytes| {
                finder
                    .find_iter(bytes)
                    .find_map(|at| number_at(&bytes[at + text.len()..]))
            })
        }
        Pattern::Before(text) => {
            let finder = memchr::memmem::Finder::new(text);
            elf.search(is_constant, |_, bytes| {
                finder.find_iter(bytes).find_map(|at| number_before(&bytes[..at]))
            })
        }
        Pattern::Starting(text) => {
            let finder = memchr::memmem::Finder::new(text);
            elf.search(is_constant, |_, bytes| {
                let starts = finder.find_iter(bytes).filter(|&at| at > 0 && bytes[at - 1] == 0);
                starts.filter_map(|at| number_at(&bytes[at + text.len()..])).next()
            })
        }
        Pattern::Whole => greatest(elf, |constant: &[u8]| Some(constant)),
        Pattern::Ending(start) => greatest(elf, |constant: &[u8]| ending(constant, start)),
    }
}

/// Constants are in segments that are never written; older linkers put them beside the code.
fn is_constant(segment: &Segment) -> bool {
    !segment.is_data()
}

/// The dotted number at the start of the bytes.
fn number_at(bytes: &[u8]) -> Option<String> {
    let bytes = &bytes[..bytes.len().min(MAX_VERSION)];
    let end = bytes
        .iter()
        .position(|byte| !byte.is_ascii_digit() && *byte != b'.')
        .unwrap_or(bytes.len());
    dotted(&bytes[..end])
}

/// The dotted number at the end of the bytes.
fn number_before(bytes: &[u8]) -> Option<String> {
    let bytes = &bytes[bytes.len().saturating_sub(MAX_VERSION)..];
    let start = bytes
        .iter()
        .rposition(|byte| !byte.is_ascii_digit() && *byte != b'.')
        .map_or(0, |at| at + 1);
    dotted(&bytes[start..])
}

fn dotted(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?.trim_end_matches('.');
    (text.starts_with(|c: char| c.is_ascii_digit()) && text.contains('.')).then(|| text.to_owned())
}

/// The number at the end of a constant, if it begins with `start`.
fn ending<'a>(constant: &'a [u8], start: &str) -> Option<&'a [u8]> {
    let end = &constant[constant.len().saturating_sub(MAX_VERSION)..];
    let at = end
        .iter()
        .rposition(|byte| !byte.is_ascii_digit() && *byte != b'.')
        .map_or(0, |at| at + 1);
    end[at..].starts_with(start.as_bytes()).then_some(&end[at..])
}

/// The greatest `D.D.D` among the parts that are taken of the constants.
fn greatest(elf: &ElfFile, part: impl for<'a> Fn(&'a [u8]) -> Option<&'a [u8]>) -> Result<Option<String>, ElfError> {
    let mut greatest: Option<([u32; 3], String)> = None;
    elf.search(is_constant, |_, bytes| {
        for constant in constants(bytes).filter_map(&part) {
            let Some(numbers) = three_numbers(constant) else {
                continue;
            };
            if greatest.as_ref().is_none_or(|(known, _)| *known < numbers) {
                greatest = Some((numbers, String::from_utf8_lossy(constant).into_owned()));
            }
        }
        None::<()>
    })?;
    Ok(greatest.map(|(_, text)| text))
}

/// The short texts between two zero bytes. What the ends of a piece cut is whole in its neighbour.
fn constants(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut zeros = memchr::memchr_iter(0, bytes);
    let first = zeros.next().unwrap_or(bytes.len());
    zeros.scan(first, |before, zero| {
        let constant = &bytes[*before + 1..zero];
        *before = zero;
        Some(constant)
    })
}

/// `D.D.D`, of numbers that a release may have.
fn three_numbers(text: &[u8]) -> Option<[u32; 3]> {
    const LONGEST: usize = 11;
    if !(5..=LONGEST).contains(&text.len()) || !text[0].is_ascii_digit() {
        return None;
    }
    let mut parts = std::str::from_utf8(text).ok()?.split('.');
    let mut next = || {
        parts
            .next()
            .filter(|part| part.len() <= 3 && part.bytes().all(|b| b.is_ascii_digit()))?
            .parse()
            .ok()
    };
    let numbers = [next()?, next()?, next()?];
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_cut_out_of_their_surroundings() {
        assert_eq!(number_at(b"17.0.15+6-Debian"), Some("17.0.15".to_owned()));
        assert_eq!(number_at(b"2.36.\n"), Some("2.36".to_owned()));
        assert_eq!(number_at(b"%s"), None);
        assert_eq!(number_at(b"3 files"), None);
        assert_eq!(number_before(b"\0x 10.11.19"), Some("10.11.19".to_owned()));
        assert_eq!(
            value_of("A=1\nJAVA_VERSION=\"17.0.15\"\n", "JAVA_VERSION"),
            Some("17.0.15".to_owned())
        );
        assert_eq!(ending(b"/versions/3.11.7", "3.11."), Some(b"3.11.7".as_slice()));
        assert_eq!(ending(b"13.11.7", "3.11."), None);
        assert_eq!(three_numbers(b"7.0.15"), Some([7, 0, 15]));
        assert_eq!(three_numbers(b"127.0.0.1"), None);
        assert_eq!(three_numbers(b"1..2"), None);
        let whole: Vec<&[u8]> = constants(b"cut\0one\0\0two\0cut").collect();
        assert_eq!(whole, [b"one".as_slice(), b"", b"two"]);
    }
}
