//! `otlphttp`: OTLP over HTTP/1.1 with protobuf.
//!
//! ```yaml
//! exporters:
//!   otlphttp:
//!     endpoint: http://localhost:4318   # /v1/traces is appended; TLS is not there yet
//!     headers: {x-token: abc}
//!     timeout: 30s
//!     retry_on_failure: {enabled: true, initial_interval: 5s, max_interval: 30s, max_elapsed_time: 300s}
//! ```

use super::delivery::{self, Outcome, QUEUE, Retry, Transport, reply};
use bytes::Bytes;
use collector_config::Section;
use collector_engine::{BoxFuture, Ended, Exporter, ExporterFactory, ExporterInput, Placement, Queue};
use collector_pdata::{Payload, Signal};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

/// The line in the table.
pub const FACTORY: ExporterFactory = ExporterFactory {
    kind: "otlphttp",
    signals: &[Signal::Traces],
    configure,
};

struct OtlpHttpExporter {
    url: Uri,
    headers: HeaderMap,
    timeout: Duration,
    retry: Retry,
}

fn configure(section: &mut Section<'_, '_>) -> Box<dyn Exporter> {
    let written = section.required_text("endpoint").unwrap_or_default();
    let url = traces_url(written).unwrap_or_else(|message| {
        section.error("endpoint", message);
        Uri::default()
    });
    section.choice("compression", &[("none", ())]);
    Box::new(OtlpHttpExporter {
        url,
        headers: headers(section),
        timeout: section.duration("timeout", Duration::from_secs(30)),
        retry: Retry::configure(section),
    })
}

pub(crate) fn traces_url(written: &str) -> Result<Uri, String> {
    delivery::refuse_credentials(written)?;
    let shown = written.escape_debug();
    if written.starts_with("https://") {
        return Err("must begin with http://, since this version has no TLS".to_owned());
    }
    let url: Option<Uri> = format!("{}/v1/traces", written.trim_end_matches('/')).parse().ok();
    match url.filter(|url| url.scheme_str() == Some("http") && url.host().is_some_and(|host| !host.is_empty())) {
        Some(url) if url.query().is_none() => Ok(url),
        _ => Err(format!("\"{shown}\" is not a URL such as http://host:4318")),
    }
}

fn headers(section: &mut Section<'_, '_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("odigos-collector/", env!("CARGO_PKG_VERSION"))),
    );
    for (name, value) in section.texts("headers") {
        match (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            (Ok(key), Ok(value)) => drop(headers.insert(key, value)),
            _ => section.error("headers", format!("\"{}\" is not a valid header", name.escape_debug())),
        }
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    headers
}

impl Exporter for OtlpHttpExporter {
    fn placement(&self) -> Placement {
        Placement::Every
    }

    fn queue(&self) -> Queue {
        QUEUE
    }

    fn run(&mut self, input: ExporterInput) -> BoxFuture<Ended> {
        let (url, headers) = (self.url.clone(), self.headers.clone());
        let (timeout, retry) = (self.timeout, self.retry);
        Box::pin(async move {
            let mut connector = HttpConnector::new();
            connector.set_nodelay(true);
            connector.set_connect_timeout(Some(timeout));
            let destination = url.to_string();
            let transport = HttpTransport {
                client: Client::builder(TokioExecutor::new())
                    .pool_timer(TokioTimer::new())
                    .build(connector),
                url,
                headers,
                timeout,
            };
            delivery::run(transport, retry, destination, input).await;
            Ok(())
        })
    }
}

struct HttpTransport {
    client: Client<HttpConnector, Chunks>,
    url: Uri,
    headers: HeaderMap,
    timeout: Duration,
}

impl Transport for HttpTransport {
    async fn send(&mut self, payload: Payload) -> Outcome {
        let items = payload.items();
        let mut request = Request::new(Chunks::new(&payload));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.url.clone();
        *request.headers_mut() = self.headers.clone();
        let later = |reason: String| Outcome::Later { reason, after: None };
        let exchange = async {
            match self.client.request(request).await {
                Ok(response) => answer(response, items).await,
                Err(error) => later(kit::logging::chain(&error)),
            }
        };
        match tokio::time::timeout(self.timeout, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => later(format!("no answer within {:?}", self.timeout)),
        }
    }
}

async fn answer(response: Response<Incoming>, items: usize) -> Outcome {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, reply::MAX_REPLY)
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes);
    if head.status.is_success() {
        return reply::outcome(&body.unwrap_or_default(), items);
    }
    let message = body
        .ok()
        .and_then(|body| reply::status_message(&body))
        .unwrap_or_default();
    let reason = format!("{} {message}", head.status).trim_end().to_owned();
    if !is_retryable(head.status) {
        return Outcome::Refused(reason);
    }
    let after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    Outcome::Later {
        reason,
        after: after.and_then(|value| reply::retry_after(value, SystemTime::now())),
    }
}

/// The retryable codes of the OTLP specification.
fn is_retryable(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

/// A payload's pieces as a request body of known length.
#[derive(Debug)]
struct Chunks {
    chunks: VecDeque<Bytes>,
    left: u64,
}

impl Chunks {
    fn new(payload: &Payload) -> Self {
        Chunks {
            chunks: payload.chunks().iter().cloned().collect(),
            left: payload.bytes() as u64,
        }
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let chunk = self.chunks.pop_front();
        self.left -= chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        Poll::Ready(chunk.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.chunks.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
