//! `odigos inspect` for a person: the table, and the table with its evidence.

use crate::support::servers::start_python;
use crate::support::{Program, binary, free_port};
use std::process::Command;

fn inspect(arguments: &[&str]) -> String {
    let output = Command::new(binary("odigos"))
        .arg("inspect")
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The cell below each title: columns begin where their titles do.
fn cells<'a>(head: &str, row: &'a str) -> Vec<&'a str> {
    let titles = [
        "PID",
        "SERVICE",
        "LANGUAGE",
        "VERSION",
        "LIBC",
        "CONTAINER",
        "OTHER AGENTS",
        "INSTRUMENTED BY",
    ];
    let starts: Vec<usize> = titles.iter().map(|title| head.find(title).unwrap()).collect();
    let ends = starts.iter().skip(1).copied().chain([row.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(start, end)| row[*start..end].trim_end())
        .collect()
}

#[test]
fn a_table_has_a_line_for_each_process_that_was_named() {
    let server = start_python(free_port());
    let mut sleeping = Command::new("sleep");
    let sleep = Program::start(sleeping.arg("600").env("NEW_RELIC_LICENSE_KEY", "secret-key"));
    let pids = [server.pid().to_string(), sleep.pid().to_string()];
    let named = ["--pid", &pids[0], "--pid", &pids[1]];
    let table = inspect(&named);
    assert_eq!(
        inspect(&[&named[..], &["-o", "table"]].concat()),
        table,
        "the table is the default"
    );
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    let python = cells(lines[0], lines[1]);
    assert_eq!(python[..3], [pids[0].as_str(), "http.server", "python"], "{table}");
    assert!(python[3].starts_with("3."), "{table}");
    assert!(python[4].starts_with("glibc"), "{table}");
    assert_eq!((python[6], python[7].is_empty()), ("-", false), "{table}");
    let other = cells(lines[0], lines[2]);
    assert_eq!(
        (other[0], other[1], other[6]),
        (pids[1].as_str(), "sleep", "New Relic"),
        "{table}"
    );
}

#[test]
fn wide_output_adds_the_evidence_to_the_same_table_and_no_value_of_a_variable() {
    let mut sleeping = Command::new("sleep");
    let sleep = Program::start(sleeping.arg("600").env("NEW_RELIC_LICENSE_KEY", "secret-key"));
    let pid = sleep.pid().to_string();
    let (table, wide) = (inspect(&["--pid", &pid]), inspect(&["--pid", &pid, "-o", "wide"]));
    let (rows, evidence): (Vec<&str>, Vec<&str>) = wide.lines().partition(|line| !line.starts_with("    "));
    assert_eq!(rows, table.lines().collect::<Vec<_>>());
    let says = |text: &str| evidence.iter().any(|line| line.contains(text));
    for text in [
        "program: /",
        "libc: ",
        "New Relic (the variable NEW_RELIC_LICENSE_KEY is set)",
        "service_name: sleep (",
    ] {
        assert!(says(text), "no {text:?} in\n{wide}");
    }
    assert!(!wide.contains("secret-key"), "{wide}");
}

#[test]
fn the_table_of_all_processes_has_this_test_in_it() {
    let table = inspect(&[]);
    let own = std::process::id().to_string();
    let head = table.lines().next().unwrap();
    let rows: Vec<&str> = table
        .lines()
        .skip(1)
        .filter(|line| line.split_whitespace().next() == Some(&own))
        .collect();
    assert_eq!(rows.len(), 1, "{table}");
    assert_eq!(cells(head, rows[0])[2], "rust", "{table}");
}
