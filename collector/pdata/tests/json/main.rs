//! OTLP/JSON in both directions, with the types and the serde of `opentelemetry-proto` as the oracle.

#![allow(clippy::unwrap_used)]

mod adapter;
mod hostile;
mod messages;
mod oracle;
mod reader;
mod response;
mod writer;
