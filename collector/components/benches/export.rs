//! What a span costs on its way out: `cargo bench -p collector-components --bench export`.
//!
//! A client sends requests of 8192 spans of 438 bytes, in pieces of 100 spans, to a server on loopback that throws them
//! away. Counted is the CPU time of the client's thread, the kernel's share included.

use bytes::Bytes;
use collector_components::net::client::{Balance, Client, ClientSettings, Protocol};
use collector_components::net::compress::{Compressor, Encoding, decompress};
use collector_components::net::dial::Dialer;
use collector_components::net::endpoint;
use collector_components::net::rope::Rope;
use collector_pdata::encode::{SpanKind, SpanStart, SpanWriter, put_resource_spans, put_resource_text, scope};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustix::time::{ClockId, clock_gettime};
use std::convert::Infallible;
use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Duration;

const SPANS: usize = 8192;
const PIECE: usize = 100;
const SPAN_BYTES: usize = 438;
const RUNS: usize = 40;

/// Nanoseconds of this thread's own.
fn cpu_time() -> i64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Pieces of spans with ids and a body that compress about as real ones do.
fn pieces() -> Vec<Bytes> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut resource = Vec::new();
    put_resource_text(&mut resource, "service.name", "shop");
    let mut writer = SpanWriter::default();
    (0..SPANS.div_ceil(PIECE))
        .map(|piece| {
            let mut group = Vec::new();
            for _ in 0..PIECE.min(SPANS - piece * PIECE) {
                let start = random.u64(0..1 << 30) + 1_700_000_000_000_000_000;
                let span = SpanStart {
                    trace_id: random.u128(..).to_be_bytes(),
                    span_id: random.u64(..).to_be_bytes(),
                    parent_span_id: Some(random.u64(..).to_be_bytes()),
                    flags: 1,
                    kind: SpanKind::Server,
                    start_unix_nano: start,
                    end_unix_nano: start + random.u64(0..1 << 24),
                };
                let path = format!("GET /orders/{}/items?page={} ", random.u16(..), random.u8(..));
                writer
                    .begin(&span, &[&path.repeat(20)[..SPAN_BYTES - 90]])
                    .finish(&mut group);
            }
            let mut request = Vec::new();
            put_resource_spans(&mut request, &resource, &scope("bench", "1"), &group);
            Bytes::from(request)
        })
        .collect()
}

async fn swallow(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut body = request.into_body();
    while let Some(Ok(_)) = body.frame().await {}
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.headers_mut() = trailers;
    Ok(response)
}

/// A server on a thread of its own.
fn serve(frame: u32) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async move {
            listener.set_nonblocking(true).expect("a socket can be");
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                builder
                    .max_frame_size(frame)
                    .initial_stream_window_size(16 << 20)
                    .initial_connection_window_size(16 << 20);
                tokio::spawn(builder.serve_connection(TokioIo::new(stream), hyper::service::service_fn(swallow)));
            }
        });
    });
    address
}

fn send(pieces: &[Bytes], frame: u32) -> f64 {
    let address = serve(frame);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let (_drain, draining) = kit::drain::channel();
    let place = endpoint::grpc(&address.to_string()).expect("an address").place;
    let settings = ClientSettings {
        protocol: Protocol::Http2,
        balance: Balance::PickFirst,
        keep_alive: None,
        wait_for_ready: true,
        max_idle: 0,
        idle_timeout: Duration::ZERO,
    };
    let client = Client::new(Dialer::new(place, None).into(), settings, draining);
    let make = |_| {
        let rope: Rope = pieces.iter().cloned().collect();
        let mut request = Request::new(rope.into());
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = http::Uri::from_static("http://localhost/Export");
        request
    };
    let times = (0..RUNS).map(|_| {
        let start = cpu_time();
        runtime.block_on(client.send(make)).expect("it is swallowed");
        (cpu_time() - start) as f64 / SPANS as f64
    });
    median(times.collect())
}

fn compress(pieces: &[Bytes], encoding: Encoding, level: i32) {
    let mut compressor = Compressor::new(encoding, Some(level)).expect("a level that is there");
    let whole: usize = pieces.iter().map(Bytes::len).sum();
    let mut length = 0;
    let there = (0..RUNS / 4).map(|_| {
        let start = cpu_time();
        length = black_box(compressor.compress(pieces, 0).expect("it compresses")).len();
        (cpu_time() - start) as f64 / SPANS as f64
    });
    let there = median(there.collect());
    let packed = compressor.compress(pieces, 0).expect("it compresses");
    let back = (0..RUNS / 4).map(|_| {
        let start = cpu_time();
        black_box(decompress(encoding, &packed, whole).expect("it is whole"));
        (cpu_time() - start) as f64 / SPANS as f64
    });
    let (name, back) = (encoding.name(), median(back.collect()));
    let ratio = whole as f64 / length as f64;
    println!("{name} level {level}: {there:.0} ns/span, back {back:.0} ns/span, {ratio:.1} times smaller");
}

fn main() {
    let pieces = pieces();
    let whole: usize = pieces.iter().map(Bytes::len).sum();
    println!("a span has {} bytes, a request {whole}", whole / SPANS);
    for frame in [16 << 10, 64 << 10, 1 << 20] {
        println!("send, frames of {frame}: {:.0} ns/span", send(&pieces, frame));
    }
    for (encoding, levels) in [(Encoding::Gzip, [1, 2, 6]), (Encoding::Zstd, [1, 2, 3])] {
        levels.iter().for_each(|level| compress(&pieces, encoding, *level));
    }
}
