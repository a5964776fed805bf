//! `otlp`: OTLP over gRPC, of bytes that are encoded already.
//!
//! ```yaml
//! exporters:
//!   otlp:
//!     endpoint: localhost:4317
//!     tls: {insecure: true}   # must be true: TLS is not there yet
//!     headers: {x-token: abc}
//!     timeout: 5s
//!     retry_on_failure: {enabled: true, initial_interval: 5s, max_interval: 30s, max_elapsed_time: 300s}
//! ```

use super::delivery::{self, Outcome, QUEUE, Retry, Transport, reply};
use bytes::{Buf, BufMut, Bytes};
use collector_config::Section;
use collector_engine::{BoxFuture, Ended, Exporter, ExporterFactory, ExporterInput, Placement, Queue};
use collector_pdata::{Payload, Signal};
use std::time::Duration;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::{Ascii, MetadataKey, MetadataMap, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

/// The line in the table.
pub const FACTORY: ExporterFactory = ExporterFactory {
    kind: "otlp",
    signals: &[Signal::Traces],
    configure,
};

const EXPORT_TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const USER_AGENT: &str = concat!("odigos-collector/", env!("CARGO_PKG_VERSION"));

struct OtlpExporter {
    endpoint: String,
    headers: MetadataMap,
    timeout: Duration,
    retry: Retry,
}

fn configure(section: &mut Section<'_, '_>) -> Box<dyn Exporter> {
    let written = section.required_text("endpoint").unwrap_or_default();
    let endpoint = endpoint(written).unwrap_or_else(|message| {
        section.error("endpoint", message);
        String::new()
    });
    let is_plain = written.starts_with("http://");
    section.section("tls", |tls| {
        if !tls.flag("insecure", is_plain) {
            tls.error("insecure", "must be true, since this version has no TLS");
        }
    });
    section.choice("compression", &[("none", ())]);
    Box::new(OtlpExporter {
        endpoint,
        headers: headers(section),
        timeout: section.duration("timeout", Duration::from_secs(5)),
        retry: Retry::configure(section),
    })
}

/// `host:port` or `http://host:port`, as a URI.
pub(crate) fn endpoint(written: &str) -> Result<String, String> {
    delivery::refuse_credentials(written)?;
    let authority = written.strip_prefix("http://").unwrap_or(written).trim_end_matches('/');
    let parsed: Option<http::uri::Authority> = authority.parse().ok();
    match parsed.filter(|authority| !authority.host().is_empty() && authority.port_u16().is_some()) {
        Some(_) => Ok(format!("http://{authority}")),
        None => Err(format!("\"{}\" is not host:port", written.escape_debug())),
    }
}

fn headers(section: &mut Section<'_, '_>) -> MetadataMap {
    let mut headers = MetadataMap::new();
    for (name, value) in section.texts("headers") {
        let key = name.to_ascii_lowercase().parse::<MetadataKey<Ascii>>();
        match (key, value.parse::<MetadataValue<Ascii>>()) {
            (Ok(key), Ok(value)) => drop(headers.insert(key, value)),
            _ => section.error("headers", format!("\"{}\" is not a valid header", name.escape_debug())),
        }
    }
    headers
}

impl Exporter for OtlpExporter {
    fn placement(&self) -> Placement {
        Placement::Every
    }

    fn queue(&self) -> Queue {
        QUEUE
    }

    fn run(&mut self, input: ExporterInput) -> BoxFuture<Ended> {
        let (destination, headers) = (self.endpoint.clone(), self.headers.clone());
        let (timeout, retry) = (self.timeout, self.retry);
        Box::pin(async move {
            let endpoint = Endpoint::from_shared(destination.clone())?
                .user_agent(USER_AGENT)?
                .connect_timeout(timeout)
                .tcp_nodelay(true);
            let transport = GrpcTransport {
                client: Grpc::new(endpoint.connect_lazy()).max_decoding_message_size(reply::MAX_REPLY),
                headers,
                timeout,
            };
            delivery::run(transport, retry, destination, input).await;
            Ok(())
        })
    }
}

struct GrpcTransport {
    client: Grpc<Channel>,
    headers: MetadataMap,
    timeout: Duration,
}

impl Transport for GrpcTransport {
    async fn send(&mut self, payload: Payload) -> Outcome {
        let items = payload.items();
        let timeout = self.timeout;
        match tokio::time::timeout(timeout, self.export(payload)).await {
            Ok(Ok(response)) => reply::outcome(&response, items),
            Ok(Err(status)) => classify(&status),
            Err(_) => Outcome::Later {
                reason: format!("no answer within {timeout:?}"),
                after: None,
            },
        }
    }
}

impl GrpcTransport {
    async fn export(&mut self, payload: Payload) -> Result<Bytes, Status> {
        self.client
            .ready()
            .await
            .map_err(|error| Status::unavailable(kit::logging::chain(&error)))?;
        let mut request = Request::new(payload);
        *request.metadata_mut() = self.headers.clone();
        request.set_timeout(self.timeout);
        let path = PathAndQuery::from_static(EXPORT_TRACES);
        self.client
            .unary(request, path, EncodedCodec)
            .await
            .map(tonic::Response::into_inner)
    }
}

/// The retryable codes of the OTLP specification; RESOURCE_EXHAUSTED only where the destination says when.
fn classify(status: &Status) -> Outcome {
    let after = reply::retry_info(status.details());
    let retryable = match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => true,
        Code::ResourceExhausted => after.is_some(),
        // tonic gives a connection that broke in the middle of a request this code, with the cause.
        Code::Unknown | Code::Internal => std::error::Error::source(status).is_some(),
        _ => false,
    };
    let cause = std::error::Error::source(status)
        .map(kit::logging::chain)
        .unwrap_or_default();
    let reason = format!("{:?}: {} {cause}", status.code(), status.message())
        .trim_end()
        .to_owned();
    if retryable {
        Outcome::Later { reason, after }
    } else {
        Outcome::Refused(reason)
    }
}

/// Passes encoded bytes both ways.
#[derive(Debug, Clone, Copy, Default)]
struct EncodedCodec;

impl Codec for EncodedCodec {
    type Encode = Payload;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        EncodedCodec
    }

    fn decoder(&mut self) -> Self {
        EncodedCodec
    }
}

impl Encoder for EncodedCodec {
    type Item = Payload;
    type Error = Status;

    fn encode(&mut self, payload: Payload, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.reserve(payload.bytes());
        for chunk in payload.chunks() {
            buffer.put_slice(chunk);
        }
        Ok(())
    }
}

impl Decoder for EncodedCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
