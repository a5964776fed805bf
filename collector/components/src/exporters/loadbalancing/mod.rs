//! `loadbalancing`: sends all spans of a trace to the same one of several collectors, whoever sends them.
//!
//! ```yaml
//! exporters:
//!   loadbalancing:
//!     routing_key: traceID
//!     protocol:
//!       otlp:                      # the settings of the exporter `otlp`, without an endpoint
//!         tls: {insecure: true}
//!     resolver:
//!       dns: {hostname: gateway.ns, port: "4317", interval: 5s, timeout: 1s}
//!       # or
//!       static: {hostnames: [one:4317, two:4317]}
//! ```
//!
//! A request is taken apart by trace, and each part has its own connection, retries and fate. When a collector goes, what was
//! on its way there is taken apart anew; only its traces move, and when one comes, only those that are its from then on.
//! Which collector a trace goes to follows from its id and from the collectors' addresses alone, so that everybody who sees
//! the same collectors agrees.

mod backends;
mod resolver;

use super::delivery::exporter::{Destination, NetworkExporter};
use super::delivery::request::{Call, Requests};
use super::delivery::{EncodeError, Outcome, Transport};
use super::otlp::Server;
use crate::net::endpoint::{Endpoint, Place, Scheme};
use crate::net::tls::TlsError;
use backends::{Backend, Backends};
use collector_config::Section;
use collector_engine::{BoxError, Draining, Exporter, ExporterFactory};
use collector_pdata::by_trace::{Grouper, Segment, assemble};
use collector_pdata::{Malformed, Payload, Signal};
use resolver::Resolver;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// The line in the table.
pub const FACTORY: ExporterFactory = ExporterFactory {
    kind: "loadbalancing",
    signals: &[Signal::Traces],
    configure,
};

fn configure(section: &mut Section<'_, '_>) -> Box<dyn Exporter> {
    section.choice("routing_key", &[("traceID", ())]);
    for key in ["routing_attributes", "timeout", "retry_on_failure", "sending_queue"] {
        section.unsupported(key, "write what is meant for each collector under protocol::otlp");
    }
    let resolver = section.section("resolver", Resolver::read);
    let (server, common) = section.section("protocol", |section| {
        section.section("otlp", |section| Server::read(section, nowhere()))
    });
    Box::new(NetworkExporter::new(Group { server, resolver }, common))
}

/// Until an address is known.
fn nowhere() -> Endpoint {
    Endpoint {
        place: Place::Tcp {
            host: "localhost".to_owned(),
            port: 4317,
        },
        scheme: Scheme::Unsaid,
        path: String::new(),
    }
}

/// Several servers that are spoken with alike.
struct Group {
    server: Server,
    resolver: Resolver,
}

impl Destination for Group {
    type Transport = Balanced;

    fn open(&mut self) -> Result<(), TlsError> {
        // Files that are not there are told of before anything runs.
        self.server.at(nowhere()).map(drop)
    }

    fn transport(&self, requests: Requests, draining: &Draining) -> Result<Balanced, BoxError> {
        let backends = Arc::new(Backends::new(self.server.clone(), requests, draining.clone()));
        let resolving = match &self.resolver {
            Resolver::Static(endpoints) => {
                backends.set(endpoints);
                None
            }
            Resolver::Dns(dns) => Some(tokio::spawn(dns.clone().follow(backends.clone()))),
        };
        Ok(Balanced { backends, resolving })
    }

    fn name(&self) -> String {
        self.resolver.to_string()
    }
}

/// A way to whichever collector a trace belongs to.
pub(crate) struct Balanced {
    backends: Arc<Backends>,
    resolving: Option<JoinHandle<()>>,
}

/// The first addresses are there so soon after the start, or the resolver has none.
const FIRST_ADDRESSES: Duration = Duration::from_secs(1);

impl Balanced {
    /// Whether a collector is known, or comes to be in a moment.
    async fn find_some(&self) -> bool {
        tokio::time::timeout(FIRST_ADDRESSES, self.backends.some())
            .await
            .is_ok()
    }
}

impl Drop for Balanced {
    fn drop(&mut self) {
        if let Some(resolving) = &self.resolving {
            resolving.abort();
        }
    }
}

impl Transport for Balanced {
    /// Nothing as long as no collector is known.
    type Request = Option<(Arc<Backend>, Call)>;

    fn divide(&self, payload: &Payload) -> Result<Option<Vec<Payload>>, Malformed> {
        let known = self.backends.known();
        if known.len() < 2 {
            return Ok(None);
        }
        let mut grouper = Grouper::default();
        let mut parts: Vec<(Vec<Segment>, usize)> = vec![Default::default(); known.len()];
        for chunk in payload.chunks() {
            for taken in grouper.take(chunk)? {
                let (segments, spans) = &mut parts[backends::of_trace(&known, &taken.trace_id)];
                segments.push(taken.segment);
                *spans += taken.spans;
            }
        }
        parts.retain(|(segments, _)| !segments.is_empty());
        if parts.len() < 2 {
            return Ok(None);
        }
        let parts = parts.iter().map(|(segments, spans)| assemble(segments, *spans));
        Ok(Some(parts.collect()))
    }

    fn encode(&self, payload: &Payload) -> Result<Self::Request, EncodeError> {
        let known = self.backends.known();
        let mut grouper = Grouper::default();
        // All traces of a part belong to the same collector.
        let Some(chunk) = payload.chunks().first().filter(|_| !known.is_empty()) else {
            return Ok(None);
        };
        let first = grouper.take(chunk)?.into_iter().next();
        let trace_id = first.map_or([0; 16], |taken| taken.trace_id);
        let backend = &known[backends::of_trace(&known, &trace_id)];
        Ok(Some((Arc::clone(backend), backend.transport.encode(payload)?)))
    }

    async fn send(&self, request: &Self::Request) -> Outcome {
        match request {
            Some((backend, call)) if self.backends.has(backend) => backend.transport.send(call).await,
            _ if !self.find_some().await => Outcome::Later {
                reason: "no collector is known".to_owned(),
                after: None,
            },
            // There is another one, or a first one.
            _ => Outcome::Moved,
        }
    }
}
