//! Files and processes that are not what they should be: each a typed error with a message, never a panic or a hang.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use runtime_inspect::facts::elf::contents::ElfContents;
use runtime_inspect::facts::elf::{ElfError, ElfFile};
use runtime_inspect::facts::process::Process;
use runtime_inspect::go::{GoBinary, GoError};
use runtime_inspect::{InspectError, Inspector, Language, inspect};

use crate::go_sample::{Build, app, go, run, scratch};
use crate::running::{Running, compiled};

const HOST_ARCH: &str = if cfg!(target_arch = "aarch64") {
    "arm64"
} else {
    "amd64"
};
const STRIP: &[&str] = &["-ldflags=-s -w"];

/// A file of the given bytes, opened as ELF.
fn open(bytes: &[u8]) -> Result<ElfFile, ElfError> {
    let file = tempfile::NamedTempFile::new_in(scratch()).unwrap();
    fs::write(file.path(), bytes).unwrap();
    ElfFile::open(file.path())
}

fn wait_for(arch: &str) -> PathBuf {
    let output = scratch().join(format!("go-wait-{arch}"));
    let mut command = go("");
    command
        .args(["build", "-o"])
        .arg(&output)
        .arg(".")
        .current_dir(app("go-wait"));
    run(command.env("GOARCH", arch).env("CGO_ENABLED", "0"));
    output
}

#[test]
fn files_that_are_no_elf_for_this_machine_are_refused_by_name() {
    assert_eq!(open(b"").unwrap_err(), ElfError::NotElf);
    assert_eq!(open(b"\x7fELF").unwrap_err(), ElfError::NotElf);
    assert_eq!(open(b"#!/bin/sh\necho\n").unwrap_err(), ElfError::NotElf);
    assert!(matches!(
        open(b"\x7fELF\x02\x01\x01").unwrap_err(),
        ElfError::Truncated {
            what: "the ELF header",
            ..
        }
    ));
    assert_eq!(ElfFile::open(wait_for("386")).unwrap_err(), ElfError::Class32);
    assert_eq!(ElfFile::open(wait_for("s390x")).unwrap_err(), ElfError::BigEndian);
    let other = if HOST_ARCH == "amd64" { "arm64" } else { "amd64" };
    let error = GoBinary::open(ElfFile::open(wait_for(other)).unwrap()).unwrap_err();
    assert!(matches!(error, GoError::Elf(ElfError::OtherMachine { .. })), "{error}");
    assert!(
        error.to_string().contains("aarch64") && error.to_string().contains("x86_64"),
        "{error}"
    );
}

#[test]
fn what_is_no_regular_file_is_refused_without_blocking() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    run(Command::new("mkfifo").arg(&fifo));
    for path in [fifo.as_path(), folder.path(), "/dev/null".as_ref()] {
        assert_eq!(ElfFile::open(path).unwrap_err(), ElfError::NotRegular, "{path:?}");
    }
}

#[test]
fn a_truncated_program_says_what_is_missing() {
    let bytes = fs::read(Build::release("").flags(STRIP).path()).unwrap();
    for len in [
        64,
        100,
        4096,
        bytes.len() / 4,
        bytes.len() / 2,
        bytes.len() - 4096,
        bytes.len() - 1,
    ] {
        let Ok(elf) = open(&bytes[..len]) else { continue };
        // The section table is at the start of a Go program, but the sections themselves are cut off.
        let result = GoBinary::open(elf).and_then(|binary| binary.functions(&["runtime.mallocgc"]));
        if len < bytes.len() / 2 {
            let error = result.unwrap_err();
            assert!(!error.to_string().is_empty(), "{len}: {error}");
        }
    }
    let error = open(&bytes[..100]).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("truncated: the program header table needs bytes 64.."),
        "{error}"
    );
}

#[test]
fn a_lying_section_table_is_noted_and_the_program_still_understood() {
    let mut bytes = fs::read(Build::release("").flags(STRIP).path()).unwrap();
    for (offset, wrong) in [(40, u64::MAX - 8), (40, bytes.len() as u64 - 10)] {
        bytes[offset..offset + 8].copy_from_slice(&wrong.to_le_bytes());
        let elf = open(&bytes).unwrap();
        assert!(matches!(
            elf.section_error(),
            Some(ElfError::Truncated {
                what: "the section table",
                ..
            })
        ));
        let binary = GoBinary::open(elf).unwrap();
        assert_eq!(binary.functions(&["runtime.mallocgc"]).unwrap().len(), 1);
    }
}

