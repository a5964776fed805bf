//! The small messages that answer a request.

use super::decode::{JsonError, Limits, decode_message};
use super::encode::text::{Separator, put_key, put_number, put_signed, put_text};
use super::schema::response::{STATUS, response};
use crate::Signal;
use crate::proto::fields;

/// What a receiver says of the items that it did not take from a request that it took.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PartialSuccess {
    /// How many it rejected. 0 with a message is a warning.
    pub rejected: i64,
    /// Why, for people.
    pub message: String,
}

/// `google.rpc.Status`, the body of an answer that is an error.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// gRPC's code.
    pub code: i32,
    /// For people.
    pub message: String,
}

/// Appends the export response of `signal`; without a partial success if all was taken and there is nothing to say.
pub fn put_response(signal: Signal, out: &mut Vec<u8>, partial: &PartialSuccess) {
    if *partial == PartialSuccess::default() {
        return out.extend_from_slice(b"{}");
    }
    out.extend_from_slice(b"{\"partialSuccess\":{");
    let mut object = Separator::default();
    if partial.rejected != 0 {
        put_key(out, &mut object, rejected_key(signal));
        out.push(b'"');
        put_signed(out, partial.rejected);
        out.push(b'"');
    }
    put_text(out, &mut object, "errorMessage", partial.message.as_bytes());
    out.extend_from_slice(b"}}");
}

fn rejected_key(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "rejectedSpans",
        Signal::Metrics => "rejectedDataPoints",
        Signal::Logs => "rejectedLogRecords",
    }
}

/// Appends a `google.rpc.Status`.
pub fn put_status(out: &mut Vec<u8>, status: &Status) {
    out.push(b'{');
    let mut object = Separator::default();
    put_number(out, &mut object, "code", status.code);
    put_text(out, &mut object, "message", status.message.as_bytes());
    out.push(b'}');
}

/// Decodes the export response of `signal`.
pub fn decode_response(signal: Signal, text: &[u8], limits: &Limits) -> Result<PartialSuccess, JsonError> {
    let encoded = decode_message(response(signal), text, limits)?;
    let mut partial = PartialSuccess::default();
    for field in own_fields(&encoded).flat_map(|(_, inner, _)| own_fields(inner)) {
        match field {
            (1, _, number) => partial.rejected = number as i64,
            (_, text, _) => partial.message = String::from_utf8_lossy(text).into_owned(),
        }
    }
    Ok(partial)
}

/// Decodes a `google.rpc.Status`; its details are ignored.
pub fn decode_status(text: &[u8], limits: &Limits) -> Result<Status, JsonError> {
    let encoded = decode_message(&STATUS, text, limits)?;
    let mut status = Status::default();
    for field in own_fields(&encoded) {
        match field {
            (1, _, number) => status.code = number as i32,
            (_, text, _) => status.message = String::from_utf8_lossy(text).into_owned(),
        }
    }
    Ok(status)
}

/// Number, bytes and varint of each field of what was just encoded here, and so is well formed.
fn own_fields(encoded: &[u8]) -> impl Iterator<Item = (u32, &[u8], u64)> {
    fields(encoded).flatten().map(|field| {
        let bytes = field.bytes().unwrap_or_default();
        (field.number, bytes, field.varint().unwrap_or_default())
    })
}
