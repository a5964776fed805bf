//! The node agent: which processes are there, what is traced of each, and the hand-over of the ring to the collector.
//!
//! [`selection`] decides whether a process is traced, `plan` what of it, both pure; [`Running`] carries it out on one
//! thread. Spans never pass through here: the kernel writes them into a ring that the collector reads.

#![forbid(unsafe_code)]

mod agent;
mod entity;
mod golang;
mod handover;
mod listening;
mod options;
mod patience;
pub mod plan;
mod processes;
pub mod selection;

pub use agent::{AgentError, Collector, Config, Running};
pub use golang::plan_of as plan_go;
pub use options::{Options, RingSizeError};
pub use selection::{GlobError, Named, Selection};
