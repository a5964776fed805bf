//! One POST of OTLP/HTTP, and what its answer means.

use crate::exporters::delivery::reply::{self, Form};
use crate::exporters::delivery::settings::{Auth, SharedCompressor};
use crate::exporters::delivery::{EncodeError, Outcome, Transport};
use crate::net::client::{Client, ClientError, Reply, ReplyError};
use crate::net::endpoint::{Endpoint, Scheme};
use crate::net::rope::Rope;
use bytes::Bytes;
use collector_engine::BoxError;
use collector_pdata::{Payload, Signal, json};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

const PROTO: &str = "application/x-protobuf";
const JSON: &str = "application/json";

pub(super) struct HttpTransport {
    /// Of traces, metrics and logs.
    routes: [Option<Route>; 3],
    form: Form,
    headers: HeaderMap,
    auth: Auth,
    compressor: Option<SharedCompressor>,
    timeout: Option<Duration>,
}

/// Where one signal's requests go.
pub(super) struct Route {
    client: Arc<Client>,
    uri: Uri,
    host: HeaderValue,
}

pub(super) struct Call {
    signal: Signal,
    items: usize,
    body: Rope,
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
    pub(super) fn new(
        routes: [Option<Route>; 3],
        form: Form,
        mut headers: HeaderMap,
        auth: Auth,
        compressor: Option<SharedCompressor>,
        timeout: Option<Duration>,
    ) -> Self {
        let content_type = match form {
            Form::Proto => PROTO,
            Form::Json => JSON,
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Some(compressor) = &compressor {
            let encoding = compressor.encoding().name();
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        HttpTransport {
            routes,
            form,
            headers,
            auth,
            compressor,
            timeout,
        }
    }

    fn route(&self, signal: Signal) -> Option<&Route> {
        let index = match signal {
            Signal::Traces => 0,
            Signal::Metrics => 1,
            Signal::Logs => 2,
        };
        self.routes[index].as_ref()
    }

    async fn exchange(&self, call: &Call) -> Outcome {
        let Some(route) = self.route(call.signal) else {
            return Outcome::Refused(NO_ENDPOINT.to_owned());
        };
        let mut proof = HeaderMap::new();
        if let Err(error) = self.auth.apply(&mut proof) {
            return Outcome::Later {
                reason: kit::logging::chain(&error),
                after: None,
            };
        }
        let make = |http2| {
            let mut request = Request::new(call.body.clone().into());
            *request.method_mut() = Method::POST;
            *request.uri_mut() = route.target(http2);
            *request.headers_mut() = self.headers.clone();
            if !http2 && !request.headers().contains_key(HOST) {
                request.headers_mut().insert(HOST, route.host.clone());
            }
            request.headers_mut().extend(proof.clone());
            request
        };
        match route.client.send(make).await {
            Ok(reply) => outcome(&reply, call),
            Err(ClientError::Unavailable { reason, after }) => Outcome::Later { reason, after },
            Err(ClientError::Broken(reason)) => Outcome::Later { reason, after: None },
        }
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
        let chunks = match &self.compressor {
            None => chunks,
            Some(compressor) => {
                let compressed = compressor.compress(&chunks, 0);
                let compressed = compressed.map_err(|error| EncodeError::Impossible(error.to_string()))?;
                vec![Bytes::from(compressed)]
            }
        };
        Ok(Call {
            signal: payload.signal(),
            items: payload.items(),
            body: chunks.into_iter().collect(),
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
        after: after.and_then(|value| reply::retry_after(value, SystemTime::now())),
    }
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
