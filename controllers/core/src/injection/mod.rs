//! What is done to the pods of a workload so that agents run in them, and how it is undone.
//!
//! A [`Plan`] says what the pods get. [`inject`] puts it into a pod template or a pod, [`remove`] takes out exactly that and
//! nothing that somebody else has put or changed there meanwhile: `remove(inject(x)) == x`. [`admit`] decides for the webhook
//! on pods, which is the method by default: then workloads' manifests stay as they are but for one annotation that makes
//! their controller replace the pods. Nothing here asks the apiserver.

mod admit;
mod environment;
mod of_config;
pub mod owner;
mod patch;
mod plan;
mod put;
mod record;
mod take;

pub use admit::{Admission, Skipped, admit};
pub use environment::STANDARD;
pub use of_config::{Settings, endpoint, identity, plan, with_hash};
pub use patch::{Operation, difference};
pub use plan::{AGENT_DIRECTORY, Agent, LOADER, Merge, Mount, Plan, Variable, Workload, preload};
pub use put::{Injected, inject};
pub use take::remove;

use thiserror::Error;

/// The volume with the agents' files, and the init container that fills it.
pub const VOLUME: &str = "odigos-agents";

/// Why a container is left as it is.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The pod has no such container.
    #[error("the pod has no container of this name")]
    NoSuchContainer,
    /// A reference that may lead nowhere cannot be merged with anything.
    #[error(
        "the value of {variable} comes from an optional reference; make it one that must be there, or set the value"
    )]
    ReferenceCannotBeMerged {
        /// The variable.
        variable: String,
    },
    /// Only files of ours may be loaded into the process.
    #[error("the distribution's LD_PRELOAD leads out of {AGENT_DIRECTORY}")]
    PreloadOutsideOfAgents,
    /// Something else is mounted where the agents' files belong.
    #[error("the container mounts something else at {AGENT_DIRECTORY}")]
    MountPathTaken,
    /// The pod has a volume of our name.
    #[error("the pod has a volume or an init container of its own by the name of {VOLUME}")]
    NameTaken,
    /// The plan mounts agents by a device, and the distribution has none.
    #[error("the distribution has no device; choose another mountMethod")]
    NoDevice,
}

/// The record of what was put into a template cannot be read, so that nothing can be taken out of it.
#[derive(Debug, Error)]
#[error(
    "the annotation {} was changed by somebody and cannot be read",
    controllers_api::labels::INJECTED
)]
pub struct BadRecord(#[source] serde_json::Error);
