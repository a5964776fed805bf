//! Real runtimes: each is started, inspected, and compared with what its own `--version` says.

use std::process::Command;

use runtime_inspect::{Inspection, Language, Libc, Subject};

use crate::go_sample::{Build, app, go, run, scratch};
use crate::running::{Running, compiled, evidence};

/// The language, the version and the service name are as expected, and the evidence of the language names `shown_by`.
fn check(inspection: &Inspection, language: Language, version: &str, service: &str, shown_by: &str) {
    assert_eq!(inspection.language, Some(language), "{:#?}", inspection.findings);
    assert_eq!(
        inspection.runtime_version.as_deref(),
        Some(version),
        "{:#?}",
        inspection.findings
    );
    assert_eq!(
        inspection.service_name.as_deref(),
        Some(service),
        "{:#?}",
        inspection.findings
    );
    let text = evidence(inspection, Subject::Language);
    assert!(text.contains(shown_by), "{text}");
}

/// The second word of the first line, such as `8.2.36` of `PHP 8.2.36 (cli)`.
fn second_word(command: &mut Command) -> String {
    run(command).split_whitespace().nth(1).unwrap().to_owned()
}

#[test]
fn java_is_told_by_its_virtual_machine() {
    let classes = scratch().join("classes");
    run(Command::new("javac").arg("-d").arg(&classes).arg(app("Wait.java")));
    let process = Running::ready(Command::new("java").args(["-Xmx64m", "-cp"]).arg(&classes).arg("Wait"));
    // The properties of the runtime are on its standard error.
    let output = Command::new("java")
        .args(["-XshowSettings:properties", "-version"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let version = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("java.version = "))
        .unwrap();
    let inspection = process.inspect();
    check(&inspection, Language::Java, version, "Wait", "libjvm.so");
    assert_eq!(inspection.libc, Some(Libc::Glibc));
}

#[test]
fn java_is_named_by_its_archive_and_its_agent_is_seen() {
    let folder = tempfile::tempdir_in(scratch()).unwrap();
    run(Command::new("javac").arg("-d").arg(folder.path()).arg(app("Wait.java")));
    std::fs::write(
        folder.path().join("manifest"),
        "Main-Class: Wait\nPremain-Class: Wait\n",
    )
    .unwrap();
    for archive in ["shop-1.2.jar", "opentelemetry-javaagent.jar"] {
        run(Command::new("jar")
            .args(["cfm", archive, "manifest", "Wait.class"])
            .current_dir(folder.path()));
    }
    let mut command = Command::new("java");
    command
        .args(["-javaagent:opentelemetry-javaagent.jar", "-jar", "shop-1.2.jar"])
        .current_dir(folder.path());
    let inspection = Running::ready(&mut command).inspect();
    assert_eq!(inspection.service_name.as_deref(), Some("shop-1.2"));
    let vendors: Vec<&str> = inspection.agents.iter().map(|agent| agent.vendor).collect();
    assert_eq!(vendors, ["OpenTelemetry"], "{:?}", inspection.agents);
}

#[test]
fn node_is_told_under_its_own_and_under_another_name() {
    let version = run(Command::new("node").arg("--version"));
    let version = version.trim().trim_start_matches('v');
    let process = Running::ready(Command::new("node").arg(app("wait.js")));
    check(&process.inspect(), Language::JavaScript, version, "wait", "node");
    let node = std::fs::read_link(format!("/proc/{}/exe", process.pid())).unwrap();
    let folder = tempfile::tempdir_in(scratch()).unwrap();
    let renamed = folder.path().join("checkout");
    std::fs::copy(node, &renamed).unwrap();
    let process = Running::ready(Command::new(&renamed).arg(app("wait.js")));
    check(
        &process.inspect(),
        Language::JavaScript,
        version,
        "wait",
        "add-on interface",
    );
}

#[test]
fn python_is_told_with_a_shared_and_with_a_static_interpreter() {
    for python in ["python3", "/usr/bin/python3"] {
        let version = second_word(Command::new(python).arg("--version"));
        let process = Running::ready(Command::new(python).arg(app("wait.py")));
        check(&process.inspect(), Language::Python, &version, "wait", "python");
    }
}

#[test]
fn ruby_is_told() {
    let version = run(Command::new("ruby").args(["-e", "print RUBY_VERSION"]));
    check(
        &Running::ready(Command::new("ruby").arg(app("wait.rb"))).inspect(),
        Language::Ruby,
        &version,
        "wait",
        "libruby",
    );
}

#[test]
fn php_is_told() {
    let version = second_word(Command::new("php").arg("--version"));
    check(
        &Running::ready(Command::new("php").arg(app("wait.php"))).inspect(),
        Language::Php,
        &version,
        "wait",
        "php",
    );
}

#[test]
fn go_is_told_stripped_and_static() {
    let program = scratch().join("go-wait");
    let mut command = go("");
    command
        .args(["build", "-ldflags=-s -w", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(app("go-wait"));
    run(command.env("CGO_ENABLED", "0"));
    let version = run(go("").args(["env", "GOVERSION"]));
    let process = Running::ready(&mut Command::new(&program));
    let inspection = process.inspect();
    check(
        &inspection,
        Language::Go,
        version.trim().trim_start_matches("go"),
        "go-wait",
        "Go build information",
    );
    assert_eq!(inspection.libc, Some(Libc::Static));
    let contents = inspection.program.unwrap();
    assert_eq!(
        contents.go.as_ref().unwrap().main_path.as_deref(),
        Some("example.com/inspect/go-wait")
    );
}

#[test]
fn go_with_cgo_runs_on_glibc() {
    let path = Build::release("").cgo().path();
    let (address, name) = ("256.0.0.1:1", path.file_name().unwrap().to_str().unwrap());
    // The sample would serve; with an address that is none it ends at once, so only its file is looked at.
    assert!(run(Command::new(&path).arg(address)).contains("256.0.0.1"), "{name}");
    let contents = runtime_inspect::facts::elf::contents::ElfContents::read(
        &runtime_inspect::facts::elf::ElfFile::open(&path).unwrap(),
    );
    assert!(contents.go.is_some() && contents.interpreter.unwrap().contains("ld-linux"));
}

#[test]
fn dotnet_is_told_by_its_runtime_library() {
    let folder = tempfile::tempdir_in(scratch()).unwrap();
    let runtime = folder.path().join("shared/Microsoft.NETCore.App/8.0.11");
    std::fs::create_dir_all(&runtime).unwrap();
    let library = runtime.join("libcoreclr.so");
    std::fs::write(
        folder.path().join("empty.c"),
        "int coreclr_initialize(void) { return 0; }\n",
    )
    .unwrap();
    run(Command::new("gcc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(folder.path().join("empty.c")));
    let host = folder.path().join("dotnet");
    std::fs::copy(compiled("dotnet-host", &["gcc"], "dotnet.c"), &host).unwrap();
    let process = Running::ready(Command::new(&host).arg("/srv/Shop.dll").env("RUNTIME", &library));
    check(&process.inspect(), Language::DotNet, "8.0.11", "Shop", "libcoreclr.so");
}

#[test]
fn rust_is_told_with_and_without_symbols() {
    let version = second_word(Command::new("rustc").arg("--version"));
    let plain = compiled("rust-plain", &["rustc", "-C", "linker=cc"], "wait.rs");
    check(
        &Running::ready(&mut Command::new(plain)).inspect(),
        Language::Rust,
        &version,
        "rust-plain",
        "rustc",
    );
    let stripped = compiled("rust-stripped", &["rustc", "-C", "strip=symbols"], "wait.rs");
    check(
        &Running::ready(&mut Command::new(&stripped)).inspect(),
        Language::Rust,
        &version,
        "rust-stripped",
        "rustc",
    );
    // Without even the compiler's comment the paths in the panic messages remain, but no version.
    let bare = scratch().join("rust-bare");
    run(Command::new("objcopy")
        .args(["--remove-section", ".comment"])
        .arg(&stripped)
        .arg(&bare));
    let inspection = Running::ready(&mut Command::new(&bare)).inspect();
    assert_eq!(
        (inspection.language, inspection.runtime_version.as_deref()),
        (Some(Language::Rust), None)
    );
    assert!(evidence(&inspection, Subject::Language).contains("standard library"));
}

#[test]
fn c_and_cpp_are_told_by_their_libraries() {
    let version = run(Command::new("gcc").arg("-dumpfullversion"));
    let c = compiled("c-plain", &["gcc"], "wait.c");
    check(
        &Running::ready(&mut Command::new(c)).inspect(),
        Language::C,
        version.trim(),
        "c-plain",
        "libc.so.6",
    );
    let cpp = compiled("cpp-plain", &["g++"], "wait.cpp");
    check(
        &Running::ready(&mut Command::new(cpp)).inspect(),
        Language::Cpp,
        version.trim(),
        "cpp-plain",
        "libstdc++",
    );
}
