//! An HTTP exchange as a span, by the semantic conventions for HTTP 1.3x
//! (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>).
//!
//! Pure: whatever the exchange was seen by (socket I/O, Go's net/http), it comes here as an [`Exchange`].

pub mod head;
pub mod target;
pub mod traceparent;

use collector_pdata::encode::{OpenSpan, SpanKind, SpanStart, SpanWriter};
use std::fmt::Write;
use std::net::IpAddr;

/// One request and its response. Empty slices mean "not known".
#[derive(Debug, Clone, Copy, Default)]
pub struct Exchange<'a> {
    /// The traced process sent the request.
    pub is_client: bool,
    /// As it was sent.
    pub method: &'a [u8],
    /// As it was sent, in any of its forms; on a client of Go, path and query of the URL.
    pub target: &'a [u8],
    /// `http` or `https`; `http` if not known.
    pub scheme: &'a [u8],
    /// Header Host, or the URL's host.
    pub host: &'a [u8],
    /// The template that the path matched.
    pub route: &'a [u8],
    /// This side of the connection.
    pub local: Option<(IpAddr, u16)>,
    /// The other side.
    pub peer: Option<(IpAddr, u16)>,
    /// Header X-Forwarded-For.
    pub forwarded_for: &'a [u8],
    /// Header User-Agent.
    pub user_agent: &'a [u8],
    /// `(1, 1)` for HTTP/1.1.
    pub version: Option<(u8, u8)>,
    /// `None` if there was no response.
    pub status: Option<u16>,
    /// The response did not end.
    pub incomplete: bool,
    /// Bytes.
    pub request_body: Option<u64>,
    /// Bytes.
    pub response_body: Option<u64>,
}

/// `error.type` of an exchange that ended without a response.
pub const NO_RESPONSE: &str = "no_response";
/// `error.type` of an exchange whose response did not end.
pub const INCOMPLETE_RESPONSE: &str = "incomplete_response";

/// RFC 9110's methods and PATCH (RFC 5789); others are `_OTHER`, so that span names stay few.
const METHODS: [&str; 9] = [
    "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE",
];
/// The longest unknown method that is kept.
const MAX_ORIGINAL_METHOD: usize = 64;

/// Writes exchanges as spans; keeps its buffers.
#[derive(Debug, Default)]
pub struct HttpSpans {
    writer: SpanWriter,
    text: String,
    bytes: Vec<u8>,
}

impl HttpSpans {
    /// Appends the span of `exchange` to `group`. The kind in `start` is overwritten by the exchange's.
    pub fn write(&mut self, start: &SpanStart, exchange: &Exchange<'_>, group: &mut Vec<u8>) {
        let HttpSpans { writer, text, bytes } = self;
        let known = METHODS.into_iter().find(|method| method.as_bytes() == exchange.method);
        let kind = if exchange.is_client {
            SpanKind::Client
        } else {
            SpanKind::Server
        };
        let route = String::from_utf8_lossy(if exchange.is_client { &[] } else { exchange.route });
        let name: &[&str] = match route.is_empty() {
            true => &[known.unwrap_or("HTTP")],
            false => &[known.unwrap_or("HTTP"), " ", &route],
        };
        let mut span = writer.begin(&SpanStart { kind, ..*start }, name);
        put_method(&mut span, known, exchange.method);
        if !route.is_empty() {
            span.text("http.route", &route);
        }
        let target = target::parse(exchange.method, exchange.target);
        if exchange.is_client {
            put_client_url(&mut span, exchange, &target, bytes, text);
        } else {
            put_server_url(&mut span, exchange, &target, bytes, text);
        }
        put_connection(&mut span, exchange, text);
        put_sizes(&mut span, exchange);
        put_outcome(&mut span, exchange);
        span.finish(group);
    }
}

fn put_method(span: &mut OpenSpan<'_>, known: Option<&'static str>, sent: &[u8]) {
    span.text("http.request.method", known.unwrap_or("_OTHER"));
    if known.is_none() && !sent.is_empty() {
        span.text_lossy(
            "http.request.method_original",
            &sent[..sent.len().min(MAX_ORIGINAL_METHOD)],
        );
    }
}

fn put_server_url(
    span: &mut OpenSpan<'_>,
    exchange: &Exchange<'_>,
    target: &target::Target<'_>,
    bytes: &mut Vec<u8>,
    text: &mut String,
) {
    if !target.path.is_empty() {
        span.text_lossy("url.path", target.path);
    }
    if !target.query.is_empty() {
        bytes.clear();
        target::put_redacted(bytes, target.query);
        span.text_lossy("url.query", bytes);
    }
    let scheme = scheme(exchange, target);
    span.text_lossy("url.scheme", scheme);
    put_server(span, exchange, target, exchange.local, text);
    let forwarded = exchange
        .forwarded_for
        .split(|byte| *byte == b',')
        .next()
        .unwrap_or_default()
        .trim_ascii();
    if !forwarded.is_empty() {
        span.text_lossy("client.address", target::host_and_port(forwarded).0);
    } else if let Some((address, _)) = exchange.peer {
        span.text("client.address", shown(text, address));
    }
}

