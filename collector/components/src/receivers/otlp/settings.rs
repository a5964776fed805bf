//! The receiver's settings, as upstream's `otlp` receiver, `configgrpc` and `confighttp` have them.

use super::endpoint::Endpoint;
use crate::net::compress::Encoding;
use crate::net::tls::ServerTls;
use collector_config::Section;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use std::path::PathBuf;
use std::time::Duration;

/// Streams that one peer may have open when nothing is set. Upstream has no limit.
const MAX_CONCURRENT_STREAMS: u32 = 1024;
/// Connections of one protocol when nothing is set.
const MAX_CONNECTIONS: u64 = 10_000;
/// More than any process has descriptors for.
const MOST_CONNECTIONS: u64 = 1 << 20;
/// The most that a size in MiB may be, so that it fits any length on the wire.
const MAX_SIZE: u64 = 1 << 30;

/// `protocols`.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) grpc: Option<GrpcSettings>,
    pub(crate) http: Option<HttpSettings>,
}

/// What both protocols have.
#[derive(Debug)]
pub(crate) struct ServerSettings {
    pub(crate) endpoint: Endpoint,
    pub(crate) tls: Option<ServerTls>,
    pub(crate) max_connections: usize,
    /// The most bytes of one message, before and after decompression.
    pub(crate) max_message: usize,
}

/// `protocols::grpc`.
#[derive(Debug)]
pub(crate) struct GrpcSettings {
    pub(crate) server: ServerSettings,
    pub(crate) max_concurrent_streams: u32,
    pub(crate) keepalive: KeepAlive,
}

/// `keepalive::server_parameters`. What never happens has the longest duration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeepAlive {
    pub(crate) max_connection_idle: Duration,
    pub(crate) max_connection_age: Duration,
    pub(crate) max_connection_age_grace: Duration,
    pub(crate) time: Duration,
    pub(crate) timeout: Duration,
}

/// `protocols::http`.
#[derive(Debug)]
pub(crate) struct HttpSettings {
    pub(crate) server: ServerSettings,
    /// Of traces, metrics and logs.
    pub(crate) paths: [String; 3],
    pub(crate) encodings: Vec<Encoding>,
    pub(crate) cors: Option<Cors>,
    pub(crate) response_headers: HeaderMap,
    pub(crate) keep_alive: bool,
    pub(crate) read_timeout: Duration,
    pub(crate) read_header_timeout: Duration,
    pub(crate) idle_timeout: Duration,
}

/// `cors`: which pages of browsers may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cors {
    /// Each with at most one `*`.
    pub(crate) allowed_origins: Vec<String>,
    /// In lower case.
    pub(crate) allowed_headers: Vec<String>,
    /// Seconds for which a browser may remember the answer; 0 is the browser's default.
    pub(crate) max_age: u64,
}

impl Settings {
    /// Reads the settings. After an error they are never used.
    pub(crate) fn configure(section: &mut Section<'_, '_>) -> Settings {
        let settings = section.section("protocols", |protocols| Settings {
            grpc: protocols.optional_section("grpc", grpc),
            http: protocols.optional_section("http", http),
        });
        if settings.grpc.is_none() && settings.http.is_none() {
            section.error("protocols", "needs at least one of grpc and http");
        }
        settings
    }
}

fn server(section: &mut Section<'_, '_>, default_endpoint: &str, max_message: usize) -> ServerSettings {
    let unix = section
        .choice("transport", &[("tcp", false), ("unix", true)])
        .unwrap_or(false);
    let written = section.text("endpoint").unwrap_or(default_endpoint);
    let endpoint = Endpoint::parse(written, unix).unwrap_or_else(|message| {
        section.error("endpoint", message);
        Endpoint::Unix(PathBuf::new())
    });
    section.unsupported("auth", "requests would be taken from anybody");
    // Nothing looks at a request's headers later, so there is nothing to keep.
    section.flag("include_metadata", false);
    ServerSettings {
        endpoint,
        tls: ServerTls::configure(section),
        max_connections: section.count_in("max_connections", 1..=MOST_CONNECTIONS, MAX_CONNECTIONS) as usize,
        max_message,
    }
}

fn grpc(section: &mut Section<'_, '_>) -> GrpcSettings {
    let mib = match section.count("max_recv_msg_size_mib", 4) {
        0 => 4,
        mib => mib,
    };
    let max_message = size(section, "max_recv_msg_size_mib", mib.saturating_mul(1 << 20));
    // Buffers are as large as the frames that they hold.
    section.accept(&["read_buffer_size", "write_buffer_size"]);
    let streams = section.count("max_concurrent_streams", 0);
    GrpcSettings {
        server: server(section, "localhost:4317", max_message),
        max_concurrent_streams: match u32::try_from(streams) {
            Ok(0) => MAX_CONCURRENT_STREAMS,
            other => other.unwrap_or(u32::MAX),
        },
        keepalive: section.section("keepalive", keepalive),
    }
}

