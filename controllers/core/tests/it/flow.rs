//! Telemetry sent through the collector, which runs in this process as a configuration says.

use collector_components::COMPONENTS;
use collector_config::{Loaded, Node, Provider, Source};
use collector_engine::{Descriptors, Engine, Plan};
use controllers_core::collectors::Component;
use serde_json::{Value, json};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

/// What a pod of a node has in its environment; no file.
struct Pod;

impl Provider for Pod {
    fn env(&self, name: &str) -> Option<String> {
        (name == "NODE_NAME").then(|| "node-1".to_owned())
    }

    fn file(&self, path: &str) -> io::Result<String> {
        Err(io::Error::new(io::ErrorKind::NotFound, path.to_owned()))
    }
}

/// A running collector.
pub struct Collector(Engine);

impl Collector {
    pub fn start(yaml: &str) -> Collector {
        let loaded = Loaded::load(&[Source::Yaml(yaml.to_owned())], &Pod).unwrap_or_else(|errors| panic!("{errors}"));
        let plan = Plan::new(&loaded.root, &COMPONENTS, Descriptors::new());
        let plan = plan.unwrap_or_else(|errors| panic!("{errors}\n{yaml}"));
        Collector(plan.start(1).unwrap())
    }

    /// Ends it, with everything delivered.
    pub fn end(self) {
        self.0.handle().drain(Duration::from_secs(20));
        let (account, result) = self.0.wait();
        result.unwrap_or_else(|error| panic!("{error}\n{account}"));
    }
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Sends a request of OTLP/HTTP in JSON; the path ends with the signal.
pub fn post(port: u16, signal: &str, body: &Value) {
    let body = body.to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(
        stream,
        "POST /v1/{signal} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
}

/// What a file exporter wrote: requests of all signals.
pub fn written(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// All spans of requests, each with its resource's and its scope's attributes beside it.
pub fn spans(requests: &[Value]) -> Vec<Value> {
    let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let mut found = Vec::new();
    for resource in requests.iter().flat_map(|request| list(request, "resourceSpans")) {
        for scope in list(&resource, "scopeSpans") {
            for mut span in list(&scope, "spans") {
                span["resource"] = resource["resource"].clone();
                span["scope"] = scope["scope"].clone();
                found.push(span);
            }
        }
    }
    found
}

/// Attributes as OTLP/JSON has them.
pub fn attributes(entries: &[(&str, Value)]) -> Value {
    let value = |value: &Value| match value {
        Value::String(text) => json!({"stringValue": text}),
        Value::Bool(flag) => json!({"boolValue": flag}),
        number if number.is_i64() => json!({"intValue": number.to_string()}),
        number => json!({"doubleValue": number}),
    };
    entries
        .iter()
        .map(|(key, it)| json!({"key": key, "value": value(it)}))
        .collect()
}

/// An attribute of what was written.
pub fn attribute(of: &Value, key: &str) -> Option<String> {
    let entry = of["attributes"].as_array()?.iter().find(|entry| entry["key"] == key)?;
    let value = entry["value"].as_object()?.values().next()?;
    Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// A request with one resource and one scope.
pub fn request(resource: &[(&str, Value)], scope: Value, spans: Vec<Value>) -> Value {
    json!({"resourceSpans": [{
        "resource": {"attributes": attributes(resource)},
        "scopeSpans": [{"scope": scope, "spans": spans}],
    }]})
}

/// What a pipeline of these processors makes of a request.
pub fn passed(processors: &[Component], signal: &str, request: &Value) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let (port, out) = (free_port(), folder.path().join("out.json"));
    let endpoint = Node::map([("endpoint", format!("127.0.0.1:{port}").into())]);
    let ids = || processors.iter().map(|component| component.id.as_str().into());
    let pipeline = Node::map([
        ("receivers", Node::list(["otlp".into()])),
        ("processors", Node::list(ids())),
        ("exporters", Node::list(["file".into()])),
    ]);
    let settings = processors
        .iter()
        .map(|component| (component.id.as_str(), component.settings.clone()));
    let root = Node::map([
        (
            "receivers",
            Node::map([("otlp", Node::map([("protocols", Node::map([("http", endpoint)]))]))]),
        ),
        ("processors", Node::map(settings)),
        (
            "exporters",
            Node::map([("file", Node::map([("path", out.to_str().unwrap().into())]))]),
        ),
        (
            "service",
            Node::map([
                (
                    "telemetry",
                    Node::map([("metrics", Node::map([("level", "none".into())]))]),
                ),
                ("pipelines", Node::map([(signal, pipeline)])),
            ]),
        ),
    ]);
    let collector = Collector::start(&root.to_yaml());
    post(port, signal, request);
    collector.end();
    written(&out)
}
