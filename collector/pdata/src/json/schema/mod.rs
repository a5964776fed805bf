//! The messages of OTLP as tables: number, names, kind and presence of each field.
//!
//! The order in a table is the order in the JSON that is written. Tables refer to each other in a circle only through
//! `AnyValue`, whose nesting both directions bound.

pub(super) mod common;
pub(super) mod logs;
pub(super) mod metrics;
pub(super) mod response;
pub(super) mod traces;

use crate::Signal;
use crate::proto::{BYTES, FIXED32, FIXED64, VARINT};

/// One more than the highest field number of any message.
pub(super) const NUMBERS: usize = 17;

/// A message.
#[derive(Debug)]
pub(super) struct Message {
    pub fields: &'static [Field],
    /// An array or a list of pairs, which are what can be nested without end.
    pub nests: bool,
    /// Whether `null` among others in a list stands for an empty one.
    pub nullable: bool,
}

/// A field of a message.
#[derive(Debug)]
pub(super) struct Field {
    pub number: u32,
    /// As the .proto file has it.
    pub name: &'static str,
    /// As JSON has it.
    pub key: &'static str,
    pub kind: Kind,
    pub rule: Rule,
    /// Written to JSON even when there is nothing to write, as upstream's writers do and readers have come to expect.
    pub always: bool,
}

/// What a value of a field is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Text,
    /// An id of so many bytes, which JSON has in hex.
    Id(usize),
    /// Bytes, which JSON has in base64.
    Bytes,
    Bool,
    /// An enum whose values are numbered as they are listed.
    Enum(&'static [&'static str]),
    Int32,
    Uint32,
    Uint64,
    Int64,
    Sint32,
    Fixed32,
    Fixed64,
    Sfixed64,
    Double,
    Message(&'static Message),
}

/// When a field is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// When it has another value than its type's default. A message is there when it was encoded.
    Implicit,
    /// When it was encoded.
    Explicit,
    /// When it is the one of its group that was encoded last. No message of OTLP has two groups.
    OneOf,
    /// As often as it was encoded.
    Repeated,
}

impl Message {
    const fn new(fields: &'static [Field]) -> Self {
        Message {
            fields,
            nests: false,
            nullable: false,
        }
    }

    /// The place in the table of the field that JSON calls `key`; the search begins at `from`, where most often it is.
    pub fn find(&self, key: &[u8], from: usize) -> Option<usize> {
        let is = |index: &usize| {
            let field = &self.fields[*index];
            field.key.as_bytes() == key || field.name.as_bytes() == key
        };
        (from..self.fields.len()).chain(0..from).find(is)
    }

    /// The place in the table of the field `number`; the search begins at `from`.
    pub fn find_number(&self, number: u32, from: usize) -> Option<usize> {
        let is = |index: &usize| self.fields[*index].number == number;
        (from..self.fields.len()).chain(0..from).find(is)
    }
}

/// A field with implicit presence; the methods make it another.
const fn field(number: u32, name: &'static str, key: &'static str, kind: Kind) -> Field {
    Field {
        number,
        name,
        key,
        kind,
        rule: Rule::Implicit,
        always: false,
    }
}

impl Field {
    const fn always(self) -> Self {
        Field { always: true, ..self }
    }

    const fn rule(self, rule: Rule) -> Self {
        Field { rule, ..self }
    }

    const fn repeated(self) -> Self {
        self.rule(Rule::Repeated)
    }

    /// Whether its values are encoded next to each other in one field.
    pub fn packed(&self) -> bool {
        self.rule == Rule::Repeated && self.kind.wire_type() != BYTES
    }

    /// Whether a default value is encoded.
    pub fn keeps_default(&self) -> bool {
        self.rule != Rule::Implicit
    }
}

impl Kind {
    /// Protobuf's wire type of one value.
    pub fn wire_type(self) -> u8 {
        match self {
            Kind::Text | Kind::Id(_) | Kind::Bytes | Kind::Message(_) => BYTES,
            Kind::Bool | Kind::Enum(_) | Kind::Int32 | Kind::Uint32 | Kind::Uint64 | Kind::Int64 | Kind::Sint32 => {
                VARINT
            }
            Kind::Fixed32 => FIXED32,
            Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => FIXED64,
        }
    }
}

/// The export request of a signal.
pub(super) fn request(signal: Signal) -> &'static Message {
    match signal {
        Signal::Traces => &traces::REQUEST,
        Signal::Metrics => &metrics::REQUEST,
        Signal::Logs => &logs::REQUEST,
    }
}
