//! OTLP/gRPC: unary calls of three services over HTTP/2.
//!
//! The protocol is spoken directly over frames, since a call is so little: one message in, one empty message out. A call
//! whose message is there already when its headers are read, as is the rule, is answered within the connection's own
//! task; others get a task of their own. What bounds a peer: connections, streams, header size, message size, the time
//! for a message, HTTP/2's windows, and h2's limits on resets and tiny frames.

mod call;
mod lifetime;
mod message;
mod reply;

use super::activity::Activity;
use super::intake::Intake;
use super::settings::GrpcSettings;
use super::stream::Stream;
use bytes::Bytes;
use collector_engine::Draining;
use h2::RecvStream;
use h2::server::SendResponse;
use http::Request;
use lifetime::End;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// How long a peer may take for TLS's and HTTP/2's greeting.
pub(super) const GREETING_TIMEOUT: Duration = Duration::from_secs(10);
/// A stream's window: the usual request fits, so that its sender never waits for a round trip.
pub(super) const STREAM_WINDOW: u32 = 1 << 20;
/// A connection's window, which bounds what h2 holds for one peer.
pub(super) const CONNECTION_WINDOW: u32 = 4 << 20;
/// A request of this size is one frame and needs no copy. A frame's announced size takes address space at once, and memory
/// only as it fills.
const MAX_FRAME: u32 = 1 << 20;
/// The most bytes of a request's headers.
pub(super) const MAX_HEADERS: u32 = 16 << 10;

/// Serves one connection until its peer or its lifetime ends it, or the drain does.
pub(super) async fn serve(stream: Stream, settings: Arc<GrpcSettings>, intake: Intake, mut draining: Draining) {
    let activity = Arc::new(Activity::new(stream.reads()));
    let greeting = tokio::time::timeout(GREETING_TIMEOUT, builder(&settings).handshake(stream)).await;
    let Ok(Ok(mut connection)) = greeting else { return };
    let ping = connection.ping_pong();
    let mut lifetime = pin!(lifetime::ends(&settings.keepalive, activity.clone(), ping));
    let mut grace = pin!(tokio::time::sleep(Duration::MAX));
    let mut begun = pin!(draining.begun());
    let mut ending = false;
    // What has been read at once is answered at once: each turn of `accept` writes what there is to write.
    let mut waiting = Vec::new();
    loop {
        tokio::select! {
            biased;
            request = connection.accept() => match request {
                Some(Ok(request)) => waiting.push(request),
                Some(Err(_)) | None => return,
            },
            () = std::future::ready(()), if !waiting.is_empty() => {
                for (request, respond) in waiting.drain(..) {
                    begin(request, respond, &intake, &activity).await;
                }
            }
            end = &mut lifetime, if !ending => match end {
                End::Gracefully => {
                    ending = true;
                    connection.graceful_shutdown();
                    grace.set(tokio::time::sleep(settings.keepalive.max_connection_age_grace));
                }
                End::Now => return,
            },
            _ = &mut begun, if !ending => {
                ending = true;
                connection.graceful_shutdown();
            }
            () = &mut grace => return,
        }
    }
}

fn builder(settings: &GrpcSettings) -> h2::server::Builder {
    let mut builder = h2::server::Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(MAX_FRAME)
        .max_header_list_size(MAX_HEADERS)
        .max_concurrent_streams(settings.max_concurrent_streams);
    builder
}

/// Answers a call at once if its message is there, and else in a task.
async fn begin(request: Request<RecvStream>, respond: SendResponse<Bytes>, intake: &Intake, activity: &Arc<Activity>) {
    let call = call::answer(request, respond, intake.clone(), activity.call());
    let mut call = Box::pin(call);
    let answered = poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await;
    if answered.is_pending() {
        tokio::spawn(call);
    }
}
