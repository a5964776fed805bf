//! The product's own binaries on real programs, and the probes on this kernel.

// A test that cannot go on says so by its panic.
#![allow(clippy::unwrap_used)]

mod bad_input;
mod daemon;
mod demo;
mod destinations;
mod golang;
mod hostile;
mod inspect;
mod lease;
mod left_behind;
mod options;
mod output;
mod probes;
mod processes;
mod run;
mod support;
mod volume;
