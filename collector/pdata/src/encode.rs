//! Writes spans directly to OTLP bytes.
//!
//! A [`SpanWriter`] encodes one span at a time into a scratch buffer that it keeps, and appends it to a group: the spans
//! of one resource and scope, each already framed as a field of `ScopeSpans`. [`put_resource_spans`] then wraps a group.
//! The only copies are these two, and nothing is allocated once the buffers have grown.

use crate::proto::{BYTES, FIXED32, FIXED64, VARINT, field_len, put_bytes, put_key, put_varint, varint_len};

/// `Span.SpanKind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// Within the process.
    Internal = 1,
    /// Serves a request.
    Server = 2,
    /// Makes a request.
    Client = 3,
}

/// `Span.flags`: the parent's process is known to be, or not to be, another one.
pub const FLAG_HAS_IS_REMOTE: u32 = 0x100;
/// `Span.flags`: the parent is in another process.
pub const FLAG_IS_REMOTE: u32 = 0x200;
/// `Span.flags`: the W3C sampled bit.
pub const FLAG_SAMPLED: u32 = 0x01;

/// What every span has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanStart {
    /// Not zero.
    pub trace_id: [u8; 16],
    /// Not zero.
    pub span_id: [u8; 8],
    /// `None` for a root.
    pub parent_span_id: Option<[u8; 8]>,
    /// W3C flags and the `FLAG_*` bits.
    pub flags: u32,
    /// What it does.
    pub kind: SpanKind,
    /// Nanoseconds since the Unix epoch.
    pub start_unix_nano: u64,
    /// Nanoseconds since the Unix epoch.
    pub end_unix_nano: u64,
}

/// Encodes spans. Text that is not UTF-8 is made so, since protobuf strings must be.
#[derive(Debug, Default)]
pub struct SpanWriter {
    scratch: Vec<u8>,
}

/// A span being written.
#[derive(Debug)]
pub struct OpenSpan<'w> {
    scratch: &'w mut Vec<u8>,
}

impl SpanWriter {
    /// Begins a span whose name is the concatenation of `name`.
    pub fn begin(&mut self, span: &SpanStart, name: &[&str]) -> OpenSpan<'_> {
        let out = &mut self.scratch;
        out.clear();
        put_bytes(out, 1, &span.trace_id);
        put_bytes(out, 2, &span.span_id);
        if let Some(parent) = &span.parent_span_id {
            put_bytes(out, 4, parent);
        }
        let length: usize = name.iter().map(|part| part.len()).sum();
        if length > 0 {
            put_key(out, 5, BYTES);
            put_varint(out, length as u64);
            name.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
        }
        put_key(out, 6, VARINT);
        out.push(span.kind as u8);
        put_key(out, 7, FIXED64);
        out.extend_from_slice(&span.start_unix_nano.to_le_bytes());
        put_key(out, 8, FIXED64);
        out.extend_from_slice(&span.end_unix_nano.to_le_bytes());
        if span.flags != 0 {
            put_key(out, 16, FIXED32);
            out.extend_from_slice(&span.flags.to_le_bytes());
        }
        OpenSpan { scratch: out }
    }
}

impl OpenSpan<'_> {
    /// A text attribute.
    pub fn text(&mut self, key: &str, value: &str) {
        self.attribute(key, field_len(value.len()), |out| put_bytes(out, 1, value.as_bytes()));
    }

    /// A text attribute from bytes of unknown origin.
    pub fn text_lossy(&mut self, key: &str, value: &[u8]) {
        self.text(key, &String::from_utf8_lossy(value));
    }

    /// An integer attribute.
    pub fn integer(&mut self, key: &str, value: i64) {
        let value = value as u64;
        self.attribute(key, 1 + varint_len(value), |out| {
            put_key(out, 3, VARINT);
            put_varint(out, value);
        });
    }

    /// Sets the status to `STATUS_CODE_ERROR`, without a message.
    pub fn error(&mut self) {
        put_bytes(self.scratch, 15, &[3 << 3 | VARINT, 2]);
    }

    /// Ends the span and appends it to `group`, as a field of `ScopeSpans`.
    pub fn finish(self, group: &mut Vec<u8>) {
        put_bytes(group, 2, self.scratch);
    }

    fn attribute(&mut self, key: &str, any_value: usize, put_value: impl FnOnce(&mut Vec<u8>)) {
        put_attribute(self.scratch, 9, key, any_value, put_value);
    }
}

/// Appends an integer attribute to an encoded `Resource`.
pub fn put_resource_integer(resource: &mut Vec<u8>, key: &str, value: i64) {
    let value = value as u64;
    put_attribute(resource, 1, key, 1 + varint_len(value), |out| {
        put_key(out, 3, VARINT);
        put_varint(out, value);
    });
}

/// Appends a text attribute to an encoded `Resource`.
pub fn put_resource_text(resource: &mut Vec<u8>, key: &str, value: &str) {
    put_attribute(resource, 1, key, field_len(value.len()), |out| {
        put_bytes(out, 1, value.as_bytes())
    });
}

fn put_attribute(out: &mut Vec<u8>, number: u32, key: &str, any_value: usize, put_value: impl FnOnce(&mut Vec<u8>)) {
    put_key(out, number, BYTES);
    put_varint(out, (field_len(key.len()) + field_len(any_value)) as u64);
    put_bytes(out, 1, key.as_bytes());
    put_key(out, 2, BYTES);
    put_varint(out, any_value as u64);
    put_value(out);
}

/// An encoded `InstrumentationScope`.
pub fn scope(name: &str, version: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(&mut out, 1, name.as_bytes());
    put_bytes(&mut out, 2, version.as_bytes());
    out
}

/// Appends a request's `ResourceSpans` of one resource and one scope. `spans` is a group that [`OpenSpan::finish`] filled.
pub fn put_resource_spans(out: &mut Vec<u8>, resource: &[u8], scope: &[u8], spans: &[u8]) {
    let scope_spans = field_len(scope.len()) + spans.len();
    let resource_spans = field_len(resource.len()) + field_len(scope_spans);
    out.reserve(field_len(resource_spans));
    put_key(out, 1, BYTES);
    put_varint(out, resource_spans as u64);
    put_bytes(out, 1, resource);
    put_key(out, 2, BYTES);
    put_varint(out, scope_spans as u64);
    put_bytes(out, 1, scope);
    out.extend_from_slice(spans);
}
