//! The `debug` exporter in a running engine; what it writes of each item is tested where it is written.

use crate::feed::{errors, finish, start_error, start_text, start_unbatched, wait_for};
use std::process::Command;

const CHILD: &str = "COLLECTOR_TEST_DEBUG";

#[test]
fn requests_are_appended_to_each_of_the_output_paths() {
    let directory = tempfile::tempdir().unwrap();
    let paths = ["a", "b"].map(|name| directory.path().join(name));
    let settings = format!(
        "use_internal_logger: false, verbosity: normal, output_paths: ['{}', '{}']",
        paths[0].display(),
        paths[1].display()
    );
    for _ in 0..2 {
        let engine = start_unbatched("payloads: 1, spans: 2", "debug", &settings);
        wait_for(&engine, "all is written", |debug| debug.exported == 2);
        finish(engine);
    }
    let once = "Traces\t{\"resource spans\": 1, \"spans\": 2}\n\
                ResourceTraces #0 service.name=shop\n\
                ScopeTraces #0 test@1\n\
                GET /a 00000000000000000000000000000001 0000000000000001\n\
                GET /a 00000000000000000000000000000001 0000000000000002\n";
    for path in paths {
        assert_eq!(std::fs::read_to_string(path).unwrap(), once.repeat(2));
    }
}

#[test]
fn each_signal_is_shown_and_sampled_requests_are_exported_all_the_same() {
    for (signal, line) in [
        ("traces", "Traces\t{\"resource spans\": 1, \"spans\": 3}\n"),
        (
            "metrics",
            "Metrics\t{\"resource metrics\": 1, \"metrics\": 1, \"data points\": 3}\n",
        ),
        ("logs", "Logs\t{\"resource logs\": 1, \"log records\": 3}\n"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("shown");
        let engine = start_text(&format!(
            "
receivers: {{feed: {{payloads: 2000, spans: 3, signal: {signal}}}}}
exporters: {{debug: {{use_internal_logger: false, output_paths: '{}', sampling_thereafter: 1000}}}}
service: {{pipelines: {{{signal}: {{receivers: [feed], exporters: [debug]}}}}}}
",
            path.display()
        ));
        wait_for(&engine, "all is exported", |debug| debug.exported == 6000);
        assert!(finish(engine).dropped.is_empty());
        let text = std::fs::read_to_string(path).unwrap();
        let shown = text.matches(line).count();
        assert_eq!(text, line.repeat(shown));
        // Two a second, and one of each thousand after them.
        assert!((2..200).contains(&shown), "{signal}: {shown}");
    }
}

#[test]
fn what_cannot_be_written_is_counted() {
    let settings = "use_internal_logger: false, output_paths: /dev/full";
    let engine = start_unbatched("payloads: 3, spans: 2", "debug", settings);
    wait_for(&engine, "all is dropped", |debug| {
        debug.held == 0 && debug.received == 6
    });
    let account = finish(engine);
    assert_eq!((account.exported, account.dropped[&"write_failed"]), (0, 6));
}

#[test]
fn a_file_that_cannot_be_opened_is_named_at_the_start() {
    let error = start_error("debug", "use_internal_logger: false, output_paths: /nowhere/at/all");
    assert!(error.contains("debug: /nowhere/at/all: "), "{error}");
}

#[test]
fn settings_that_contradict_each_other_are_errors() {
    for (settings, expected) in [
        (
            "verbosity: none",
            "verbosity: \"none\" is none of basic, normal, detailed",
        ),
        ("output_paths: stdout", "output_paths: needs use_internal_logger: false"),
        (
            "use_internal_logger: false, output_paths: []",
            "output_paths: must not be empty",
        ),
        (
            "sampling_inital: 1",
            "sampling_inital: unknown key; did you mean \"sampling_initial\"?",
        ),
    ] {
        let error = errors("debug", settings);
        assert!(error.contains(expected), "{settings}: {error}");
    }
}

/// Runs in the child only: two spans, shown with the settings that the variable has, at the level behind them.
#[test]
fn child() {
    let Ok(text) = std::env::var(CHILD) else { return };
    let (settings, level) = text.split_once('|').unwrap();
    kit::logging::init(level);
    let engine = start_unbatched("payloads: 1, spans: 2", "debug/it", settings);
    wait_for(&engine, "all is exported", |debug| debug.exported == 2);
    assert!(finish(engine).dropped.is_empty());
}

/// What a process of its own writes to its standard output and to its log.
fn written(settings: &str, level: &str) -> (String, String) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "debug::child", "--nocapture", "--test-threads=1"])
        .env(CHILD, format!("{settings}|{level}"))
        .env_remove(kit::logging::VARIABLE)
        .output()
        .unwrap();
    let [out, log] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success(), "{out}\n{log}");
    (out, log)
}

#[test]
fn by_default_requests_are_shown_in_the_log_as_far_as_its_level_goes() {
    let counts = "Traces {\"resource spans\": 1, \"spans\": 2}";
    let (out, log) = written("", "info");
    assert!(log.contains(counts) && log.contains("exporter=debug/it"), "{log}");
    assert!(!out.contains("resource spans") && !log.contains("GET /a"), "{out}{log}");
    let (_, log) = written("verbosity: detailed", "info");
    assert!(log.contains(counts), "{log}");
    assert_eq!(log.matches("\n    Name           : GET /a\n").count(), 2, "{log}");
    let (_, log) = written("verbosity: detailed", "warn");
    assert!(!log.contains("spans"), "{log}");
}

#[test]
fn standard_output_is_there_whatever_the_level_of_the_log() {
    let (out, log) = written("use_internal_logger: false", "error");
    assert!(out.contains("Traces\t{\"resource spans\": 1, \"spans\": 2}\n"), "{out}");
    assert!(!log.contains("spans"), "{log}");
}