fn put_client_url(
    span: &mut OpenSpan<'_>,
    exchange: &Exchange<'_>,
    target: &target::Target<'_>,
    bytes: &mut Vec<u8>,
    text: &mut String,
) {
    bytes.clear();
    bytes.extend_from_slice(scheme(exchange, target));
    bytes.extend_from_slice(b"://");
    if target.has_credentials {
        bytes.extend_from_slice(b"REDACTED:REDACTED@");
    }
    let authority = authority(exchange, target);
    match (authority.is_empty(), exchange.peer) {
        (true, Some((address, port))) => {
            text.clear();
            // Writing to memory cannot fail.
            let _ = write!(text, "{}", std::net::SocketAddr::new(address, port));
            bytes.extend_from_slice(text.as_bytes());
        }
        _ => bytes.extend_from_slice(authority),
    }
    if target.path != b"*" {
        bytes.extend_from_slice(target.path);
    }
    if !target.query.is_empty() {
        bytes.push(b'?');
        target::put_redacted(bytes, target.query);
    }
    span.text_lossy("url.full", bytes);
    put_server(span, exchange, target, exchange.peer, text);
}

fn scheme<'a>(exchange: &Exchange<'a>, target: &target::Target<'a>) -> &'a [u8] {
    match (target.scheme.is_empty(), exchange.scheme.is_empty()) {
        (false, _) => target.scheme,
        (true, false) => exchange.scheme,
        (true, true) => b"http",
    }
}

fn authority<'a>(exchange: &Exchange<'a>, target: &target::Target<'a>) -> &'a [u8] {
    if target.authority.is_empty() {
        exchange.host
    } else {
        target.authority
    }
}

/// `server.*`: what the client asked for, else the server's end of the connection.
fn put_server(
    span: &mut OpenSpan<'_>,
    exchange: &Exchange<'_>,
    target: &target::Target<'_>,
    endpoint: Option<(IpAddr, u16)>,
    text: &mut String,
) {
    let (host, port) = target::host_and_port(authority(exchange, target));
    if !host.is_empty() {
        span.text_lossy("server.address", host);
        let default = if scheme(exchange, target) == b"https" { 443 } else { 80 };
        span.integer("server.port", i64::from(port.unwrap_or(default)));
    } else if let Some((address, port)) = endpoint {
        span.text("server.address", shown(text, address));
        span.integer("server.port", i64::from(port));
    }
}

fn put_connection(span: &mut OpenSpan<'_>, exchange: &Exchange<'_>, text: &mut String) {
    if let Some((address, port)) = exchange.peer {
        span.text("network.peer.address", shown(text, address));
        span.integer("network.peer.port", i64::from(port));
    }
    match exchange.version {
        Some((1, 1)) => span.text("network.protocol.version", "1.1"),
        Some((1, 0)) => span.text("network.protocol.version", "1.0"),
        Some((2, 0)) => span.text("network.protocol.version", "2"),
        Some((3, 0)) => span.text("network.protocol.version", "3"),
        _ => {}
    }
    if !exchange.user_agent.is_empty() {
        span.text_lossy("user_agent.original", exchange.user_agent);
    }
}

fn put_sizes(span: &mut OpenSpan<'_>, exchange: &Exchange<'_>) {
    let size = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    if let Some(bytes) = exchange.request_body {
        span.integer("http.request.body.size", size(bytes));
    }
    if let Some(bytes) = exchange.response_body {
        span.integer("http.response.body.size", size(bytes));
    }
}

fn put_outcome(span: &mut OpenSpan<'_>, exchange: &Exchange<'_>) {
    let first_error = if exchange.is_client { 400 } else { 500 };
    let Some(status) = exchange.status else {
        span.text("error.type", NO_RESPONSE);
        return span.error();
    };
    span.integer("http.response.status_code", i64::from(status));
    if status >= first_error {
        let mut digits = [0; 5];
        span.text("error.type", decimal(status, &mut digits));
        span.error();
    } else if exchange.incomplete {
        span.text("error.type", INCOMPLETE_RESPONSE);
        span.error();
    }
}

fn decimal(mut number: u16, digits: &mut [u8; 5]) -> &str {
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return std::str::from_utf8(&digits[start..]).unwrap_or_default();
        }
    }
}

fn shown(text: &mut String, address: IpAddr) -> &str {
    text.clear();
    // Writing to memory cannot fail.
    let _ = write!(text, "{address}");
    text
}

#[cfg(test)]
mod tests;
