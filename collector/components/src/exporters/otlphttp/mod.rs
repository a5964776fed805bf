//! `otlphttp`: OTLP over HTTP/1.1, or over HTTP/2 where the TLS handshake chooses it.
//!
//! ```yaml
//! exporters:
//!   otlphttp:
//!     endpoint: https://gateway:4318  # /v1/traces, /v1/metrics and /v1/logs are appended
//!     logs_endpoint: https://logs.example/ingest   # taken as it is
//!     encoding: proto                 # or json
//!     tls: {ca_file: ca.pem}
//!     headers: {x-token: abc}
//!     auth: {authenticator: bearertokenauth}
//!     compression: gzip               # or zstd, deflate, zlib, none
//!     timeout: 30s
//!     retry_on_failure: {enabled: true, initial_interval: 5s, max_interval: 30s, max_elapsed_time: 300s}
//!     sending_queue: {num_consumers: 10, queue_size: 1000, storage: file_storage}
//! ```

mod call;

use super::delivery::Transport;
use super::delivery::exporter::{Common, Destination, NetworkExporter};
use super::delivery::reply::Form;
use super::delivery::request::Requests;
use crate::net::client::{Balance, Client, ClientSettings, KeepAlive, Protocol};
use crate::net::compress::Encoding;
use crate::net::dial::Dialer;
use crate::net::endpoint::{self, Endpoint, Scheme};
use crate::net::tls::{ClientTls, TlsError};
use call::{HttpTransport, Route};
use collector_config::{Node, Section};
use collector_engine::{BoxError, Draining, Exporter, ExporterFactory};
use collector_pdata::Signal;
use std::sync::Arc;
use std::time::Duration;

/// The line in the table.
pub const FACTORY: ExporterFactory = ExporterFactory {
    kind: "otlphttp",
    signals: &[Signal::Traces, Signal::Metrics, Signal::Logs],
    configure,
};

/// Upstream's newer name of it.
pub const RENAMED: ExporterFactory = ExporterFactory {
    kind: "otlp_http",
    ..FACTORY
};

struct Servers {
    /// By the signal's number.
    endpoints: [Option<Endpoint>; 3],
    tls: ClientTls,
    client: ClientSettings,
    form: Form,
    dialers: [Option<Arc<Dialer>>; 3],
}

/// A way to send requests one by one, without an engine around it; `settings` are those of the exporter.
pub(crate) fn sender(settings: &Node, draining: &Draining) -> Result<impl Transport, BoxError> {
    NetworkExporter::sender(settings, draining, read)
}

fn configure(section: &mut Section<'_, '_>) -> Box<dyn Exporter> {
    Box::new(read(section))
}

fn read(section: &mut Section<'_, '_>) -> NetworkExporter<Servers> {
    let form = section.choice("encoding", &[("proto", Form::Proto), ("json", Form::Json)]);
    refuse_what_is_not_there(section);
    let servers = Servers {
        endpoints: endpoints(section),
        tls: ClientTls::configure(section, false),
        client: client_settings(section),
        form: form.unwrap_or(Form::Proto),
        dialers: [None, None, None],
    };
    let encodings = [Encoding::Gzip, Encoding::Zstd, Encoding::Deflate, Encoding::Zlib];
    let mut common = Common::configure(section, &encodings, Duration::from_secs(30));
    let most = section.count("max_conns_per_host", 0) as usize;
    if most > 0 {
        common.queue.num_consumers = common.queue.num_consumers.min(most);
    }
    NetworkExporter::new(servers, common)
}

/// Settings of upstream's that change where requests go must not be passed over; those of buffers may.
fn refuse_what_is_not_there(section: &mut Section<'_, '_>) {
    if section.text("proxy_url").is_some_and(|url| !url.is_empty()) {
        section.error(
            "proxy_url",
            "proxies are not there; the endpoint must be reachable without one",
        );
    }
    for ignored in ["read_buffer_size", "write_buffer_size"] {
        section.count(ignored, 0);
    }
    section.flag("force_attempt_http2", true);
}

