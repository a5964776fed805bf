//! The control plane's processes: they watch the cluster, ask `controllers-core` what should be, and write the difference.
//!
//! [`rim`] is what every component stands on, [`instrumentor`] gives workloads their agents, [`scheduler`] puts the
//! configuration together. The decisions are not here.

#![forbid(unsafe_code)]

pub mod admission;
pub mod autoscaler;
pub mod instrumentor;
pub mod rim;
pub mod scheduler;
