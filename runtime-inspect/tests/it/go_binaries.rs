//! Go programs of many releases and linker modes: what is read from them is compared with `go tool nm` of a twin that
//! was built alike but not stripped, and with its DWARF.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use runtime_inspect::facts::elf::ElfFile;
use runtime_inspect::go::{GoBinary, GoError, MissingReason, OffsetSource, WANTED_STD};

use crate::go_sample::{Build, go, run, scratch};

const WANTED: [&str; 5] = [
    "net/http.serverHandler.ServeHTTP",
    "net/http.(*conn).serve",
    "net/http.(*Transport).roundTrip",
    "runtime.newproc1",
    "runtime.mallocgc",
];
const STRIP: &[&str] = &["-ldflags=-s -w"];
const PIE: &[&str] = &["-buildmode=pie"];
const PIE_STRIP: &[&str] = &["-buildmode=pie", "-ldflags=-s -w"];

fn open(path: &Path) -> GoBinary {
    GoBinary::open(ElfFile::open(path).unwrap()).unwrap()
}

/// Name and address of the wanted functions, by Go's own tool.
fn oracle(twin: &Path, release: &str) -> BTreeSet<(String, u64)> {
    let listing = run(go(release).args(["tool", "nm"]).arg(twin));
    let symbols = listing.lines().filter_map(|line| {
        let mut columns = line.split_whitespace();
        let (address, _kind, name) = (columns.next()?, columns.next()?, columns.next()?);
        WANTED
            .contains(&name)
            .then(|| (name.to_owned(), u64::from_str_radix(address, 16).unwrap()))
    });
    symbols.collect()
}

fn found(binary: &GoBinary) -> BTreeSet<(String, u64)> {
    binary
        .functions(&WANTED)
        .unwrap()
        .into_iter()
        .map(|function| (function.name, function.entry_vaddr))
        .collect()
}

/// The functions of `build` are where they are in its twin with symbols, and their code is the same.
fn check_functions(build: Build, twin: Build) {
    let (binary, unstripped) = (open(&build.path()), open(&twin.path()));
    let expected = oracle(&twin.path(), build.release);
    assert!(expected.len() >= 4, "the oracle knows too few functions: {expected:?}");
    assert_eq!(found(&binary), expected, "{build:?}");
    let bytes = fs::read(build.path()).unwrap();
    for (ours, theirs) in binary
        .functions(&WANTED)
        .unwrap()
        .iter()
        .zip(unstripped.functions(&WANTED).unwrap())
    {
        assert_eq!(
            (ours.size, ours.file_offset),
            (theirs.size, theirs.file_offset),
            "{build:?} {}",
            ours.name
        );
        let body = binary.body(ours).unwrap();
        let start = ours.file_offset as usize;
        assert_eq!(body, bytes[start..start + body.len()], "{build:?} {}", ours.name);
    }
    if !build.release.is_empty() {
        assert_eq!(binary.version(), build.release);
    }
}

fn check_release(release: &'static str) {
    check_functions(Build::release(release), Build::release(release));
    check_functions(Build::release(release).flags(STRIP), Build::release(release));
    check_functions(
        Build::release(release).flags(PIE_STRIP),
        Build::release(release).flags(PIE),
    );
}

#[test]
fn functions_of_the_go_on_the_machine_are_found() {
    check_release("");
}

#[test]
fn functions_of_go_1_15_and_1_17_are_found_with_their_older_tables() {
    check_release("go1.15.15");
    check_release("go1.17.13");
}

#[test]
fn functions_of_go_1_19_are_found() {
    check_release("go1.19.13");
}

#[test]
fn functions_of_go_1_21_and_1_22_are_found() {
    check_release("go1.21.13");
    check_release("go1.22.12");
}

#[test]
fn functions_of_go_1_24_are_found() {
    check_release("go1.24.6");
}

