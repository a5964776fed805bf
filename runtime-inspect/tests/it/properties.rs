//! Whatever bytes there are, the readers return; and what they return lies within the file.

use std::fs;
use std::sync::LazyLock;

use proptest::prelude::*;
use runtime_inspect::facts::elf::ElfFile;
use runtime_inspect::facts::elf::contents::ElfContents;
use runtime_inspect::facts::{cgroup, environment::Environment, mappings};
use runtime_inspect::go::{GoBinary, build_info, pclntab};

use crate::go_sample::{app, go, run, scratch};

const WANTED: [&str; 2] = ["main.main", "runtime.mallocgc"];

/// A small Go program with symbols and DWARF.
static PROGRAM: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let output = scratch().join("go-wait-properties");
    run(go("")
        .args(["build", "-o"])
        .arg(&output)
        .arg(".")
        .current_dir(app("go-wait"))
        .env("CGO_ENABLED", "0"));
    fs::read(output).unwrap()
});

/// The function table of that program.
static TABLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let file = tempfile::NamedTempFile::new_in(scratch()).unwrap();
    fs::write(file.path(), &*PROGRAM).unwrap();
    let elf = ElfFile::open(file.path()).unwrap();
    elf.section_bytes(elf.section(".gopclntab").unwrap(), "the table")
        .unwrap()
});

/// Reads everything that can be read of a file with these bytes.
fn read_all(bytes: &[u8]) {
    let file = tempfile::NamedTempFile::new_in(scratch()).unwrap();
    fs::write(file.path(), bytes).unwrap();
    let Ok(elf) = ElfFile::open(file.path()) else { return };
    let _ = ElfContents::read(&elf);
    let Ok(binary) = GoBinary::open(elf) else { return };
    for function in binary.functions(&WANTED).unwrap_or_default() {
        assert!(
            function.file_offset + function.size <= bytes.len() as u64,
            "{function:?}"
        );
        let _ = binary.body(&function);
    }
    let _ = binary.field_offset("runtime.g", "goid");
}

#[test]
fn code_in_a_segment_beyond_the_file_is_no_function() {
    // The third byte of the offset of the third program header, which is that of the code.
    const OFFSET: usize = 64 + 2 * 56 + 8;
    let mut bytes = PROGRAM.clone();
    bytes[OFFSET + 2] = 0xff;
    read_all(&bytes);
}

/// Where a program is most easily broken: its headers and section table, then anywhere.
fn places() -> impl Strategy<Value = usize> {
    let len = PROGRAM.len();
    prop_oneof![4 => 0..4096usize, 1 => 0..len]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_program_never_breaks_a_reader(damage in prop::collection::vec((places(), any::<u8>()), 1..8)) {
        let mut bytes = PROGRAM.clone();
        for (place, byte) in damage {
            bytes[place] = byte;
        }
        read_all(&bytes);
    }

    #[test]
    fn a_cut_program_never_breaks_a_reader(len in 0..1_500_000usize) {
        read_all(&PROGRAM[..len.min(PROGRAM.len())]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_function_table_never_breaks_its_reader(
        damage in prop::collection::vec((prop_oneof![2 => 0..72usize, 1 => 0..TABLE.len()], any::<u8>()), 1..8),
        len in prop_oneof![Just(usize::MAX), 0..4096usize],
    ) {
        let mut table = TABLE.clone();
        for (place, byte) in damage {
            table[place] = byte;
        }
        table.truncate(len);
        if let Ok(header) = pclntab::Header::parse(&table) {
            let lookup = pclntab::find(&table, &header, 0x40_1000, |_, value| value, &WANTED);
            prop_assert!(lookup.found.iter().all(|found| found.entry < found.end));
        }
    }

    #[test]
    fn any_text_is_build_information_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = build_info::decode_inline(&bytes);
        let _ = build_info::parse_modules(&bytes);
    }

    #[test]
    fn any_text_is_a_process_file_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..512), text in ".{0,200}") {
        let _ = Environment::parse(&bytes);
        let _ = mappings::parse(&bytes);
        let _ = cgroup::container(&text);
        let _ = cgroup::container(&format!("0::/{text}"));
    }
}
