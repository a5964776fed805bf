//! What a request is answered with.

use crate::receivers::otlp::intake::Format;
use crate::receivers::otlp::rejection::Rejection;
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body_util::Full;

/// The encodings that are known, as peers are told.
pub(super) const ENCODINGS: &str = "gzip, zstd, deflate, zlib, identity";

pub(super) type Answer = Response<Full<Bytes>>;

/// Full success: an export response that has nothing to say.
pub(super) fn success(format: Format) -> Answer {
    let body: &[u8] = match format {
        Format::Protobuf => b"",
        Format::Json => b"{}",
    };
    answer(StatusCode::OK, media_type(format), Bytes::from_static(body))
}

/// A `google.rpc.Status` in the request's format, or text for a request that has none.
pub(super) fn failure(format: Option<Format>, rejection: &Rejection) -> Answer {
    let (kind, body) = match format {
        Some(Format::Protobuf) => (media_type(Format::Protobuf), rejection.status_proto()),
        Some(Format::Json) => (media_type(Format::Json), rejection.status_json()),
        None => ("text/plain; charset=utf-8", rejection.to_string().into_bytes()),
    };
    let mut response = answer(rejection.status(), kind, body.into());
    let headers = response.headers_mut();
    if let Some(after) = rejection.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs()));
    }
    match rejection {
        Rejection::Method => drop(headers.insert(ALLOW, HeaderValue::from_static("POST"))),
        Rejection::Encoding(..) => drop(headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(ENCODINGS))),
        _ => {}
    }
    response
}

/// No content.
pub(super) fn empty() -> Answer {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

fn media_type(format: Format) -> &'static str {
    match format {
        Format::Protobuf => "application/x-protobuf",
        Format::Json => "application/json",
    }
}

fn answer(status: StatusCode, kind: &'static str, body: Bytes) -> Answer {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
