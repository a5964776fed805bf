//! Records that eBPF programs write into the ring, as typed events.
//!
//! The layouts are defined once, in `probes/bpf/include/odigos/records.h`; the constants here are compared with the
//! object's BTF by a test of the loader. Nothing here does I/O, and nothing here knows libbpf. All input is hostile: a
//! record that does not hold what its lengths say is a [`DecodeError`], never a panic.

#![forbid(unsafe_code)]

mod event;
mod go_http;
pub mod handover;
mod http1;
pub mod layout;
pub mod process;

pub use event::{DecodeError, Endpoint, Event, GoHttp, Http1, SpanFlags, SpanHeader, decode};
