//! Where items go.

pub(crate) mod calendar;
mod complaint;
pub mod debug;
pub mod delivery;
pub mod file;
pub mod loadbalancing;
pub mod nop;
pub mod otlp;
pub mod otlphttp;
pub mod prometheus;
pub mod terminal;