#[test]
fn functions_behind_the_c_start_code_of_a_cgo_program_are_found() {
    for release in ["", "go1.19.13", "go1.24.6"] {
        let build = Build::release(release).cgo();
        check_functions(build.clone().flags(STRIP), build.clone());
        check_functions(build.clone().flags(PIE_STRIP), build.flags(PIE));
    }
}

#[test]
fn a_program_without_section_table_is_read_by_its_segments() {
    for flags in [STRIP, PIE_STRIP] {
        for build in [Build::release("").flags(flags), Build::release("").flags(flags).cgo()] {
            let mut bytes = fs::read(build.path()).unwrap();
            bytes[40..48].fill(0); // e_shoff
            bytes[60..64].fill(0); // e_shnum, e_shstrndx
            let file = tempfile::NamedTempFile::new_in(scratch()).unwrap();
            fs::write(file.path(), bytes).unwrap();
            let (bare, whole) = (open(file.path()), open(&build.path()));
            assert!(bare.elf().sections().is_empty());
            assert_eq!(bare.build_info(), whole.build_info(), "{build:?}");
            assert_eq!(found(&bare), found(&whole), "{build:?}");
        }
    }
}

#[test]
fn build_information_is_that_of_go_version() {
    let path = Build::release("go1.24.6").flags(PIE_STRIP).path();
    let binary = open(&path);
    let expected = run(go("").args(["version", "-m"]).arg(&path));
    assert_eq!(
        binary.build_info().main_path.as_deref(),
        Some("example.com/inspect/go-http")
    );
    for setting in ["GOARCH", "CGO_ENABLED", "-buildmode"] {
        let value = binary
            .build_info()
            .setting(setting)
            .unwrap_or_else(|| panic!("{setting} in {expected}"));
        assert!(
            expected.contains(&format!("{setting}={value}")),
            "{setting}={value} in {expected}"
        );
    }
    assert!(expected.contains(binary.version()), "{expected}");
}

