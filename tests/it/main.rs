//! The product's own binaries on real programs, and the probes on this kernel.

mod bad_input;
mod daemon;
mod probes;
mod processes;
mod run;
mod support;
