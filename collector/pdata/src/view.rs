//! What the views of all three signals share: resources, scopes, attributes and their values.

use crate::proto::{Field, Malformed, fields};
use crate::scan::{Messages, messages};

/// The deepest nesting of arrays and key-value lists in an attribute that is read.
pub const MAX_DEPTH: usize = 32;

/// The attributes of an encoded `Resource` on its own.
pub fn resource_attributes(resource: &[u8]) -> Attributes<'_> {
    Resource(resource).attributes()
}

/// An encoded `Resource`.
#[derive(Debug, Clone, Copy)]
pub struct Resource<'a>(&'a [u8]);

/// An `EntityRef`: names what some of a resource's attributes describe.
#[derive(Debug, Clone, Copy, Default)]
pub struct EntityRef<'a> {
    /// The schema of its type and keys.
    pub schema_url: &'a [u8],
    /// Its type.
    pub kind: &'a [u8],
    raw: &'a [u8],
}

/// An `InstrumentationScope`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scope<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Its version.
    pub version: &'a [u8],
    /// Attributes that did not fit.
    pub dropped_attributes_count: u32,
    raw: &'a [u8],
}

/// An attribute.
#[derive(Debug, Clone, Copy)]
pub struct Attribute<'a> {
    /// Its key.
    pub key: &'a [u8],
    /// Its value; `None` if the value was empty.
    pub value: Option<AnyValue<'a>>,
}

/// An attribute's value.
#[derive(Debug, Clone, Copy)]
pub enum AnyValue<'a> {
    /// Text, which need not be UTF-8.
    Text(&'a [u8]),
    /// `true` or `false`.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A double.
    Double(f64),
    /// An `ArrayValue`.
    Array(Nested<'a>),
    /// A `KeyValueList`.
    Map(Nested<'a>),
    /// Bytes.
    Bytes(&'a [u8]),
}

/// The encoded elements of an array or of a key-value list.
#[derive(Debug, Clone, Copy)]
pub struct Nested<'a> {
    raw: &'a [u8],
    depth: usize,
}

impl<'a> Resource<'a> {
    /// An encoded `Resource` on its own.
    pub fn new(raw: &'a [u8]) -> Self {
        Resource(raw)
    }

    /// Its attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.0, 1)
    }

    /// Attributes that did not fit.
    pub fn dropped_attributes_count(&self) -> Result<u32, Malformed> {
        let mut count = 0;
        for field in fields(self.0) {
            let field = field?;
            if field.number == 2 {
                count = field.varint()? as u32;
            }
        }
        Ok(count)
    }

    /// The entities that some of its attributes describe.
    pub fn entity_refs(&self) -> impl Iterator<Item = Result<EntityRef<'a>, Malformed>> + use<'a> {
        messages(self.0, 3).map(|message| message.and_then(EntityRef::read))
    }

    /// The text value of the attribute `key`.
    pub fn text(&self, key: &str) -> Result<Option<&'a [u8]>, Malformed> {
        self.attributes().find_text(key)
    }
}

impl<'a> EntityRef<'a> {
    fn read(raw: &'a [u8]) -> Result<Self, Malformed> {
        let mut entity = EntityRef {
            raw,
            ..EntityRef::default()
        };
        for field in fields(raw) {
            let field = field?;
            match field.number {
                1 => entity.schema_url = field.bytes()?,
                2 => entity.kind = field.bytes()?,
                _ => {}
            }
        }
        Ok(entity)
    }

    /// The keys of the attributes that say which it is.
    pub fn id_keys(&self) -> impl Iterator<Item = Result<&'a [u8], Malformed>> + use<'a> {
        messages(self.raw, 3)
    }

    /// The keys of the attributes that say more about it.
    pub fn description_keys(&self) -> impl Iterator<Item = Result<&'a [u8], Malformed>> + use<'a> {
        messages(self.raw, 4)
    }
}

impl<'a> Scope<'a> {
    /// Reads an encoded `InstrumentationScope`.
    pub fn read(raw: &'a [u8]) -> Result<Self, Malformed> {
        let mut scope = Scope {
            raw,
            ..Scope::default()
        };
        for field in fields(raw) {
            let field = field?;
            match field.number {
                1 => scope.name = field.bytes()?,
                2 => scope.version = field.bytes()?,
                4 => scope.dropped_attributes_count = field.varint()? as u32,
                _ => {}
            }
        }
        Ok(scope)
    }

