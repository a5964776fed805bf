//! A destination that does as it is told: a real server on loopback, HTTP/1.1 or HTTP/2, that answers, hangs, resets or
//! never stops talking.

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;

/// What is to become of one request. With nothing said it is accepted.
pub enum Act {
    /// An answer.
    Answer(Response<Full<Bytes>>),
    /// No answer, ever.
    Hang,
    /// The connection is reset when the request is there.
    Reset,
    /// The connection is reset when a part of the body is there.
    ResetInBody,
    /// The answer is accepted, and its body has no end.
    Endless,
    /// The answer waits until so many requests are there at the same time.
    Gather(usize),
    /// This request and all after it are too large if their bodies have more bytes than that.
    Limit(usize),
}

/// A request as it came, its body decompressed.
pub struct Received {
    pub at: Instant,
    pub method: http::Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

#[derive(Default)]
struct Script {
    acts: Mutex<VecDeque<Act>>,
    limit: Mutex<Option<usize>>,
    received: Mutex<Vec<Received>>,
    connections: AtomicUsize,
    present: AtomicUsize,
    /// The most requests that were present at the same time.
    most_present: AtomicUsize,
    /// Bytes of endless answers.
    poured: Arc<AtomicU64>,
    arrived: Notify,
    /// So many were present at the same time.
    complete: AtomicBool,
}

/// The server; ends with this value.
pub struct StandIn {
    pub address: SocketAddr,
    script: Arc<Script>,
    _runtime: tokio::runtime::Runtime,
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// An accepted request, which is the same for all signals: an empty message, in gRPC with its prefix and status.
fn accepted(is_grpc: bool) -> Response<Full<Bytes>> {
    if !is_grpc {
        return Response::default();
    }
    let mut response = Response::new(Full::new(Bytes::from_static(&[0; 5])));
    response.headers_mut().insert("grpc-status", "0".parse().unwrap());
    response
}

/// A gRPC call that ends with a status.
pub fn grpc(code: u8, message: &str, details: Option<&str>) -> Act {
    Act::Answer(grpc_status(code, message, details))
}

/// An answer of HTTP.
pub fn status(code: u16, headers: &[(&'static str, &str)]) -> Act {
    Act::Answer(http_status(code, headers))
}

fn grpc_status(code: u8, message: &str, details: Option<&str>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    let headers = response.headers_mut();
    headers.insert("content-type", "application/grpc".parse().unwrap());
    headers.insert("grpc-status", code.to_string().parse().unwrap());
    headers.insert("grpc-message", message.parse().unwrap());
    if let Some(details) = details {
        headers.insert("grpc-status-details-bin", details.parse().unwrap());
    }
    response
}

fn http_status(code: u16, headers: &[(&'static str, &str)]) -> Response<Full<Bytes>> {
    let mut response = Response::<Full<Bytes>>::default();
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    for (name, value) in headers {
        response.headers_mut().insert(*name, value.parse().unwrap());
    }
    response
}

impl StandIn {
    pub fn start(acts: impl IntoIterator<Item = Act>) -> Self {
        StandIn::serve(acts, None)
    }

    pub fn with_tls(tls: rustls::ServerConfig) -> Self {
        StandIn::serve([], Some(tls))
    }

    fn serve(acts: impl IntoIterator<Item = Act>, tls: Option<rustls::ServerConfig>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let script = Arc::new(Script::default());
        *script.acts.lock().unwrap() = acts.into_iter().collect();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = tls.map(|tls| tokio_rustls::TlsAcceptor::from(Arc::new(tls)));
        let shared = script.clone();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(connection(stream, acceptor.clone(), shared.clone()));
            }
        });
        StandIn {
            address,
            script,
            _runtime: runtime,
        }
    }

    pub fn received<T>(&self, look: impl FnOnce(&[Received]) -> T) -> T {
        look(&self.script.received.lock().unwrap())
    }

    pub fn requests(&self) -> usize {
        self.received(<[Received]>::len)
    }

    pub fn connections(&self) -> usize {
        self.script.connections.load(Ordering::Relaxed)
    }

    pub fn most_present(&self) -> usize {
        self.script.most_present.load(Ordering::SeqCst)
    }

    pub fn poured(&self) -> u64 {
        self.script.poured.load(Ordering::Relaxed)
    }

    /// Waits until so many requests have come.
    pub fn wait_for_requests(&self, count: usize) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.requests() < count {
            assert!(
                Instant::now() < deadline,
                "never: {count} requests, but {}",
                self.requests()
            );
            std::thread::yield_now();
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn connection(stream: tokio::net::TcpStream, tls: Option<tokio_rustls::TlsAcceptor>, script: Arc<Script>) {
    let stream = stream.into_std().unwrap();
    let socket = stream.try_clone().unwrap();
    let stream = tokio::net::TcpStream::from_std(stream).unwrap();
    let stream: Box<dyn Stream> = match tls {
        None => Box::new(stream),
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => Box::new(stream),
            // The client did not like us, or we it.
            Err(_) => return,
        },
    };
    let reset = Arc::new(Notify::new());
    let told = reset.clone();
    let service = service_fn(move |request| serve_one(request, script.clone(), told.clone()));
    let builder = auto::Builder::new(TokioExecutor::new());
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        _ = serving => {}
        () = reset.notified() => reset_on_close(&socket),
    }
}

/// Closing the socket then sends RST instead of FIN.
fn reset_on_close(socket: &TcpStream) {
    rustix::net::sockopt::set_socket_linger(socket, Some(Duration::ZERO)).unwrap();
}

async fn serve_one(
    request: Request<Incoming>,
    script: Arc<Script>,
    reset: Arc<Notify>,
) -> Result<Response<Body>, Infallible> {
    let (head, mut body) = request.into_parts();
    let is_grpc = head.headers["content-type"] == "application/grpc";
    let act = script.acts.lock().unwrap().pop_front();
    if let Some(Act::ResetInBody) = act {
        body.frame().await.unwrap().unwrap();
        reset.notify_one();
        return std::future::pending().await;
    }
    let Ok(body) = body.collect().await else {
        return std::future::pending().await;
    };
    let body = body.to_bytes();
    let length = body.len();
    script.received.lock().unwrap().push(Received {
        at: Instant::now(),
        method: head.method,
        path: head.uri.path().to_owned(),
        body: decoded(&head.headers, &body, is_grpc),
        headers: head.headers,
    });
    let present = script.present.fetch_add(1, Ordering::SeqCst) + 1;
    script.most_present.fetch_max(present, Ordering::SeqCst);
    script.arrived.notify_waiters();
    let response = script.answer(act, is_grpc, length, &reset).await;
    script.present.fetch_sub(1, Ordering::SeqCst);
    Ok(response)
}

impl Script {
    async fn answer(&self, act: Option<Act>, is_grpc: bool, length: usize, reset: &Notify) -> Response<Body> {
        let answer = match act {
            None => accepted(is_grpc),
            Some(Act::Answer(response)) => response,
            Some(Act::Hang) => std::future::pending().await,
            Some(Act::Reset | Act::ResetInBody) => {
                reset.notify_one();
                std::future::pending().await
            }
            Some(Act::Gather(count)) => {
                self.gathered(count).await;
                accepted(is_grpc)
            }
            Some(Act::Endless) => {
                return Response::new(Endless(self.poured.clone()).boxed_unsync());
            }
            Some(Act::Limit(limit)) => {
                *self.limit.lock().unwrap() = Some(limit);
                accepted(is_grpc)
            }
        };
        let beyond = self.limit.lock().unwrap().is_some_and(|limit| length > limit);
        let answer = match (beyond, is_grpc) {
            (false, _) => answer,
            (true, true) => grpc_status(8, "grpc: received message larger than max", None),
            (true, false) => http_status(413, &[]),
        };
        answer.map(BodyExt::boxed_unsync)
    }

    async fn gathered(&self, count: usize) {
        while !self.complete.load(Ordering::SeqCst) {
            let arrived = self.arrived.notified();
            if self.present.load(Ordering::SeqCst) >= count {
                // Those who came before wait for the same.
                self.complete.store(true, Ordering::SeqCst);
                self.arrived.notify_waiters();
                return;
            }
            arrived.await;
        }
    }
}

struct Endless(Arc<AtomicU64>);

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        static BYTES: [u8; 1 << 16] = [b'x'; 1 << 16];
        self.0.fetch_add(BYTES.len() as u64, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&BYTES)))))
    }
}

/// The message, by decoders that are not ours.
fn decoded(headers: &HeaderMap, body: &[u8], is_grpc: bool) -> Vec<u8> {
    let name = if is_grpc { "grpc-encoding" } else { "content-encoding" };
    let encoding = headers.get(name).map_or("identity", |value| value.to_str().unwrap());
    let message = match body.split_first_chunk::<5>() {
        Some(([flag, length @ ..], message)) if is_grpc => {
            assert_eq!(*flag == 1, encoding != "identity");
            assert_eq!(u32::from_be_bytes(*length) as usize, message.len());
            message
        }
        _ => body,
    };
    let mut out = Vec::new();
    match encoding {
        "identity" => out.extend_from_slice(message),
        "gzip" => drop(flate2::read::GzDecoder::new(message).read_to_end(&mut out).unwrap()),
        "deflate" | "zlib" => drop(flate2::read::ZlibDecoder::new(message).read_to_end(&mut out).unwrap()),
        "zstd" => drop(zstd::Decoder::new(message).unwrap().read_to_end(&mut out).unwrap()),
        other => panic!("{other}"),
    }
    out
}
