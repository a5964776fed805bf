//! What OTLP destinations answer, read from its bytes.

use super::Outcome;
use crate::net::client::MAX_REPLY;
use collector_pdata::proto::fields;
use collector_pdata::{Malformed, Signal, json};
use std::time::Duration;

const LIMITS: json::Limits = json::Limits {
    output_bytes: MAX_REPLY,
};

/// How an answer is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Protobuf.
    Proto,
    /// JSON.
    Json,
}

/// The outcome of an accepted request of `items`, from an encoded `Export*ServiceResponse` of any signal (they are alike).
/// An answer that is not one does not change that the request was accepted.
pub fn outcome(response: &[u8], form: Form, signal: Signal, items: usize) -> Outcome {
    let partial = match form {
        Form::Proto => partial_success(response).ok(),
        Form::Json => json::decode_response(signal, response, &LIMITS)
            .ok()
            .map(|partial| (partial.rejected, partial.message)),
    };
    match partial {
        Some((rejected, message)) if rejected > 0 || !message.is_empty() => Outcome::Partial {
            rejected: usize::try_from(rejected).unwrap_or(0).min(items),
            message,
        },
        _ => Outcome::Delivered,
    }
}

fn partial_success(response: &[u8]) -> Result<(i64, String), Malformed> {
    let mut rejected = 0;
    let mut message = String::new();
    for field in fields(response) {
        let field = field?;
        if field.number != 1 {
            continue;
        }
        for field in fields(field.bytes()?) {
            let field = field?;
            match field.number {
                1 => rejected = field.varint()? as i64,
                2 => message = String::from_utf8_lossy(field.bytes()?).into_owned(),
                _ => {}
            }
        }
    }
    Ok((rejected, message))
}

/// The message of an encoded `google.rpc.Status`, if it is one.
pub fn status_message(status: &[u8], form: Form) -> Option<String> {
    if form == Form::Json {
        return json::decode_status(status, &LIMITS).ok().map(|status| status.message);
    }
    let fields: Vec<_> = fields(status).collect::<Result<_, _>>().ok()?;
    let message = fields.iter().find(|field| field.number == 2)?.bytes().ok()?;
    std::str::from_utf8(message).ok().map(str::to_owned)
}

/// The delay of the `google.rpc.RetryInfo` in the details of an encoded `google.rpc.Status`; `None` without one.
pub fn retry_info(status: &[u8]) -> Option<Duration> {
    for detail in fields(status).filter_map(Result::ok).filter(|field| field.number == 3) {
        let any: Vec<_> = fields(detail.bytes().ok()?).collect::<Result<_, _>>().ok()?;
        let part = |number| {
            any.iter()
                .find(|field| field.number == number)
                .and_then(|field| field.bytes().ok())
        };
        if part(1).is_some_and(|url| url.ends_with(b"/google.rpc.RetryInfo")) {
            return Some(part(2).and_then(|info| delay(info).ok()).unwrap_or_default());
        }
    }
    None
}

fn delay(retry_info: &[u8]) -> Result<Duration, Malformed> {
    let (mut seconds, mut nanos) = (0, 0);
    for field in fields(retry_info) {
        let field = field?;
        if field.number == 1 {
            for field in fields(field.bytes()?) {
                let field = field?;
                match field.number {
                    1 => seconds = i64::try_from(field.varint()?).unwrap_or(0),
                    2 => nanos = u32::try_from(field.varint()?).unwrap_or(0).min(999_999_999),
                    _ => {}
                }
            }
        }
    }
    Ok(Duration::new(seconds.max(0) as u64, nanos))
}

/// The wait that a Retry-After header asks for: seconds, or a date (RFC 9110, 10.2.3).
pub fn retry_after(value: &str, now: std::time::SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
    use prost::Message;
    use std::time::UNIX_EPOCH;

    fn response(rejected_spans: i64, message: &str) -> Vec<u8> {
        let partial_success = Some(ExportTracePartialSuccess {
            rejected_spans,
            error_message: message.to_owned(),
        });
        ExportTraceServiceResponse { partial_success }.encode_to_vec()
    }

    fn partial(rejected: usize, message: &str) -> Outcome {
        Outcome::Partial {
            rejected,
            message: message.to_owned(),
        }
    }

    #[test]
    fn partial_success_is_found_and_bounded_by_what_was_sent() {
        assert_eq!(outcome(&[], Form::Proto, Signal::Traces, 5), Outcome::Delivered);
        assert_eq!(
            outcome(&response(0, ""), Form::Proto, Signal::Traces, 5),
            Outcome::Delivered
        );
        assert_eq!(
            outcome(&response(2, "too old"), Form::Proto, Signal::Traces, 5),
            partial(2, "too old")
        );
        assert_eq!(
            outcome(&response(99, ""), Form::Proto, Signal::Traces, 5),
            partial(5, "")
        );
        assert_eq!(
            outcome(&response(-1, "odd"), Form::Proto, Signal::Traces, 5),
            partial(0, "odd")
        );
        assert_eq!(outcome(b"\xff\xff", Form::Proto, Signal::Traces, 5), Outcome::Delivered);
    }

    #[test]
    fn an_answer_in_json_says_the_same() {
        for (signal, text, expected) in [
            (Signal::Traces, "{}", Outcome::Delivered),
            (Signal::Traces, "no json", Outcome::Delivered),
            (Signal::Traces, r#"{"partialSuccess":{}}"#, Outcome::Delivered),
            (
                Signal::Logs,
                r#"{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"old"}}"#,
                partial(2, "old"),
            ),
            (
                Signal::Metrics,
                r#"{"partialSuccess":{"rejectedDataPoints":1}}"#,
                partial(1, ""),
            ),
        ] {
            assert_eq!(outcome(text.as_bytes(), Form::Json, signal, 5), expected, "{text}");
        }
        let status = br#"{"code":3,"message":"bad"}"#;
        assert_eq!(status_message(status, Form::Json), Some("bad".to_owned()));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (value, expected) in [
            ("7", Some(7)),
            ("Sun, 06 Nov 1994 08:49:40 GMT", Some(3)),
            ("Sun, 06 Nov 1994 08:49:30 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            assert_eq!(retry_after(value, now), expected.map(Duration::from_secs), "{value}");
        }
    }

    #[test]
    fn retry_info_is_found_among_the_details() {
        // Status{code: 8, message: "m", details: [Any{RetryInfo{retry_delay: {seconds: 2, nanos: 5}}}]}
        let url = b"type.googleapis.com/google.rpc.RetryInfo";
        let mut any = vec![0x0a, url.len() as u8];
        any.extend_from_slice(url);
        any.extend_from_slice(&[0x12, 6, 0x0a, 4, 0x08, 2, 0x10, 5]);
        let mut status = vec![0x08, 8, 0x12, 1, b'm', 0x1a, any.len() as u8];
        status.extend_from_slice(&any);
        assert_eq!(retry_info(&status), Some(Duration::new(2, 5)));
        assert_eq!(status_message(&status, Form::Proto), Some("m".to_owned()));
        assert_eq!(retry_info(&status[..5]), None);
        assert_eq!(retry_info(b"\xff"), None);
    }
}
