//! What is beside the pipelines: it shows the collector to the outside, or serves components that name it.

pub mod basicauth;
pub mod bearertokenauth;
pub mod file_storage;
pub mod health_check;
pub mod live;
