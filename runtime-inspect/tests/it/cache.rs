//! What is learnt of a file is kept as long as the same build is in it, and no longer.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use runtime_inspect::facts::elf::{ElfFile, ElfIdentity};
use runtime_inspect::{Inspection, Inspector, Language};
use tempfile::TempDir;

use crate::go_sample::{Build, run, scratch};
use crate::running::{Running, compiled};

const DEADLINE: Duration = Duration::from_secs(60);

/// A file of a test's own, which it may rewrite.
struct Program {
    _folder: TempDir,
    path: PathBuf,
}

impl Program {
    fn new(content: &Path) -> Self {
        let folder = tempfile::tempdir_in(scratch()).unwrap();
        let path = folder.path().join("program");
        let this = Self { _folder: folder, path };
        this.rewrite(content);
        this
    }

    /// Puts other content into the same inode.
    fn rewrite(&self, content: &Path) {
        std::fs::write(&self.path, std::fs::read(content).unwrap()).unwrap();
        std::fs::set_permissions(&self.path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    fn inode(&self) -> u64 {
        self.path.metadata().unwrap().ino()
    }

    fn identity(&self) -> ElfIdentity {
        ElfFile::open(&self.path).unwrap().identity().clone()
    }

    /// What is found of a process of it.
    fn inspected_by(&self, inspector: &Inspector) -> Inspection {
        let process = Running::ready(&mut Command::new(&self.path));
        inspector.inspect(process.pid()).unwrap()
    }
}

/// The C sample with the build id that the linker makes of its content, or without any.
fn c_sample(build_id: bool) -> PathBuf {
    if build_id {
        compiled("c-with-build-id", &["gcc", "-Wl,--build-id=sha1"], "wait.c")
    } else {
        compiled("c-without-build-id", &["gcc", "-Wl,--build-id=none"], "wait.c")
    }
}

/// Whether both hold the outcome of one reading.
fn read_once(a: &Inspection, b: &Inspection) -> bool {
    Arc::ptr_eq(a.program.as_ref().unwrap(), b.program.as_ref().unwrap())
}

#[test]
fn a_file_with_a_build_id_is_read_once_for_all_its_processes() {
    let program = Program::new(&c_sample(true));
    let inspector = Inspector::default();
    let first = program.inspected_by(&inspector);
    let second = program.inspected_by(&inspector);
    assert_ne!(first.pid, second.pid);
    assert!(first.identity.as_ref().unwrap().build_id.is_some());
    assert!(read_once(&first, &second), "read again for a second process");
    // A copy is a file of its own: whoever may write to the one need not be able to write to the other.
    let copy = Program::new(&program.path).inspected_by(&inspector);
    assert_eq!(
        copy.identity.as_ref().unwrap().build_id,
        first.identity.as_ref().unwrap().build_id
    );
    assert!(!read_once(&first, &copy), "taken for another file");
}

#[test]
fn another_build_in_the_same_inode_is_read_anew() {
    let program = Program::new(&c_sample(true));
    let inode = program.inode();
    let inspector = Inspector::default();
    let before = program.inspected_by(&inspector);
    assert_eq!(before.language, Some(Language::C), "{:#?}", before.findings);
    program.rewrite(&compiled(
        "cpp-with-build-id",
        &["g++", "-Wl,--build-id=sha1"],
        "wait.cpp",
    ));
    assert_eq!(program.inode(), inode);
    let after = program.inspected_by(&inspector);
    assert_eq!(after.language, Some(Language::Cpp), "{:#?}", after.findings);
    assert_ne!(before.identity, after.identity);
}

#[test]
fn the_build_id_alone_tells_two_builds_apart() {
    let program = Program::new(&c_sample(true));
    let before = program.identity();
    let other = compiled("c-other-build-id", &["gcc", "-Wl,--build-id=0x0102030405"], "wait.c");
    program.rewrite(&other);
    // As if it had been as large, and written within one tick of the clock.
    let after = ElfIdentity {
        size: before.size,
        changed_ns: before.changed_ns,
        ..program.identity()
    };
    assert_ne!(before, after);
    assert_eq!(after.build_id.unwrap().to_string(), "0102030405");
}

#[test]
fn a_build_id_that_stays_when_the_content_changes_does_not_hide_the_change() {
    let program = Program::new(&c_sample(true));
    let inspector = Inspector::default();
    let (inode, before) = (program.inode(), program.inspected_by(&inspector));
    let stripped = scratch().join(format!("stripped-{inode}"));
    run(Command::new("strip").arg("-o").arg(&stripped).arg(&program.path));
    program.rewrite(&stripped);
    std::fs::remove_file(&stripped).unwrap();
    let after = program.inspected_by(&inspector);
    let identities = [&before, &after].map(|inspection| inspection.identity.clone().unwrap());
    assert_eq!(identities[0].build_id, identities[1].build_id);
    assert_eq!(program.inode(), inode);
    assert!(!read_once(&before, &after), "what was learnt of the unstripped program");
}

#[test]
fn a_go_program_without_gnus_build_id_is_known_by_gos() {
    let program = Program::new(&Build::release("go1.19.13").flags(&["-ldflags=-s -w"]).path());
    let id = run(Command::new("go").args(["tool", "buildid"]).arg(&program.path));
    let hexadecimal: String = id.trim_end().bytes().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(program.identity().build_id.unwrap().to_string(), hexadecimal);
}

#[test]
fn a_file_without_a_build_id_is_kept_once_its_time_stamp_can_no_longer_come_twice() {
    let program = Program::new(&c_sample(false));
    let identity = program.identity();
    assert_eq!(identity.build_id, None);
    let inspector = Inspector::default();
    let written = Instant::now();
    let mut last = program.inspected_by(&inspector);
    let kept = loop {
        let next = program.inspected_by(&inspector);
        if read_once(&last, &next) {
            break next;
        }
        assert!(written.elapsed() < DEADLINE, "read again for every process");
        last = next;
    };
    #[expect(clippy::disallowed_methods, reason = "it is compared with the time stamps of files")]
    let now = SystemTime::now();
    assert!(kept.identity.unwrap().is_certain_at(now));
    program.rewrite(&compiled(
        "cpp-without-build-id",
        &["g++", "-Wl,--build-id=none"],
        "wait.cpp",
    ));
    assert_eq!(program.inspected_by(&inspector).language, Some(Language::Cpp));
}

#[test]
fn a_changed_file_is_certain_only_by_its_build_id_or_after_a_while() {
    let path = c_sample(true);
    let with_id = ElfFile::open(&path).unwrap().identity().clone();
    let without = ElfIdentity {
        build_id: None,
        ..with_id.clone()
    };
    let at = |nanoseconds: i128| SystemTime::UNIX_EPOCH + Duration::from_nanos(nanoseconds as u64);
    let changed = with_id.changed_ns;
    assert!(with_id.is_certain_at(at(changed)));
    assert!(!without.is_certain_at(at(changed)));
    assert!(!without.is_certain_at(at(changed - 1_000_000_000)), "a clock set back");
    assert!(!without.is_certain_at(at(changed + 1_000_000_000)));
    assert!(without.is_certain_at(at(changed + 3_000_000_000)));
}
