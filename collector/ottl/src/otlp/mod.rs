//! Encoded OTLP messages as records.
//!
//! A [`Layer`] is one message: a resource, a scope, a metric's head, an item or a span's event. Its fields are found by a
//! walk when they are asked for. What is written lies over the message, and [`Layer::finish`] puts both together; a message
//! that nothing was written to is never encoded again. [`Layers`] are the messages that one program sees.

mod attributes;
mod derived;
mod layer;
mod layers;
mod tables;
mod wire;

pub use layer::Layer;
pub use layers::Layers;
