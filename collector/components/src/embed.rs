//! The collector inside another program.
//!
//! The configuration is a value, made here from a list of destinations or read from YAML; it goes the same way as that
//! of the binary. The `ebpf` receiver is given the collector's end of the hand-over socket, already connected. The engine
//! runs on threads of its own, so the embedding program needs no runtime:
//!
//! ```no_run
//! use collector_components::embed::{self, Destination};
//! use std::os::unix::net::UnixStream;
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let destinations = [Destination::parse("otlp://127.0.0.1:4317")?, Destination::parse("file:spans.jsonl")?];
//! let configuration = embed::configuration(&destinations);
//! let (agent_end, collector_end) = UnixStream::pair()?;
//! let engine = embed::start(&configuration, Some(collector_end))?;
//! let handle = engine.handle();
//!
//! // The agent sends `Offer` with the descriptors, entities, and at the end, its probes detached, `Drain`: the receiver
//! // then reads the ring to its end and the engine drains by itself. `handle.drain(timeout)` ends it in any case; it may
//! // be called from any thread, before or after `Drain`. `handle.account()` can be read at any time.
//! # drop(agent_end);
//! handle.drain(Duration::from_secs(5));
//! let (account, result) = engine.wait();
//! eprintln!("{account}");
//! result?;
//! # Ok(())
//! # }
//! ```

use crate::COMPONENTS;
use crate::net::endpoint;
use collector_config::{Errors, Node};
use collector_engine::{Descriptors, Engine, Plan, StartError};
use std::fmt;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// The id of the receiver that is given the hand-over socket.
pub const RECEIVER: &str = "ebpf";

/// Where an embedded collector sends spans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// OTLP over gRPC, `host:port`.
    Otlp(String),
    /// OTLP over HTTP, the base URL.
    OtlpHttp(String),
    /// OTLP/JSON lines.
    File(PathBuf),
    /// Standard output, in a form.
    Terminal(Form),
    /// Nowhere: the items are only counted.
    Nowhere,
}

/// How spans look on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Finished traces as trees.
    Tree,
    /// OTLP/JSON, one request a line.
    Json,
    /// One line a span.
    Lines,
    /// Trees on a terminal, else lines.
    Auto,
}

/// Why a destination could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DestinationError(String);

/// Why the embedded collector could not start.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// All that is wrong with the configuration.
    #[error("the collector's configuration is not valid:\n{0}")]
    Configuration(Errors),
    /// A component could not get what it needs.
    #[error("the collector cannot start")]
    Start(#[from] StartError),
}

impl fmt::Display for Destination {
    /// As it is written, where it can be.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::Otlp(endpoint) => write!(f, "otlp://{endpoint}"),
            Destination::OtlpHttp(url) => write!(f, "otlphttp{}", url.trim_start_matches("http")),
            Destination::File(path) => write!(f, "file:{}", path.display()),
            Destination::Terminal(_) => f.write_str("stdout"),
            Destination::Nowhere => f.write_str("nowhere"),
        }
    }
}

impl Destination {
    /// Reads `otlp://HOST:PORT`, `otlphttp://HOST:PORT[/PATH]`, `file:PATH` or `stdout`.
    pub fn parse(text: &str) -> Result<Self, DestinationError> {
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        let destination = match (kind, rest.strip_prefix("//").unwrap_or(rest)) {
            ("stdout", "") => Ok(Destination::Terminal(Form::Auto)),
            ("file", path) if !path.is_empty() => Ok(Destination::File(path.into())),
            ("otlp", host) if rest.starts_with("//") => {
                endpoint::grpc(host).map(|_| Destination::Otlp(host.trim_end_matches('/').to_owned()))
            }
            ("otlphttp", host) if rest.starts_with("//") => {
                let url = format!("http://{}", host.trim_end_matches('/'));
                endpoint::url(&url).map(|_| Destination::OtlpHttp(url))
            }
            _ => Err("must be otlp://HOST:PORT, otlphttp://HOST:PORT, file:PATH or stdout".to_owned()),
        };
        // What stands behind an @ may follow a password.
        let shown = if text.contains('@') { kind } else { text };
        destination
            .map_err(|reason| DestinationError(format!("\"{}\" is not a destination: {reason}", shown.escape_debug())))
    }

    fn component(&self) -> (&'static str, Node) {
        let insecure = || Node::map([("insecure", true.into())]);
        match self {
            Destination::Otlp(endpoint) => (
                "otlp",
                Node::map([
                    ("endpoint", endpoint.as_str().into()),
                    ("tls", insecure()),
                    ("compression", "none".into()),
                ]),
            ),
            Destination::OtlpHttp(endpoint) => (
                "otlphttp",
                Node::map([("endpoint", endpoint.as_str().into()), ("compression", "none".into())]),
            ),
            Destination::File(path) => (
                "file",
                Node::map([("path", path.to_string_lossy().into_owned().into())]),
            ),
            Destination::Terminal(form) => {
                let format = match form {
                    Form::Tree => "tree",
                    Form::Json => "json",
                    Form::Lines => "lines",
                    Form::Auto => "auto",
                };
                ("terminal", Node::map([("format", format.into())]))
            }
            Destination::Nowhere => ("nop", Node::map([])),
        }
    }
}

/// A configuration with one pipeline: the `ebpf` receiver, `batch`, and all `destinations`.
pub fn configuration(destinations: &[Destination]) -> Node {
    let named: Vec<(String, Node)> = destinations
        .iter()
        .enumerate()
        .map(|(index, destination)| {
            let (kind, settings) = destination.component();
            (format!("{kind}/{}", index + 1), settings)
        })
        .collect();
    let ids = named.iter().map(|(id, _)| Node::from(id.as_str()));
    let pipeline = Node::map([
        ("receivers", Node::list([RECEIVER.into()])),
        ("processors", Node::list(["batch".into()])),
        ("exporters", Node::list(ids)),
    ]);
    Node::map([
        ("receivers", Node::map([(RECEIVER, Node::map([]))])),
        ("processors", Node::map([("batch", Node::map([]))])),
        (
            "exporters",
            Node::map(named.iter().map(|(id, settings)| (id.as_str(), settings.clone()))),
        ),
        (
            "service",
            Node::map([
                ("pipelines", Node::map([("traces", pipeline)])),
                ("telemetry", no_metrics()),
            ]),
        ),
    ])
}

/// The embedding program shows the account itself.
fn no_metrics() -> Node {
    Node::map([("metrics", Node::map([("level", "none".into())]))])
}

/// Starts a collector. `handover` is its end of the hand-over socket, for the receiver [`RECEIVER`].
pub fn start(configuration: &Node, handover: Option<UnixStream>) -> Result<Engine, EmbedError> {
    let mut descriptors = Descriptors::new();
    if let Some(stream) = handover {
        descriptors.insert(RECEIVER.to_owned(), OwnedFd::from(stream));
    }
    let plan = Plan::new(configuration, &COMPONENTS, descriptors).map_err(EmbedError::Configuration)?;
    // Spans come from one ring, which one thread reads.
    Ok(plan.start(1)?)
}
