//! What the integration tests and the virtual machines share: probe tests that need nothing but a kernel ([`probes`]),
//! the programs that some of them observe ([`samples`]), and what benchmarks share with them ([`nginx`]).

#![forbid(unsafe_code)]

pub mod nginx;
pub mod probes;
pub mod samples;
