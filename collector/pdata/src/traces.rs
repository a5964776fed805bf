//! Views over encoded traces. Nothing is decoded before it is asked for, and nothing is copied.

use crate::proto::{Field, FieldValue, Fields, Malformed, fields};

/// The deepest nesting of arrays and key-value lists in an attribute that is read.
pub const MAX_DEPTH: usize = 32;

/// The `ResourceSpans` of one encoded request.
pub fn resource_spans(request: &[u8]) -> impl Iterator<Item = Result<ResourceSpans<'_>, Malformed>> {
    messages(request, 1).map(|message| message.map(ResourceSpans))
}

/// The number of spans in one encoded request.
pub fn count_spans(request: &[u8]) -> Result<usize, Malformed> {
    let mut count = 0;
    for resource in resource_spans(request) {
        for scope in resource?.scope_spans() {
            for span in messages(scope?.0, 2) {
                span?;
                count += 1;
            }
        }
    }
    Ok(count)
}

/// The attributes of an encoded `Resource` on its own.
pub fn resource_attributes(resource: &[u8]) -> Attributes<'_> {
    Resource(resource).attributes()
}

/// An encoded `ResourceSpans`.
#[derive(Debug, Clone, Copy)]
pub struct ResourceSpans<'a>(pub(crate) &'a [u8]);

/// An encoded `ScopeSpans`.
#[derive(Debug, Clone, Copy)]
pub struct ScopeSpans<'a>(pub(crate) &'a [u8]);

/// An encoded `Resource`.
#[derive(Debug, Clone, Copy)]
pub struct Resource<'a>(&'a [u8]);

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

/// A `Span`, its scalar fields read. Texts are as they were encoded, which need not be UTF-8.
#[derive(Debug, Clone, Copy, Default)]
pub struct Span<'a> {
    /// All zero if it was empty.
    pub trace_id: [u8; 16],
    /// All zero if it was empty.
    pub span_id: [u8; 8],
    /// W3C trace state.
    pub trace_state: &'a [u8],
    /// `None` for a root.
    pub parent_span_id: Option<[u8; 8]>,
    /// W3C flags and whether the parent is remote.
    pub flags: u32,
    /// Its name.
    pub name: &'a [u8],
    /// `SpanKind`, as the number that was encoded.
    pub kind: i32,
    /// Nanoseconds since the Unix epoch.
    pub start_unix_nano: u64,
    /// Nanoseconds since the Unix epoch.
    pub end_unix_nano: u64,
    /// Attributes that did not fit.
    pub dropped_attributes_count: u32,
    /// Events that did not fit.
    pub dropped_events_count: u32,
    /// Links that did not fit.
    pub dropped_links_count: u32,
    /// Its status, if one was encoded.
    pub status: Option<Status<'a>>,
    raw: &'a [u8],
}

/// A span's status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Status<'a> {
    /// For people.
    pub message: &'a [u8],
    /// `StatusCode`: 0 unset, 1 ok, 2 error.
    pub code: i32,
}

/// A span's event.
#[derive(Debug, Clone, Copy, Default)]
pub struct Event<'a> {
    /// Nanoseconds since the Unix epoch.
    pub time_unix_nano: u64,
    /// Its name.
    pub name: &'a [u8],
    /// Attributes that did not fit.
    pub dropped_attributes_count: u32,
    raw: &'a [u8],
}

/// A span's link to another.
#[derive(Debug, Clone, Copy, Default)]
pub struct Link<'a> {
    /// The other's trace.
    pub trace_id: [u8; 16],
    /// The other span.
    pub span_id: [u8; 8],
    /// The other's trace state.
    pub trace_state: &'a [u8],
    /// Attributes that did not fit.
    pub dropped_attributes_count: u32,
    /// As [`Span::flags`].
    pub flags: u32,
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

impl<'a> ResourceSpans<'a> {
    /// The resource; without attributes if none was encoded.
    pub fn resource(&self) -> Result<Resource<'a>, Malformed> {
        last_bytes(self.0, 1).map(Resource)
    }

    /// The schema of the resource.
    pub fn schema_url(&self) -> Result<&'a [u8], Malformed> {
        last_bytes(self.0, 3)
    }

    /// Its scopes.
    pub fn scope_spans(&self) -> impl Iterator<Item = Result<ScopeSpans<'a>, Malformed>> + use<'a> {
        messages(self.0, 2).map(|message| message.map(ScopeSpans))
    }
}

impl<'a> Resource<'a> {
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

    /// The text value of the attribute `key`.
    pub fn text(&self, key: &str) -> Result<Option<&'a [u8]>, Malformed> {
        self.attributes().find_text(key)
    }
}

impl<'a> ScopeSpans<'a> {
    /// The scope.
    pub fn scope(&self) -> Result<Scope<'a>, Malformed> {
        let raw = last_bytes(self.0, 1)?;
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

    /// The schema of its spans.
    pub fn schema_url(&self) -> Result<&'a [u8], Malformed> {
        last_bytes(self.0, 3)
    }

    /// Its spans.
    pub fn spans(&self) -> impl Iterator<Item = Result<Span<'a>, Malformed>> + use<'a> {
        messages(self.0, 2).map(|message| message.and_then(Span::read))
    }
}

impl<'a> Scope<'a> {
    /// Its attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.raw, 3)
    }
}

impl<'a> Span<'a> {
    fn read(raw: &'a [u8]) -> Result<Self, Malformed> {
        let mut span = Span { raw, ..Span::default() };
        for field in fields(raw) {
            span.set(&field?)?;
        }
        Ok(span)
    }

