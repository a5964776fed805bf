//! What is rendered, compared with snapshots and judged by the collector's own validation.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

mod actions;
mod addresses;
mod autoscaler;
mod collectors;
mod destinations;
mod docs;
mod flow;
mod injection;
mod refusals;
mod rollout;
mod support;
mod through;
#[cfg(feature = "upstream")]
mod upstream;
