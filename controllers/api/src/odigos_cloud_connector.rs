//! Looks at workloads that run outside of Kubernetes, in an account at a cloud provider.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Looks at workloads that run outside of Kubernetes, in an account at a cloud provider.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    derive = "PartialEq",
    group = "odigos.io",
    version = "v1alpha1",
    kind = "OdigosCloudConnector",
    plural = "odigoscloudconnectors",
    singular = "odigoscloudconnector",
    namespaced,
    status = "OdigosCloudConnectorStatus",
    doc = "Looks at workloads that run outside of Kubernetes, in an account at a cloud provider.",
    printcolumn = r#"{"name":"Provider","type":"string","jsonPath":".spec.provider"}"#,
    printcolumn = r#"{"name":"Account","type":"string","jsonPath":".spec.account.id"}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct OdigosCloudConnectorSpec {
    /// The account at the provider.
    pub account: CloudAccount,
    /// Compute platforms that the connector looks at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compute_platforms: Vec<ComputePlatform>,
    /// Kind of connector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connector_type: Option<String>,
    /// The Secret with the provider's credentials, in the same namespace.
    pub credentials_secret_ref: CredentialsSecretRef,
    /// Discovery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovery: Option<DiscoverySettings>,
    /// A name for people, shown in lists and in the UI; free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The provider.
    pub provider: String,
    /// The connector's own process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<ConnectorRuntime>,
    /// Workloads that the connector looks at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<CloudWorkload>,
}

/// What is known of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OdigosCloudConnectorStatus {
    /// What is waited for, and what went wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// When the provider was last read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_synced_at: Option<Time>,
    /// The generation of the spec that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Where the connector is in its life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<ConnectorPhase>,
    /// Whom the provider takes us for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_identity: Option<ProviderIdentity>,
    /// The connector's own process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<ConnectorRuntimeStatus>,
}

/// The connector's own process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectorRuntimeStatus {
    /// The image that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// When the runtime last reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<Time>,
    /// What happened, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The Deployment that the connector runs as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload_name: Option<String>,
}

/// Whom the provider takes us for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderIdentity {
    /// The account that the credentials belong to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// A name for people, shown in lists and in the UI; free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

/// Workloads that the connector looks at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CloudWorkload {
    /// Discovery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovery: Option<bool>,
    /// Whether what is found is instrumented.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instrumentation: Option<bool>,
    /// The type.
    pub r#type: String,
}

/// The connector's own process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectorRuntime {
    /// The image that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// How many run.
    #[serde(default = "crate::defaults::one_replica")]
    pub replicas: i32,
    /// Resources of the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
}

/// Resources of the container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceRequirements {
    /// Claims of dynamic resource allocation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<ResourceClaim>,
    /// The most that may be used.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, IntOrString>,
    /// What is reserved.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, IntOrString>,
}

/// Claims of dynamic resource allocation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceClaim {
    /// The name.
    pub name: String,
    /// The request inside the claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

/// Discovery.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiscoverySettings {
    /// Time between two discoveries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_interval: Option<String>,
    /// Restricts the discovery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selectors: Option<DiscoverySelectors>,
}

/// Restricts the discovery.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiscoverySelectors {
    /// Tags that a resource must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// The Secret with the provider's credentials, in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CredentialsSecretRef {
    /// The name.
    pub name: String,
}

/// Compute platforms that the connector looks at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComputePlatform {
    /// Discovery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovery: Option<bool>,
    /// Whether the agent is installed on what is found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installation: Option<bool>,
    /// The type.
    pub r#type: String,
}

/// The account at the provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CloudAccount {
    /// A name for people, shown in lists and in the UI; free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Id of the rule.
    pub id: String,
}

/// Where a connector is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConnectorPhase {
    /// Not started.
    Pending,
    /// Starting.
    Starting,
    /// At work.
    Connected,
    /// At work, with errors.
    Degraded,
    /// Not at work.
    Error,
    /// Switched off.
    Disabled,
    /// Being deleted.
    Deleting,
}
