//! One POST of OTLP/HTTP, and what its answer means.

use crate::exporters::delivery::reply::{self, Form};
use crate::exporters::delivery::request::{Call, Requests};
use crate::exporters::delivery::{EncodeError, Outcome, Transport};
use crate::net::client::{Client, Reply, ReplyError};
use crate::net::endpoint::{Endpoint, Scheme};
use bytes::Bytes;
use collector_engine::BoxError;
use collector_pdata::{Payload, json};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, DATE, HOST, RETRY_AFTER};
use http::{HeaderValue, StatusCode, Uri};
use std::sync::Arc;
use std::time::SystemTime;

const PROTO: &str = "application/x-protobuf";
const JSON: &str = "application/json";

pub(crate) struct HttpTransport {
    /// By the signal's number.
    routes: [Option<Route>; 3],
    form: Form,
    requests: Requests,
}

/// Where one signal's requests go.
pub(super) struct Route {
    client: Arc<Client>,
    uri: Uri,
    host: HeaderValue,
}

impl Route {
    pub(super) fn new(client: Arc<Client>, endpoint: &Endpoint) -> Result<Self, BoxError> {
        let authority = endpoint.place.authority();
        let (scheme, port) = match endpoint.scheme {
            Scheme::Tls => ("https", ":443"),
            _ => ("http", ":80"),
        };
        Ok(Route {
            client,
            uri: format!("{scheme}://{authority}{}", endpoint.path).parse()?,
            host: HeaderValue::try_from(authority.strip_suffix(port).unwrap_or(&authority))?,
        })
    }

    /// The target of HTTP/1.1 is the path alone, that of HTTP/2 has all parts; hyper writes what it needs of the latter,
    /// and for the former it is given the path.
    fn target(&self, http2: bool) -> Uri {
        match self.uri.path_and_query() {
            Some(path) if !http2 => Uri::from(path.clone()),
            _ => self.uri.clone(),
        }
    }
}

impl HttpTransport {
    pub(super) fn new(routes: [Option<Route>; 3], form: Form, mut requests: Requests) -> Self {
        let content_type = match form {
            Form::Proto => PROTO,
            Form::Json => JSON,
        };
        requests.set(CONTENT_TYPE, HeaderValue::from_static(content_type));
        requests.set_encoding(CONTENT_ENCODING);
        HttpTransport { routes, form, requests }
    }
}

const NO_ENDPOINT: &str = "otlphttp has no endpoint for this signal; set endpoint, or the signal's own";

impl Transport for HttpTransport {
    type Request = Call;

    fn encode(&self, payload: &Payload) -> Result<Call, EncodeError> {
        let chunks = match self.form {
            Form::Proto => payload.chunks().to_vec(),
            Form::Json => vec![to_json(payload)?],
        };
        let body = match self.requests.compress(&chunks, 0)? {
            None => chunks.into_iter().collect(),
            Some(compressed) => [Bytes::from(compressed)].into_iter().collect(),
        };
        Ok(Call::new(payload, body))
    }

    async fn send(&self, call: &Call) -> Outcome {
        let Some(route) = &self.routes[call.signal as usize] else {
            return Outcome::Refused(NO_ENDPOINT.to_owned());
        };
        let aim = |request: &mut http::Request<_>, http2| {
            *request.uri_mut() = route.target(http2);
            if !http2 && !request.headers().contains_key(HOST) {
                request.headers_mut().insert(HOST, route.host.clone());
            }
        };
        self.requests
            .send(&route.client, call, aim, |reply| outcome(reply, call))
            .await
    }
}

fn to_json(payload: &Payload) -> Result<Bytes, EncodeError> {
    let chunks = payload.chunks().iter().map(|chunk| &chunk[..]);
    let mut out = Vec::with_capacity(payload.bytes() * 2);
    json::put(payload.signal(), &mut out, chunks)?;
    Ok(Bytes::from(out))
}

fn outcome(reply: &Reply, call: &Call) -> Outcome {
    let body = reply.body.as_deref().unwrap_or_default();
    let form = form_of(reply);
    if reply.status.is_success() {
        // Whatever became of the body: the status has said that the request was taken.
        return reply::outcome(body, form, call.signal, call.items);
    }
    let message = match &reply.body {
        Err(error @ ReplyError::TooLarge) => Some(error.to_string()),
        _ => reply::status_message(body, form),
    };
    let reason = format!("{} {}", reply.status, message.unwrap_or_default());
    let reason = reason.trim_end().to_owned();
    if reply.status == StatusCode::PAYLOAD_TOO_LARGE {
        return Outcome::TooLarge(reason);
    }
    if !is_retryable(reply.status) {
        return Outcome::Refused(reason);
    }
    let after = reply.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    Outcome::Later {
        reason,
        after: after.and_then(|value| reply::retry_after(value, now_there(reply))),
    }
}

/// What the destination's clock shows, if it says so: ours may have been set in between, and a date is of its clock.
fn now_there(reply: &Reply) -> SystemTime {
    let date = reply.headers.get(DATE).and_then(|value| value.to_str().ok());
    date.and_then(|date| httpdate::parse_http_date(date).ok())
        .unwrap_or_else(wall_clock)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a date can only be compared with the time of day"
)]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}

fn form_of(reply: &Reply) -> Form {
    match reply.headers.get(CONTENT_TYPE) {
        Some(value) if value.as_bytes().starts_with(JSON.as_bytes()) => Form::Json,
        _ => Form::Proto,
    }
}

/// The retryable codes of the OTLP specification.
fn is_retryable(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}
