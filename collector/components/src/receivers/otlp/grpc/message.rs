//! The one message of a unary call, out of HTTP/2's frames.

use crate::receivers::otlp::intake::{Buffer, Intake};
use crate::receivers::otlp::rejection::Rejection;
use bytes::{Buf, Bytes};
use h2::RecvStream;

/// A byte that tells compression, and the length in four.
const PREFIX: usize = 5;

/// A message as it was sent.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) compressed: bool,
    pub(super) body: Bytes,
}

/// Why there is no message.
#[derive(Debug)]
pub(super) enum NoMessage {
    /// The sender is to be told.
    Rejected(Rejection),
    /// The stream or the connection is gone, and nobody is there to be told.
    Gone,
}

impl From<Rejection> for NoMessage {
    fn from(rejection: Rejection) -> Self {
        NoMessage::Rejected(rejection)
    }
}

/// Reads the message and makes sure that none follows. One that lies within one frame, as small ones and those of peers
/// that honour large frames do, is not copied.
pub(super) async fn read(body: &mut RecvStream, intake: &Intake) -> Result<Message, NoMessage> {
    let mut first = next(body).await?.ok_or(Rejection::Cardinality("none"))?;
    while first.len() < PREFIX {
        let more = next(body)
            .await?
            .ok_or(Rejection::Framing("the message's prefix is cut short"))?;
        first = Bytes::from([first, more].concat());
    }
    let (compressed, length) = prefix(&mut first)?;
    if length > intake.limit {
        return Err(Rejection::TooLarge(intake.limit).into());
    }
    if first.len() < length {
        first = assemble(&first, length, body, intake).await?;
    }
    if first.len() > length || more(body).await? {
        return Err(Rejection::Cardinality("more").into());
    }
    Ok(Message {
        compressed,
        body: first,
    })
}

fn prefix(data: &mut Bytes) -> Result<(bool, usize), Rejection> {
    let compressed = match data.get_u8() {
        0 => false,
        1 => true,
        _ => return Err(Rejection::Framing("the message's compression flag is neither 0 nor 1")),
    };
    Ok((compressed, data.get_u32() as usize))
}

async fn assemble(first: &[u8], length: usize, body: &mut RecvStream, intake: &Intake) -> Result<Bytes, NoMessage> {
    let mut buffer: Buffer = intake.buffer(Some(length));
    buffer.push(first)?;
    while buffer.len() < length {
        let piece = next(body)
            .await?
            .ok_or(Rejection::Framing("the message is cut short"))?;
        if piece.len() > length - buffer.len() {
            return Err(Rejection::Cardinality("more").into());
        }
        buffer.push(&piece)?;
    }
    Ok(buffer.finish())
}

/// Whether anything but the end follows.
async fn more(body: &mut RecvStream) -> Result<bool, NoMessage> {
    while !body.is_end_stream() {
        match next(body).await? {
            Some(piece) if piece.is_empty() => {}
            Some(_) => return Ok(true),
            None => break,
        }
    }
    Ok(false)
}

/// The next piece. Its room in the windows is given back at once: what is put together counts against other bounds.
async fn next(body: &mut RecvStream) -> Result<Option<Bytes>, NoMessage> {
    match body.data().await {
        Some(Ok(piece)) => {
            // Fails only for a stream that is gone, which the next read tells.
            let _ = body.flow_control().release_capacity(piece.len());
            Ok(Some(piece))
        }
        Some(Err(_)) => Err(NoMessage::Gone),
        None => Ok(None),
    }
}
