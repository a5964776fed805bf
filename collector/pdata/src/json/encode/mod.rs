//! Encoded requests to OTLP/JSON.

mod message;
mod packed;
pub(super) mod text;
pub(super) mod traces;

use super::schema::request;
use crate::{Malformed, Signal};

/// Appends one export request of `signal`, in pieces, as one line without its end. On an error `out` is as it was.
///
/// A message that was encoded in several pieces is put together, as protobuf wants it. For traces this is
/// [`put_traces`](traces::put_traces), which takes the last piece, as the views do.
pub fn put<'a>(signal: Signal, out: &mut Vec<u8>, chunks: impl IntoIterator<Item = &'a [u8]>) -> Result<(), Malformed> {
    if signal == Signal::Traces {
        return traces::put_traces(out, chunks);
    }
    let start = out.len();
    let chunks: Vec<_> = chunks.into_iter().collect();
    let result = message::put_message(out, request(signal), &chunks, 0);
    if result.is_err() {
        out.truncate(start);
    }
    result
}
