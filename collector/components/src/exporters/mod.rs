//! Where items go.

pub(crate) mod calendar;
pub mod delivery;
pub mod file;
pub mod nop;
pub mod otlp;
pub mod otlphttp;
pub mod terminal;
