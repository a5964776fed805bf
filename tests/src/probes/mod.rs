//! Tests of the probes, with a client and a server of their own on loopback, or with a program of [`crate::samples`]. They
//! need nothing else, so that they run on the host and as the first process of a virtual machine.

mod account;
mod connection;
mod dialogue;
mod framing;
mod go_http;
mod io_uring;
mod parents;
mod preemption;
mod program;
mod session;
mod traced;
mod transport;

use anyhow::Result;

pub use account::volume;
pub use preemption::PREEMPTION_SWITCH;
pub use session::Session;
pub use traced::{Counted, GoSpan, Span, Traced, facilities};

/// A named test, run with HTTP/1 seen in one way.
pub struct Case {
    /// A sentence.
    pub name: &'static str,
    /// The test, which must take every span that it causes.
    pub run: fn(&mut Traced) -> Result<()>,
}

/// The kernel lacks what a case needs beside the probes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Absent(pub String);

/// A ring that holds what a case reports, and that a case can fill in little time.
pub const RING_BYTES: u32 = 1 << 20;

/// All tests of the HTTP/1 probes.
pub static HTTP1: &[Case] = &[
    Case {
        name: "the framing of each response is understood",
        run: framing::every_dialogue,
    },
    Case {
        name: "pipelined requests that are not kept are counted",
        run: framing::too_many,
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
        name: "many requests give one span each",
        run: |traced| volume(traced, 2_000, 50),
    },
    Case {
        name: "io_uring is seen where the kernel's own functions are watched",
        run: io_uring::every_way,
    },
    Case {
        name: "what a kernel that preempts itself leaves out is counted",
        run: preemption::skipped,
    },
    // Ends with the probes detached, so the next would need them loaded anew.
    Case {
        name: "every span is accounted for",
        run: account::full_ring,
    },
];

/// What a kernel may do in the middle of a probe, for which the probes can be loaded in two ways ([`Options::never_keep_processor`]).
///
/// [`Options::never_keep_processor`]: probe_loader::Options::never_keep_processor
pub const PREEMPTION: Case = Case {
    name: "requests of programs that preempt each other do not mix",
    run: preemption::one_processor,
};

/// All tests of the probes in Go's net/http.
pub static GO_HTTP: &[Case] = &[
    Case {
        name: "the kernel side sees the routes and the children of a stripped server",
        run: go_http::servers_from_outside,
    },
    Case {
        name: "a server that is seen from both sides has one span for a request",
        run: go_http::wrapped_connections,
    },
    Case {
        name: "each request to a stripped server has its span",
        run: go_http::servers,
    },
    Case {
        name: "a request made while serving is a child across goroutines",
        run: go_http::clients,
    },
    PREEMPTION,
    Case {
        name: "a program whose probes are taken out goes on unseen",
        run: go_http::detached,
    },
    // Ends with the probes detached.
    Case {
        name: "a request that a program has not ended is counted",
        run: go_http::unfinished,
    },
];
