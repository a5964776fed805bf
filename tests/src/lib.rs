//! What the integration tests and the virtual machines share: probe tests that need nothing but a kernel ([`probes`]).

#![forbid(unsafe_code)]

pub mod probes;
