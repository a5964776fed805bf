//! What every binary of ours needs around its work: logging, termination signals, readiness and graceful drain.
//!
//! Nothing here knows what the program does. Logging and `sd_notify` are set up by `main`; [`drain`] is the one signal
//! that travels through a program that ends.

#![forbid(unsafe_code)]

pub mod drain;
pub mod logging;
mod notify;
mod termination;

pub use notify::{Readiness, notify};
pub use termination::{Signal, Termination};
