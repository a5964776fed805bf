//! A node's worth of processes.

use std::process::Command;
use std::time::{Duration, Instant};

use runtime_inspect::facts::elf::ElfFile;
use runtime_inspect::go::{GoBinary, pclntab};
use runtime_inspect::{Inspector, Language};

use crate::go_sample::Build;
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

#[test]
fn the_functions_of_a_go_program_are_found_in_a_few_milliseconds() {
    let path = Build::release("").flags(&["-ldflags=-s -w"]).path();
    let binary = GoBinary::open(ElfFile::open(path).unwrap()).unwrap();
    let section = binary.elf().section(".gopclntab").unwrap();
    let table = binary.elf().section_bytes(section, "the table").unwrap();
    let functions = pclntab::Header::parse(&table).unwrap().functions as u32;
    assert!(functions > 4000, "the sample has become small: {functions} functions");
    let start = Instant::now();
    assert_eq!(
        binary
            .functions(&["net/http.(*conn).serve", "runtime.newproc1"])
            .unwrap()
            .len(),
        2
    );
    let elapsed = start.elapsed();
    println!("{functions} functions in {elapsed:?}");
    // Twenty thousand functions take less than 30 ms; without optimisation the same work takes many times longer.
    let limit = Duration::from_millis(if cfg!(debug_assertions) { 900 } else { 30 }) * functions / 20_000;
    assert!(
        elapsed < limit,
        "{functions} functions took {elapsed:?}, more than {limit:?}"
    );
}
