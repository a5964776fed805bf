//! One request over HTTP, whatever stands in it: a POST with the headers that all of an exporter's requests have.

use super::settings::{Auth, SharedCompressor};
use super::{EncodeError, Outcome};
use crate::net::client::{Client, ClientError, Reply};
use crate::net::rope::{Rope, RopeBody};
use bytes::Bytes;
use collector_pdata::{Payload, Signal};
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue, Method, Request};
use std::sync::Arc;
use std::time::Duration;

/// What an exporter's requests have in common.
#[derive(Clone)]
pub(crate) struct Requests {
    pub(super) headers: HeaderMap,
    pub(super) auth: Auth,
    pub(super) compressor: Option<Arc<SharedCompressor>>,
    pub(super) timeout: Option<Duration>,
}

/// A request as it goes out, and what it stands for.
pub(crate) struct Call {
    pub(crate) signal: Signal,
    pub(crate) items: usize,
    body: Rope,
}

impl Call {
    pub(crate) fn new(payload: &Payload, body: Rope) -> Self {
        Call {
            signal: payload.signal(),
            items: payload.items(),
            body,
        }
    }
}

impl Requests {
    /// Sets a header of all requests.
    pub(crate) fn set(&mut self, name: HeaderName, value: HeaderValue) {
        self.headers.insert(name, value);
    }

    /// Sets the header that tells how bodies are compressed, if they are.
    pub(crate) fn set_encoding(&mut self, name: HeaderName) {
        if let Some(compressor) = &self.compressor {
            let encoding = compressor.encoding().name();
            self.headers.insert(name, HeaderValue::from_static(encoding));
        }
    }

    /// The longest that a request may take.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// The concatenation of `chunks`, compressed, behind `before` bytes of zeros; `None` if nothing is to be compressed.
    pub(crate) fn compress(&self, chunks: &[Bytes], before: usize) -> Result<Option<Vec<u8>>, EncodeError> {
        let compressed = self.compressor.as_ref().map(|known| known.compress(chunks, before));
        compressed
            .transpose()
            .map_err(|error| EncodeError::Impossible(error.to_string()))
    }

    /// Sends a request and reads the answer, no longer than the timeout. `aim` sets the target, and is told whether the
    /// connection is HTTP/2; `judge` says what the answer means.
    pub(crate) async fn send(
        &self,
        client: &Client,
        call: &Call,
        aim: impl Fn(&mut Request<RopeBody>, bool) + Sync,
        judge: impl FnOnce(&Reply) -> Outcome,
    ) -> Outcome {
        let exchange = self.exchange(client, call, aim, judge);
        let Some(timeout) = self.timeout else {
            return exchange.await;
        };
        let result = tokio::time::timeout(timeout, exchange).await;
        result.unwrap_or_else(|_| Outcome::Later {
            reason: format!("no answer within {timeout:?}"),
            after: None,
        })
    }

    async fn exchange(
        &self,
        client: &Client,
        call: &Call,
        aim: impl Fn(&mut Request<RopeBody>, bool) + Sync,
        judge: impl FnOnce(&Reply) -> Outcome,
    ) -> Outcome {
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
            *request.headers_mut() = self.headers.clone();
            aim(&mut request, http2);
            request.headers_mut().extend(proof.clone());
            request
        };
        match client.send(make).await {
            Ok(reply) => judge(&reply),
            Err(ClientError::Unavailable { reason, after }) => Outcome::Later { reason, after },
            Err(ClientError::Broken(reason)) => Outcome::Later { reason, after: None },
        }
    }
}
