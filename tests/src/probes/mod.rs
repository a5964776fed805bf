//! Tests of the probes with a client and a server of their own on loopback. They need no program and no file, so that
//! they run on the host and as the first process of a virtual machine.

mod account;
mod connection;
mod dialogue;
mod framing;
mod parents;
mod traced;
mod transport;

use anyhow::Result;
use probe_loader::table::Group;

pub use account::volume;
pub use traced::{Span, Traced, facilities};

/// A named test, run with HTTP/1 seen in one way.
pub struct Case {
    /// A sentence.
    pub name: &'static str,
    /// The test.
    pub run: fn(Group) -> Result<()>,
}

/// All tests of the HTTP/1 probes. Each loads the probes anew, which takes longest: so a case holds a table of its own
/// where one loading is enough.
pub static HTTP1: &[Case] = &[
    Case {
        name: "the framing of each response is understood",
        run: framing::every_dialogue,
    },
    Case {
        name: "every way of sending and receiving is seen",
        run: transport::every_way,
    },
    Case {
        name: "a request made while serving is a child",
        run: parents::every_relation,
    },
    Case {
        name: "every span is accounted for",
        run: account::small_ring,
    },
    Case {
        name: "many requests give one span each",
        run: |group| volume(group, 2_000, 50),
    },
];
