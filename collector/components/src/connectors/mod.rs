//! From one pipeline into others.

pub mod forward;
