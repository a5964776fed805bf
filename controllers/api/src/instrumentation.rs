//! What agents collect: shared by rules and the configurations that are made of them.

use crate::workload::ProgrammingLanguage;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which libraries make spans.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TraceVerbosity {
    /// Libraries whose spans are not wanted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disabled_libraries: Vec<LibraryOfLanguage>,
    /// Libraries whose spans are wanted although they are off by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub enabled_libraries: Vec<LibraryOfLanguage>,
}

/// Libraries whose spans are not wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LibraryOfLanguage {
    /// The programming language.
    #[serde(rename = "Language")]
    pub language: ProgrammingLanguage,
    /// The library's name.
    pub library_name: String,
}

/// Which payloads become span attributes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PayloadCollection {
    /// Database statements.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db_query: Option<DbQueryPayload>,
    /// Bodies of HTTP requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_request: Option<HttpPayload>,
    /// Bodies of HTTP responses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_response: Option<HttpPayload>,
    /// Messages of queues.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messaging: Option<MessagingPayload>,
}

/// Messages of queues.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessagingPayload {
    /// True to drop a payload that is longer than maxPayloadLength, instead of sending its beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop_partial_payloads: Option<bool>,
    /// The most that is kept of one payload, in bytes; absent means the agent's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_payload_length: Option<i64>,
}

/// Bodies of HTTP requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpPayload {
    /// True to drop a payload that is longer than maxPayloadLength, instead of sending its beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop_partial_payloads: Option<bool>,
    /// The most that is kept of one payload, in bytes; absent means the agent's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_payload_length: Option<i64>,
    /// Only bodies of these media types, such as application/json; absent means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mime_types: Vec<String>,
}

/// Database statements.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DbQueryPayload {
    /// True to drop a payload that is longer than maxPayloadLength, instead of sending its beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop_partial_payloads: Option<bool>,
    /// The most that is kept of one payload, in bytes; absent means the agent's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_payload_length: Option<i64>,
    /// What happens to literals in statements, as the agent of the language names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sanitization_policy: Option<String>,
}

/// HTTP headers that become span attributes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeadersCollection {
    /// Names of HTTP headers, in any case; each becomes an attribute http.request.header.<name>.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub header_keys: Vec<String>,
}

/// Functions of the user's own code that become spans.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomInstrumentations {
    /// C++ functions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cpp: Vec<CppProbe>,
    /// Go functions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub golang: Vec<GolangProbe>,
    /// Java methods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub java: Vec<JavaProbe>,
    /// PHP functions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub php: Vec<PhpProbe>,
}

/// PHP functions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PhpProbe {
    /// The class, with its package or namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_name: Option<String>,
    /// The function's name.
    pub function_name: String,
}

/// Java methods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JavaProbe {
    /// The class, with its package or namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_name: Option<String>,
    /// The method's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method_name: Option<String>,
}

/// Go functions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GolangProbe {
    /// The function's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_name: Option<String>,
    /// The package's path.
    pub package_name: String,
    /// The method's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiver_method_name: Option<String>,
    /// The type that the method belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiver_name: Option<String>,
}

/// C++ functions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CppProbe {
    /// The function's signature.
    pub signature: String,
}

/// Which code attributes spans get.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CodeAttributes {
    /// code.column.number
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<bool>,
    /// code.file.path
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_path: Option<bool>,
    /// code.function.name
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<bool>,
    /// code.line.number
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line_number: Option<bool>,
    /// The namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<bool>,
    /// code.stacktrace
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack_trace: Option<bool>,
}

/// Metrics of connections.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkMetrics {}

/// Log lines taken from the process's writes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EbpfLogCapture {
    /// Whether it is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// What the agent logs about itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentDiagnostics {
    /// Level of our own components.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub odigos_log_level: Option<LogLevel>,
    /// Level of the OpenTelemetry components.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_telemetry_components_log_level: Option<LogLevel>,
}

/// The least severe log records that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum LogLevel {
    /// Errors.
    #[serde(rename = "error")]
    Error,
    /// Warnings.
    #[serde(rename = "warn")]
    Warn,
    /// Events of interest.
    #[serde(rename = "info")]
    Info,
    /// Everything.
    #[serde(rename = "debug")]
    Debug,
}

/// Kind of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum SpanKind {
    /// A request that is made.
    #[serde(rename = "client")]
    Client,
    /// A request that is answered.
    #[serde(rename = "server")]
    Server,
    /// A message that is sent.
    #[serde(rename = "producer")]
    Producer,
    /// A message that is taken.
    #[serde(rename = "consumer")]
    Consumer,
    /// Work inside a process.
    #[serde(rename = "internal")]
    Internal,
}