fn endpoints(section: &mut Section<'_, '_>) -> [Option<Endpoint>; 3] {
    let base = read_endpoint(section, "endpoint");
    let own = [
        read_endpoint(section, "traces_endpoint"),
        read_endpoint(section, "metrics_endpoint"),
        read_endpoint(section, "logs_endpoint"),
    ];
    if base.is_none() && own.iter().all(Option::is_none) {
        section.error(
            "endpoint",
            "is required, or one of traces_endpoint, metrics_endpoint, logs_endpoint",
        );
    }
    let mut signals = Signal::ALL.into_iter();
    own.map(|own| {
        let common = base.clone().zip(signals.next()).map(|(base, signal)| Endpoint {
            path: format!("{}/v1/{}", base.path, signal.name()),
            ..base
        });
        own.or(common)
    })
}

fn read_endpoint(section: &mut Section<'_, '_>, key: &'static str) -> Option<Endpoint> {
    let written = section.text(key).filter(|written| !written.is_empty())?;
    endpoint::url(written)
        .map_err(|message| section.error(key, message))
        .ok()
}

fn client_settings(section: &mut Section<'_, '_>) -> ClientSettings {
    let idle = section
        .count("max_idle_conns", 100)
        .min(section.count("max_idle_conns_per_host", 100));
    let reuse = !section.flag("disable_keep_alives", false);
    let silence = section.duration("http2_read_idle_timeout", Duration::ZERO);
    let timeout = section.duration("http2_ping_timeout", Duration::from_secs(15));
    ClientSettings {
        protocol: Protocol::Negotiated,
        balance: Balance::PickFirst,
        keep_alive: (!silence.is_zero()).then_some(KeepAlive {
            time: silence,
            timeout,
            permit_without_stream: true,
        }),
        wait_for_ready: false,
        max_idle: if reuse { idle as usize } else { 0 },
        idle_timeout: section.duration("idle_conn_timeout", Duration::from_secs(90)),
    }
}

impl Servers {
    fn dialer(&self, endpoint: &Endpoint) -> Result<Dialer, TlsError> {
        if endpoint.scheme != Scheme::Tls {
            return Ok(Dialer::new(endpoint.place.clone(), None));
        }
        let name = self.tls.server_name(endpoint.place.host())?;
        let config = self.tls.load(&[b"h2", b"http/1.1"])?;
        Ok(Dialer::new(endpoint.place.clone(), Some((config, name))))
    }

    fn routes(&self, draining: &Draining) -> Result<[Option<Route>; 3], BoxError> {
        let mut clients: Vec<(Endpoint, Arc<Client>)> = Vec::new();
        let mut routes = [None, None, None];
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            let (Some(endpoint), Some(dialer)) = (endpoint, &self.dialers[index]) else {
                continue;
            };
            // Signals of one server share its connections.
            let same = |known: &Endpoint| known.place == endpoint.place && known.scheme == endpoint.scheme;
            let shared = clients
                .iter()
                .find(|(known, _)| same(known))
                .map(|(_, client)| client.clone());
            let client = shared.unwrap_or_else(|| {
                let client = Arc::new(Client::new(dialer.clone(), self.client, draining.clone()));
                clients.push((endpoint.clone(), client.clone()));
                client
            });
            routes[index] = Some(Route::new(client, endpoint)?);
        }
        Ok(routes)
    }
}

impl Destination for Servers {
    type Transport = HttpTransport;

    fn open(&mut self) -> Result<(), TlsError> {
        for index in 0..self.endpoints.len() {
            if let Some(endpoint) = &self.endpoints[index] {
                self.dialers[index] = Some(Arc::new(self.dialer(endpoint)?));
            }
        }
        Ok(())
    }

    fn transport(&self, requests: Requests, draining: &Draining) -> Result<HttpTransport, BoxError> {
        Ok(HttpTransport::new(self.routes(draining)?, self.form, requests))
    }

    fn name(&self) -> String {
        let endpoints = self.endpoints.iter().flatten();
        let mut places: Vec<String> = endpoints.map(|endpoint| endpoint.place.to_string()).collect();
        places.dedup();
        places.join(", ")
    }
}
