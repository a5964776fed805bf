//! What happens to items on their way.

pub mod attributes;
pub mod batch;
mod editing;
mod matching;
pub mod memory_limiter;
pub mod probabilistic_sampler;
pub mod resource;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod testing;
