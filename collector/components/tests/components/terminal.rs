//! The terminal's output, taken from a process of its own: this test's program, run again for one test.

use crate::feed::{finish, start, wait_for};
use std::process::Command;

const CHILD: &str = "COLLECTOR_TEST_TERMINAL";

/// Runs in the child only: the feed `FEED`, the settings `SETTINGS`, until `EXPORTED` items are on the screen.
#[test]
fn child() {
    let Ok(text) = std::env::var(CHILD) else { return };
    let [feed, settings, wanted] = text.split('|').collect::<Vec<_>>()[..] else {
        panic!("{text}")
    };
    let wanted: u64 = wanted.parse().unwrap();
    let engine = start(feed, "terminal", settings);
    wait_for(&engine, "all is on the screen", |terminal| terminal.exported >= wanted);
    let account = finish(engine);
    assert!(account.dropped.is_empty(), "{account:?}");
}

/// What a collector with these settings writes to its standard output.
fn screen(feed: &str, settings: &str, wanted: u64) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "terminal::child", "--nocapture", "--test-threads=1"])
        .env(CHILD, format!("{feed}|{settings}|{wanted}"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

#[test]
fn quiet_traces_are_drawn_as_trees_while_the_collector_runs() {
    let text = screen("payloads: 3, spans: 3", "format: tree, settle: 50ms", 9);
    for trace in 1..=3 {
        let expected = format!(
            "trace {trace:032x}  22:13:20.000Z  3 spans  2.00ms\n\
             └─ shop  GET /a  server  ok  2.00ms\n\
             \u{20}  ├─ shop  GET /a  server  ok  2.00ms  +1ns\n\
             \u{20}  └─ shop  GET /a  server  ok  2.00ms  +2ns\n"
        );
        assert_eq!(text.matches(&expected).count(), 1, "{expected}is not once in\n{text}");
    }
}

#[test]
fn a_trace_that_is_not_quiet_at_the_end_is_drawn_all_the_same() {
    let text = screen("payloads: 2, spans: 2", "format: tree, settle: 1h", 0);
    assert_eq!(text.matches("2 spans").count(), 2, "{text}");
}

#[test]
fn when_memory_is_short_the_oldest_traces_are_drawn_early() {
    // The bound is 16384 spans; none of these traces is ever quiet for an hour.
    let text = screen("payloads: 200, spans: 100", "format: tree, settle: 1h", 3_600);
    assert_eq!(text.matches("100 spans").count(), 200, "{} bytes", text.len());
}

#[test]
fn where_there_is_no_terminal_each_span_is_a_line_without_colour() {
    for (settings, lines) in [("", 4), ("format: lines", 4), ("format: json", 1)] {
        let text = screen("payloads: 1, spans: 4", settings, 4);
        let found: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("00000000000000000000000000000001"))
            .collect();
        assert_eq!(found.len(), lines, "{settings}: {text}");
        assert!(!text.contains('\x1b'), "{text}");
    }
    let json = screen("payloads: 1, spans: 4", "format: json", 4);
    // The test program's own words come before it, on the same line.
    let line = json
        .lines()
        .find_map(|line| line.find("{\"resourceSpans\"").map(|at| &line[at..]))
        .unwrap();
    let value: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(
        value["resourceSpans"][0]["scopeSpans"][0]["spans"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
}