#[test]
fn sections_that_claim_more_than_the_file_allocate_nothing() {
    let mut bytes = fs::read(Build::release("").path()).unwrap();
    let table = u64::from_le_bytes(bytes[40..48].try_into().unwrap()) as usize;
    let count = u16::from_le_bytes(bytes[60..62].try_into().unwrap()) as usize;
    let names = u16::from_le_bytes(bytes[62..64].try_into().unwrap()) as usize;
    for section in (0..count).filter(|&section| section != names) {
        let size = table + section * 64 + 32;
        bytes[size..size + 8].copy_from_slice(&(1u64 << 60).to_le_bytes());
    }
    let elf = open(&bytes).unwrap();
    assert_eq!(elf.section_error(), None);
    let contents = ElfContents::read(&elf);
    assert_eq!(contents.compilers, Vec::<String>::new());
    let binary = GoBinary::open(elf).unwrap();
    let error = binary.functions(&["runtime.mallocgc"]).unwrap_err();
    assert!(
        error.to_string().contains("truncated: the Go function table"),
        "{error}"
    );
    // The DWARF is out of reach, the table is not.
    assert_eq!(binary.field_offset("net/http.Request", "URL"), Ok(16));
}

#[test]
fn a_segment_beyond_the_largest_address_is_refused() {
    let mut bytes = fs::read(Build::release("").flags(STRIP).path()).unwrap();
    // p_vaddr of the first program header, which follows the ELF header.
    bytes[64 + 16..64 + 24].copy_from_slice(&(u64::MAX - 8).to_le_bytes());
    assert_eq!(
        open(&bytes).unwrap_err(),
        ElfError::Malformed("a segment ends beyond the largest address")
    );
}

#[test]
fn a_running_program_with_a_lying_section_table_is_still_go() {
    let folder = tempfile::tempdir_in(scratch()).unwrap();
    let program = folder.path().join("lying");
    let mut bytes = fs::read(wait_for(HOST_ARCH)).unwrap();
    bytes[40..48].copy_from_slice(&(1u64 << 50).to_le_bytes());
    fs::write(&program, bytes).unwrap();
    run(Command::new("chmod").arg("755").arg(&program));
    let inspection = Running::ready(&mut Command::new(&program)).inspect();
    assert_eq!(inspection.language, Some(Language::Go), "{:#?}", inspection.findings);
    let noted = inspection
        .findings
        .iter()
        .any(|finding| finding.evidence.contains("section table"));
    assert!(noted, "{:#?}", inspection.findings);
}

#[test]
fn a_process_that_has_ended_is_gone() {
    let mut running = Running::ready(&mut Command::new(compiled("c-plain", &["gcc"], "wait.c")));
    let (pid, handle) = (running.pid(), Process::open(running.pid()).unwrap());
    assert_eq!(handle.still_there(), Ok(()));
    running.end();
    assert_eq!(inspect(pid).unwrap_err(), InspectError::Gone { pid });
    // What was opened before says so too, whatever has the number by now.
    assert_eq!(handle.cmdline(), Err(InspectError::Gone { pid }));
    assert_eq!(
        Inspector::default().inspect_process(&handle).unwrap_err(),
        InspectError::Gone { pid }
    );
    assert!(
        inspect(u32::MAX)
            .unwrap_err()
            .to_string()
            .contains("has ended or never was")
    );
}

#[test]
fn a_reused_number_is_told_by_the_start_time() {
    let running = Running::ready(&mut Command::new(compiled("c-plain", &["gcc"], "wait.c")));
    let inspector = Inspector::default();
    let inspection = inspector.inspect(running.pid()).unwrap();
    let (pid, start) = (inspection.pid, inspection.start_time);
    assert!(inspector.inspect_started(pid, start).is_ok());
    let error = inspector.inspect_started(pid, start - 1).unwrap_err();
    assert_eq!(
        error,
        InspectError::Reused {
            pid,
            expected: start - 1,
            found: start
        }
    );
    assert!(error.to_string().contains("was reused"), "{error}");
}

#[test]
fn a_program_that_was_deleted_is_still_read() {
    let folder = tempfile::tempdir_in(scratch()).unwrap();
    let program = folder.path().join("short-lived");
    fs::copy(compiled("c-plain", &["gcc"], "wait.c"), &program).unwrap();
    let running = Running::ready(&mut Command::new(&program));
    fs::remove_file(&program).unwrap();
    let inspection = running.inspect();
    assert!(inspection.exe_deleted);
    assert_eq!(
        (inspection.exe.as_str(), inspection.language),
        (program.to_str().unwrap(), Some(Language::C))
    );
}
