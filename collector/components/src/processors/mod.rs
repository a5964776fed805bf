//! What happens to items on their way.

pub mod batch;
pub mod memory_limiter;
pub mod tail_sampling;
