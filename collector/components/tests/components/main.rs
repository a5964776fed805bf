//! The components in running engines, their destinations real servers on loopback.

#![allow(clippy::unwrap_used)]

mod debug;
mod faults;
mod feed;
mod files;
mod filter;
mod given;
mod grpc;
mod handover;
mod http;
mod otlp;
mod otlp_must;
mod otlp_must_exporters;
mod processors;
mod prometheus;
mod samples;
mod secured;
mod signals;
mod standin;
mod terminal;
mod transform;
