use crate::{go_http, http1, layout};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One record of the ring, decoded. Byte slices borrow from the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// An HTTP/1 exchange seen in socket I/O.
    Http1(Http1<'a>),
    /// An HTTP exchange seen inside Go's net/http.
    GoHttp(GoHttp<'a>),
}

/// What every span record begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanHeader {
    /// What the kernel knows of the span.
    pub flags: SpanFlags,
    /// The entity (resource) that the span belongs to, as announced over the hand-over socket.
    pub entity: u32,
    /// Process id, in the pid namespace of the agent.
    pub pid: u32,
    /// First byte of the request, nanoseconds of CLOCK_MONOTONIC.
    pub start_ns: u64,
    /// Last byte of the response, nanoseconds of CLOCK_MONOTONIC.
    pub end_ns: u64,
    /// Valid with [`SpanFlags::has_context`]; otherwise nobody in the kernel needed an id and user space makes one.
    pub trace_id: [u8; 16],
    /// Valid with [`SpanFlags::has_context`].
    pub span_id: [u8; 8],
    /// Valid with [`SpanFlags::has_parent`].
    pub parent_span_id: [u8; 8],
}

/// Bits of `record_header.flags`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpanFlags(pub u16);

impl SpanFlags {
    /// The traced process sent the request.
    pub fn is_client(self) -> bool {
        self.0 & layout::FLAG_CLIENT != 0
    }
    /// `trace_id` and `span_id` were chosen in the kernel, because another span refers to them.
    pub fn has_context(self) -> bool {
        self.0 & layout::FLAG_CONTEXT != 0
    }
    /// `parent_span_id` is valid.
    pub fn has_parent(self) -> bool {
        self.0 & layout::FLAG_PARENT != 0
    }
    /// The connection ended, or the observation did, before the response was complete.
    pub fn is_incomplete(self) -> bool {
        self.0 & layout::FLAG_INCOMPLETE != 0
    }
    /// The server is Go's net/http, though the record is of socket I/O.
    pub fn is_go(self) -> bool {
        self.0 & layout::FLAG_GO != 0
    }
    /// Several requests were in progress on the thread, so no parent was chosen rather than a wrong one.
    pub fn has_ambiguous_parent(self) -> bool {
        self.0 & layout::FLAG_AMBIGUOUS_PARENT != 0
    }
}

/// An HTTP/1 exchange from socket I/O. Parsing the head is left to the reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http1<'a> {
    /// Ids and times.
    pub span: SpanHeader,
    /// This side of the connection.
    pub local: Option<Endpoint>,
    /// The other side.
    pub remote: Option<Endpoint>,
    /// Response status; `None` if no response was seen.
    pub status: Option<u16>,
    /// Bytes of the request on the wire, head included.
    pub request_bytes: u64,
    /// Bytes of the response on the wire, head included.
    pub response_bytes: u64,
    /// Bytes of the response's body, where its framing told.
    pub response_body: Option<u64>,
    /// The beginning of the request, at most [`layout::HTTP1_REQUEST_CAPTURE`] bytes; may hold a part of the body.
    pub request: &'a [u8],
    /// What Go's net/http matched the request with, as registered; may be empty.
    pub pattern: &'a [u8],
}

/// An HTTP exchange inside Go's net/http. Empty slices mean "not known".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoHttp<'a> {
    /// Ids and times.
    pub span: SpanHeader,
    /// Response status; `None` if the exchange failed before there was one.
    pub status: Option<u16>,
    /// Protocol version, `(1, 1)` or `(2, 0)`.
    pub protocol: (u8, u8),
    /// `Request.ContentLength`; `None` if unknown (-1).
    pub request_body: Option<u64>,
    /// Bytes of the response's body; `None` if unknown.
    pub response_body: Option<u64>,
    /// `Request.Method`.
    pub method: &'a [u8],
    /// `Request.RequestURI` on a server; path and query of the URL on a client.
    pub target: &'a [u8],
    /// `Request.Host`, or the URL's host on a client.
    pub host: &'a [u8],
    /// URL scheme on a client.
    pub scheme: &'a [u8],
    /// `Request.RemoteAddr` on a server, as `host:port`.
    pub peer: &'a [u8],
    /// `Request.Pattern`, method and host included as registered.
    pub pattern: &'a [u8],
    /// Header User-Agent.
    pub user_agent: &'a [u8],
    /// Header traceparent, as received (server) or as the application set it (client).
    pub traceparent: &'a [u8],
}

/// Address and port of one side of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// IPv4-mapped IPv6 addresses are given as IPv4.
    pub addr: IpAddr,
    /// In host byte order.
    pub port: u16,
}

/// Why a record could not be decoded.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DecodeError {
    /// Shorter than its kind's fixed part, or than its own length says.
    #[error("record of {have} bytes, {need} needed")]
    Short {
        /// Bytes there are.
        have: usize,
        /// Bytes needed.
        need: usize,
    },
    /// A kind this version does not know: agent and collector are of different versions.
    #[error("unknown record kind {0}")]
    UnknownKind(u16),
    /// A captured length beyond the record.
    #[error("captured length {captured} exceeds the record's {available} bytes")]
    BadLength {
        /// What the record says.
        captured: usize,
        /// What is there.
        available: usize,
    },
}

/// Decodes one record. Trailing bytes beyond what its lengths name are ignored (the ring pads to eight bytes).
pub fn decode(record: &[u8]) -> Result<Event<'_>, DecodeError> {
    let span = SpanHeader::decode(record)?;
    match layout::u16_at(record, layout::HEADER_KIND) {
        layout::KIND_HTTP1 => http1::decode(span, record).map(Event::Http1),
        layout::KIND_GO_HTTP => go_http::decode(span, record).map(Event::GoHttp),
        kind => Err(DecodeError::UnknownKind(kind)),
    }
}

impl SpanHeader {
    fn decode(record: &[u8]) -> Result<Self, DecodeError> {
        layout::need(record, layout::HEADER_SIZE)?;
        Ok(SpanHeader {
            flags: SpanFlags(layout::u16_at(record, layout::HEADER_FLAGS)),
            entity: layout::u32_at(record, layout::HEADER_ENTITY),
            pid: layout::u32_at(record, layout::HEADER_PID),
            start_ns: layout::u64_at(record, layout::HEADER_START),
            end_ns: layout::u64_at(record, layout::HEADER_END),
            trace_id: layout::bytes_at(record, layout::HEADER_TRACE_ID),
            span_id: layout::bytes_at(record, layout::HEADER_SPAN_ID),
            parent_span_id: layout::bytes_at(record, layout::HEADER_PARENT_SPAN_ID),
        })
    }
}

impl Endpoint {
    /// Reads a `struct endpoint`; `None` for a family that is neither IPv4 nor IPv6.
    pub(crate) fn decode(record: &[u8], at: usize) -> Option<Self> {
        let port = layout::u16_at(record, at + layout::ENDPOINT_PORT);
        let addr: [u8; 16] = layout::bytes_at(record, at);
        match layout::u16_at(record, at + layout::ENDPOINT_FAMILY) {
            layout::AF_INET => Some(IpAddr::V4(Ipv4Addr::new(addr[0], addr[1], addr[2], addr[3]))),
            layout::AF_INET6 => Some(Ipv6Addr::from(addr).to_canonical()),
            _ => None,
        }
        .map(|addr| Endpoint { addr, port })
    }
}
