//! Operations, as sampling rules match them: before a trace begins, and when it is finished.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The operation; absent means any.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TailOperation {
    /// HTTP requests that are answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_server: Option<TailHttpServer>,
    /// Messages that are taken from a topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kafka_consumer: Option<KafkaOperation>,
    /// Messages that are sent to a topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kafka_producer: Option<KafkaOperation>,
}

/// Messages of a topic; an empty topic means any.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KafkaOperation {
    /// The topic's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kafka_topic: Option<String>,
}

/// HTTP requests that are answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TailHttpServer {
    /// The method; empty means any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The route as the framework has it; empty means any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The beginning of the route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route_prefix: Option<String>,
}

/// The operation; absent means any.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeadOperation {
    /// gRPC calls that are made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc_client: Option<GrpcClient>,
    /// gRPC calls that are answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc_server: Option<GrpcServer>,
    /// HTTP requests that are made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_client: Option<HttpClient>,
    /// HTTP requests that are answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_server: Option<HeadHttpServer>,
}

/// HTTP requests that are answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeadHttpServer {
    /// The method; empty means any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Only requests with all of these query parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query_params: Vec<QueryParam>,
    /// The route as the framework has it; empty means any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The beginning of the route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route_prefix: Option<String>,
}

/// Only requests with all of these query parameters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueryParam {
    /// The name of the parameter.
    pub name: String,
    /// The value that it must have; empty means any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_exact: Option<String>,
}

/// HTTP requests that are made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpClient {
    /// The method; empty means any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The server's host name; empty means any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_address: Option<String>,
    /// The path with its variables as placeholders; empty means any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub templated_path: Option<String>,
    /// The beginning of the path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub templated_path_prefix: Option<String>,
}

/// gRPC calls that are answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GrpcServer {
    /// The method; empty means any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The service's full name; empty means any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// gRPC calls that are made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GrpcClient {
    /// The method; empty means any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The server's host name; empty means any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_address: Option<String>,
    /// The service's full name; empty means any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}
