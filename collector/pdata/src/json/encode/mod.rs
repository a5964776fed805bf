//! Encoded requests to OTLP/JSON.

mod message;
pub(super) mod text;
mod value;

use super::schema::{Message, request};
use crate::proto::fields;
use crate::{Malformed, Signal};
use message::put_list;
use text::{Separator, put_key};

/// Appends one export request of `signal`, in pieces that are each a request, as one line without its end. On an error
/// `out` is as it was.
pub fn put<'a>(signal: Signal, out: &mut Vec<u8>, chunks: impl IntoIterator<Item = &'a [u8]>) -> Result<(), Malformed> {
    let start = out.len();
    let result = put_request(request(signal), out, chunks);
    if result.is_err() {
        out.truncate(start);
    }
    result
}

/// A request has one list and nothing else.
fn put_request<'a>(
    request: &'static Message,
    out: &mut Vec<u8>,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(), Malformed> {
    let mut items = chunks.into_iter().flat_map(fields);
    out.push(b'{');
    let mut object = Separator::default();
    for list in request.fields {
        put_key(out, &mut object, list.key);
        put_list(out, list, &mut items)?;
    }
    out.push(b'}');
    Ok(())
}
