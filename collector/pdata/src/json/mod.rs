//! OTLP/JSON: lowerCamelCase keys, ids in hex, 64-bit numbers as text, enums as numbers.
//!
//! [`put`] turns encoded requests into JSON, [`decode`] turns JSON into an encoded request; neither builds a tree in
//! between. What a message looks like is said once, in the tables of `schema`, which both directions walk. The writer
//! leaves out a field with its default value, as protobuf's JSON mapping allows. The reader takes what protobuf's readers
//! take, which is more than OTLP asks for: fields by either of their names, enums by name, numbers as text or not.

mod decode;
mod encode;
mod response;
mod schema;

pub use decode::{JsonError, Limits, decode};
pub use encode::put;
pub use response::{PartialSuccess, Status, decode_response, decode_status, put_response, put_status};
