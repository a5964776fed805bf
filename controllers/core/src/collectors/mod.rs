//! The configurations of the gateway ([`gateway`]) and of the node collector ([`node`]).
//!
//! What is written is accepted by our collector as it is: only components that it has. What the design asks for and the
//! collector has not yet is done in another way, or left out and told of:
//! - routing connector: each destination that does not take everything has a pipeline of its own, fed by a `forward`
//!   connector, that begins with a `filter` of resources ([`streams`]);
//! - loadbalancing exporter: with sampling of whole traces and several gateways a [`Note`] says that traces are cut;
//! - filelog and kubeletstats receivers: the node collector's pipelines have a place for them
//!   (`receivers_of`), and a [`Note`] says that they are missing.

mod actions;
mod gateway;
mod memory;
mod node;
mod parts;
mod streams;

pub use actions::{Action, AttributeChange};
pub use gateway::{Gateway, Outlet, OutletState, gateway};
pub use memory::MemoryLimits;
pub use node::{NodeCollector, node};
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
