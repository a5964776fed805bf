//! Whether the kernel preempts its own work.
//!
//! A trampoline runs a program once at a time on each processor: if the task in the middle of a run is preempted, the calls of
//! the tasks that come in between are not seen (`__bpf_prog_enter_recur` in the kernel's kernel/bpf/trampoline.c). Probes and
//! tracepoints run with preemption off, or have no such guard.

use crate::facility::{DETECT_NUMBER, with_program};
use libbpf_rs::ProgramInput;
use std::io::{BufRead, BufReader};

/// The kernel's variable with the mode that was chosen at boot, or later by debugfs (kernel/sched/core.c).
const MODE: &str = "preempt_dynamic_mode";
const NONE: i32 = 0;
const VOLUNTARY: i32 = 1;

/// When a kernel preempts itself, as far as its build says (the version that uname(1) prints with `-v`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Build {
    Never,
    Always,
    /// It is told at boot.
    AsTold,
}

/// That no trampoline leaves out a run because of preemption; else why that is not so, or not known.
pub(crate) fn never_skips() -> Result<(), String> {
    match build_of(&rustix::system::uname().version().to_string_lossy()) {
        Build::Never => Ok(()),
        Build::Always => Err(skips("was built to preempt itself")),
        Build::AsTold => match mode() {
            Ok(NONE | VOLUNTARY) => Ok(()),
            Ok(_) => Err(skips("preempts itself (preempt=full or lazy)")),
            Err(why) => Err(skips(&format!(
                "may preempt itself; its mode is not to be found out: {why}"
            ))),
        },
    }
}

fn skips(kernel: &str) -> String {
    format!("the kernel {kernel}, and then leaves out some of the programs' runs")
}

fn build_of(version: &str) -> Build {
    let mut words = version.split_whitespace();
    match words.find(|word| word.starts_with("PREEMPT")) {
        None => Build::Never,
        // Later releases name the mode behind it, in brackets.
        Some(word) if word.starts_with("PREEMPT_DYNAMIC") => Build::AsTold,
        Some(_) => Build::Always,
    }
}

fn mode() -> Result<i32, String> {
    let address = address_of(MODE)?;
    let value = with_program(DETECT_NUMBER, |program| {
        let mut input = address.to_ne_bytes();
        let input = ProgramInput {
            context_in: Some(&mut input),
            ..Default::default()
        };
        program.test_run(input).map(|output| output.return_value as i32)
    })?;
    match value {
        i32::MIN => Err(format!("{MODE} cannot be read")),
        value => Ok(value),
    }
}

fn address_of(variable: &str) -> Result<u64, String> {
    const PATH: &str = "/proc/kallsyms";
    let failed = |error| format!("{PATH}: {error}");
    let symbols = BufReader::new(std::fs::File::open(PATH).map_err(failed)?);
    for line in symbols.lines() {
        if let Some(address) = address_in(&line.map_err(failed)?, variable) {
            // Zeros where they are hidden from this process.
            return match u64::from_str_radix(address, 16) {
                Ok(0) | Err(_) => Err(format!("{PATH} hides addresses")),
                Ok(address) => Ok(address),
            };
        }
    }
    Err(format!("{PATH} has no {variable}"))
}

/// The address, if the line is the one of the variable: address, type, name, and for a module's the module.
fn address_in<'a>(line: &'a str, variable: &str) -> Option<&'a str> {
    let mut fields = line.split_whitespace();
    let address = fields.next()?;
    (fields.nth(1) == Some(variable) && fields.next().is_none()).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_tells_when_a_kernel_preempts_itself() {
        for (version, build) in [
            ("#1 SMP Debian 5.10.0 (2024-01-01)", Build::Never),
            ("#1 SMP PREEMPT_DYNAMIC Debian 6.1.170-1 (2026-05-01)", Build::AsTold),
            ("#1 SMP PREEMPT_DYNAMIC(lazy)", Build::AsTold),
            ("#33-Ubuntu SMP PREEMPT_RT Tue", Build::Always),
            ("#2 SMP PREEMPT Mon", Build::Always),
        ] {
            assert_eq!(build_of(version), build, "{version}");
        }
    }

    #[test]
    fn a_symbol_is_its_own_line_and_not_one_that_only_holds_its_name() {
        let line = "ffffffff82a0 D preempt_dynamic_mode";
        assert_eq!(address_in(line, MODE), Some("ffffffff82a0"));
        assert_eq!(address_in("ffffffff82a0 t set_preempt_dynamic_mode", MODE), None);
        assert_eq!(address_in("ffffffff82a0 d preempt_dynamic_mode [module]", MODE), None);
        assert_eq!(address_in("ffffffff82a0", MODE), None);
    }
}
