//! Where items go.

pub mod file;
