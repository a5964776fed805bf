//! Tests of runtime-inspect on real ELF files and real processes, which they build and start themselves.
#![allow(missing_docs, clippy::unwrap_used)]

mod bad_input;
mod cache;
mod go_binaries;
mod go_sample;
mod many;
mod properties;
mod roots;
mod running;
mod runtimes;
mod servers;
mod surroundings;
