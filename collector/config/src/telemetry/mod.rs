//! `service::telemetry`: what the collector tells about itself.
//!
//! ```yaml
//! service:
//!   telemetry:
//!     logs: {level: info, encoding: console}
//!     metrics:
//!       level: normal
//!       readers:
//!         - pull: {exporter: {prometheus: {host: localhost, port: 8888}}}
//!         - periodic:
//!             interval: 60000 # ms
//!             timeout: 30000  # ms
//!             exporter: {otlp: {protocol: http/protobuf, endpoint: 'http://localhost:4318'}}
//!     resource: {deployment.environment: test}
//! ```

mod read;

use crate::Secret;
use std::time::Duration;

/// What the collector tells about itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Telemetry {
    /// Its log.
    pub logs: LogTelemetry,
    /// Its metrics.
    pub metrics: MetricTelemetry,
    /// Attributes of its own resource, in the order in which they were written. One without a value takes away an
    /// attribute that the collector would otherwise add.
    pub resource: Vec<(String, Option<String>)>,
}

/// The collector's own log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogTelemetry {
    /// The least severe lines that are written; nothing if the configuration does not say.
    pub level: Option<LogLevel>,
    /// How they are written.
    pub encoding: LogEncoding,
}

/// How a line of the log is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogEncoding {
    /// For people.
    #[default]
    Console,
    /// A JSON object.
    Json,
}

/// How severe a line of the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// For developers.
    Debug,
    /// What happens.
    Info,
    /// What may be wrong.
    Warn,
    /// What is wrong.
    Error,
}

/// The collector's own metrics.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricTelemetry {
    /// How many of them there are.
    pub level: MetricLevel,
    /// Where they can be had; empty at [`MetricLevel::None`], and else at least one.
    pub readers: Vec<MetricReader>,
}

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetricLevel {
    /// Nothing.
    None,
    /// The essential.
    Basic,
    /// What is usual.
    Normal,
    /// Everything.
    Detailed,
}

/// A way for the metrics to leave.
#[derive(Debug, Clone, PartialEq)]
pub enum MetricReader {
    /// Others fetch them.
    Prometheus(PrometheusReader),
    /// They are sent at intervals.
    Periodic(PeriodicReader),
}

/// An HTTP server for Prometheus, at `http://host:port/metrics`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrometheusReader {
    /// The address to listen on.
    pub host: String,
    /// The port to listen on.
    pub port: u16,
    /// Whether each series has the labels `otel_scope_name` and `otel_scope_version`.
    pub scope_info: bool,
    /// Whether a counter's name ends in `_total`.
    pub type_suffix: bool,
    /// Whether a name ends in its unit.
    pub units: bool,
}

/// OTLP, at intervals.
#[derive(Debug, Clone, PartialEq)]
pub struct PeriodicReader {
    /// Between two requests.
    pub interval: Duration,
    /// The longest that a request may take.
    pub timeout: Duration,
    /// Where to.
    pub exporter: OtlpTelemetry,
}

/// Where OTLP goes.
#[derive(Debug, Clone, PartialEq)]
pub struct OtlpTelemetry {
    /// How it is carried.
    pub protocol: OtlpProtocol,
    /// A URL with its scheme; over HTTP its path is taken as it is, and is `/v1/metrics` where it has none.
    pub endpoint: String,
    /// Sent with each request.
    pub headers: Vec<(String, Secret)>,
    /// No TLS for an endpoint without a scheme.
    pub insecure: bool,
    /// Whether requests are compressed with gzip.
    pub gzip: bool,
    /// The file of the certificates that the destination's is checked against.
    pub certificate: Option<String>,
    /// The file of the client's certificate.
    pub client_certificate: Option<String>,
    /// The file of the client's key.
    pub client_key: Option<String>,
}

/// How OTLP is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtlpProtocol {
    /// Protocol buffers over HTTP.
    HttpProtobuf,
    /// gRPC.
    Grpc,
}

impl Default for MetricTelemetry {
    /// As upstream: level normal, on localhost:8888, with names that older dashboards know.
    fn default() -> Self {
        MetricTelemetry {
            level: MetricLevel::Normal,
            readers: vec![MetricReader::Prometheus(PrometheusReader::plain("localhost", 8888))],
        }
    }
}

impl PrometheusReader {
    fn plain(host: &str, port: u16) -> Self {
        PrometheusReader {
            host: host.to_owned(),
            port,
            scope_info: false,
            type_suffix: false,
            units: false,
        }
    }
}
