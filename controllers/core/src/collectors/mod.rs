//! The configurations of the gateway ([`gateway`]) and of the node collector ([`node`]).
//!
//! What is written is accepted by our collector as it is: only components that it has, and of what users write only what
//! was read here as the collector reads it. What the design asks for and the collector has not yet is left out and told of
//! in a [`Note`]: receivers of files of logs and of the kubelet's metrics, for which the node collector's pipelines have
//! a place (`receivers_of`).
//!
//! [`action`], [`processor`] and [`sampling`] make processors and rules of the objects that users write, one
//! by one, so that one that is wrong costs only itself.

mod actions;
mod gateway;
mod memory;
mod node;
mod parts;
mod processors;
mod sampling;
mod scopes;
mod statements;
mod streams;

pub use actions::{ActionError, Facts, Processing, action};
pub use gateway::{Gateway, Outlet, OutletState, gateway};
pub use memory::MemoryLimits;
pub use node::{GatewayAddress, NodeCollector, node};
pub use parts::{Component, HEALTH_PORT, METRICS_PORT, OTLP_GRPC_PORT, OTLP_HTTP_PORT};
pub use processors::{ProcessorError, processor};
pub use sampling::{Match, Rule, Rules, SamplingError, sampling};
pub use streams::{DataStream, Name, Selector, Workload};

use crate::destinations::SecretVariable;
use collector_config::Node;

/// A collector's configuration, and what its controller should know about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Configuration {
    /// The whole configuration.
    pub root: Node,
    /// Variables that the container must be given.
    pub secrets: Vec<SecretVariable>,
    /// What became of each destination, in their order.
    pub outlets: Vec<(String, OutletState)>,
    /// What was asked for and is not done.
    pub notes: Vec<Note>,
}

/// What was asked for and is not done, as a sentence without its full stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note(pub String);
