//! One unary call of gRPC: a message of five bytes and the payload's own pieces, and an answer with its status.

use super::status::Status;
use crate::exporters::delivery::reply::{self, Form};
use crate::exporters::delivery::request::{Call, Requests};
use crate::exporters::delivery::{EncodeError, Outcome, Transport};
use crate::net::client::{Client, MAX_REPLY, Reply, ReplyError};
use crate::net::compress::{self, Encoding};
use crate::net::rope::Rope;
use bytes::Bytes;
use collector_engine::BoxError;
use collector_pdata::Payload;
use http::header::{CONTENT_TYPE, HeaderName, TE};
use http::{HeaderMap, HeaderValue, Uri, Version};
use std::time::Duration;

const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

pub(crate) struct GrpcTransport {
    client: Client,
    /// By the signal's number.
    uris: [Uri; 3],
    requests: Requests,
}

impl GrpcTransport {
    /// Calls to `base`, which is a scheme and an authority.
    pub(super) fn new(client: Client, base: &str, mut requests: Requests) -> Result<Self, BoxError> {
        requests.set(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        requests.set(TE, HeaderValue::from_static("trailers"));
        requests.set_encoding(ENCODING);
        if let Some(timeout) = requests.timeout() {
            requests.set(TIMEOUT, grpc_timeout(timeout)?);
        }
        let uri = |service: &str| format!("{base}/opentelemetry.proto.collector.{service}/Export").parse::<Uri>();
        Ok(GrpcTransport {
            client,
            uris: [
                uri("trace.v1.TraceService")?,
                uri("metrics.v1.MetricsService")?,
                uri("logs.v1.LogsService")?,
            ],
            requests,
        })
    }
}

/// Milliseconds, in the eight digits that gRPC has for them.
fn grpc_timeout(timeout: Duration) -> Result<HeaderValue, BoxError> {
    let millis = timeout.as_millis().clamp(1, 99_999_999);
    Ok(HeaderValue::try_from(format!("{millis}m"))?)
}

impl Transport for GrpcTransport {
    type Request = Call;

    fn encode(&self, payload: &Payload) -> Result<Call, EncodeError> {
        let message = match self.requests.compress(payload.chunks(), PREFIX)? {
            None => {
                let mut message = Rope::default();
                message.push(Bytes::copy_from_slice(&prefix(0, payload.bytes())?));
                message.extend(payload.chunks().iter().cloned());
                message
            }
            Some(mut message) => {
                let prefix = prefix(1, message.len() - PREFIX)?;
                message[..PREFIX].copy_from_slice(&prefix);
                Rope::from_iter([Bytes::from(message)])
            }
        };
        Ok(Call::new(payload, message))
    }

    async fn send(&self, call: &Call) -> Outcome {
        let aim = |request: &mut http::Request<_>, _| {
            *request.version_mut() = Version::HTTP_2;
            *request.uri_mut() = self.uris[call.signal as usize].clone();
        };
        self.requests
            .send(&self.client, call, aim, |reply| outcome(reply, call))
            .await
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
