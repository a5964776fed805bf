//! Operations, as conditions on spans.

use crate::collectors::statements::{all, equals, literal_pattern, matches, quoted};
use controllers_api::operations::{
    GrpcClient, GrpcServer, HeadHttpServer, HeadOperation, HttpClient, KafkaOperation, QueryParam, TailHttpServer,
    TailOperation,
};

/// The span that a finished trace must have; nothing where any will do.
pub(super) fn tail(operation: &TailOperation) -> Option<String> {
    let TailOperation {
        http_server,
        kafka_consumer,
        kafka_producer,
    } = operation;
    let parts = [
        http_server.as_ref().map(tail_http_server),
        kafka_consumer.as_ref().map(|topic| kafka(topic, "SPAN_KIND_CONSUMER")),
        kafka_producer.as_ref().map(|topic| kafka(topic, "SPAN_KIND_PRODUCER")),
    ];
    all(&parts.into_iter().flatten().collect::<Vec<_>>())
}

/// The span with which a trace must begin; nothing where any will do.
pub(super) fn head(operation: &HeadOperation) -> Option<String> {
    let HeadOperation {
        grpc_client,
        grpc_server,
        http_client,
        http_server,
    } = operation;
    let parts = [
        grpc_client.as_ref().map(grpc_client_call),
        grpc_server.as_ref().map(grpc_server_call),
        http_client.as_ref().map(http_client_request),
        http_server.as_ref().map(head_http_server),
    ];
    all(&parts.into_iter().flatten().collect::<Vec<_>>())
}

fn tail_http_server(server: &TailHttpServer) -> String {
    let TailHttpServer {
        method,
        route,
        route_prefix,
    } = server;
    let route = [exact(&["http.route"], route), prefix(&["http.route"], route_prefix)];
    with_kind("SPAN_KIND_SERVER", http(method).into_iter().chain(route))
}

fn head_http_server(server: &HeadHttpServer) -> String {
    let HeadHttpServer {
        method,
        query_params,
        route,
        route_prefix,
    } = server;
    let keys = ["http.route", "url.path", "http.target"];
    let route = [exact(&keys, route), prefix(&keys, route_prefix)];
    let parameters = query_params.iter().map(|parameter| Some(query_parameter(parameter)));
    let conditions = http(method).into_iter().chain(route).chain(parameters);
    with_kind("SPAN_KIND_SERVER", conditions)
}

fn http_client_request(client: &HttpClient) -> String {
    let HttpClient {
        method,
        server_address,
        templated_path,
        templated_path_prefix,
    } = client;
    let keys = ["url.template", "url.path", "http.target"];
    let conditions = [
        address(server_address),
        exact(&keys, templated_path),
        prefix(&keys, templated_path_prefix),
    ];
    with_kind("SPAN_KIND_CLIENT", http(method).into_iter().chain(conditions))
}

fn grpc_server_call(server: &GrpcServer) -> String {
    let GrpcServer { method, service } = server;
    with_kind("SPAN_KIND_SERVER", grpc(method, service))
}

fn grpc_client_call(client: &GrpcClient) -> String {
    let GrpcClient {
        method,
        server_address,
        service,
    } = client;
    let conditions = grpc(method, service).into_iter().chain([address(server_address)]);
    with_kind("SPAN_KIND_CLIENT", conditions)
}

fn kafka(operation: &KafkaOperation, kind: &str) -> String {
    let system = equals("attributes", "messaging.system", "kafka");
    let topic = exact(&["messaging.destination.name"], &operation.kafka_topic);
    with_kind(kind, [Some(system), topic])
}

fn grpc(method: &Option<String>, service: &Option<String>) -> [Option<String>; 3] {
    [
        Some(equals("attributes", "rpc.system", "grpc")),
        exact(&["rpc.service"], service),
        exact(&["rpc.method"], method),
    ]
}

fn address(address: &Option<String>) -> Option<String> {
    exact(&["server.address", "net.peer.name"], address)
}

/// That it is of HTTP, and its method.
fn http(method: &Option<String>) -> [Option<String>; 2] {
    let keys = ["http.request.method", "http.method"];
    let there = keys.map(|key| format!("attributes[{}] != nil", quoted(key)));
    let method = method.as_ref().map(|method| method.to_ascii_uppercase());
    [Some(format!("({})", there.join(" or "))), exact(&keys, &method)]
}

/// That one of the attributes has the value. An empty one is any.
fn exact(keys: &[&str], value: &Option<String>) -> Option<String> {
    let value = value.as_deref().filter(|value| !value.is_empty())?;
    let alternatives: Vec<String> = keys.iter().map(|key| equals("attributes", key, value)).collect();
    Some(format!("({})", alternatives.join(" or ")))
}

/// That the first of the attributes that is there begins so.
fn prefix(keys: &[&str], value: &Option<String>) -> Option<String> {
    let value = value.as_deref().filter(|value| !value.is_empty())?;
    let alternatives = keys.iter().map(|key| {
        let path = format!("attributes[{}]", quoted(key));
        format!(
            "({path} != nil and IsString({path}) and HasPrefix({path}, {}))",
            quoted(value)
        )
    });
    Some(format!("({})", alternatives.collect::<Vec<_>>().join(" or ")))
}

fn query_parameter(parameter: &QueryParam) -> String {
    let name = literal_pattern(&parameter.name);
    let value = match parameter.value_exact.as_deref().filter(|value| !value.is_empty()) {
        Some(value) => format!("={}", literal_pattern(value)),
        None => "(?:=[^&]*)?".to_owned(),
    };
    let pattern = format!("(?:^|[?&]){name}{value}(?:&|$)");
    let alternatives =
        ["url.query", "http.target", "url.full", "http.url"].map(|key| matches("attributes", key, &pattern));
    let alternatives: Vec<String> = alternatives.iter().map(|condition| format!("({condition})")).collect();
    format!("({})", alternatives.join(" or "))
}

fn with_kind(kind: &str, conditions: impl IntoIterator<Item = Option<String>>) -> String {
    let kind = format!("kind == {kind}");
    let parts: Vec<String> = std::iter::once(kind).chain(conditions.into_iter().flatten()).collect();
    parts.join(" and ")
}
