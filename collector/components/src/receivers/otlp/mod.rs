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

mod accepting;
mod activity;
mod endpoint;
mod grpc;
mod http;
mod intake;
mod rejection;
mod schema;
mod settings;
mod stream;
mod validate;

use crate::net::tls::{Loaded, ServerTls};
use accepting::{Accepting, Places};
use collector_config::Section;
use collector_engine::{BoxError, BoxFuture, Draining, Ended, Host, Output, Placement, Receiver, ReceiverFactory};
use collector_pdata::Signal;
use endpoint::Listener;
use intake::{Intake, Unfinished};
use rustls::ServerConfig;
use settings::{GrpcSettings, HttpSettings, ServerSettings, Settings};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use stream::Stream;

/// The line in the table.
pub const FACTORY: ReceiverFactory = ReceiverFactory {
    kind: "otlp",
    signals: &[Signal::Traces, Signal::Metrics, Signal::Logs],
    configure,
};

struct OtlpReceiver {
    settings: Option<Settings>,
    grpc: Option<Protocol<GrpcSettings>>,
    http: Option<Protocol<HttpSettings>>,
    unfinished: Arc<Unfinished>,
}

/// A protocol that is open.
struct Protocol<T> {
    settings: Arc<T>,
    accepting: Accepting,
    limit: usize,
    /// Each worker takes one.
    listeners: Vec<Listener>,
}

fn configure(section: &mut Section<'_, '_>, descriptor: Option<OwnedFd>) -> Box<dyn Receiver> {
    if descriptor.is_some() {
        section.error(
            "protocols",
            "a descriptor was handed to this receiver, which has no use for one",
        );
    }
    Box::new(OtlpReceiver {
        settings: Some(Settings::configure(section)),
        grpc: None,
        http: None,
        unfinished: Arc::default(),
    })
}

impl Receiver for OtlpReceiver {
    fn placement(&self) -> Placement {
        Placement::Every
    }

    fn open(&mut self, host: &Host) -> Ended {
        let settings = self.settings.take().ok_or("it is open already")?;
        let grpc = settings.grpc.map(|grpc| Protocol::open(grpc, host, &[b"h2"]));
        let http = settings
            .http
            .map(|http| Protocol::open(http, host, &[b"h2", b"http/1.1"]));
        (self.grpc, self.http) = (grpc.transpose()?, http.transpose()?);
        Ok(())
    }

    fn run(&mut self, output: Output, draining: Draining) -> BoxFuture<Ended> {
        let grpc = self.grpc.as_mut().map(|grpc| {
            let intake = intake(output.over("grpc"), &self.unfinished, grpc.limit);
            grpc.run(intake, draining.clone(), grpc::serve)
        });
        let http = self.http.as_mut().map(|http| {
            let intake = intake(output.over("http"), &self.unfinished, http.limit);
            http.run(intake, draining.clone(), http::serve)
        });
        Box::pin(async move {
            tokio::try_join!(optional(grpc), optional(http))?;
            Ok(())
        })
    }
}

async fn optional(work: Option<BoxFuture<Ended>>) -> Ended {
    match work {
        Some(work) => work.await,
        None => Ok(()),
    }
}

fn intake(output: Output, unfinished: &Arc<Unfinished>, limit: usize) -> Intake {
    Intake {
        output,
        unfinished: unfinished.clone(),
        limit,
    }
}

/// What the protocols' settings have in common.
trait HasServer: Send + Sync + 'static {
    fn server(&self) -> &ServerSettings;
}

impl HasServer for GrpcSettings {
    fn server(&self) -> &ServerSettings {
        &self.server
    }
}

impl HasServer for HttpSettings {
    fn server(&self) -> &ServerSettings {
        &self.server
    }
}

impl<T: HasServer> Protocol<T> {
    fn open(settings: T, host: &Host, alpn: &[&[u8]]) -> Result<Self, BoxError> {
        let server = settings.server();
        let load = |tls: &ServerTls| tls.load(alpn).map(Arc::new);
        let tls: Option<Arc<Loaded<ServerConfig>>> = server.tls.as_ref().map(load).transpose()?;
        let listeners = server.endpoint.listen(host)?;
        Ok(Protocol {
            accepting: Accepting {
                tls,
                places: Arc::new(Places::new(server.max_connections)),
            },
            limit: server.max_message,
            listeners,
            settings: Arc::new(settings),
        })
    }

    /// The work of one worker: every connection is given to `serve`.
    fn run<F>(
        &mut self,
        intake: Intake,
        draining: Draining,
        serve: fn(Stream, Arc<T>, Intake, Draining) -> F,
    ) -> BoxFuture<Ended>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (settings, accepting) = (self.settings.clone(), self.accepting.clone());
        let (listener, ending) = (self.listeners.pop(), draining.clone());
        let serve = move |stream| serve(stream, settings.clone(), intake.clone(), ending.clone());
        Box::pin(async move {
            match listener {
                Some(listener) => Ok(accepting.run(listener, draining, serve).await?),
                None => Err("it was run more often than there are workers".into()),
            }
        })
    }
}
