//! What a component tells of itself over HTTP: `/healthz` while it lives, `/readyz` once its caches are filled, `/metrics`.

use super::metrics::Metrics;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Nobody here has anything to say for longer.
const LONGEST_CONNECTION: Duration = Duration::from_secs(30);

/// Answers, for ever. `waits_for` names the caches, and what else must be there before the process is ready.
pub async fn serve(listener: TcpListener, metrics: Metrics, waits_for: Vec<(&'static str, watch::Receiver<bool>)>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(answer_connection(stream, metrics.clone(), waits_for.clone()));
            }
            Err(error) => {
                // Out of descriptors, mostly: others end their connections meanwhile.
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

async fn answer_connection(stream: TcpStream, metrics: Metrics, waits_for: Vec<(&'static str, watch::Receiver<bool>)>) {
    let service = service_fn(|request: Request<Incoming>| {
        let response = answer(request.method(), request.uri().path(), &metrics, &waits_for);
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // A peer that goes away or says nothing is no event.
    let _ = tokio::time::timeout(LONGEST_CONNECTION, connection).await;
}

fn answer(
    method: &Method,
    path: &str,
    metrics: &Metrics,
    waits_for: &[(&'static str, watch::Receiver<bool>)],
) -> Response<Full<Bytes>> {
    let (status, text) = match (method, path) {
        (&Method::GET, "/healthz") => (StatusCode::OK, "ok\n".to_owned()),
        (&Method::GET, "/readyz") => readiness(waits_for),
        (&Method::GET, "/metrics") => match metrics.encode() {
            Ok(text) => (StatusCode::OK, text),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        },
        _ => (
            StatusCode::NOT_FOUND,
            "there are /healthz, /readyz and /metrics\n".to_owned(),
        ),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response
}

fn readiness(waits_for: &[(&'static str, watch::Receiver<bool>)]) -> (StatusCode, String) {
    let waits_for = waits_for.iter().filter(|(_, synced)| !*synced.borrow());
    let kinds: Vec<&str> = waits_for.map(|(kind, _)| *kind).collect();
    match kinds.as_slice() {
        [] => (StatusCode::OK, "ok\n".to_owned()),
        kinds => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("waits for: {}\n", kinds.join(", ")),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(path: &str, synced: bool) -> StatusCode {
        let waits_for = [("Source", watch::channel(synced).1)];
        answer(&Method::GET, path, &Metrics::default(), &waits_for).status()
    }

    #[test]
    fn readiness_follows_the_caches_and_health_does_not() {
        assert_eq!(status("/readyz", false), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(status("/readyz", true), StatusCode::OK);
        assert_eq!(status("/healthz", false), StatusCode::OK);
        assert_eq!(status("/metrics", false), StatusCode::OK);
        assert_eq!(status("/", true), StatusCode::NOT_FOUND);
        let waits_for = [("Source", watch::channel(false).1)];
        assert_eq!(readiness(&waits_for).1, "waits for: Source\n");
    }
}
