//! A node's worth of processes.

use std::process::Command;
use std::time::{Duration, Instant};

use runtime_inspect::{Inspector, Language};

use crate::running::{Running, compiled};

const PROCESSES: usize = 500;

#[test]
fn five_hundred_processes_are_inspected_within_a_second() {
    let programs = [
        compiled("c-plain", &["gcc"], "wait.c"),
        compiled("cpp-plain", &["g++"], "wait.cpp"),
    ];
    let running: Vec<Running> = (0..PROCESSES)
        .map(|index| Running::ready(&mut Command::new(&programs[index % 2])))
        .collect();
    let inspector = Inspector::default();
    let start = Instant::now();
    for (index, process) in running.iter().enumerate() {
        let expected = [Language::C, Language::Cpp][index % 2];
        assert_eq!(inspector.inspect(process.pid()).unwrap().language, Some(expected));
    }
    let elapsed = start.elapsed();
    println!("{PROCESSES} processes in {elapsed:?}");
    // Without optimisation the same work takes several times longer.
    let limit = if cfg!(debug_assertions) {
        Duration::from_secs(5)
    } else {
        Duration::from_secs(1)
    };
    assert!(elapsed < limit, "{PROCESSES} processes took {elapsed:?}");
}
