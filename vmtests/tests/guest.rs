//! The guest's program as an ordinary process: what it lists, and what it reports.

#![forbid(unsafe_code)]

use std::{collections::BTreeSet, process::Command};
use vmtests::{
    kernels::{SERIES, covers},
    protocol::{Message, Outcome},
};

fn guest(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_vmtests-guest"))
        .args(arguments)
        .output();
    let output = output.expect("the guest's program can be run");
    let said = String::from_utf8(output.stdout).expect("what it says is text");
    (output.status.success(), said)
}

#[test]
fn names_are_unique_and_what_a_kernel_lacks_is_one_of_them() {
    let (ok, listed) = guest(&["--list"]);
    assert!(ok);
    let names: BTreeSet<&str> = listed.lines().collect();
    assert_eq!(names.len(), listed.lines().count(), "{listed}");
    for series in SERIES {
        for absent in series.absent {
            assert!(
                names.iter().any(|name| covers(absent, name)),
                "series {} names {absent}, which is no test",
                series.name
            );
        }
    }
    let words = names.iter().find(|name| name.contains(char::is_whitespace));
    assert_eq!(words, None, "a name travels as one word of a kernel's command line");
}

#[test]
fn a_run_is_reported_from_its_beginning_to_its_end() {
    let (ok, said) = guest(&["--all", "--only", "loopback_carries_data"]);
    assert!(ok);
    let messages: Vec<Message> = said.lines().filter_map(Message::parse).collect();
    let test = || "loopback_carries_data".to_owned();
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease")
        .unwrap()
        .trim()
        .to_owned();
    assert_eq!(
        messages,
        [
            Message::Hello { release },
            Message::Started { test: test() },
            Message::Ended {
                test: test(),
                outcome: Outcome::Passed
            },
            Message::Finished,
        ]
    );
}

#[test]
fn an_unknown_test_is_an_error() {
    let (ok, said) = guest(&["--run", "no_such_test"]);
    assert!(!ok);
    assert_eq!(said, "");
}
