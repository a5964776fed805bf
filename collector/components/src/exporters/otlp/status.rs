//! The status that ends a gRPC call, and what OTLP says to do about it.

use crate::exporters::delivery::{Outcome, reply};
use crate::net::client::Reply;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, StatusCode};

/// With padding or without: gRPC's implementations differ.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The names of the codes, by number.
const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) code: usize,
    message: String,
    /// An encoded `google.rpc.Status`.
    details: Vec<u8>,
}

impl Status {
    pub(super) const OK: usize = 0;
    const CANCELLED: usize = 1;
    const UNKNOWN: usize = 2;
    const DEADLINE_EXCEEDED: usize = 4;
    const PERMISSION_DENIED: usize = 7;
    const RESOURCE_EXHAUSTED: usize = 8;
    const ABORTED: usize = 10;
    const OUT_OF_RANGE: usize = 11;
    const UNIMPLEMENTED: usize = 12;
    const INTERNAL: usize = 13;
    const UNAVAILABLE: usize = 14;
    const DATA_LOSS: usize = 15;
    const UNAUTHENTICATED: usize = 16;

    /// The status in an answer's trailers or, where there is nothing else, in its headers.
    pub(super) fn of(reply: &Reply) -> Option<Status> {
        let trailers = reply.trailers.as_ref();
        trailers.and_then(Status::read).or_else(|| Status::read(&reply.headers))
    }

    fn read(headers: &HeaderMap) -> Option<Status> {
        let text = |name| headers.get(name).map(|value: &http::HeaderValue| value.as_bytes());
        let code = std::str::from_utf8(text("grpc-status")?).ok()?.parse().ok()?;
        let details = text("grpc-status-details-bin").and_then(|details| BASE64.decode(details).ok());
        Some(Status {
            code,
            message: percent_decoded(text("grpc-message").unwrap_or_default()),
            details: details.unwrap_or_default(),
        })
    }

    /// What the answer of something that does not speak gRPC stands for.
    pub(super) fn without(status: StatusCode) -> Status {
        let code = match status.as_u16() {
            400 => Status::INTERNAL,
            401 => Status::UNAUTHENTICATED,
            403 => Status::PERMISSION_DENIED,
            404 => Status::UNIMPLEMENTED,
            413 => Status::RESOURCE_EXHAUSTED,
            429 | 502 | 503 | 504 => Status::UNAVAILABLE,
            _ => Status::UNKNOWN,
        };
        let hint = match code {
            Status::RESOURCE_EXHAUSTED => "the request is too large: ",
            _ => "",
        };
        Status {
            code,
            message: format!("{hint}the answer is {status} without a grpc-status"),
            details: Vec::new(),
        }
    }

    /// The retryable codes of the OTLP specification; RESOURCE_EXHAUSTED only where the destination says when.
    pub(super) fn outcome(self) -> Outcome {
        let after = reply::retry_info(&self.details);
        let name = NAMES.get(self.code).copied().unwrap_or("an unknown code");
        let reason = format!("{name}: {}", self.message);
        match self.code {
            Status::RESOURCE_EXHAUSTED | Status::OUT_OF_RANGE if after.is_none() && is_about_size(&self.message) => {
                Outcome::TooLarge(reason)
            }
            Status::CANCELLED
            | Status::DEADLINE_EXCEEDED
            | Status::ABORTED
            | Status::OUT_OF_RANGE
            | Status::UNAVAILABLE
            | Status::DATA_LOSS => Outcome::Later { reason, after },
            Status::RESOURCE_EXHAUSTED if after.is_some() => Outcome::Later { reason, after },
            _ => Outcome::Refused(reason),
        }
    }
}

/// No code is about a request's size alone. These are the words of gRPC's implementations for Go, C++, Java and Rust.
fn is_about_size(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["larger than", "too large", "exceeds maximum"]
        .iter()
        .any(|words| message.contains(words))
}

fn percent_decoded(text: &[u8]) -> String {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match (byte, digit(after.first()), digit(after.get(1))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                rest = &after[2..];
            }
            _ => decoded.push(*byte),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn status(code: usize, message: &str) -> Status {
        Status {
            code,
            message: message.to_owned(),
            details: Vec::new(),
        }
    }

    #[test]
    fn only_the_codes_of_the_specification_are_tried_again() {
        for code in 1..=17 {
            let retried = matches!(status(code, "m").outcome(), Outcome::Later { after: None, .. });
            assert_eq!(retried, [1, 4, 10, 11, 14, 15].contains(&code), "code {code}");
        }
    }

    #[test]
    fn a_size_is_told_from_a_quota_by_its_words() {
        for message in [
            "grpc: received message larger than max (5242880 vs. 4194304)",
            "grpc: received message after decompression larger than max 4194304",
            "Error, decoded message length too large: found 5242880 bytes, the limit is: 4194304 bytes",
            "gRPC message exceeds maximum size 4194304: 5242880",
        ] {
            let code = if message.starts_with("Error") { 11 } else { 8 };
            assert!(
                matches!(status(code, message).outcome(), Outcome::TooLarge(_)),
                "{message}"
            );
        }
        assert!(matches!(status(8, "quota used up").outcome(), Outcome::Refused(_)));
    }

    #[test]
    fn a_status_is_read_with_its_message_and_details() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("grpc-status", "8"),
            ("grpc-message", "caf%C3%A9 100% %zz"),
            // Status{code: 8, details: [Any{RetryInfo{retry_delay: {seconds: 2}}}]}, without padding.
            (
                "grpc-status-details-bin",
                "CAgaMAoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIECgIIAg",
            ),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let status = Status::read(&headers).unwrap();
        assert_eq!(status.message, "café 100% %zz");
        let Outcome::Later { after, .. } = status.outcome() else {
            panic!("not retryable")
        };
        assert_eq!(after, Some(Duration::from_secs(2)));
        assert_eq!(Status::read(&HeaderMap::new()), None);
    }
}
