//! Kinds of telemetry, and the collectors that they pass.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A kind of telemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Signal {
    /// Log records.
    #[serde(rename = "LOGS")]
    Logs,
    /// Spans.
    #[serde(rename = "TRACES")]
    Traces,
    /// Metrics.
    #[serde(rename = "METRICS")]
    Metrics,
    /// Profiles.
    #[serde(rename = "PROFILES")]
    Profiles,
}

/// A kind of telemetry, as the legacy samplers know them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum LegacySignal {
    /// Log records.
    #[serde(rename = "LOGS")]
    Logs,
    /// Spans.
    #[serde(rename = "TRACES")]
    Traces,
    /// Metrics.
    #[serde(rename = "METRICS")]
    Metrics,
}

/// What a collector is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum CollectorRole {
    /// The gateway: takes from the node collectors, sends to destinations.
    #[serde(rename = "CLUSTER_GATEWAY")]
    ClusterGateway,
    /// The collector of a node.
    #[serde(rename = "NODE_COLLECTOR")]
    NodeCollector,
}
