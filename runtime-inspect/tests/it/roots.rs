//! A process with a root of its own, prepared to lead a reader astray.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::process::Command;

use runtime_inspect::facts::process::Process;
use runtime_inspect::facts::root::{RootError, TargetRoot};

use crate::go_sample::run;
use crate::running::{Running, compiled};

#[test]
fn nothing_outside_a_root_is_read_and_nothing_in_it_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::copy(
        compiled("libc-musl-static", &["musl-gcc", "-static"], "wait.c"),
        at("program"),
    )
    .unwrap();
    fs::create_dir(at("etc")).unwrap();
    fs::write(at("etc/release"), "INSIDE=\"1\"\n").unwrap();
    fs::write(at("outside"), "x".repeat(100)).unwrap();
    symlink("/etc/release", at("link")).unwrap();
    symlink("../../../../../../etc/release", at("climbing")).unwrap();
    symlink("/proc/self/root/etc/passwd", at("magic")).unwrap();
    symlink("loop", at("loop")).unwrap();
    run(Command::new("mkfifo").arg(at("fifo")));
    run(Command::new("mknod").arg(at("device")).args(["c", "1", "5"]));
    let mut command = Command::new("chroot");
    let process = Running::ready(command.arg0("chroot").arg(folder.path()).arg("/program"));
    let handle = Process::open(process.pid()).unwrap();
    let root = TargetRoot::open(handle.directory()).unwrap();
    for path in [
        "/etc/release",
        "etc/release",
        "/link",
        "/climbing",
        "/../../etc/release",
    ] {
        assert_eq!(root.read_text(path, 100).as_deref(), Ok("INSIDE=\"1\"\n"), "{path}");
    }
    assert_eq!(root.read_text("/fifo", 100), Err(RootError::NotRegular("FIFO")));
    assert_eq!(root.read_text("/device", 100), Err(RootError::NotRegular("device")));
    assert_eq!(root.read_text("/etc", 100), Err(RootError::NotRegular("directory")));
    assert_eq!(
        root.read_text("/outside", 99),
        Err(RootError::TooLarge { size: 100, limit: 99 })
    );
    for path in ["/magic", "/loop", "/absent", "/etc/passwd"] {
        assert!(matches!(root.read_text(path, 100), Err(RootError::Open(_))), "{path}");
    }
    assert_eq!(process.inspect().exe.rsplit('/').next(), Some("program"));
}

#[test]
fn a_fifo_for_a_java_release_file_costs_only_the_version() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("jdk/lib/server");
    fs::create_dir_all(&home).unwrap();
    let library = home.join("libjvm.so");
    fs::write(folder.path().join("empty.c"), "int nothing;\n").unwrap();
    run(Command::new("gcc")
        .args(["-shared", "-o"])
        .arg(&library)
        .arg(folder.path().join("empty.c")));
    run(Command::new("mkfifo").arg(folder.path().join("jdk/release")));
    let host = compiled("dotnet-host", &["gcc"], "dotnet.c");
    let inspection = Running::ready(Command::new(host).env("RUNTIME", &library)).inspect();
    assert_eq!(inspection.language, Some(runtime_inspect::Language::Java));
    assert_eq!(inspection.runtime_version, None);
    let reasons: Vec<&str> = inspection
        .findings
        .iter()
        .filter(|finding| finding.value.is_none())
        .map(|finding| finding.evidence.as_str())
        .collect();
    assert!(
        reasons
            .iter()
            .any(|reason| reason.contains("not a regular file but a FIFO")),
        "{reasons:?}"
    );
}
