//! OTLP/JSON: lowerCamelCase keys, ids in hex, 64-bit numbers as text, enums as numbers.
//!
//! [`put`] turns encoded requests into JSON, [`decode`] turns JSON into an encoded request; neither builds a tree in
//! between. What a message looks like is said once, in the tables of `schema`, which both directions walk. Written are
//! few liberties: a field with its default value is left out, as protobuf's JSON mapping allows. Read are all that
//! protobuf's readers take, and that is more: names of fields in either spelling, names of enums, numbers as text or not.

mod decode;
mod encode;
mod response;
mod schema;

pub use decode::{JsonError, Limits, decode};
pub use encode::put;
pub use encode::traces::{put_span, put_traces};
pub use response::{PartialSuccess, Status, decode_response, decode_status, put_response, put_status};
