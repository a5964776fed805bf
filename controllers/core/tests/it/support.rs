//! Samples, snapshots, and the collector's judgement.

use collector_components::COMPONENTS;
use collector_config::{Loaded, Node, Provider, Source};
use collector_engine::{Descriptors, Plan};
use controllers_core::destinations::{Definition, Destination, Format, Input, Rendered, SecretReference, Signal};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// A certificate's form is checked where it is used; here it only has to be carried.
pub const PEM: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

/// An environment in which each variable is set.
struct Everything;

impl Provider for Everything {
    fn env(&self, name: &str) -> Option<String> {
        let value = if name.ends_with("_URL") {
            "https://secret.example/ingest"
        } else {
            "s3cret"
        };
        Some(value.to_owned())
    }

    fn file(&self, path: &str) -> io::Result<String> {
        Err(io::Error::new(io::ErrorKind::NotFound, path.to_owned()))
    }
}

/// What a user may fill in: only what is required, or everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    Required,
    Everything,
}

/// A destination of `definition`, filled in with what each field wants.
pub fn sample(definition: &Definition, extent: Extent) -> Destination {
    let wanted = |required: bool| extent == Extent::Everything || required;
    let fields = definition.fields.iter().filter(|field| wanted(field.required));
    let data = fields.clone().filter(|field| !field.secret);
    // Each signal of Logz.io has a token of its own, of which none alone is required.
    let is_there = |required: bool| wanted(required) || definition.kind == "logzio";
    let secrets = definition
        .fields
        .iter()
        .filter(|field| field.secret && is_there(field.required));
    let keys = secrets.map(|field| field.name.clone()).collect();
    Destination {
        name: format!("my-{}", definition.kind),
        kind: definition.kind.clone(),
        signals: definition.signals.clone(),
        data: data
            .map(|field| {
                (
                    field.name.clone(),
                    text(&field.name, field.input, &field.format, &field.values),
                )
            })
            .collect(),
        secret: Some(SecretReference {
            name: format!("my-{}-secret", definition.kind),
            keys,
        }),
    }
}

fn text(name: &str, input: Input, format: &Format, values: &[String]) -> String {
    let text = match (input, format) {
        (Input::Checkbox, _) => return (!name.contains("OAUTH2")).to_string(),
        (Input::KeyValuePairs, _) => r#"[{"key": "x-tenant", "value": "a${env:HOME}"}]"#,
        (Input::List, _) => r#"["k8s.pod.name", "k8s.namespace.name"]"#,
        (Input::Dropdown, _) if values.iter().any(|value| value == "gzip") => "gzip",
        (Input::Dropdown, _) if !values.is_empty() => &values[0],
        (_, Format::Url(_)) => "https://ingest.example/",
        (_, Format::Grpc(_)) => "https://ingest.example",
        (_, Format::Host(_)) => "acme",
        (_, Format::Pem) => PEM,
        (_, Format::ExporterType) => "otlp",
        (_, Format::Yaml) => "endpoint: ingest.example:4317",
        _ => "text",
    };
    text.to_owned()
}

/// A configuration that sends what it receives to one destination.
pub fn alone(rendered: &Rendered) -> Node {
    let ids = |signal: Signal, parts: &[controllers_core::destinations::Exporter]| {
        let of_signal = parts.iter().filter(|part| part.signals.contains(&signal));
        Node::list(of_signal.map(|part| part.id.as_str().into()))
    };
    let signals = Signal::ALL.iter().map(|(_, signal)| *signal).filter(|signal| {
        let mut exporters = rendered.exporters.iter();
        exporters.any(|exporter| exporter.signals.contains(signal))
    });
    let pipelines: Vec<(String, Node)> = signals
        .map(|signal| {
            let pipeline = [
                ("receivers", Node::list(["otlp".into()])),
                ("processors", ids(signal, &rendered.processors)),
                ("exporters", ids(signal, &rendered.exporters)),
            ];
            (signal.to_string(), Node::map(pipeline))
        })
        .collect();
    let section = |parts: &[(String, Node)]| Node::map(parts.iter().map(|(id, node)| (id.as_str(), node.clone())));
    let components = |parts: &[controllers_core::destinations::Exporter]| {
        Node::map(parts.iter().map(|part| (part.id.as_str(), part.settings.clone())))
    };
    let otlp = Node::map([("protocols", Node::map([("grpc", Node::map([]))]))]);
    let extensions = rendered.extensions.iter().map(|(id, _)| id.as_str().into());
    let metrics = Node::map([("metrics", Node::map([("level", "none".into())]))]);
    Node::map([
        ("extensions", section(&rendered.extensions)),
        ("receivers", Node::map([("otlp", otlp)])),
        ("processors", components(&rendered.processors)),
        ("exporters", components(&rendered.exporters)),
        (
            "service",
            Node::map([
                ("telemetry", metrics),
                ("extensions", Node::list(extensions)),
                ("pipelines", section(&pipelines)),
            ]),
        ),
    ])
}

/// All that our collector has against a configuration.
pub fn judge(configuration: &Node) -> Result<(), String> {
    let source = Source::Yaml(configuration.to_yaml());
    let loaded = Loaded::load(&[source], &Everything).map_err(|errors| errors.to_string())?;
    Plan::new(&loaded.root, &COMPONENTS, Descriptors::new())
        .map(drop)
        .map_err(|errors| errors.to_string())
}

/// Compares with `tests/snapshots/NAME`; with UPDATE_SNAPSHOTS in the environment, writes it.
pub fn snapshot(name: &str, text: &str) {
    let path = snapshots().join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        text, expected,
        "{name} is not as before; if it should be so, run the test with UPDATE_SNAPSHOTS=1"
    );
}

pub fn snapshots() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots")
}
