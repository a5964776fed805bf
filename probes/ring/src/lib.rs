//! Reads a BPF ring buffer, and the counters beside it, through descriptors that somebody else made.
//!
//! The reader makes no `bpf()` call and needs no capability: it maps the descriptor and polls it. The reader's position
//! lives in the ring itself, so a reader that takes over from another goes on where that was done. A ring has one reader at a
//! time; who that is, is decided by the hand-over, not here. All `unsafe` of the collector's side is in this crate.

mod counters;
mod ring;

pub use counters::{CounterSnapshot, Counters};
pub use ring::{Hold, Ring, RingError};
