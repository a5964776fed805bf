//! The guest's program: the tests, and what runs them. As process 1 of a virtual machine it sets the machine up, runs
//! the tests, reports over the second serial port and powers off. Run by hand it is an ordinary program.

#![forbid(unsafe_code)]

mod facilities;
mod init;
mod probes;
mod suite;

use anyhow::{Result, bail};
use std::{io, process::ExitCode};

fn main() -> ExitCode {
    if std::process::id() == 1 {
        init::run_and_power_off();
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vmtests-guest: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<()> {
    match arguments {
        ["--list"] => {
            suite::names().iter().for_each(|name| println!("{name}"));
            Ok(())
        }
        ["--run", names @ ..] if !names.is_empty() => suite::run(names, &mut io::stdout()),
        ["--all"] => suite::run_all("", &mut io::stdout()),
        ["--all", "--only", text] => suite::run_all(text, &mut io::stdout()),
        _ => bail!("usage: vmtests-guest --list | --run TEST... | --all [--only TEXT]"),
    }
}