#[test]
fn every_vendored_copy_of_a_function_is_found() {
    let gopath = tempfile::tempdir_in(scratch()).unwrap();
    let source = |path: &str, text: &str| {
        let path = gopath.path().join("src").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let library = "package lib\n\nimport \"os\"\n\ntype T struct{ A, B int }\n\n//go:noinline\nfunc (t *T) Work() int { t.B = len(os.Args); return t.A + t.B }\n";
    source("example.org/lib/lib.go", library);
    source("example.com/app/vendor/example.org/lib/lib.go", library);
    source("example.com/other/vendor/example.org/lib/lib.go", library);
    source(
        "example.com/other/other.go",
        "package other\n\nimport \"example.org/lib\"\n\nfunc Work() int { return (&lib.T{}).Work() }\n",
    );
    source(
        "example.com/third/third.go",
        "package third\n\nimport \"example.org/lib\"\n\nfunc Work() int { return (&lib.T{}).Work() }\n",
    );
    source(
        "example.com/app/main.go",
        "package main\n\nimport (\n\t\"example.com/other\"\n\t\"example.com/third\"\n\t\"example.org/lib\"\n)\n\nfunc main() { println((&lib.T{}).Work(), other.Work(), third.Work()) }\n",
    );
    let program = gopath.path().join("program");
    let mut command = go("");
    command.args(["build", "-o"]).arg(&program).arg("example.com/app");
    command
        .env("GOPATH", gopath.path())
        .env("GO111MODULE", "off")
        .env("GOFLAGS", "")
        .current_dir(gopath.path());
    run(&mut command);
    let binary = open(&program);
    let functions = binary
        .functions(&["example.org/lib.(*T).Work", "example.org/lib.Absent"])
        .unwrap();
    let symbols: BTreeSet<&str> = functions.iter().map(|function| function.symbol.as_str()).collect();
    let expected = [
        "example.org/lib.(*T).Work",
        "example.com/app/vendor/example.org/lib.(*T).Work",
        "example.com/other/vendor/example.org/lib.(*T).Work",
    ];
    assert_eq!(symbols, BTreeSet::from(expected));
    assert!(
        functions
            .iter()
            .all(|function| function.name == "example.org/lib.(*T).Work")
    );
    assert_eq!(binary.field_offset("example.org/lib.T", "B"), Ok(8));
}

#[test]
fn the_modules_of_a_vendored_build_have_versions() {
    let folder = tempfile::tempdir_in(scratch()).unwrap();
    let source = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    source(
        "go.mod",
        "module example.com/app\n\ngo 1.21\n\nrequire example.org/lib v1.2.3\n",
    );
    source(
        "main.go",
        "package main\n\nimport \"example.org/lib\"\n\nfunc main() { println(lib.Work()) }\n",
    );
    source(
        "vendor/modules.txt",
        "# example.org/lib v1.2.3\n## explicit\nexample.org/lib\n",
    );
    source(
        "vendor/example.org/lib/lib.go",
        "package lib\n\n//go:noinline\nfunc Work() int { return 1 }\n",
    );
    let mut command = go("");
    command
        .args(["build", "-mod=vendor", "-ldflags=-s -w", "-o", "program", "."])
        .env("GOFLAGS", "");
    run(command.current_dir(folder.path()));
    let binary = open(&folder.path().join("program"));
    assert_eq!(binary.build_info().module_version("example.org/lib"), Some("v1.2.3"));
    assert_eq!(binary.functions(&["example.org/lib.Work"]).unwrap().len(), 1);
}

/// The table gives for a stripped program what the DWARF of its twin says.
fn check_offsets(release: &'static str) {
    let types: Vec<&str> = WANTED_STD.iter().map(|(name, _)| *name).collect();
    let twin = open(&Build::release(release).path()).field_offsets(&types);
    let stripped = open(&Build::release(release).flags(STRIP).path()).field_offsets(&types);
    assert_eq!(twin.source("net/http.Request"), OffsetSource::Dwarf, "{release}");
    for (name, fields) in WANTED_STD {
        assert_eq!(stripped.source(name), OffsetSource::Table);
        assert_eq!(
            stripped.size(name).ok(),
            twin.size(name).ok(),
            "size of {name} in {release}"
        );
        for field in *fields {
            let (table, dwarf) = (stripped.get(name, field), twin.get(name, field));
            assert_eq!(
                table.clone().ok(),
                dwarf.clone().ok(),
                "{name}.{field} in {release}: {table:?} {dwarf:?}"
            );
        }
    }
}

#[test]
fn the_table_agrees_with_the_dwarf_of_each_release() {
    for release in ["", "go1.19.13", "go1.21.13", "go1.22.12", "go1.24.6"] {
        check_offsets(release);
    }
}

#[test]
fn compressed_debugging_information_is_read() {
    for (release, section) in [("go1.17.13", ".zdebug_info"), ("go1.24.6", ".debug_info")] {
        let binary = open(&Build::release(release).path());
        let section = binary.elf().section(section).unwrap();
        let compressed = section.name.starts_with(".z") || section.flags & 0x800 != 0;
        assert!(compressed, "{release}: the sample no longer shows compression");
        assert_eq!(binary.field_offset("net/http.Request", "URL"), Ok(16), "{release}");
    }
}

#[test]
fn a_field_of_a_later_release_is_missing_and_says_so() {
    let binary = open(&Build::release("go1.21.13").flags(STRIP).path());
    let missing = binary.field_offset("net/http.Request", "Pattern").unwrap_err();
    assert_eq!(missing.reason, MissingReason::NotInVersion);
    let text = missing.to_string();
    assert!(
        text.contains("net/http.Request.Pattern") && text.contains("go1.21.13"),
        "{text}"
    );
    let old = open(&Build::release("go1.17.13").flags(STRIP).path());
    let reason = old.field_offset("net/http.Request", "URL").unwrap_err().reason;
    assert!(matches!(reason, MissingReason::VersionNotCovered { .. }), "{reason:?}");
}

#[test]
fn a_program_of_another_language_is_not_go() {
    let error = GoBinary::open(ElfFile::open("/bin/sh").unwrap()).unwrap_err();
    assert_eq!(error, GoError::NotGo);
}
