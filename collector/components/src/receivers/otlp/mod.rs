//! `otlp`: traces, metrics and logs over OTLP/gRPC and OTLP/HTTP.
//!
//! ```yaml
//! receivers:
//!   otlp:
//!     protocols:
//!       grpc:
//!         endpoint: localhost:4317      # or unix:///path, or a path with transport: unix
//!         max_recv_msg_size_mib: 4      # of a message, also when decompressed
//!         max_concurrent_streams: 1024  # of one connection; upstream has no limit
//!         max_connections: 10000        # ours; more are closed at once
//!         tls: {cert_file: cert.pem, key_file: key.pem, client_ca_file: ca.pem}
//!         keepalive:
//!           server_parameters: {max_connection_idle: 0s, max_connection_age: 0s, max_connection_age_grace: 0s, time: 2h, timeout: 20s}
//!       http:
//!         endpoint: localhost:4318
//!         traces_url_path: /v1/traces
//!         max_request_body_size: 20971520   # of a body, also when decompressed
//!         compression_algorithms: ["", gzip, zstd, zlib, deflate]
//!         cors: {allowed_origins: ["https://*.example.com"], allowed_headers: [x-token], max_age: 600}
//!         response_headers: {x-served-by: odigos}
//!         keep_alives_enabled: true
//!         read_header_timeout: 1m
//!         read_timeout: 1m                  # of a request's body; upstream has no limit
//!         idle_timeout: 1m
//! ```
//!
//! A request is taken as a whole or refused as a whole, at once: nothing waits for room in a pipeline, the sender is told
//! to try again. Its bytes stay as they came. What is looked at before they are accepted is in [`validate`].
//!
//! Read and without effect: `read_buffer_size`, `write_buffer_size`, `write_timeout`, `include_metadata`, and
//! `keepalive::enforcement_policy` (pings are answered however often they come; one at a time is held).

mod accept;
mod accepting;
mod endpoint;
mod grpc;
mod intake;
mod rejection;
mod schema;
mod settings;
mod stream;
mod validate;

pub use accept::{Accept, Refusal, Transport};

use crate::net::tls::Loaded;
use accepting::{Accepting, Places};
use collector_config::Section;
use collector_engine::{BoxError, Draining};
use endpoint::Listener;
use intake::{Intake, Unfinished};
use rustls::ServerConfig;
use settings::{GrpcSettings, ServerSettings, Settings};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// The receiver: configured once, opened once, served by every worker.
#[derive(Debug)]
pub struct Otlp {
    settings: Option<Settings>,
    open: Option<Open>,
    unfinished: Arc<Unfinished>,
}

/// What the workers share.
struct Open {
    grpc: Option<Protocol<GrpcSettings>>,
}

struct Protocol<T> {
    settings: Arc<T>,
    accepting: Accepting,
    limit: usize,
    /// Each worker takes one.
    listeners: Mutex<Vec<Listener>>,
    addresses: Vec<SocketAddr>,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Open")
    }
}

impl Otlp {
    /// Reads the settings, without touching the outside world. After an error the result is never used.
    pub fn configure(section: &mut Section<'_, '_>) -> Self {
        Otlp {
            settings: Some(Settings::configure(section)),
            open: None,
            unfinished: Arc::default(),
        }
    }

    /// Reads the certificates and binds a socket for each of so many workers.
    pub fn open(&mut self, workers: usize) -> Result<(), BoxError> {
        let Some(settings) = self.settings.take() else {
            return Err("it is open already".into());
        };
        self.open = Some(Open {
            grpc: settings
                .grpc
                .map(|settings| Protocol::open(settings, workers, &[b"h2"]))
                .transpose()?,
        });
        Ok(())
    }

    /// Where gRPC listens over TCP, once it is open.
    pub fn grpc_address(&self) -> Option<SocketAddr> {
        self.open.as_ref()?.grpc.as_ref()?.addresses.first().copied()
    }

    /// Serves as one of the workers: call it at most as often as there are workers, each within its own runtime. Ends
    /// when the drain has begun and the connections have ended, or shortly before its deadline.
    pub async fn serve(&self, accept: Arc<dyn Accept>, draining: Draining) -> Result<(), BoxError> {
        let Some(open) = &self.open else {
            return Err("it is not open".into());
        };
        let Some(grpc) = &open.grpc else { return Ok(()) };
        let intake = self.intake(accept, Transport::Grpc, grpc.limit);
        let (settings, ending) = (grpc.settings.clone(), draining.clone());
        let serve = move |stream| grpc::serve(stream, settings.clone(), intake.clone(), ending.clone());
        if let Some(listener) = grpc.listener() {
            grpc.accepting.clone().run(listener, draining, serve).await?;
        }
        Ok(())
    }

    fn intake(&self, accept: Arc<dyn Accept>, transport: Transport, limit: usize) -> Intake {
        Intake {
            accept,
            transport,
            unfinished: self.unfinished.clone(),
            limit,
        }
    }
}

/// What the protocols' settings have in common.
trait HasServer {
    fn server(&self) -> &ServerSettings;
}

impl HasServer for GrpcSettings {
    fn server(&self) -> &ServerSettings {
        &self.server
    }
}

impl<T: HasServer> Protocol<T> {
    fn open(settings: T, workers: usize, alpn: &[&[u8]]) -> Result<Self, BoxError> {
        let server = settings.server();
        let load = |tls: &crate::net::tls::ServerTls| tls.load(alpn).map(Arc::new);
        let tls: Option<Arc<Loaded<ServerConfig>>> = server.tls.as_ref().map(load).transpose()?;
        let listeners = server.endpoint.listen(workers)?;
        let address = |listener: &Listener| match listener {
            Listener::Tcp(listener) => listener.local_addr().ok(),
            Listener::Unix(..) => None,
        };
        Ok(Protocol {
            accepting: Accepting {
                tls,
                places: Arc::new(Places::new(server.max_connections)),
            },
            limit: server.max_message,
            addresses: listeners.iter().filter_map(address).collect(),
            listeners: Mutex::new(listeners),
            settings: Arc::new(settings),
        })
    }

    fn listener(&self) -> Option<Listener> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}
