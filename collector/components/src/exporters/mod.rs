//! Where items go.

pub mod delivery;
pub mod file;
pub mod nop;
pub mod otlp;
pub mod otlphttp;
pub mod terminal;