    fn set(&mut self, field: &Field<'a>) -> Result<(), Malformed> {
        match field.number {
            1 => self.trace_id = id(field.bytes()?)?.unwrap_or_default(),
            2 => self.span_id = id(field.bytes()?)?.unwrap_or_default(),
            3 => self.trace_state = field.bytes()?,
            4 => self.parent_span_id = id(field.bytes()?)?.filter(|id| *id != [0; 8]),
            5 => self.name = field.bytes()?,
            6 => self.kind = field.varint()? as i32,
            7 => self.start_unix_nano = field.fixed64()?,
            8 => self.end_unix_nano = field.fixed64()?,
            10 => self.dropped_attributes_count = field.varint()? as u32,
            12 => self.dropped_events_count = field.varint()? as u32,
            14 => self.dropped_links_count = field.varint()? as u32,
            15 => self.status = Some(Status::read(field.bytes()?)?),
            16 => self.flags = field.fixed32()?,
            _ => {}
        }
        Ok(())
    }

    /// Its attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.raw, 9)
    }

    /// Its events.
    pub fn events(&self) -> impl Iterator<Item = Result<Event<'a>, Malformed>> + use<'a> {
        messages(self.raw, 11).map(|message| message.and_then(Event::read))
    }

    /// Its links.
    pub fn links(&self) -> impl Iterator<Item = Result<Link<'a>, Malformed>> + use<'a> {
        messages(self.raw, 13).map(|message| message.and_then(Link::read))
    }
}

impl<'a> Status<'a> {
    fn read(raw: &'a [u8]) -> Result<Self, Malformed> {
        let mut status = Status::default();
        for field in fields(raw) {
            let field = field?;
            match field.number {
                2 => status.message = field.bytes()?,
                3 => status.code = field.varint()? as i32,
                _ => {}
            }
        }
        Ok(status)
    }
}

impl<'a> Event<'a> {
    fn read(raw: &'a [u8]) -> Result<Self, Malformed> {
        let mut event = Event {
            raw,
            ..Event::default()
        };
        for field in fields(raw) {
            let field = field?;
            match field.number {
                1 => event.time_unix_nano = field.fixed64()?,
                2 => event.name = field.bytes()?,
                4 => event.dropped_attributes_count = field.varint()? as u32,
                _ => {}
            }
        }
        Ok(event)
    }

    /// Its attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.raw, 3)
    }
}

impl<'a> Link<'a> {
    fn read(raw: &'a [u8]) -> Result<Self, Malformed> {
        let mut link = Link { raw, ..Link::default() };
        for field in fields(raw) {
            let field = field?;
            match field.number {
                1 => link.trace_id = id(field.bytes()?)?.unwrap_or_default(),
                2 => link.span_id = id(field.bytes()?)?.unwrap_or_default(),
                3 => link.trace_state = field.bytes()?,
                5 => link.dropped_attributes_count = field.varint()? as u32,
                6 => link.flags = field.fixed32()?,
                _ => {}
            }
        }
        Ok(link)
    }

    /// Its attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.raw, 4)
    }
}

/// Walks the attributes of a message.
#[derive(Debug, Clone)]
pub struct Attributes<'a> {
    fields: Fields<'a>,
    number: u32,
    depth: usize,
}

impl<'a> Attributes<'a> {
    fn new(raw: &'a [u8], number: u32) -> Self {
        Attributes {
            fields: fields(raw),
            number,
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
        let raw = next_message(&mut self.fields, self.number)?;
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
                2 => attribute.value = AnyValue::read(field.bytes()?, depth)?,
                _ => {}
            }
        }
        Ok(attribute)
    }
}

impl<'a> AnyValue<'a> {
    fn read(raw: &'a [u8], depth: usize) -> Result<Option<Self>, Malformed> {
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
        messages(self.raw, 1).map(move |raw| raw.and_then(|raw| AnyValue::read(raw, depth)))
    }

    /// The entries of a key-value list.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes {
            fields: fields(self.raw),
            number: 1,
            depth: self.depth,
        }
    }
}

/// The repeated message field `number` of `message`.
pub(crate) fn messages(message: &[u8], number: u32) -> impl Iterator<Item = Result<&[u8], Malformed>> {
    let mut fields = fields(message);
    std::iter::from_fn(move || next_message(&mut fields, number))
}

fn next_message<'a>(fields: &mut Fields<'a>, number: u32) -> Option<Result<&'a [u8], Malformed>> {
    fields.find_map(|field| match field {
        Ok(field) if field.number == number => Some(field.bytes()),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

/// The last occurrence of a singular field, which is the one that counts for scalars. An encoder that splits one message
/// over several occurrences is allowed by protobuf, but there is none.
fn last_bytes(message: &[u8], number: u32) -> Result<&[u8], Malformed> {
    let mut found: &[u8] = &[];
    for field in fields(message) {
        let field = field?;
        if field.number == number {
            found = match field.value {
                FieldValue::Bytes(bytes) => bytes,
                _ => return Err(Malformed::FieldType(number)),
            };
        }
    }
    Ok(found)
}

fn id<const N: usize>(bytes: &[u8]) -> Result<Option<[u8; N]>, Malformed> {
    if bytes.is_empty() {
        return Ok(None);
    }
    <[u8; N]>::try_from(bytes)
        .map(Some)
        .map_err(|_| Malformed::IdLength(bytes.len()))
}
