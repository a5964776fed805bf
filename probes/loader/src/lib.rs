//! Loads the eBPF programs, attaches them and owns what is attached.
//!
//! What the running kernel offers is found out by trying ([`facility`]); which programs exist, what each needs and how it
//! is attached is one static table ([`table`]); [`Probes`] carries it out. Dropping [`Probes`] detaches everything.
//! Nothing here decides *what* to trace, and nothing here reads a record.

pub mod facility;
mod log;
mod object;
pub mod pins;
pub mod plan;
mod preemption;
mod probes;
pub mod table;
mod uprobes;

pub use facility::{Facilities, Facility};
pub use object::{LoadError, Options, http1_group};
pub use pins::FileId;
pub use probes::{AttachError, Probes, Target};
