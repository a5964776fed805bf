//! One request.

use super::body;
use super::cors;
use super::reply::{self, Answer};
use crate::net::compress::Encoding;
use crate::receivers::otlp::intake::{Body, Format, Intake};
use crate::receivers::otlp::rejection::Rejection;
use crate::receivers::otlp::settings::HttpSettings;
use collector_pdata::Signal;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use http::{Method, Request};
use hyper::body::Incoming;

/// Answers a request, whatever it is.
pub(super) async fn answer(request: Request<Incoming>, settings: &HttpSettings, intake: &Intake) -> Answer {
    let cors = settings.cors.as_ref().filter(|cors| !cors.allowed_origins.is_empty());
    let allowed = match cors {
        Some(cors) if cors::is_preflight(&request) => {
            let mut response = reply::empty();
            response.headers_mut().extend(cors.preflight(request.headers()));
            return response;
        }
        Some(cors) => cors.origin(request.headers()),
        None => HeaderMap::new(),
    };
    let format = format(request.headers());
    let mut response = match export(request, format, settings, intake).await {
        Ok(format) => reply::success(format),
        Err(rejection) => reply::failure(format, &rejection),
    };
    response.headers_mut().extend(allowed);
    response.headers_mut().extend(settings.response_headers.clone());
    response
}

async fn export(
    request: Request<Incoming>,
    format: Option<Format>,
    settings: &HttpSettings,
    intake: &Intake,
) -> Result<Format, Rejection> {
    let (head, body) = request.into_parts();
    let signal = signal(head.uri.path(), settings)?;
    if head.method != Method::POST {
        return Err(Rejection::Method);
    }
    if !intake.output.carries(signal) {
        return Err(Rejection::NotCarried(signal));
    }
    let format = format.ok_or_else(|| media_type(&head.headers))?;
    let encoding = encoding(&head.headers, settings)?;
    let read = tokio::time::timeout(settings.read_timeout, body::read(body, intake)).await;
    let bytes = read
        .unwrap_or(Err(Some(Rejection::TooSlow(settings.read_timeout))))
        // Nobody reads what a sender is told that is gone.
        .map_err(|rejection| rejection.unwrap_or(Rejection::Framing("the body is cut short")))
        .inspect_err(|_| intake.malformed())?;
    let body = Body {
        format,
        encoding,
        bytes,
    };
    intake.take(signal, body).await.map(|()| format)
}

fn signal(path: &str, settings: &HttpSettings) -> Result<Signal, Rejection> {
    let index = settings.paths.iter().position(|known| known == path);
    index
        .map(|index| Signal::ALL[index])
        .ok_or_else(|| Rejection::NotFound(path.to_owned()))
}

fn format(headers: &HeaderMap) -> Option<Format> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let kind = value.split(';').next().unwrap_or_default().trim();
    let is = |name: &str| kind.eq_ignore_ascii_case(name);
    if is("application/x-protobuf") {
        Some(Format::Protobuf)
    } else {
        is("application/json").then_some(Format::Json)
    }
}

fn media_type(headers: &HeaderMap) -> Rejection {
    let written = headers.get(CONTENT_TYPE).map(|value| value.as_bytes().escape_ascii());
    let written = written.map_or_else(|| "missing".to_owned(), |value| format!("\"{value}\""));
    Rejection::MediaType(format!(
        "the content type is {written}; known are application/x-protobuf and application/json"
    ))
}

fn encoding(headers: &HeaderMap, settings: &HttpSettings) -> Result<Option<Encoding>, Rejection> {
    let name = headers.get(CONTENT_ENCODING).map(|value| value.as_bytes().trim_ascii());
    let name = match name {
        None | Some(b"") | Some(b"identity") => return Ok(None),
        Some(name) => String::from_utf8_lossy(name).into_owned(),
    };
    match Encoding::from_name(&name).filter(|encoding| settings.encodings.contains(encoding)) {
        Some(encoding) => Ok(Some(encoding)),
        None => Err(Rejection::Encoding(name, reply::ENCODINGS)),
    }
}
