//! OTLP payloads that stay encoded.
//!
//! A [`Payload`] is the body of an export request in pieces; because two encoded requests, one after the other, are one
//! request that holds both, batching is appending pieces and never decoding. [`encode`] writes spans directly to bytes;
//! [`traces`] walks encoded ones, for those who must look (a terminal, a file, a filter); [`json`] turns them into
//! OTLP/JSON; [`split`] cuts a payload at a span's boundary.
//!
//! Field numbers are those of `opentelemetry/proto/trace/v1/trace.proto`, `common.proto` and `resource.proto`. All input
//! is hostile: what is not well formed is [`Malformed`], never a panic, and nesting is bounded. Field order is never
//! relied on. The types that prost generates are the oracle in the tests and nowhere else.

#![forbid(unsafe_code)]

mod count;
pub mod encode;
mod item;
pub mod json;
mod payload;
pub mod proto;
pub mod split;
pub mod traces;
mod value;
mod view;

pub use count::count;
pub use item::ItemKind;
pub use payload::{Payload, Signal};
pub use proto::Malformed;
pub use value::Value;
