//! OTLP/JSON to encoded requests.
//!
//! The reader of JSON calls for each value it meets, and what it means is appended to the output at once; a message's
//! length is put in front of it when it ends. Its memory is the output, which is bounded, and one string at a time.

mod message;
mod number;
mod output;
mod scalar;

use super::schema::{Message, request};
use crate::Signal;
use message::MessageSeed;
use output::Output;
use serde::de::DeserializeSeed;

/// What a decoder may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest encoded message, in bytes. It may exceed the JSON's length: a number of one digit becomes eight bytes.
    pub output_bytes: usize,
}

/// 64 MiB, the limit that OTLP advises for a request.
impl Default for Limits {
    fn default() -> Self {
        Limits { output_bytes: 64 << 20 }
    }
}

/// Why JSON was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON, or not what the message has there.
    #[error("line {line}, column {column}: {reason}")]
    Invalid {
        /// Counted from 1.
        line: usize,
        /// In bytes, counted from 1; 0 if the line has none.
        column: usize,
        /// What is there and what was expected, of at most a few hundred bytes.
        reason: String,
    },
    /// Encoded, it would be longer than its limit.
    #[error("the message is longer than {limit} bytes once it is encoded")]
    TooLarge {
        /// [`Limits::output_bytes`].
        limit: usize,
    },
}

/// Decodes an export request of `signal`: `ExportTraceServiceRequest`, `ExportMetricsServiceRequest` or
/// `ExportLogsServiceRequest`. What is returned is its protobuf encoding.
///
/// Unknown fields are ignored, `null` is a field that is not there, and a field that is there twice is an error. Text
/// that is not Unicode (a lone half of a surrogate pair) gets U+FFFD in its place instead of costing the request.
pub fn decode(signal: Signal, text: &[u8], limits: &Limits) -> Result<Vec<u8>, JsonError> {
    decode_message(request(signal), text, limits)
}

pub(super) fn decode_message(message: &'static Message, text: &[u8], limits: &Limits) -> Result<Vec<u8>, JsonError> {
    let mut output = Output::new(text.len() / 2, limits.output_bytes);
    let mut reader = serde_json::Deserializer::from_slice(text);
    // The tables bound the nesting of what is known, and the reader skips what is not without recursion. Its own limit
    // of 128 would refuse values that OTLP's other encoding takes.
    reader.disable_recursion_limit();
    let seed = MessageSeed {
        message,
        out: &mut output,
        depth: 0,
    };
    match seed.deserialize(&mut reader).and_then(|()| reader.end()) {
        Ok(()) => Ok(output.bytes),
        Err(_) if output.is_full() => Err(JsonError::TooLarge {
            limit: limits.output_bytes,
        }),
        Err(error) => Err(JsonError::new(&error)),
    }
}

impl JsonError {
    /// The reason quotes what was found, which a stranger wrote: it is cut.
    fn new(error: &serde_json::Error) -> Self {
        const LONGEST: usize = 300;
        let (line, column) = (error.line(), error.column());
        let mut reason = error.to_string();
        let position = format!(" at line {line} column {column}");
        if reason.ends_with(&position) {
            reason.truncate(reason.len() - position.len());
        }
        if reason.len() > LONGEST {
            // What was expected stands at the end.
            let head = reason.floor_char_boundary(LONGEST / 2);
            let tail = reason.ceil_char_boundary(reason.len() - LONGEST / 2);
            reason.replace_range(head..tail, " ... ");
        }
        JsonError::Invalid { line, column, reason }
    }
}