    /// Its attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.raw, 3)
    }
}

/// Walks the attributes of a message.
#[derive(Debug, Clone)]
pub struct Attributes<'a> {
    messages: Messages<'a>,
    depth: usize,
}

impl<'a> Attributes<'a> {
    pub(crate) fn new(raw: &'a [u8], number: u32) -> Self {
        Attributes {
            messages: messages(raw, number),
            depth: 0,
        }
    }

    /// The text value of the first attribute `key`.
    pub fn find_text(mut self, key: &str) -> Result<Option<&'a [u8]>, Malformed> {
        match self.find_key(key)? {
            Some(AnyValue::Text(text)) => Ok(Some(text)),
            _ => Ok(None),
        }
    }

    /// The integer value of the first attribute `key`.
    pub fn find_int(mut self, key: &str) -> Result<Option<i64>, Malformed> {
        match self.find_key(key)? {
            Some(AnyValue::Int(value)) => Ok(Some(value)),
            _ => Ok(None),
        }
    }

    fn find_key(&mut self, key: &str) -> Result<Option<AnyValue<'a>>, Malformed> {
        for attribute in self {
            let attribute = attribute?;
            if attribute.key == key.as_bytes() {
                return Ok(attribute.value);
            }
        }
        Ok(None)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let raw = self.messages.next()?;
        Some(raw.and_then(|raw| Attribute::read(raw, self.depth)))
    }
}

impl<'a> Attribute<'a> {
    fn read(raw: &'a [u8], depth: usize) -> Result<Self, Malformed> {
        let mut attribute = Attribute { key: &[], value: None };
        for field in fields(raw) {
            let field = field?;
            match field.number {
                1 => attribute.key = field.bytes()?,
                2 => attribute.value = AnyValue::read_at(field.bytes()?, depth)?,
                _ => {}
            }
        }
        Ok(attribute)
    }
}

impl<'a> AnyValue<'a> {
    /// Reads an encoded `AnyValue`, the outermost one; `None` if it is empty.
    pub fn read(raw: &'a [u8]) -> Result<Option<Self>, Malformed> {
        AnyValue::read_at(raw, 0)
    }

    fn read_at(raw: &'a [u8], depth: usize) -> Result<Option<Self>, Malformed> {
        let mut value = None;
        for field in fields(raw) {
            let field = field?;
            value = match field.number {
                1 => Some(AnyValue::Text(field.bytes()?)),
                2 => Some(AnyValue::Bool(field.varint()? != 0)),
                3 => Some(AnyValue::Int(field.varint()? as i64)),
                4 => Some(AnyValue::Double(f64::from_bits(field.fixed64()?))),
                5 => Some(AnyValue::Array(Nested::read(&field, depth)?)),
                6 => Some(AnyValue::Map(Nested::read(&field, depth)?)),
                7 => Some(AnyValue::Bytes(field.bytes()?)),
                _ => value,
            };
        }
        Ok(value)
    }
}

impl<'a> Nested<'a> {
    fn read(field: &Field<'a>, depth: usize) -> Result<Self, Malformed> {
        let depth = depth + 1;
        if depth > MAX_DEPTH {
            return Err(Malformed::TooDeep);
        }
        Ok(Nested {
            raw: field.bytes()?,
            depth,
        })
    }

    /// The elements of an array.
    pub fn values(&self) -> impl Iterator<Item = Result<Option<AnyValue<'a>>, Malformed>> + use<'a> {
        let depth = self.depth;
        messages(self.raw, 1).map(move |raw| raw.and_then(|raw| AnyValue::read_at(raw, depth)))
    }

    /// The entries of a key-value list.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes {
            messages: messages(self.raw, 1),
            depth: self.depth,
        }
    }
}

/// An id of `N` bytes; `None` if it is empty.
pub(crate) fn id<const N: usize>(bytes: &[u8]) -> Result<Option<[u8; N]>, Malformed> {
    if bytes.is_empty() {
        return Ok(None);
    }
    <[u8; N]>::try_from(bytes)
        .map(Some)
        .map_err(|_| Malformed::IdLength(bytes.len()))
}
