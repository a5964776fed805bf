//! OTLP payloads that stay encoded.
//!
//! A [`Payload`] is the body of an export request in pieces; because two encoded requests, one after the other, are one
//! request that holds both, batching is appending pieces and never decoding. [`encode`] writes spans directly to bytes;
//! [`count()`], [`groups()`] and [`split`] find the boundaries of items and skip what is in them; [`edit`] rewrites a request in one
//! pass, and [`attributes`] the attributes of a message; [`by_trace`] holds encoded spans by trace; [`traces`],
//! [`metrics`] and [`logs`] are views, for those who must look at more; [`json`] turns them into OTLP/JSON.
//!
//! Field numbers are those of `trace.proto`, `metrics.proto`, `logs.proto`, `common.proto` and `resource.proto` in
//! `opentelemetry/proto`. All input is hostile: what is not well formed is [`Malformed`], never a panic, and nesting is
//! bounded. Field order is never relied on. Texts are handed on as they came, and may not be UTF-8: who shows them, or
//! hands them to a decoder that is strict, must check. The types that prost generates are the oracle in the tests and
//! nowhere else.

#![forbid(unsafe_code)]

pub mod attributes;
pub mod by_trace;
mod count;
pub mod edit;
pub mod encode;
mod group;
mod item;
pub mod json;
pub mod logs;
pub mod metrics;
mod payload;
pub mod proto;
mod scan;
pub mod split;
pub mod traces;
mod value;
mod view;

pub use count::count;
pub use group::{Group, groups};
pub use item::ItemKind;
pub use payload::{Edited, Payload, Signal};
pub use proto::Malformed;
pub use value::Value;
