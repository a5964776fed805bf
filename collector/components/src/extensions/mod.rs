//! What is beside the pipelines.

pub mod health_check;
pub mod live;
