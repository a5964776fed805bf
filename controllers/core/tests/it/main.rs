//! What is rendered, compared with snapshots and judged by the collector's own validation.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

mod addresses;
mod collectors;
mod destinations;
mod docs;
mod injection;
mod refusals;
mod rollout;
mod support;
#[cfg(feature = "upstream")]
mod upstream;
