//! What a call is answered with.

use crate::receivers::otlp::rejection::Rejection;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use h2::server::SendResponse;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};

/// The compressions that a message may have, as peers are told.
pub(super) const ENCODINGS: &str = "identity,gzip,zstd";

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// An uncompressed message of no bytes: a response that leaves nothing to say.
static EMPTY_MESSAGE: [u8; 5] = [0; 5];

/// Full success.
pub(super) fn success(respond: &mut SendResponse<Bytes>) -> Result<(), h2::Error> {
    let mut stream = respond.send_response(head(2), false)?;
    stream.send_data(Bytes::from_static(&EMPTY_MESSAGE), false)?;
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
    stream.send_trailers(trailers)
}

/// A status in the response's headers, and no body.
pub(super) fn failure(respond: &mut SendResponse<Bytes>, rejection: &Rejection) -> Result<(), h2::Error> {
    let mut response = head(5);
    let headers = response.headers_mut();
    headers.insert(GRPC_STATUS, HeaderValue::from(u16::from(rejection.code())));
    if let Ok(message) = HeaderValue::from_str(&percent_encoded(&rejection.to_string())) {
        headers.insert(GRPC_MESSAGE, message);
    }
    if rejection.retry_after().is_some()
        && let Ok(details) = HeaderValue::from_str(&STANDARD_NO_PAD.encode(rejection.status_proto()))
    {
        headers.insert(GRPC_DETAILS, details);
    }
    respond.send_response(response, true).map(drop)
}

/// What is no gRPC gets HTTP's answer.
pub(super) fn not_grpc(respond: &mut SendResponse<Bytes>, status: StatusCode) -> Result<(), h2::Error> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    respond.send_response(response, true).map(drop)
}

fn head(headers: usize) -> Response<()> {
    let mut response = Response::new(());
    *response.headers_mut() = HeaderMap::with_capacity(headers);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(GRPC_ACCEPT_ENCODING, HeaderValue::from_static(ENCODINGS));
    response
}

/// As the gRPC protocol has it for `grpc-message`: printable ASCII but for the percent sign stands for itself.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_percent_encoded() {
        assert_eq!(percent_encoded("a b%\n~é"), "a b%25%0A~%C3%A9");
    }
}
