//! The probe tests on this kernel. Each runs in a process of its own, since all see whatever HTTP their process speaks.

use odigos_tests::probes::{HTTP1, volume};
use probe_loader::table::Group;
use std::process::Command;

/// Names the case that a process started by this file is to run.
const CASE: &str = "ODIGOS_TEST_CASE";
const VOLUME: &str = "100 000 requests over 50 connections give one span each";

#[test]
fn http1_by_system_calls() {
    if let Ok(name) = std::env::var(CASE) {
        return run(&name, Group::Http1Syscalls);
    }
    let names = HTTP1.iter().map(|case| case.name).chain([VOLUME]);
    let failed: Vec<_> = names.filter(|name| !passes_alone(name)).collect();
    assert!(failed.is_empty(), "failed: {failed:#?}");
}

fn run(name: &str, group: Group) {
    let outcome = match HTTP1.iter().find(|case| case.name == name) {
        Some(case) => (case.run)(group),
        None if name == VOLUME => volume(group, 100_000, 50),
        None => panic!("no case is named {name:?}"),
    };
    if let Err(error) = outcome {
        panic!("{name}: {error:?}");
    }
}

fn passes_alone(name: &str) -> bool {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["probes::http1_by_system_calls", "--exact", "--nocapture"])
        .env(CASE, name)
        .output()
        .unwrap();
    if !output.status.success() {
        eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    }
    output.status.success()
}
