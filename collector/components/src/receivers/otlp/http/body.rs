//! A request's body as a whole.

use crate::receivers::otlp::intake::Intake;
use crate::receivers::otlp::rejection::Rejection;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

/// Why there is no body: the sender is to be told, or is gone.
pub(super) type NoBody = Option<Rejection>;

/// Reads a body. One that came in one piece is not copied.
pub(super) async fn read(mut body: Incoming, intake: &Intake) -> Result<Bytes, NoBody> {
    let announced = body.size_hint().exact();
    if announced.is_some_and(|length| length > intake.limit as u64) {
        return Err(Some(Rejection::TooLarge(intake.limit)));
    }
    let Some(first) = next(&mut body).await? else {
        return Ok(Bytes::new());
    };
    if body.is_end_stream() {
        return Ok(first);
    }
    let mut buffer = intake.buffer(announced.and_then(|length| usize::try_from(length).ok()));
    buffer.push(&first)?;
    while let Some(piece) = next(&mut body).await? {
        buffer.push(&piece)?;
    }
    Ok(buffer.finish())
}

/// The next piece that is data.
async fn next(body: &mut Incoming) -> Result<Option<Bytes>, NoBody> {
    while let Some(frame) = body.frame().await {
        // What is no data is a trailer, which OTLP has no use for.
        if let Ok(data) = frame.map_err(|_| None)?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}
