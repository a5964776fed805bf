//! What happens to items on their way.

pub mod attributes;
pub mod batch;
mod editing;
pub mod filter;
mod matching;
pub mod memory_limiter;
mod ottl;
pub mod probabilistic_sampler;
pub mod resource;
pub mod tail_sampling;
pub mod transform;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod testing;
