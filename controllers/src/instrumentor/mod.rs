//! The instrumentor.

pub mod rollout;
