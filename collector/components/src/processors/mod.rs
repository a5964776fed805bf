//! What happens to items on their way.

pub mod attributes;
pub mod batch;
pub mod filter;
pub mod memory_limiter;
pub mod ottl;
pub mod transform;
pub mod tail_sampling;
mod editing;
mod matching;
pub mod probabilistic_sampler;
pub mod resource;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod testing;
