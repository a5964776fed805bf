//! What happens to items on their way.

pub mod batch;
pub mod filter;
pub mod memory_limiter;
pub mod ottl;
pub mod transform;
pub mod tail_sampling;
