//! One unary call of gRPC: a message of five bytes and the payload's own pieces, and an answer with its status.

use super::status::Status;
use crate::exporters::delivery::reply::{self, Form};
use crate::exporters::delivery::settings::{Auth, SharedCompressor};
use crate::exporters::delivery::{EncodeError, Outcome, Transport};
use crate::net::client::{Client, ClientError, MAX_REPLY, Reply, ReplyError};
use crate::net::compress::{self, Encoding};
use crate::net::rope::Rope;
use bytes::Bytes;
use collector_engine::BoxError;
use collector_pdata::{Payload, Signal};
use http::header::{CONTENT_TYPE, HeaderName, TE};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};
use std::time::Duration;

const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

pub(super) struct GrpcTransport {
    client: Client,
    /// Of traces, metrics and logs.
    uris: [Uri; 3],
    headers: HeaderMap,
    auth: Auth,
    compressor: Option<SharedCompressor>,
    timeout: Option<Duration>,
}

pub(super) struct Call {
    signal: Signal,
    items: usize,
    message: Rope,
}

impl GrpcTransport {
    /// Calls to `base`, which is a scheme and an authority.
    pub(super) fn new(
        client: Client,
        base: &str,
        mut headers: HeaderMap,
        auth: Auth,
        timeout: Option<Duration>,
    ) -> Result<Self, BoxError> {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        if let Some(timeout) = timeout {
            headers.insert(TIMEOUT, grpc_timeout(timeout)?);
        }
        let uri = |service: &str| format!("{base}/opentelemetry.proto.collector.{service}/Export").parse::<Uri>();
        Ok(GrpcTransport {
            client,
            uris: [
                uri("trace.v1.TraceService")?,
                uri("metrics.v1.MetricsService")?,
                uri("logs.v1.LogsService")?,
            ],
            headers,
            auth,
            compressor: None,
            timeout,
        })
    }

    pub(super) fn compressing(mut self, compressor: Option<SharedCompressor>) -> Self {
        if let Some(compressor) = &compressor {
            let name = HeaderValue::from_static(compressor.encoding().name());
            self.headers.insert(ENCODING, name);
        }
        self.compressor = compressor;
        self
    }

    async fn exchange(&self, call: &Call) -> Outcome {
        let mut proof = HeaderMap::new();
        if let Err(error) = self.auth.apply(&mut proof) {
            return Outcome::Later {
                reason: kit::logging::chain(&error),
                after: None,
            };
        }
        let make = |_| {
            let mut request = Request::new(call.message.clone().into());
            *request.method_mut() = Method::POST;
            *request.version_mut() = Version::HTTP_2;
            *request.uri_mut() = self.uris[index(call.signal)].clone();
            *request.headers_mut() = self.headers.clone();
            request.headers_mut().extend(proof.clone());
            request
        };
        match self.client.send(make).await {
            Ok(reply) => outcome(&reply, call),
            Err(ClientError::Unavailable { reason, after }) => Outcome::Later { reason, after },
            Err(ClientError::Broken(reason)) => Outcome::Later { reason, after: None },
        }
    }
}

/// Milliseconds, in the eight digits that gRPC has for them.
fn grpc_timeout(timeout: Duration) -> Result<HeaderValue, BoxError> {
    let millis = timeout.as_millis().clamp(1, 99_999_999);
    Ok(HeaderValue::try_from(format!("{millis}m"))?)
}

fn index(signal: Signal) -> usize {
    match signal {
        Signal::Traces => 0,
        Signal::Metrics => 1,
        Signal::Logs => 2,
    }
}

impl Transport for GrpcTransport {
    type Request = Call;

    fn encode(&self, payload: &Payload) -> Result<Call, EncodeError> {
        let message = match &self.compressor {
            None => {
                let mut message = Rope::default();
                message.push(Bytes::copy_from_slice(&prefix(0, payload.bytes())?));
                message.extend(payload.chunks().iter().cloned());
                message
            }
            Some(compressor) => {
                let compressed = compressor.compress(payload.chunks(), PREFIX);
                let mut message = compressed.map_err(|error| EncodeError::Impossible(error.to_string()))?;
                let prefix = prefix(1, message.len() - PREFIX)?;
                message[..PREFIX].copy_from_slice(&prefix);
                Rope::from_iter([Bytes::from(message)])
            }
        };
        Ok(Call {
            signal: payload.signal(),
            items: payload.items(),
            message,
        })
    }

    async fn send(&self, call: &Call) -> Outcome {
        let Some(timeout) = self.timeout else {
            return self.exchange(call).await;
        };
        let result = tokio::time::timeout(timeout, self.exchange(call)).await;
        result.unwrap_or_else(|_| Outcome::Later {
            reason: format!("no answer within {timeout:?}"),
            after: None,
        })
    }
}

/// The bytes before a message: whether it is compressed, and its length.
const PREFIX: usize = 5;

fn prefix(compressed: u8, length: usize) -> Result<[u8; PREFIX], EncodeError> {
    let length = u32::try_from(length)
        .ok()
        .filter(|length| *length < i32::MAX as u32)
        .ok_or_else(|| EncodeError::Impossible("a request of 2 GiB or more".to_owned()))?;
    let [a, b, c, d] = length.to_be_bytes();
    Ok([compressed, a, b, c, d])
}

fn outcome(reply: &Reply, call: &Call) -> Outcome {
    let status = Status::of(reply);
    match (status, &reply.body) {
        (Some(status), _) if status.code == Status::OK => {
            let message = reply
                .body
                .as_deref()
                .ok()
                .and_then(|body| message(body, &reply.headers));
            reply::outcome(&message.unwrap_or_default(), Form::Proto, call.signal, call.items)
        }
        (Some(status), _) => status.outcome(),
        (None, Err(ReplyError::TooLarge)) => Outcome::Refused(ReplyError::TooLarge.to_string()),
        (None, Err(error)) => Outcome::Later {
            reason: error.to_string(),
            after: None,
        },
        (None, Ok(_)) => Status::without(reply.status).outcome(),
    }
}

/// The first message of an answer's body.
fn message(body: &[u8], headers: &HeaderMap) -> Option<Vec<u8>> {
    let (prefix, rest) = body.split_first_chunk::<PREFIX>()?;
    let [compressed, length @ ..] = *prefix;
    let message = rest.get(..u32::from_be_bytes(length) as usize)?;
    if compressed == 0 {
        return Some(message.to_vec());
    }
    let encoding = Encoding::from_name(headers.get(ENCODING)?.to_str().ok()?)?;
    compress::decompress(encoding, message, MAX_REPLY).ok()
}
