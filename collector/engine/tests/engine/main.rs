//! Engines of small components: whatever happens, every item is accounted for.

#![allow(clippy::unwrap_used)]

mod fixture;
mod flow;
mod reload;
mod workers;
