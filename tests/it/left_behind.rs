//! What is in the kernel after a run has ended, however it did: nothing of it, by the kernel's own account.

use crate::support::kernel::{Objects, newest_program, orphans_since};
use crate::support::servers::{get, in_namespace};
use crate::support::{Observed, Program, binary, free_port, until};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// What a run holds that is attached.
fn held_by(pid: u32) -> Objects {
    let held = Objects::held_by(pid);
    assert!(
        !held.programs.is_empty() && !held.maps.is_empty() && !held.links.is_empty(),
        "{held:?}"
    );
    let (programs, maps) = held.left();
    assert_eq!((programs.len(), maps.len()), (held.programs.len(), held.maps.len()));
    held
}

/// The kernel frees some of it a moment after the last reference is gone.
fn wait_until_gone(held: &Objects) {
    until("the run's programs and maps are gone", || {
        (held.left() == (Vec::new(), Vec::new())).then_some(())
    });
}

#[test]
fn after_a_run_none_of_its_programs_and_maps_is_there() {
    // Mounted for this run, so that all that is pinned there is its own.
    let mut odigos = in_namespace(OWN_BPFFS);
    let run = Observed::start_by(odigos.arg(binary("odigos")), Stdio::piped(), &["-o", "quiet"]);
    run.ask(&["/"]);
    let held = held_by(run.pid());
    assert_eq!(
        pinned(Path::new(&format!("/proc/{}/root/sys/fs/bpf", run.pid()))),
        BTreeSet::new()
    );
    let finished = run.stop();
    assert!(finished.status.success(), "{}", finished.log);
    wait_until_gone(&held);
}

#[test]
fn after_a_killed_run_nothing_is_left_and_the_next_one_starts_from_nothing() {
    let first = Observed::start(&["-o", "quiet"]);
    let held = held_by(first.pid());
    let server = first.crash();
    wait_until_gone(&held);
    let next = Observed::start(&["-o", "quiet", "--pid", &server.pid().to_string()]);
    let held_by_next = held_by(next.pid());
    assert!(
        held.programs.is_disjoint(&held_by_next.programs),
        "{held:?} {held_by_next:?}"
    );
    let finished = next.stop();
    assert!(finished.status.success(), "{}", finished.log);
    wait_until_gone(&held_by_next);
}

const OWN_BPFFS: &str = "mount -t bpf bpf /sys/fs/bpf";

/// A run that fails leaves no program behind, and no pin.
fn check_failure(options: &[&str], status: i32) {
    let newest = newest_program();
    let mut command = in_namespace(OWN_BPFFS);
    command
        .args([
            "sh",
            "-c",
            "\"$@\"; status=$?; find /sys/fs/bpf -mindepth 1 ! -name '*.debug'; exit $status",
            "sh",
        ])
        .arg(binary("odigos"))
        .args(["run", "-o", "quiet", "--port", "1"])
        .args(options);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "something is pinned");
    let mut left = Vec::new();
    until("every program has somebody who holds it", || {
        left = orphans_since(newest);
        left.is_empty().then_some(())
    });
}

#[test]
fn a_run_that_fails_before_or_after_it_is_attached_leaves_nothing() {
    check_failure(&["--export", "file:/nowhere/spans.jsonl"], 1);
    check_failure(&["--", "/nowhere/server"], 1);
    check_failure(&["--duration", "soon"], 2);
}

/// Removes the pins of a test that failed.
struct Pins(PathBuf);

impl Drop for Pins {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What is pinned in the folder and below, without the two iterators that some kernels put into every bpffs.
fn pinned(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .flat_map(|entry| match entry.file_type().unwrap().is_dir() {
            true => pinned(&entry.path()),
            false => BTreeSet::from([entry.path()]),
        })
        .filter(|path| path.extension().is_none_or(|extension| extension != "debug"))
        .collect()
}

/// The agent's probes are meant to outlive it: its successor takes them over instead of adding to them, and `clean` ends them.
#[test]
fn an_agent_killed_again_and_again_has_one_set_of_pins_and_clean_ends_them() {
    let folder = TempDir::with_prefix("odigos-test-").unwrap();
    let pins = Pins(Path::new("/sys/fs/bpf").join(folder.path().file_name().unwrap()));
    let port = free_port();
    let _server = crate::support::servers::start_python(port);
    let odiglet = || {
        let mut command = Command::new(binary("odiglet"));
        command.args(["--port", &port.to_string(), "--socket"]);
        command
            .arg(folder.path().join("odiglet.sock"))
            .arg("--pins")
            .arg(&pins.0);
        command
    };
    let mut agents = Vec::new();
    for _ in 0..3 {
        let mut agent = Program::start(&mut odiglet());
        agent.wait_for("ready");
        let held = held_by(agent.pid());
        agent.kill();
        get(port, "/while-nobody-watches");
        agents.push((pinned(&pins.0), held));
    }
    let (pins_of_first, first) = &agents[0];
    assert!(!pins_of_first.is_empty());
    for (pinned, held) in &agents {
        assert_eq!(pinned, pins_of_first);
        assert_eq!(held.links, first.links, "each goes on with what the first has attached");
    }
    until("no program is left but those that are attached", || {
        let left: BTreeSet<u32> = agents.iter().flat_map(|(_, held)| held.left().0).collect();
        (left.len() == first.links.len()).then_some(())
    });
    let clean = odiglet().arg("clean").status().unwrap();
    assert!(clean.success() && !pins.0.exists());
    agents.iter().for_each(|(_, held)| wait_until_gone(held));
}
