//! The product's own probes on this kernel: what the loader detects, what the verifier says, and the probe tests that
//! the integration tests run on the host.

use crate::{
    facilities,
    suite::{Named, Shown, report_verified},
};
use anyhow::{Result, ensure};
use odigos_tests::probes::{Absent, Case, GO_HTTP, HTTP1, PREEMPTION, RING_BYTES, Session, facilities as detected};
use probe_loader::{Facility, Options, facility::DESCRIPTIONS, http1_group, table::Group};

/// The tests of this file that need no loaded probes.
pub const TESTS: &[Named] = &[("detection_agrees_with_what_works", detection_agrees_with_what_works)];

/// Tests that run with the probes loaded in one way.
struct Suite {
    /// What the names of its tests begin with.
    name: &'static str,
    /// How HTTP/1 is seen; in the best way that the kernel offers if it is not said.
    http1: Option<Group>,
    /// What the kernel must offer.
    needs: &'static [Facility],
    cases: &'static [Case],
    never_keep_processor: bool,
}

/// Go's tests stand beside those of the way that the agent itself would choose, so that both use what is loaded once.
static SUITES: &[Suite] = &[
    Suite {
        name: "http1_syscalls",
        http1: Some(Group::Http1Syscalls),
        needs: &[Facility::SyscallTracepoints, Facility::TaskRegisters],
        cases: HTTP1,
        never_keep_processor: false,
    },
    Suite {
        name: "http1_sockets",
        http1: Some(Group::Http1Sockets),
        needs: &[Facility::SocketTracepoints, Facility::TaskRegisters],
        cases: HTTP1,
        never_keep_processor: false,
    },
    Suite {
        name: "http1_kprobe",
        http1: Some(Group::Http1Kprobe),
        needs: &[Facility::Kprobes],
        cases: HTTP1,
        never_keep_processor: false,
    },
    Suite {
        name: "go_http",
        http1: None,
        needs: &[Facility::Uprobes, Facility::Cookies],
        cases: GO_HTTP,
        never_keep_processor: false,
    },
    Suite {
        name: "go_http_preempted",
        http1: None,
        needs: &[Facility::Uprobes, Facility::Cookies],
        cases: &[PREEMPTION],
        never_keep_processor: true,
    },
    Suite {
        name: "http1_fentry",
        http1: Some(Group::Http1Fentry),
        needs: &[Facility::Fentry],
        cases: HTTP1,
        never_keep_processor: false,
    },
];

/// A test that needs loaded probes.
pub struct Probing {
    suite: &'static Suite,
    /// `None` is to tell how much work the verifier had.
    case: Option<&'static Case>,
}

/// All of them, with their names. Neighbours use the same probes where they can.
pub fn all() -> impl Iterator<Item = (String, Probing)> {
    SUITES.iter().flat_map(|suite| {
        let verify = suite.http1.map(|_| (format!("verifier_accepts_{}", suite.name), None));
        let named = |case: &'static Case| (format!("{}/{}", suite.name, case.name.replace(' ', "_")), Some(case));
        let tests = verify.into_iter().chain(suite.cases.iter().map(named));
        tests.map(move |(name, case)| (name, Probing { suite, case }))
    })
}

/// The probes that are loaded; loaded anew only when the way changes, since that takes longer than most tests.
#[derive(Default)]
pub struct Loaded(Option<Session>);

impl Loaded {
    /// Runs a test, if the kernel offers what it needs.
    pub fn run(&mut self, test: &Probing) -> Result<Shown> {
        let lack = test
            .suite
            .needs
            .iter()
            .find_map(|facility| detected().missing(*facility));
        let http1 = test.suite.http1.or_else(|| http1_group(detected()));
        let (None, Some(http1)) = (lack, http1) else {
            return Ok(Shown::Absent(lack.unwrap_or("no way of seeing HTTP/1").to_owned()));
        };
        let session = self.session(http1, test.suite.never_keep_processor);
        let done = match test.case {
            Some(case) => session.run(case),
            None => verify(session),
        };
        match done {
            Ok(()) => Ok(Shown::Yes),
            Err(error) => error.downcast().map(|Absent(why)| Shown::Absent(why)),
        }
    }

    fn session(&mut self, http1: Group, never_keep_processor: bool) -> &mut Session {
        let is_same = |session: &Session| {
            session.http1() == http1 && session.options().never_keep_processor == never_keep_processor
        };
        // What was loaded before is detached before anything else is attached.
        let kept = self.0.take().filter(is_same);
        self.0.insert(kept.unwrap_or_else(|| {
            let options = Options {
                ring_bytes: RING_BYTES,
                never_keep_processor,
                ..Options::default()
            };
            Session::new(http1, options)
        }))
    }
}

/// The agent chooses its probes by its detection, so a wrong one costs a feature or a start.
fn detection_agrees_with_what_works() -> Result<Shown> {
    for description in DESCRIPTIONS {
        let works = match facilities::truth(description.facility) {
            None => continue,
            Some(shown) => matches!(shown?, Shown::Yes),
        };
        let missing = detected().missing(description.facility);
        ensure!(
            works == missing.is_none(),
            "{}: works {works}, detected as {missing:?}",
            description.name
        );
    }
    Ok(Shown::Yes)
}

fn verify(session: &mut Session) -> Result<()> {
    let verified = session.probes()?.verified_instructions()?;
    ensure!(!verified.is_empty(), "no program was loaded");
    for (program, instructions) in verified {
        ensure!(
            instructions > 0,
            "the kernel does not tell what it verified of {program}"
        );
        report_verified(program, u64::from(instructions))?;
    }
    Ok(())
}
