//! What is beside the pipelines.

pub mod basicauth;
pub mod bearertokenauth;
pub mod health_check;
pub mod live;
