//! The autoscaler: from what users ask for to the collectors' objects, and to what the users are told.
//!
//! [`decide`] looks at everything at once and says what should be; it is asked again after every change. Objects belong to
//! their CollectorsGroup, so that taking a group away takes all of them away. The node collectors come after the gateway is
//! ready, for which the scheduler waits before it makes their group; what is there already stays when the gateway is not
//! ready for a while.

mod gateway;
mod node;
mod pod;
mod requests;
mod rollout;
mod status;
pub mod verdict;

pub use gateway::GatewayObjects;
pub use node::NodeObjects;
pub use pod::Image;
pub use rollout::Rollout;
pub use status::GroupStatus;

use crate::collectors::{self, Configuration};
use crate::legacy::{SamplerError, TraceRule};
use controllers_api::action::Action;
use controllers_api::collectors_group::CollectorsGroup;
use controllers_api::destination::Destination;
use controllers_api::processor::Processor;
use controllers_api::sampling::Sampling;
use controllers_api::source::Source;
use requests::Requests;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use verdict::Verdict;

/// The gateway's group, Deployment, ConfigMap, Service and the rest.
pub const GATEWAY: &str = "odigos-gateway";
/// The Service that names each gateway's own address.
pub const GATEWAY_HEADLESS: &str = "odigos-gateway-headless";
/// The node collectors' group, DaemonSet and ConfigMap.
pub const NODE_COLLECTOR: &str = "odigos-data-collection";
/// Where a node's pods send to.
pub const NODE_SERVICE: &str = "odigos-data-collection-local-traffic";

/// All that the decision depends on.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The namespace of the product's objects, where all below are but the Sources.
    pub namespace: String,
    /// The collector's image.
    pub image: Image,
    /// What Actions may ask for.
    pub facts: collectors::Facts,
    /// The group [`GATEWAY`].
    pub gateway_group: Option<Arc<CollectorsGroup>>,
    /// The group [`NODE_COLLECTOR`].
    pub node_group: Option<Arc<CollectorsGroup>>,
    /// All Destinations.
    pub destinations: Vec<Arc<Destination>>,
    /// The Secrets that Destinations refer to, by name, as far as they are there.
    pub secrets: BTreeMap<String, SecretFacts>,
    /// All Actions.
    pub actions: Vec<Arc<Action>>,
    /// All Processors.
    pub processors: Vec<Arc<Processor>>,
    /// All Samplings.
    pub samplings: Vec<Arc<Sampling>>,
    /// The objects of actions.odigos.io.
    pub legacy: Vec<Legacy>,
    /// All Sources.
    pub sources: Vec<Arc<Source>>,
    /// The gateway's Deployment.
    pub gateway: Option<Rollout>,
    /// The node collectors' DaemonSet.
    pub node: Option<Rollout>,
    /// The files in the gateway's ConfigMap.
    pub gateway_files: BTreeMap<String, String>,
    /// The files in the node collectors' ConfigMap.
    pub node_files: BTreeMap<String, String>,
}

/// An object of actions.odigos.io.
#[derive(Debug, Clone, PartialEq)]
pub struct Legacy {
    /// Its kind.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What it means today.
    pub meaning: Meaning,
}

/// What a legacy object means today.
#[derive(Debug, Clone, PartialEq)]
pub enum Meaning {
    /// It is served as an Action.
    Action(Arc<Action>),
    /// It samples by these rules; none if it is disabled.
    Rules(Vec<TraceRule>),
    /// It is a sampler with a field that is wrong.
    Wrong(SamplerError),
}

/// What may be known of a Secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecretFacts {
    /// The keys that have a value which is not empty.
    pub keys: BTreeSet<String>,
    /// The Secret's resource version when it came to have its present values.
    pub version: String,
}

/// What should be.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The gateway's objects, if there is a group for it.
    pub gateway: Option<Box<GatewayObjects>>,
    /// The node collectors' objects, if there is a group for them and the gateway is or was ready.
    pub node: Option<Box<NodeObjects>>,
    /// The statuses of the groups that are there, by name.
    pub groups: Vec<(&'static str, GroupStatus)>,
    /// A verdict on each object of a user.
    pub verdicts: Vec<Verdict>,
}

/// What should be, given what is.
pub fn decide(observed: &Observed) -> Decision {
    let requests = Requests::of(observed);
    let mut decision = Decision {
        gateway: None,
        node: None,
        groups: Vec::new(),
        verdicts: requests.verdicts.clone(),
    };
    let Some(group) = observed.gateway_group.as_deref() else {
        decision.verdicts.extend(requests.without_gateway(observed));
        decision.groups.extend(observed.node_group.as_ref().map(|group| {
            let signals = Vec::new();
            (NODE_COLLECTOR, status::waiting_for_gateway(group, signals))
        }));
        return decision;
    };
    let configuration = collectors::gateway(&requests.gateway(group));
    decision.verdicts.extend(requests.outlets(observed, &configuration));
    decision.gateway = Some(Box::new(gateway::objects(&gateway::Wanted {
        group,
        image: &observed.image,
        configuration: &configuration,
        versions: &observed.versions(),
        files: &observed.gateway_files,
        rollout: observed.gateway.as_ref(),
    })));
    let signals = requests.signals(&configuration);
    let notes = status::unsupported(group);
    let state = status::of(group, observed.gateway.as_ref(), signals.clone(), notes);
    decision.groups.push((GATEWAY, state));
    if let Some(group) = observed.node_group.as_deref() {
        decision.node_collectors(observed, &requests, group, signals);
    }
    decision
}

impl Decision {
    fn node_collectors(
        &mut self,
        observed: &Observed,
        requests: &Requests,
        group: &CollectorsGroup,
        signals: Vec<crate::destinations::Signal>,
    ) {
        let may_begin = observed.gateway.as_ref().is_some_and(Rollout::is_available) || observed.node.is_some();
        if !may_begin {
            self.groups
                .push((NODE_COLLECTOR, status::waiting_for_gateway(group, signals)));
            return;
        }
        let most = observed.gateway_group.as_deref().map_or(1, |group| replicas(group).1);
        let configuration: Configuration = collectors::node(&requests.node(observed, group, &signals, most));
        self.node = Some(Box::new(node::objects(&node::Wanted {
            group,
            image: &observed.image,
            configuration: &configuration,
            files: &observed.node_files,
            rollout: observed.node.as_ref(),
        })));
        let mut notes: Vec<String> = configuration.notes.iter().map(|note| note.0.clone()).collect();
        notes.extend(status::unsupported(group));
        let state = status::of(group, observed.node.as_ref(), signals, notes);
        self.groups.push((NODE_COLLECTOR, state));
    }
}

impl Observed {
    fn versions(&self) -> BTreeMap<String, String> {
        let versions = self.secrets.iter();
        versions
            .map(|(name, facts)| (name.clone(), facts.version.clone()))
            .collect()
    }
}

/// The fewest and the most gateways.
fn replicas(group: &CollectorsGroup) -> (i32, i32) {
    let settings = &group.spec.resources_settings;
    let number = |number: Option<i64>| number.and_then(|number| i32::try_from(number).ok());
    let least = number(settings.min_replicas).unwrap_or(1).max(1);
    let most = number(settings.max_replicas).unwrap_or(10).max(least);
    (least, most)
}
