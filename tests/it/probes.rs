//! The probe tests on this kernel. Each runs in a process of its own, since all see whatever HTTP their process speaks.

use odigos_tests::probes::{Absent, Case, GO_HTTP, HTTP1, RING_BYTES, Session, volume};
use odigos_tests::samples;
use probe_loader::Options;
use probe_loader::table::Group;
use std::path::Path;
use std::process::Command;

/// Names the case that a process started by this file is to run.
const CASE: &str = "ODIGOS_TEST_CASE";

static VOLUME: Case = Case {
    name: "100 000 requests over 50 connections give one span each",
    run: |traced| volume(traced, 100_000, 50),
};

fn cases() -> impl Iterator<Item = &'static Case> {
    HTTP1.iter().chain(GO_HTTP).chain([&VOLUME])
}

#[test]
fn every_case_with_http1_by_system_calls() {
    every_case("probes::every_case_with_http1_by_system_calls", Group::Http1Syscalls);
}

#[test]
fn every_case_with_http1_by_sockets() {
    every_case("probes::every_case_with_http1_by_sockets", Group::Http1Sockets);
}

/// Runs the cases, each by way of the test of this name in a process of its own; in such a process, its case.
fn every_case(test: &str, group: Group) {
    if let Ok(name) = std::env::var(CASE) {
        return run(&name, group);
    }
    let folder = tempfile::tempdir().unwrap();
    samples::build(folder.path()).unwrap();
    let failed: Vec<_> = cases()
        .map(|case| case.name)
        .filter(|name| !passes_alone(test, name, folder.path()))
        .collect();
    assert!(failed.is_empty(), "failed: {failed:#?}");
}

fn run(name: &str, group: Group) {
    let case = cases().find(|case| case.name == name).unwrap();
    let ring_bytes = if name == VOLUME.name {
        Options::default().ring_bytes
    } else {
        RING_BYTES
    };
    let options = Options {
        ring_bytes,
        ..Options::default()
    };
    match Session::new(group, options).run(case) {
        Err(error) if error.is::<Absent>() => eprintln!("{name}: not shown, since this kernel lacks it: {error}"),
        Err(error) => panic!("{name}: {error:?}"),
        Ok(()) => {}
    }
}

fn passes_alone(test: &str, name: &str, samples: &Path) -> bool {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(CASE, name)
        .env(samples::FOLDER_VARIABLE, samples)
        .output()
        .unwrap();
    if !output.status.success() {
        eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    }
    output.status.success()
}
