//! How one field lies in a message.

use crate::error::EvalError;
use crate::operand::mismatch;
use crate::path::Field;
use crate::value::ValueRef;
use collector_pdata::Value;
use collector_pdata::proto::{
    FIXED32, FIXED64, Field as Encoded, FieldValue, Malformed, VARINT, fields, packed, put_bytes, put_double,
    put_fixed64, put_key, put_varint_field, unzigzag, zigzag,
};
use collector_pdata::traces::AnyValue;
use std::borrow::Cow;

/// A field of the language, and where it is in the message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) field: Field,
    pub(super) number: u32,
    /// The number of the message within the message, if it lies in one.
    pub(super) within: Option<u32>,
    /// The number of the field that takes the same place, if there is one.
    pub(super) instead_of: Option<u32>,
    pub(super) wire: Wire,
}

/// How a field is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    Text,
    /// An id of so many bytes; all zero if it is not there.
    Id(usize),
    Enum,
    Uint32,
    Zigzag,
    Fixed32,
    Fixed64,
    Double,
    AnyValue,
    Varints,
    Fixed64s,
    Doubles,
}

const NO_ID: [u8; 16] = [0; 16];

pub(super) const fn slot(field: Field, number: u32, wire: Wire) -> Slot {
    Slot {
        field,
        number,
        within: None,
        instead_of: None,
        wire,
    }
}

impl Slot {
    pub(super) const fn within(self, number: u32) -> Slot {
        Slot {
            within: Some(number),
            ..self
        }
    }

    pub(super) const fn instead_of(self, number: u32) -> Slot {
        Slot {
            instead_of: Some(number),
            ..self
        }
    }

