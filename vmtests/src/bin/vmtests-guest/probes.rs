//! The product's own probes on this kernel: what the loader detects, what the verifier says, and the probe tests that
//! the integration tests run on the host.

use crate::{
    facilities,
    suite::{Named, Shown, report_verified},
};
use anyhow::{Result, ensure};
use odigos_tests::probes::{Case, HTTP1};
use probe_loader::{Facilities, Facility, Options, Probes, facility::DESCRIPTIONS, table::Group};

/// The tests of this file that are not cases of a probe.
pub const TESTS: &[Named] = &[
    ("detection_agrees_with_what_works", detection_agrees_with_what_works),
    ("verifier_accepts_http1_syscalls", || verifier_accepts(&SYSCALLS)),
    ("verifier_accepts_http1_fentry", || verifier_accepts(&FENTRY)),
    ("verifier_accepts_http1_kprobe", || verifier_accepts(&KPROBE)),
];

/// A way of seeing HTTP/1, and what the kernel must offer for it.
pub struct Way {
    name: &'static str,
    group: Group,
    needs: &'static [Facility],
}

static SYSCALLS: Way = Way {
    name: "http1_syscalls",
    group: Group::Http1Syscalls,
    needs: &[Facility::SyscallTracepoints, Facility::TaskRegisters],
};
static FENTRY: Way = Way {
    name: "http1_fentry",
    group: Group::Http1Fentry,
    needs: &[Facility::Fentry],
};
static KPROBE: Way = Way {
    name: "http1_kprobe",
    group: Group::Http1Kprobe,
    needs: &[Facility::Kprobes],
};

/// Every case in every way, with its name.
pub fn cases() -> impl Iterator<Item = (String, &'static Way, &'static Case)> {
    [&SYSCALLS, &FENTRY, &KPROBE].into_iter().flat_map(|way| {
        let named = |case: &'static Case| format!("{}/{}", way.name, case.name.replace(' ', "_"));
        HTTP1.iter().map(move |case| (named(case), way, case))
    })
}

/// Runs a case; whether the kernel offers what its way needs was found out before.
pub fn run(way: &Way, case: &Case) -> Result<Shown> {
    (case.run)(way.group)?;
    Ok(Shown::Yes)
}

/// The agent chooses its probes by its detection, so a wrong one costs a feature or a start.
fn detection_agrees_with_what_works() -> Result<Shown> {
    let detected = Facilities::detect();
    for description in DESCRIPTIONS {
        let works = match facilities::truth(description.facility) {
            None => continue,
            Some(shown) => matches!(shown?, Shown::Yes),
        };
        let missing = detected.missing(description.facility);
        ensure!(
            works == missing.is_none(),
            "{}: works {works}, detected as {missing:?}",
            description.name
        );
    }
    Ok(Shown::Yes)
}

fn verifier_accepts(way: &Way) -> Result<Shown> {
    let facilities = Facilities::detect();
    if let Some(lack) = lack(way, &facilities) {
        return Ok(Shown::Absent(lack));
    }
    let probes = Probes::load_with(&Options::default(), &facilities, Some(way.group))?;
    let verified = probes.verified_instructions()?;
    ensure!(!verified.is_empty(), "no program was loaded");
    for (program, instructions) in verified {
        ensure!(
            instructions > 0,
            "the kernel does not tell what it verified of {program}"
        );
        report_verified(program, u64::from(instructions))?;
    }
    Ok(Shown::Yes)
}

/// What the kernel does not offer of what the way needs.
pub fn lack(way: &Way, facilities: &Facilities) -> Option<String> {
    let missing = |facility: &Facility| facilities.missing(*facility).map(str::to_owned);
    way.needs.iter().find_map(missing)
}
