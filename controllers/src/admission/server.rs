//! The HTTPS server that the apiserver asks. Whoever reaches the port may ask, so everything has a bound: connections, bytes
//! that are held, and the time that each step may take. What is over it is refused, and the apiserver goes on without us.

use super::answer::{Answer, Answers};
use super::serving::Serving;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kit::drain::Draining;
use rustls::ServerConfig;
use rustls::crypto::ring;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// The most connections at a time; an apiserver keeps a few.
const CONNECTIONS: usize = 256;
/// The most bytes of questions that are held at a time.
const HELD: usize = 16 * 1024 * 1024;
/// The longest time of a TLS handshake, and until a new connection has asked.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection may be idle. The apiserver gives idle ones up after 90 s, and must be the first to do so: a
/// connection that ends while it asks would cost it the answer.
const IDLE: Duration = Duration::from_secs(120);
/// The longest time for a question and its answer. The apiserver waits for no more than 5 s.
const ANSWERED: Duration = Duration::from_secs(8);

/// The server before it runs.
pub struct Server {
    pub(super) listener: TcpListener,
    pub(super) serving: Arc<Serving>,
    pub(super) answers: Arc<Answers>,
}

/// Bounds that connections share.
struct Bounds {
    answers: Arc<Answers>,
    held: Semaphore,
}

impl Server {
    /// Answers until the drain begins; what is asked then is still answered.
    pub async fn run(self, mut draining: Draining) -> anyhow::Result<()> {
        let acceptor = acceptor(self.serving)?;
        let bounds = Arc::new(Bounds {
            answers: self.answers,
            held: Semaphore::new(HELD),
        });
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                deadline = draining.begun() => {
                    let rest = async { while connections.join_next().await.is_some() {} };
                    let _ = tokio::time::timeout_at(deadline.into(), rest).await;
                    return Ok(());
                }
                Some(_) = connections.join_next() => {}
                accepted = self.listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                    Ok((stream, _)) => {
                        let (acceptor, bounds) = (acceptor.clone(), Arc::clone(&bounds));
                        connections.spawn(connection(stream, acceptor, bounds, draining.clone()));
                    }
                    Err(error) => {
                        // Out of descriptors, mostly: others end their connections meanwhile.
                        tracing::warn!(%error, "a connection could not be taken");
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                },
            }
        }
    }
}

fn acceptor(serving: Arc<Serving>) -> anyhow::Result<TlsAcceptor> {
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = config.with_no_client_auth().with_cert_resolver(serving);
    // One question at a time on a connection, which bounds what a connection can hold.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, bounds: Arc<Bounds>, mut draining: Draining) {
    let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await else {
        return;
    };
    let activity = Arc::new(Activity::default());
    let service = service_fn(|request| {
        let (bounds, activity) = (Arc::clone(&bounds), Arc::clone(&activity));
        async move {
            activity.begins();
            let answered = tokio::time::timeout(ANSWERED, answer(request, &bounds)).await;
            activity.ends();
            let answered = answered.unwrap_or_else(|_| refusal(StatusCode::REQUEST_TIMEOUT, "too slow"));
            Ok::<_, Infallible>(answered)
        }
    });
    let http = hyper::server::conn::http1::Builder::new()
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    let mut http = std::pin::pin!(http);
    let mut ending = false;
    loop {
        tokio::select! {
            // A peer that goes away is no event.
            _ = http.as_mut() => return,
            () = tokio::time::sleep(activity.patience()) => {
                if activity.is_over() {
                    return;
                }
            }
            _ = draining.begun(), if !ending => {
                ending = true;
                http.as_mut().graceful_shutdown();
            }
        }
    }
}

/// When something last happened on a connection, in milliseconds since its begin; odd counts of `turns` are questions that are
/// being answered.
struct Activity {
    begin: Instant,
    last: AtomicU64,
    turns: AtomicU64,
}

impl Default for Activity {
    fn default() -> Self {
        Self {
            begin: Instant::now(),
            last: AtomicU64::new(0),
            turns: AtomicU64::new(0),
        }
    }
}

impl Activity {
    fn begins(&self) {
        self.turns.fetch_add(1, Ordering::Relaxed);
    }

    fn ends(&self) {
        let now = u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
        self.turns.fetch_add(1, Ordering::Relaxed);
    }

    /// How long may pass from now on before the connection is ended.
    fn patience(&self) -> Duration {
        let turns = self.turns.load(Ordering::Relaxed);
        if turns % 2 == 1 {
            return ANSWERED;
        }
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        let limit = if turns == 0 { PATIENCE } else { IDLE };
        (last + limit).saturating_sub(self.begin.elapsed())
    }

    fn is_over(&self) -> bool {
        self.patience().is_zero()
    }
}

async fn answer(request: Request<Incoming>, bounds: &Bounds) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    if !Answers::knows(&path) {
        return refusal(StatusCode::NOT_FOUND, "there is no such webhook");
    }
    if request.method() != Method::POST {
        return refusal(StatusCode::METHOD_NOT_ALLOWED, "a webhook is asked by POST");
    }
    let media = request.headers().get(CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    if !media.is_some_and(|media| media.starts_with(b"application/json")) {
        return refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, "a question is application/json");
    }
    let length = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|it| it.to_str().ok()?.parse::<usize>().ok());
    let Some(length) = length else {
        return refusal(StatusCode::LENGTH_REQUIRED, "a question says its length");
    };
    if length > controllers_core::admission::review::MAX_BODY {
        return refusal(StatusCode::PAYLOAD_TOO_LARGE, "the question is too large");
    }
    let permits = u32::try_from(length).unwrap_or(u32::MAX);
    let Ok(_held) = bounds.held.acquire_many(permits).await else {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "ending");
    };
    let Ok(body) = Limited::new(request.into_body(), length).collect().await else {
        return refusal(StatusCode::BAD_REQUEST, "the question did not arrive");
    };
    match bounds.answers.answer(&path, &body.to_bytes()).await {
        Answer::Review(review) => {
            let mut response = Response::new(Full::new(Bytes::from(review.to_string())));
            let json = http::HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, json);
            response
        }
        Answer::NoReview(why) => refusal(StatusCode::BAD_REQUEST, &why),
    }
}

fn refusal(status: StatusCode, why: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{why}\n"))));
    *response.status_mut() = status;
    response
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
