//! OTLP/HTTP: three paths to POST to, over HTTP/1.1 and HTTP/2, with or without TLS.

mod body;
mod cors;
mod reply;
mod request;

use super::activity::Activity;
use super::grpc::{CONNECTION_WINDOW, MAX_HEADERS, STREAM_WINDOW};
use super::intake::Intake;
use super::settings::HttpSettings;
use super::stream::Stream;
use collector_engine::Draining;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// Streams that one peer may have open over HTTP/2.
const MAX_STREAMS: u32 = 256;
/// Headers of one request, in number and, with its first line, in bytes. Bodies are read in pieces of the latter.
const MAX_HEADER_COUNT: usize = 100;
const READ_BUFFER: usize = 128 << 10;
/// How long a connection that was idle may take to close.
const CLOSING: Duration = Duration::from_secs(1);

/// Serves one connection until its peer ends it, it is idle for too long, or the drain ends it.
pub(super) async fn serve(stream: Stream, settings: Arc<HttpSettings>, intake: Intake, mut draining: Draining) {
    let activity = Arc::new(Activity::new(stream.reads()));
    let (in_use, of_requests) = (activity.clone(), settings.clone());
    let service = service_fn(move |request| {
        let (settings, intake, call) = (of_requests.clone(), intake.clone(), in_use.call());
        async move {
            let response = request::answer(request, &settings, &intake).await;
            drop(call);
            Ok::<_, Infallible>(response)
        }
    });
    let builder = builder(&settings);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut idle = pin!(activity.idle(settings.idle_timeout));
    let mut closing = pin!(tokio::time::sleep(Duration::MAX));
    let mut begun = pin!(draining.begun());
    let mut ending = false;
    loop {
        tokio::select! {
            biased;
            // How a connection broke is its peer's affair.
            _ = connection.as_mut() => return,
            _ = &mut begun, if !ending => ending = true,
            () = &mut idle, if !ending => {
                ending = true;
                closing.set(tokio::time::sleep(CLOSING));
            }
            () = &mut closing => return,
        }
        connection.as_mut().graceful_shutdown();
    }
}

fn builder(settings: &HttpSettings) -> auto::Builder<TokioExecutor> {
    // The time runs between requests too. hyper adds it to the clock, where what never happens has no place.
    let head = settings.read_header_timeout.max(settings.idle_timeout);
    let head = Some(head).filter(|head| *head != Duration::MAX);
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .keep_alive(settings.keep_alive)
        .header_read_timeout(head)
        .max_headers(MAX_HEADER_COUNT)
        .max_buf_size(READ_BUFFER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADERS);
    builder
}
