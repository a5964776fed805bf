//! Tests of runtime-inspect on real ELF files and real processes, which they build and start themselves.
#![allow(missing_docs, clippy::unwrap_used)]

mod go_binaries;
mod go_sample;
