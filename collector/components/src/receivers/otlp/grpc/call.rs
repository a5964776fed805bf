//! One call.

use super::message::{self, Message, NoMessage};
use super::reply;
use crate::net::compress::Encoding;
use crate::receivers::otlp::activity::Call;
use crate::receivers::otlp::intake::{Body, Format, Intake};
use crate::receivers::otlp::rejection::Rejection;
use bytes::Bytes;
use collector_pdata::Signal;
use h2::RecvStream;
use h2::server::SendResponse;
use http::header::{CONTENT_TYPE, HeaderMap};
use http::{Method, Request, StatusCode};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// How long a message may take to arrive when its sender has set no deadline, or a later one.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(60);

/// Answers a call. `_call` counts it as under way.
pub(super) async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    intake: Intake,
    _call: Call,
) {
    let (head, body) = request.into_parts();
    // A stream that is gone needs no answer.
    let _ = if head.method != Method::POST {
        reply::not_grpc(&mut respond, StatusCode::METHOD_NOT_ALLOWED)
    } else if !is_grpc(&head.headers) {
        reply::not_grpc(&mut respond, StatusCode::UNSUPPORTED_MEDIA_TYPE)
    } else {
        match export(head.uri.path(), &head.headers, body, &intake).await {
            Ok(()) => reply::success(&mut respond),
            Err(NoMessage::Rejected(rejection)) => reply::failure(&mut respond, &rejection),
            Err(NoMessage::Gone) => return,
        }
    };
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
    let suffix = value.and_then(|value| value.strip_prefix(b"application/grpc"));
    suffix.is_some_and(|suffix| matches!(suffix, [] | [b';', ..] | b"+proto"))
}

async fn export(path: &str, headers: &HeaderMap, mut body: RecvStream, intake: &Intake) -> Result<(), NoMessage> {
    let signal = signal(path).ok_or_else(|| Rejection::NotFound(path.to_owned()))?;
    if !intake.output.carries(signal) {
        return Err(Rejection::NotCarried(signal).into());
    }
    let encoding = encoding(headers)?;
    let limit = timeout(headers).unwrap_or(MESSAGE_TIMEOUT).min(MESSAGE_TIMEOUT);
    let read = within(limit, message::read(&mut body, intake)).await;
    let body = read
        .unwrap_or_else(|| Err(Rejection::TooSlow(limit).into()))
        .and_then(|message| Ok(sent(message, encoding)?))
        .inspect_err(|_| intake.malformed())?;
    Ok(intake.take(signal, body).await?)
}

fn sent(message: Message, encoding: Option<Encoding>) -> Result<Body, Rejection> {
    if message.compressed && encoding.is_none() {
        return Err(Rejection::Framing(
            "the message is flagged as compressed, but grpc-encoding names no encoding",
        ));
    }
    Ok(Body {
        format: Format::Protobuf,
        encoding: encoding.filter(|_| message.compressed),
        bytes: message.body,
    })
}

fn signal(path: &str) -> Option<Signal> {
    match path {
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => Some(Signal::Traces),
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => Some(Signal::Metrics),
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => Some(Signal::Logs),
        _ => None,
    }
}

fn encoding(headers: &HeaderMap) -> Result<Option<Encoding>, Rejection> {
    let Some(value) = headers.get("grpc-encoding") else {
        return Ok(None);
    };
    match value.as_bytes() {
        b"identity" => Ok(None),
        b"gzip" => Ok(Some(Encoding::Gzip)),
        b"zstd" => Ok(Some(Encoding::Zstd)),
        other => {
            let name = String::from_utf8_lossy(other).into_owned();
            Err(Rejection::Encoding(name, reply::ENCODINGS))
        }
    }
}

/// The sender's deadline: up to eight digits and a unit. What is not that counts as none.
fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

/// What `work` gives, or nothing if it takes longer than `limit`. A timer is only made for work that has to wait.
async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    match poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await {
        Poll::Ready(done) => Some(done),
        Poll::Pending => tokio::time::timeout(limit, work).await.ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_of_senders_are_read_and_nonsense_is_none() {
        for (text, expected) in [
            ("1S", Some(Duration::from_secs(1))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3600))),
            ("250m", Some(Duration::from_millis(250))),
            ("7u", Some(Duration::from_micros(7))),
            ("7n", Some(Duration::from_nanos(7))),
            ("123456789S", None),
            ("S", None),
            ("", None),
            ("-1S", None),
            ("1s", None),
            ("1é", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", text.parse().unwrap());
            assert_eq!(timeout(&headers), expected, "{text:?}");
        }
    }
}
