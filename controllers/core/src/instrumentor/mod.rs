//! The instrumentor's decisions about workloads.
//!
//! [`Sources`] say which workloads are instrumented and why, [`container`] which agent each of their containers gets or what
//! stands against it, [`rules`] what the agents collect, and [`config::desired`] puts it together as the workload's
//! InstrumentationConfig. [`Index`] holds all that was observed and says which workloads an event concerns, so that one new
//! Source among thousands of workloads costs little. What is then done to pods is not decided here.

pub mod config;
pub mod container;
mod effect;
mod index;
pub mod rules;
mod runtime;
pub mod settings;
mod source;
mod sources;
#[cfg(test)]
mod tests;
mod workload;

pub use config::{Desired, Finding, Status};
pub use effect::{Effect, of_rule};
pub use index::{Concerned, Decision, Index};
pub use runtime::{Runtime, runtime};
pub use settings::{Injection, NodeCollector, Settings};
pub use source::{Source, SourceError, SourceKey, Target};
pub use sources::{Marked, Marking, Sources};
pub use workload::{Container, Workload, WorkloadId, WorkloadKind};
