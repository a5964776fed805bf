//! Tests of the probes with a client and a server of their own on loopback. They need no program and no file, so that
//! they run on the host and as the first process of a virtual machine.

mod http1;
mod traced;

use anyhow::Result;
use probe_loader::table::Group;

pub use traced::Traced;

/// A named test, run with HTTP/1 seen in one way.
pub struct Case {
    /// A sentence.
    pub name: &'static str,
    /// The test.
    pub run: fn(Group) -> Result<()>,
}

/// All tests of the HTTP/1 probes.
pub static HTTP1: &[Case] = http1::CASES;
