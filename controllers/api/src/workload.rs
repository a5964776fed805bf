//! Workloads, their containers, and what is found out of their processes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a rule applies to: what is given must hold together, and in each list one entry suffices.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceScopes {
    /// Only containers of these languages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub languages: Vec<ProgrammingLanguage>,
    /// Only what runs in these namespaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// Only these workloads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<PodWorkload>,
}

/// A workload by kind, name and namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodWorkload {
    /// The kind: Deployment, DaemonSet, StatefulSet, CronJob, Job, StaticPod, DeploymentConfig or Rollout; Namespace for all
    /// workloads of a namespace.
    pub kind: String,
    /// The name of the workload; of the namespace for kind Namespace; a regular expression where the Source says so.
    pub name: String,
    /// The namespace of the workload. A Source lies in the same one.
    pub namespace: String,
}

/// Decisions for a container that replace what was detected.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerOverride {
    /// True to run our agent beside one of another vendor; otherwise such a container is left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_concurrent_agents: Option<bool>,
    /// The container's name in the pod.
    pub container_name: String,
    /// The name of the agent's distribution, such as java-community; absent means the default of the language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otel_distro_name: Option<String>,
    /// What the container runs, instead of what was detected: for containers where the detection is wrong or impossible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_info: Option<RuntimeDetails>,
}

/// What is known of the processes of a container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeDetails {
    /// The container's name in the pod.
    pub container_name: String,
    /// Why the container runtime could not be asked, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cri_error_message: Option<String>,
    /// Environment variables as the container runtime set them, from the image or the manifest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env_from_container_runtime: Vec<EnvVar>,
    /// Environment variables of the process that matter to the agent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env_vars: Vec<EnvVar>,
    /// The programming language.
    pub language: ProgrammingLanguage,
    /// The C library that the process is linked with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lib_c_type: Option<LibC>,
    /// Agents of other vendors in the process.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_agents: Vec<OtherAgent>,
    /// Version of the language's runtime, such as 21.0.2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_version: Option<String>,
    /// Whether the process ignores LD_PRELOAD, since it gained privileges when it started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secure_execution_mode: Option<bool>,
}

/// Agents of other vendors in the process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OtherAgent {
    /// The name of the vendor or product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// An environment variable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvVar {
    /// The name of the variable.
    pub name: String,
    /// The value.
    pub value: String,
}

/// A programming language, or a server program that is known as one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ProgrammingLanguage {
    /// Java and what else runs on its virtual machine.
    #[serde(rename = "java")]
    Java,
    /// Python.
    #[serde(rename = "python")]
    Python,
    /// Go.
    #[serde(rename = "go")]
    Go,
    /// .NET.
    #[serde(rename = "dotnet")]
    Dotnet,
    /// JavaScript on Node.js.
    #[serde(rename = "javascript")]
    JavaScript,
    /// PHP.
    #[serde(rename = "php")]
    Php,
    /// Ruby.
    #[serde(rename = "ruby")]
    Ruby,
    /// Rust.
    #[serde(rename = "rust")]
    Rust,
    /// C++.
    #[serde(rename = "cplusplus")]
    CPlusPlus,
    /// MySQL.
    #[serde(rename = "mysql")]
    MySql,
    /// nginx.
    #[serde(rename = "nginx")]
    Nginx,
    /// Redis.
    #[serde(rename = "redis")]
    Redis,
    /// PostgreSQL.
    #[serde(rename = "postgres")]
    Postgres,
    /// Not recognised.
    #[serde(rename = "unknown")]
    Unknown,
    /// A container that is left alone.
    #[serde(rename = "ignored")]
    Ignored,
    /// Every language.
    #[serde(rename = "*")]
    Any,
}

/// The C library of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum LibC {
    /// The GNU C library.
    #[serde(rename = "glibc")]
    Glibc,
    /// musl.
    #[serde(rename = "musl")]
    Musl,
}
