//! A small HTTP server for what the collector shows of itself: health, metrics, the live view. GET and HEAD only.

use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use kit::drain::Draining;
use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long a peer may take for its request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection lasts at most, so that nobody keeps its place by not reading the answer.
const LIFETIME: Duration = Duration::from_secs(60);
/// As many peers as are served at once; further ones wait.
const MAX_CONNECTIONS: usize = 64;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Its status.
    pub status: StatusCode,
    /// Its type.
    pub content_type: &'static str,
    /// Its body.
    pub body: String,
}

/// Answers by `page`, which is given the path and returns nothing for one that it does not know, until the drain begins.
pub async fn serve(
    listener: Arc<TcpListener>,
    page: impl Fn(&str) -> Option<Page> + Send + Sync + 'static,
    mut stopping: Draining,
) -> std::io::Result<()> {
    let accepting = tokio::net::TcpListener::from_std(listener.try_clone()?)?;
    let (page, room) = (Arc::new(page), Arc::new(Semaphore::new(MAX_CONNECTIONS)));
    loop {
        let accepted = tokio::select! {
            accepted = accept(&accepting, &room) => accepted,
            _ = stopping.begun() => return Ok(()),
        };
        let Ok((stream, permit)) = accepted else {
            // No descriptors are left, perhaps for a moment only.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let page = page.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, page.clone()));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            // A peer that breaks off has lost only its own answer.
            let _ = tokio::time::timeout(LIFETIME, connection).await;
            drop(permit);
        });
    }
}

async fn accept(
    listener: &tokio::net::TcpListener,
    room: &Arc<Semaphore>,
) -> std::io::Result<(tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = room.clone().acquire_owned().await.map_err(std::io::Error::other)?;
    Ok((listener.accept().await?.0, permit))
}

async fn answer(
    request: Request<Incoming>,
    page: Arc<impl Fn(&str) -> Option<Page>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut response = respond(Page {
            status: StatusCode::METHOD_NOT_ALLOWED,
            content_type: "text/plain; charset=utf-8",
            body: "only GET and HEAD are served here\n".to_owned(),
        });
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Ok(response);
    }
    Ok(respond(page(request.uri().path()).unwrap_or_else(|| Page {
        status: StatusCode::NOT_FOUND,
        content_type: "text/plain; charset=utf-8",
        body: "no such page\n".to_owned(),
    })))
}

fn respond(page: Page) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(page.body)));
    *response.status_mut() = page.status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(page.content_type));
    response
}
