//! Chooses where programs are attached inside a binary, by disassembly.
//!
//! Where a uprobe sits decides what it costs: a few instructions are emulated by the kernel, all others are executed out of
//! line in a single step, twenty times as dear ([`Cost`]). So a point is the emulated instruction, nearest to the one that
//! is meant, where the values that the program reads are still in their registers. Everything here is a function from bytes
//! to values: nothing is attached, and bytes that are no code give no point, never a panic.

mod cost;
mod function;
mod go_http;
mod go_offsets;

pub use cost::Cost;
pub use function::{Function, ProbePoint, Why};
pub(crate) use go_http::SERVER_PROBE;
pub use go_http::{Disabled, Feature, GoHttpPlan, PlanError, PlannedProbe, plan_go_http};
pub use go_offsets::{GO_OFFSET_UNKNOWN, GoMapKind, GoOffsets};

#[cfg(test)]
mod tests;
