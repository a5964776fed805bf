//! Views over encoded traces. Nothing is decoded before it is asked for, and nothing is copied.

use crate::proto::{Field, Malformed, fields};
use crate::scan::{last_bytes, messages};
use crate::view::id;
pub use crate::view::{
    AnyValue, Attribute, Attributes, EntityRef, MAX_DEPTH, Nested, Resource, Scope, resource_attributes,
};

/// The names of `SpanKind`, by number.
pub const SPAN_KINDS: [&str; 6] = [
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];

/// The names of `StatusCode`, by number.
pub const STATUS_CODES: [&str; 3] = ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];

/// The `ResourceSpans` of one encoded request.
pub fn resource_spans(request: &[u8]) -> impl Iterator<Item = Result<ResourceSpans<'_>, Malformed>> {
    messages(request, 1).map(|message| message.map(ResourceSpans))
}

/// An encoded `ResourceSpans`.
#[derive(Debug, Clone, Copy)]
pub struct ResourceSpans<'a>(pub(crate) &'a [u8]);

/// An encoded `ScopeSpans`.
#[derive(Debug, Clone, Copy)]
pub struct ScopeSpans<'a>(pub(crate) &'a [u8]);

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

impl<'a> ResourceSpans<'a> {
    /// The resource; without attributes if none was encoded.
    pub fn resource(&self) -> Result<Resource<'a>, Malformed> {
        last_bytes(self.0, 1).map(Resource::new)
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

impl<'a> ScopeSpans<'a> {
    /// The scope.
    pub fn scope(&self) -> Result<Scope<'a>, Malformed> {
        last_bytes(self.0, 1).and_then(Scope::read)
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

impl<'a> Span<'a> {
    /// Reads an encoded `Span`.
    pub fn read(raw: &'a [u8]) -> Result<Self, Malformed> {
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
