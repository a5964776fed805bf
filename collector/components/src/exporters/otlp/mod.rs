//! `otlp`: OTLP over gRPC, of bytes that are encoded already.
//!
//! ```yaml
//! exporters:
//!   otlp:
//!     endpoint: gateway:4317          # also http://, https://, dns:///host:port, unix:///path
//!     tls: {insecure: false, ca_file: ca.pem}
//!     headers: {x-token: abc}
//!     auth: {authenticator: bearertokenauth}
//!     compression: gzip               # or zstd, none
//!     timeout: 5s
//!     balancer_name: round_robin      # or pick_first
//!     keepalive: {time: 30s, timeout: 10s, permit_without_stream: true}
//!     retry_on_failure: {enabled: true, initial_interval: 5s, max_interval: 30s, max_elapsed_time: 300s}
//!     sending_queue: {num_consumers: 10, queue_size: 1000, storage: file_storage}
//! ```

pub(crate) mod call;
mod status;

use super::delivery::Transport;
use super::delivery::exporter::{Common, Destination, NetworkExporter};
use super::delivery::request::Requests;
use crate::net::client::{Balance, Client, ClientSettings, KeepAlive, Protocol};
use crate::net::compress::Encoding;
use crate::net::dial::Dialer;
use crate::net::endpoint::{self, Endpoint, Place, Scheme};
use crate::net::tls::{ClientTls, TlsError};
use call::GrpcTransport;
use collector_config::{Node, Section};
use collector_engine::{BoxError, Draining, Exporter, ExporterFactory};
use collector_pdata::Signal;
use http::uri::Authority;
use std::sync::Arc;
use std::time::Duration;

/// The line in the table.
pub const FACTORY: ExporterFactory = ExporterFactory {
    kind: "otlp",
    signals: &[Signal::Traces, Signal::Metrics, Signal::Logs],
    configure,
};

/// Upstream's newer name of it.
pub const RENAMED: ExporterFactory = ExporterFactory {
    kind: "otlp_grpc",
    ..FACTORY
};

/// A server, and how it is spoken with.
#[derive(Clone)]
pub(crate) struct Server {
    endpoint: Endpoint,
    authority: Option<Authority>,
    tls: ClientTls,
    client: ClientSettings,
    dialer: Option<Arc<Dialer>>,
}

/// A way to send requests one by one, without an engine around it; `settings` are those of the exporter.
pub(crate) fn sender(settings: &Node, draining: &Draining) -> Result<impl Transport, BoxError> {
    NetworkExporter::sender(settings, draining, read)
}

fn configure(section: &mut Section<'_, '_>) -> Box<dyn Exporter> {
    Box::new(read(section))
}

fn read(section: &mut Section<'_, '_>) -> NetworkExporter<Server> {
    let written = section.required_text("endpoint").unwrap_or_default();
    let endpoint = endpoint::grpc(written).unwrap_or_else(|message| {
        section.error("endpoint", message);
        Endpoint {
            place: Place::Unix("/".into()),
            scheme: Scheme::Unsaid,
            path: String::new(),
        }
    });
    let (server, common) = Server::read(section, endpoint);
    NetworkExporter::new(server, common)
}

fn authority(section: &mut Section<'_, '_>) -> Option<Authority> {
    let written = section.text("authority").filter(|written| !written.is_empty())?;
    let authority = written.parse().ok();
    if authority.is_none() {
        section.error("authority", format!("\"{}\" is not a host", written.escape_debug()));
    }
    authority
}

fn client_settings(section: &mut Section<'_, '_>) -> ClientSettings {
    let balances = [("round_robin", Balance::RoundRobin), ("pick_first", Balance::PickFirst)];
    ClientSettings {
        protocol: Protocol::Http2,
        balance: section
            .choice("balancer_name", &balances)
            .unwrap_or(Balance::RoundRobin),
        keep_alive: keep_alive(section),
        wait_for_ready: section.flag("wait_for_ready", false),
        max_idle: 0,
        idle_timeout: Duration::ZERO,
    }
}

fn keep_alive(section: &mut Section<'_, '_>) -> Option<KeepAlive> {
    section.optional_section("keepalive", |keep_alive| KeepAlive {
        // gRPC's clients do not probe more often than that, or servers would end the connection.
        time: keep_alive
            .duration("time", Duration::from_secs(10))
            .max(Duration::from_secs(10)),
        timeout: keep_alive.duration("timeout", Duration::from_secs(10)),
        permit_without_stream: keep_alive.flag("permit_without_stream", false),
    })
}

impl Server {
    /// Reads all settings but the endpoint.
    pub(crate) fn read(section: &mut Section<'_, '_>, endpoint: Endpoint) -> (Server, Common) {
        // The sizes of buffers are upstream's affair: nothing is copied here that they could bound.
        for ignored in ["read_buffer_size", "write_buffer_size"] {
            section.count(ignored, 0);
        }
        let server = Server {
            tls: ClientTls::configure(section, endpoint.scheme == Scheme::Plain),
            endpoint,
            authority: authority(section),
            client: client_settings(section),
            dialer: None,
        };
        let encodings = [Encoding::Gzip, Encoding::Zstd];
        (server, Common::configure(section, &encodings, Duration::from_secs(5)))
    }

    /// The same at another place, ready to be dialled.
    pub(crate) fn at(&self, endpoint: Endpoint) -> Result<Server, TlsError> {
        let mut server = Server {
            endpoint,
            ..self.clone()
        };
        server.open()?;
        Ok(server)
    }

    /// What the scheme and `tls` say together: `http://` is plain whatever the rest, `https://` never is.
    fn dialer(&self) -> Result<Dialer, TlsError> {
        let plain = match self.endpoint.scheme {
            Scheme::Plain => true,
            Scheme::Tls => false,
            Scheme::Unsaid => self.tls.is_plain(),
        };
        if plain {
            return Ok(Dialer::new(self.endpoint.place.clone(), None));
        }
        let name = self
            .authority
            .as_ref()
            .map_or(self.endpoint.place.host(), Authority::host);
        let name = self.tls.server_name(name)?;
        let config = self.tls.load(&[b"h2"])?;
        Ok(Dialer::new(self.endpoint.place.clone(), Some((config, name))))
    }
}

impl Destination for Server {
    type Transport = GrpcTransport;

    fn open(&mut self) -> Result<(), TlsError> {
        self.dialer = Some(Arc::new(self.dialer()?));
        Ok(())
    }

    fn transport(&self, requests: Requests, draining: &Draining) -> Result<GrpcTransport, BoxError> {
        let dialer = self.dialer.clone().ok_or("the exporter was not opened")?;
        let authority = match &self.authority {
            Some(authority) => authority.clone(),
            None => self.endpoint.place.authority().parse()?,
        };
        let base = format!("{}://{authority}", if dialer.is_tls() { "https" } else { "http" });
        let client = Client::new(dialer, self.client, draining.clone());
        GrpcTransport::new(client, &base, requests)
    }

    fn name(&self) -> String {
        self.endpoint.place.to_string()
    }
}
