//! The collector's configuration: the OpenTelemetry Collector's YAML, a subset with the same names, defaults and meaning.
//!
//! A configuration goes through two forms. [`Node`] is what was written, with the position of every key; it is loaded
//! from what the user names ([`Loaded::load`]), parsed from YAML ([`Node::parse`]) or built in code ([`Node::map`]), and
//! written as YAML ([`Node::to_yaml`]). [`Config`] is its validated structure: components by id
//! and the pipelines that refer to them. What a component's own settings mean is the component's affair, which reads them
//! through a [`Section`]. Errors are collected, never returned one by one, and each names its key and its line.
//!
//! Nothing here does I/O, files and variables come through a [`Provider`], and nothing here knows a component.

#![forbid(unsafe_code)]

mod connectors;
mod duration;
mod emit;
mod error;
mod id;
mod load;
mod node;
mod parse;
mod pipelines;
mod redact;
mod secret;
mod section;
mod size;
mod structure;
mod telemetry;

pub use duration::parse as parse_duration;
pub use error::{ConfigError, Errors, closest};
pub use id::{ComponentId, PipelineId, Signal};
pub use load::{Loaded, Provider, Source};
pub use node::{Entry, Node, Position, Scalar, Value};
pub use pipelines::{Pipeline, Reference};
pub use secret::Secret;
pub use section::{Endpoint, Section};
pub use structure::{Component, Config};
pub use telemetry::{
    LogEncoding, LogLevel, LogTelemetry, MetricLevel, MetricReader, MetricTelemetry, OtlpProtocol, OtlpTelemetry,
    PeriodicReader, PrometheusReader, Telemetry,
};