    /// The field's value in `message`: its last one, or what an absent one means.
    pub(super) fn read<'m>(&self, message: &'m [u8]) -> Result<ValueRef<'m>, Malformed> {
        let mut value = self.wire.absent();
        for outer in fields(message) {
            let outer = outer?;
            match self.within {
                None if outer.number == self.number => value = self.wire.read(&outer, value)?,
                Some(within) if outer.number == within => {
                    for inner in fields(outer.bytes()?) {
                        let inner = inner?;
                        if inner.number == self.number {
                            value = self.wire.read(&inner, value)?;
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(value)
    }

    /// `value` if the field can hold it.
    pub(super) fn check(&self, value: Value) -> Result<Value, EvalError> {
        let (sound, expected) = match self.wire {
            Wire::Text => (matches!(value, Value::Text(_)), "a text"),
            Wire::Id(length) => {
                let sound = matches!(&value, Value::Bytes(bytes) if bytes.len() == length);
                (sound, if length == 16 { "16 bytes" } else { "8 bytes" })
            }
            Wire::Enum | Wire::Uint32 | Wire::Zigzag | Wire::Fixed32 | Wire::Fixed64 => {
                (matches!(value, Value::Int(_)), "an int")
            }
            Wire::Double => (matches!(value, Value::Double(_)), "a double"),
            Wire::AnyValue => (true, "any value"),
            Wire::Varints | Wire::Fixed64s | Wire::Doubles => (false, "no value"),
        };
        match sound {
            true => Ok(value),
            false => Err(mismatch("the field", expected, &ValueRef::from(&value))),
        }
    }

    /// Appends the field with a value that was checked. Numbers are cut to the field's width.
    pub(super) fn put(&self, out: &mut Vec<u8>, value: &Value) {
        match (self.wire, value) {
            (Wire::Text, Value::Text(text)) => put_bytes(out, self.number, text.as_bytes()),
            (Wire::Id(_), Value::Bytes(id)) if id.iter().all(|byte| *byte == 0) => {}
            (Wire::Id(_), Value::Bytes(id)) => put_bytes(out, self.number, id),
            (Wire::Enum, Value::Int(value)) => put_varint_field(out, self.number, *value as i32 as u64),
            (Wire::Uint32, Value::Int(value)) => put_varint_field(out, self.number, u64::from(*value as u32)),
            (Wire::Zigzag, Value::Int(value)) => {
                put_varint_field(out, self.number, zigzag(*value as i32));
            }
            (Wire::Fixed32, Value::Int(value)) => {
                put_key(out, self.number, FIXED32);
                out.extend_from_slice(&(*value as u32).to_le_bytes());
            }
            (Wire::Fixed64, Value::Int(value)) => put_fixed64(out, self.number, *value as u64),
            (Wire::Double, Value::Double(value)) => put_double(out, self.number, *value),
            (Wire::AnyValue, value) => {
                let mut encoded = Vec::new();
                value.put(&mut encoded);
                put_bytes(out, self.number, &encoded);
            }
            _ => {}
        }
    }
}

impl Wire {
    fn absent(self) -> ValueRef<'static> {
        match self {
            Wire::Text => ValueRef::Text(Cow::Borrowed("")),
            Wire::Id(length) => ValueRef::Bytes(Cow::Borrowed(&NO_ID[..length])),
            Wire::Enum | Wire::Uint32 | Wire::Zigzag | Wire::Fixed32 | Wire::Fixed64 => ValueRef::Int(0),
            Wire::Double => ValueRef::Double(0.0),
            Wire::AnyValue => ValueRef::Nil,
            Wire::Varints | Wire::Fixed64s | Wire::Doubles => ValueRef::List(Cow::Borrowed(&[])),
        }
    }

    /// The value of one more occurrence, after `before`.
    fn read<'m>(self, field: &Encoded<'m>, before: ValueRef<'m>) -> Result<ValueRef<'m>, Malformed> {
        Ok(match self {
            Wire::Text => ValueRef::text(field.bytes()?),
            Wire::Id(length) => match field.bytes()? {
                [] => self.absent(),
                id if id.len() == length => ValueRef::Bytes(Cow::Borrowed(id)),
                id => return Err(Malformed::IdLength(id.len())),
            },
            Wire::Enum => ValueRef::Int(i64::from(field.varint()? as i32)),
            Wire::Uint32 => ValueRef::Int(i64::from(field.varint()? as u32)),
            Wire::Zigzag => ValueRef::Int(unzigzag(field.varint()?).into()),
            Wire::Fixed32 => ValueRef::Int(field.fixed32()?.into()),
            Wire::Fixed64 => ValueRef::Int(field.fixed64()? as i64),
            Wire::Double => ValueRef::Double(f64::from_bits(field.fixed64()?)),
            Wire::AnyValue => any_value(field.bytes()?)?,
            Wire::Varints | Wire::Fixed64s | Wire::Doubles => {
                let mut values = match before {
                    ValueRef::List(values) => values.into_owned(),
                    _ => Vec::new(),
                };
                self.read_elements(field, &mut values)?;
                ValueRef::List(Cow::Owned(values))
            }
        })
    }

    /// Packed or not: a reader takes both.
    fn read_elements(self, field: &Encoded<'_>, values: &mut Vec<Value>) -> Result<(), Malformed> {
        let wire_type = if self == Wire::Varints { VARINT } else { FIXED64 };
        match field.value {
            FieldValue::Bytes(bytes) => {
                for value in packed(bytes, wire_type) {
                    values.push(self.element(field.number, value?)?);
                }
            }
            value => values.push(self.element(field.number, value)?),
        }
        Ok(())
    }

    fn element(self, number: u32, value: FieldValue<'_>) -> Result<Value, Malformed> {
        match (self, value) {
            (Wire::Varints, FieldValue::Varint(bits)) | (Wire::Fixed64s, FieldValue::Fixed64(bits)) => {
                Ok(Value::Int(bits as i64))
            }
            (Wire::Doubles, FieldValue::Fixed64(bits)) => Ok(Value::Double(f64::from_bits(bits))),
            _ => Err(Malformed::FieldType(number)),
        }
    }
}

/// An encoded `AnyValue`, borrowed where that is possible.
pub(super) fn any_value(encoded: &[u8]) -> Result<ValueRef<'_>, Malformed> {
    Ok(match AnyValue::read(encoded)? {
        None => ValueRef::Nil,
        Some(AnyValue::Text(text)) => ValueRef::text(text),
        Some(AnyValue::Bool(value)) => ValueRef::Bool(value),
        Some(AnyValue::Int(value)) => ValueRef::Int(value),
        Some(AnyValue::Double(value)) => ValueRef::Double(value),
        Some(AnyValue::Bytes(bytes)) => ValueRef::Bytes(Cow::Borrowed(bytes)),
        Some(nested @ (AnyValue::Array(_) | AnyValue::Map(_))) => match Value::of(Some(nested))? {
            Value::List(values) => ValueRef::List(Cow::Owned(values)),
            Value::Map(entries) => ValueRef::Map(Cow::Owned(entries)),
            _ => ValueRef::Nil,
        },
    })
}
