//! Why a request was not taken, and how both transports say so.

use super::validate::Invalid;
use crate::net::compress::DecompressError;
use collector_engine::Refusal;
use collector_pdata::Signal;
use collector_pdata::json::{JsonError, Status, put_status};
use collector_pdata::proto::{put_bytes, put_varint_field};
use http::StatusCode;
use std::time::Duration;

/// How long a sender is asked to wait before it tries again. A queue that a slow destination has filled empties in
/// seconds, and `Retry-After` has no finer unit.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why a request was not taken. The text is what the sender is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Rejection {
    #[error("there is nothing at {0}")]
    NotFound(String),
    #[error("no pipeline takes {} from this receiver", .0.name())]
    NotCarried(Signal),
    #[error("only POST is allowed")]
    Method,
    #[error("{0}")]
    MediaType(String),
    #[error("the encoding \"{0}\" is not known; known are {1}")]
    Encoding(String, &'static str),
    #[error("{0}")]
    Framing(&'static str),
    #[error("a call of this method has exactly one message, this one has {0}")]
    Cardinality(&'static str),
    #[error("the request is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the request is malformed: {0}")]
    Malformed(String),
    #[error("{0}; try again")]
    Refused(Refusal),
    #[error("the queue on disk has no room; try again")]
    NotKept,
    #[error("too many bytes of unfinished requests are held; try again")]
    Busy,
    #[error("the request was not complete within {0:?}")]
    TooSlow(Duration),
}

impl From<Invalid> for Rejection {
    fn from(invalid: Invalid) -> Self {
        Rejection::Malformed(invalid.to_string())
    }
}

impl From<JsonError> for Rejection {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::TooLarge { limit } => Rejection::TooLarge(limit),
            JsonError::Invalid { .. } => Rejection::Malformed(error.to_string()),
        }
    }
}

impl From<DecompressError> for Rejection {
    fn from(error: DecompressError) -> Self {
        match error {
            DecompressError::TooLarge(limit) => Rejection::TooLarge(limit),
            DecompressError::Malformed(_) => Rejection::Malformed(error.to_string()),
        }
    }
}

impl Rejection {
    /// The gRPC status code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Rejection::Malformed(_) => 3,
            Rejection::TooSlow(_) => 4,
            Rejection::TooLarge(_) => 8,
            Rejection::NotFound(_)
            | Rejection::NotCarried(_)
            | Rejection::Method
            | Rejection::MediaType(_)
            | Rejection::Encoding(..)
            | Rejection::Cardinality(_) => 12,
            Rejection::Framing(_) => 13,
            Rejection::Refused(_) | Rejection::NotKept | Rejection::Busy => 14,
        }
    }

    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Rejection::NotFound(_) | Rejection::NotCarried(_) => StatusCode::NOT_FOUND,
            Rejection::Method => StatusCode::METHOD_NOT_ALLOWED,
            Rejection::MediaType(_) | Rejection::Encoding(..) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Rejection::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Rejection::Malformed(_) | Rejection::Framing(_) | Rejection::Cardinality(_) => StatusCode::BAD_REQUEST,
            Rejection::Refused(_) | Rejection::NotKept | Rejection::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Rejection::TooSlow(_) => StatusCode::REQUEST_TIMEOUT,
        }
    }

    /// When the sender may try again; never is `None`.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        matches!(self, Rejection::Refused(_) | Rejection::NotKept | Rejection::Busy).then_some(RETRY_AFTER)
    }

    /// An encoded `google.rpc.Status`, with `RetryInfo` where the sender may try again.
    pub(crate) fn status_proto(&self) -> Vec<u8> {
        let mut status = Vec::new();
        put_varint_field(&mut status, 1, self.code().into());
        put_bytes(&mut status, 2, self.to_string().as_bytes());
        if let Some(delay) = self.retry_after() {
            // Duration{seconds} within RetryInfo{retry_delay} within Any{type_url, value}.
            let (mut duration, mut info, mut any) = (Vec::new(), Vec::new(), Vec::new());
            put_varint_field(&mut duration, 1, delay.as_secs());
            put_bytes(&mut info, 1, &duration);
            put_bytes(&mut any, 1, b"type.googleapis.com/google.rpc.RetryInfo");
            put_bytes(&mut any, 2, &info);
            put_bytes(&mut status, 3, &any);
        }
        status
    }

    /// The same as JSON, without details.
    pub(crate) fn status_json(&self) -> Vec<u8> {
        let status = Status {
            code: self.code().into(),
            message: self.to_string(),
        };
        let mut json = Vec::new();
        put_status(&mut json, &status);
        json
    }
}
