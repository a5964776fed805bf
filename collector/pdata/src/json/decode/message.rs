//! Objects and arrays.

use super::output::Output;
use super::scalar::ScalarVisitor;
use crate::json::schema::{Field, Kind, Message, Rule};
use crate::traces::MAX_DEPTH;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt::{Formatter, Result as FmtResult};

/// Reads an object and appends its fields.
pub(super) struct MessageSeed<'o> {
    pub message: &'static Message,
    pub out: &'o mut Output,
    /// The arrays and lists of pairs around it.
    pub depth: usize,
}

impl<'de> DeserializeSeed<'de> for MessageSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MessageSeed<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut Formatter<'_>) -> FmtResult {
        let keys = self.message.fields.iter().take(3).map(|field| field.key);
        write!(
            formatter,
            "an object of {} and the like",
            keys.collect::<Vec<_>>().join(", ")
        )
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = Seen::default();
        let mut next = 0;
        let message = self.message;
        while let Some(index) = map.next_key_seed(KeySeed { message, next })? {
            let Some(index) = index else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            next = index + 1;
            let field = &message.fields[index];
            let seed = FieldSeed {
                field,
                out: &mut *self.out,
                depth: self.depth,
            };
            if map.next_value_seed(seed)? {
                seen.mark(index, field)?;
            }
        }
        Ok(())
    }
}

/// The fields that an object has had so far.
#[derive(Default)]
struct Seen {
    fields: u32,
    one_of: Option<&'static str>,
}

impl Seen {
    fn mark<E: Error>(&mut self, index: usize, field: &'static Field) -> Result<(), E> {
        if self.fields & (1 << index) != 0 {
            return Err(E::custom(format_args!("`{}` is there twice", field.key)));
        }
        self.fields |= 1 << index;
        if field.rule == Rule::OneOf
            && let Some(other) = self.one_of.replace(field.key)
        {
            let reason = format_args!("`{}` and `{other}` exclude each other", field.key);
            return Err(E::custom(reason));
        }
        Ok(())
    }
}

/// Finds a key in the message's table: its place, or nothing for one that is not known.
struct KeySeed {
    message: &'static Message,
    next: usize,
}

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = Option<usize>;

    fn expecting(&self, formatter: &mut Formatter<'_>) -> FmtResult {
        formatter.write_str("a field's name")
    }

    fn visit_bytes<E: Error>(self, key: &[u8]) -> Result<Self::Value, E> {
        Ok(self.message.find(key, self.next))
    }
}

/// Reads what a field has; tells whether it has anything.
struct FieldSeed<'o> {
    field: &'static Field,
    out: &'o mut Output,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for FieldSeed<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for FieldSeed<'_> {
    type Value = bool;

    fn expecting(&self, formatter: &mut Formatter<'_>) -> FmtResult {
        write!(formatter, "`{}`", self.field.key)
    }

    fn visit_none<E: Error>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        let (field, depth) = (self.field, self.depth);
        match field.rule {
            Rule::Repeated => deserializer.deserialize_seq(ListVisitor {
                field,
                out: self.out,
                depth,
            })?,
            _ => put_one(field, self.out, depth, deserializer)?,
        }
        Ok(true)
    }
}

/// One value of a field that is not packed.
fn put_one<'de, D: Deserializer<'de>>(
    field: &'static Field,
    out: &mut Output,
    depth: usize,
    deserializer: D,
) -> Result<(), D::Error> {
    let Kind::Message(message) = field.kind else {
        return ScalarVisitor { field, out }.deserialize(deserializer);
    };
    let depth = depth + usize::from(message.nests);
    if depth > MAX_DEPTH {
        return Err(D::Error::custom(format_args!(
            "values are nested deeper than {MAX_DEPTH}"
        )));
    }
    let start = out.begin(field.number);
    let seed = MessageSeed {
        message,
        out: &mut *out,
        depth,
    };
    seed.deserialize(deserializer)?;
    out.end(start);
    out.check()
}

/// Reads an array.
struct ListVisitor<'o> {
    field: &'static Field,
    out: &'o mut Output,
    depth: usize,
}

impl<'de> Visitor<'de> for ListVisitor<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut Formatter<'_>) -> FmtResult {
        write!(formatter, "an array for `{}`", self.field.key)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let (field, depth) = (self.field, self.depth);
        let before = self.out.bytes.len();
        let packed = field.packed().then(|| self.out.begin(field.number));
        loop {
            let out = &mut *self.out;
            if list.next_element_seed(ElementSeed { field, out, depth })?.is_none() {
                break;
            }
        }
        match packed {
            Some(start) if self.out.length_since(start) == 0 => self.out.cancel(before),
            Some(start) => self.out.end(start),
            None => {}
        }
        self.out.check()
    }
}

/// Reads one element of an array.
struct ElementSeed<'o> {
    field: &'static Field,
    out: &'o mut Output,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for ElementSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.field.kind {
            Kind::Message(message) if message.nullable => deserializer.deserialize_option(self),
            _ => put_one(self.field, self.out, self.depth, deserializer),
        }
    }
}

/// An element that may be `null`.
impl<'de> Visitor<'de> for ElementSeed<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut Formatter<'_>) -> FmtResult {
        write!(formatter, "an element of `{}`", self.field.key)
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        let start = self.out.begin(self.field.number);
        self.out.end(start);
        self.out.check()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        put_one(self.field, self.out, self.depth, deserializer)
    }
}