fn size(section: &mut Section<'_, '_>, key: &str, bytes: u64) -> usize {
    if bytes > MAX_SIZE {
        section.error(key, format!("is more than {} MiB", MAX_SIZE >> 20));
    }
    bytes.min(MAX_SIZE) as usize
}

fn keepalive(section: &mut Section<'_, '_>) -> KeepAlive {
    section.without_effect("enforcement_policy");
    section.section("server_parameters", |parameters| {
        let mut duration = |key, default| match parameters.duration(key, default) {
            Duration::ZERO => default,
            set => set,
        };
        KeepAlive {
            max_connection_idle: duration("max_connection_idle", Duration::MAX),
            max_connection_age: duration("max_connection_age", Duration::MAX),
            max_connection_age_grace: duration("max_connection_age_grace", Duration::MAX),
            time: duration("time", Duration::from_secs(2 * 3600)),
            timeout: duration("timeout", Duration::from_secs(20)),
        }
    })
}

fn http(section: &mut Section<'_, '_>) -> HttpSettings {
    let max_body = match section.count("max_request_body_size", 20 << 20) {
        0 => 20 << 20,
        bytes => bytes,
    };
    let max_body = size(section, "max_request_body_size", max_body);
    let minute = Duration::from_secs(60);
    let mut duration = |key| match section.duration(key, minute) {
        Duration::ZERO => Duration::MAX,
        set => set,
    };
    let [read_header_timeout, idle_timeout] = ["read_header_timeout", "idle_timeout"].map(&mut duration);
    let read_timeout = match section.duration("read_timeout", minute) {
        Duration::ZERO => minute,
        set => set,
    };
    // An answer is a few bytes, which the kernel takes at once.
    section.accept(&["write_timeout"]);
    HttpSettings {
        server: server(section, "localhost:4318", max_body),
        paths: [
            url_path(section, "traces_url_path", "/v1/traces"),
            url_path(section, "metrics_url_path", "/v1/metrics"),
            url_path(section, "logs_url_path", "/v1/logs"),
        ],
        encodings: encodings(section),
        cors: section.optional_section("cors", cors),
        response_headers: response_headers(section),
        keep_alive: section.flag("keep_alives_enabled", true),
        read_timeout,
        read_header_timeout,
        idle_timeout,
    }
}

fn url_path(section: &mut Section<'_, '_>, key: &'static str, default: &str) -> String {
    let written = section.text(key).filter(|path| !path.is_empty()).unwrap_or(default);
    if written.starts_with('/') {
        written.to_owned()
    } else {
        format!("/{written}")
    }
}

fn encodings(section: &mut Section<'_, '_>) -> Vec<Encoding> {
    const KEY: &str = "compression_algorithms";
    let all = [Encoding::Gzip, Encoding::Zstd, Encoding::Zlib, Encoding::Deflate];
    if !section.is_written(KEY) {
        return all.to_vec();
    }
    let names = section.texts_list(KEY);
    let mut encodings = Vec::new();
    // The empty name is no compression, which is always taken.
    for name in names.iter().filter(|name| !name.is_empty()) {
        match Encoding::from_name(name) {
            Some(encoding) => encodings.push(encoding),
            None => section.error(
                KEY,
                format!("\"{}\" is none of gzip, zstd, zlib, deflate", name.escape_debug()),
            ),
        }
    }
    encodings
}

fn cors(section: &mut Section<'_, '_>) -> Cors {
    let origins = section.texts_list("allowed_origins");
    if let Some(origin) = origins.iter().find(|origin| origin.matches('*').count() > 1) {
        let message = format!("\"{}\" has more than one *", origin.escape_debug());
        section.error("allowed_origins", message);
    }
    let headers = section.texts_list("allowed_headers");
    Cors {
        allowed_origins: origins.into_iter().map(str::to_owned).collect(),
        allowed_headers: headers.iter().map(|header| header.to_ascii_lowercase()).collect(),
        max_age: section.count("max_age", 0),
    }
}

fn response_headers(section: &mut Section<'_, '_>) -> HeaderMap {
    const KEY: &str = "response_headers";
    let mut headers = HeaderMap::new();
    for (name, value) in section.texts(KEY) {
        match (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            (Ok(name), Ok(value)) => drop(headers.insert(name, value)),
            _ => section.error(KEY, format!("\"{}\" is not a valid header", name.escape_debug())),
        }
    }
    headers
}
