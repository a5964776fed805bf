//! OTLP/JSON from encoded traces: lowerCamelCase keys, ids in hex, 64-bit numbers as text, enums as numbers.
//!
//! Fields with their default value are left out, as protobuf's JSON mapping allows.

use crate::proto::Malformed;
use crate::traces::{AnyValue, Attributes, Event, Link, ResourceSpans, Scope, ScopeSpans, Span, resource_spans};
use std::io::Write;

/// Appends one `ExportTraceServiceRequest` as one line without its end. On an error `out` is as it was.
pub fn put_traces<'a>(out: &mut Vec<u8>, chunks: impl IntoIterator<Item = &'a [u8]>) -> Result<(), Malformed> {
    let start = out.len();
    let result = put_request(out, chunks);
    if result.is_err() {
        out.truncate(start);
    }
    result
}

fn put_request<'a>(out: &mut Vec<u8>, chunks: impl IntoIterator<Item = &'a [u8]>) -> Result<(), Malformed> {
    out.extend_from_slice(b"{\"resourceSpans\":[");
    let mut list = Separator::default();
    for chunk in chunks {
        for resource in resource_spans(chunk) {
            list.put(out);
            put_resource_spans(out, &resource?)?;
        }
    }
    out.extend_from_slice(b"]}");
    Ok(())
}

fn put_resource_spans(out: &mut Vec<u8>, spans: &ResourceSpans<'_>) -> Result<(), Malformed> {
    let resource = spans.resource()?;
    out.extend_from_slice(b"{\"resource\":{");
    let mut object = Separator::default();
    put_attributes(out, &mut object, resource.attributes())?;
    put_count(
        out,
        &mut object,
        "droppedAttributesCount",
        resource.dropped_attributes_count()?,
    );
    out.extend_from_slice(b"},\"scopeSpans\":[");
    let mut list = Separator::default();
    for scope in spans.scope_spans() {
        list.put(out);
        put_scope_spans(out, &scope?)?;
    }
    out.push(b']');
    put_text(out, &mut Separator(true), "schemaUrl", spans.schema_url()?);
    out.push(b'}');
    Ok(())
}

fn put_scope_spans(out: &mut Vec<u8>, spans: &ScopeSpans<'_>) -> Result<(), Malformed> {
    out.extend_from_slice(b"{\"scope\":{");
    put_scope(out, &spans.scope()?)?;
    out.extend_from_slice(b"},\"spans\":[");
    let mut list = Separator::default();
    for span in spans.spans() {
        list.put(out);
        put_span(out, &span?)?;
    }
    out.push(b']');
    put_text(out, &mut Separator(true), "schemaUrl", spans.schema_url()?);
    out.push(b'}');
    Ok(())
}

fn put_scope(out: &mut Vec<u8>, scope: &Scope<'_>) -> Result<(), Malformed> {
    let mut object = Separator::default();
    put_text(out, &mut object, "name", scope.name);
    put_text(out, &mut object, "version", scope.version);
    put_attributes(out, &mut object, scope.attributes())?;
    put_count(
        out,
        &mut object,
        "droppedAttributesCount",
        scope.dropped_attributes_count,
    );
    Ok(())
}

/// Appends one span as a JSON object.
pub fn put_span(out: &mut Vec<u8>, span: &Span<'_>) -> Result<(), Malformed> {
    out.push(b'{');
    let mut object = Separator::default();
    put_id(out, &mut object, "traceId", &span.trace_id);
    put_id(out, &mut object, "spanId", &span.span_id);
    put_text(out, &mut object, "traceState", span.trace_state);
    if let Some(parent) = &span.parent_span_id {
        put_id(out, &mut object, "parentSpanId", parent);
    }
    put_count(out, &mut object, "flags", span.flags);
    put_text(out, &mut object, "name", span.name);
    put_number(out, &mut object, "kind", span.kind);
    put_long(out, &mut object, "startTimeUnixNano", span.start_unix_nano);
    put_long(out, &mut object, "endTimeUnixNano", span.end_unix_nano);
    put_attributes(out, &mut object, span.attributes())?;
    put_count(
        out,
        &mut object,
        "droppedAttributesCount",
        span.dropped_attributes_count,
    );
    put_list(out, &mut object, "events", span.events(), put_event)?;
    put_count(out, &mut object, "droppedEventsCount", span.dropped_events_count);
    put_list(out, &mut object, "links", span.links(), put_link)?;
    put_count(out, &mut object, "droppedLinksCount", span.dropped_links_count);
    put_key(out, &mut object, "status");
    out.push(b'{');
    if let Some(status) = &span.status {
        let mut object = Separator::default();
        put_text(out, &mut object, "message", status.message);
        put_number(out, &mut object, "code", status.code);
    }
    out.extend_from_slice(b"}}");
    Ok(())
}

fn put_event(out: &mut Vec<u8>, event: &Event<'_>) -> Result<(), Malformed> {
    let mut object = Separator::default();
    put_long(out, &mut object, "timeUnixNano", event.time_unix_nano);
    put_text(out, &mut object, "name", event.name);
    put_attributes(out, &mut object, event.attributes())?;
    put_count(
        out,
        &mut object,
        "droppedAttributesCount",
        event.dropped_attributes_count,
    );
    Ok(())
}

fn put_link(out: &mut Vec<u8>, link: &Link<'_>) -> Result<(), Malformed> {
    let mut object = Separator::default();
    put_id(out, &mut object, "traceId", &link.trace_id);
    put_id(out, &mut object, "spanId", &link.span_id);
    put_text(out, &mut object, "traceState", link.trace_state);
    put_attributes(out, &mut object, link.attributes())?;
    put_count(
        out,
        &mut object,
        "droppedAttributesCount",
        link.dropped_attributes_count,
    );
    put_count(out, &mut object, "flags", link.flags);
    Ok(())
}

fn put_list<T>(
    out: &mut Vec<u8>,
    object: &mut Separator,
    key: &str,
    items: impl Iterator<Item = Result<T, Malformed>>,
    put: fn(&mut Vec<u8>, &T) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut list = Separator::default();
    for item in items {
        if !list.0 {
            put_key(out, object, key);
            out.push(b'[');
        }
        list.put(out);
        out.push(b'{');
        put(out, &item?)?;
        out.push(b'}');
    }
    if list.0 {
        out.push(b']');
    }
    Ok(())
}

fn put_attributes(out: &mut Vec<u8>, object: &mut Separator, attributes: Attributes<'_>) -> Result<(), Malformed> {
    let mut list = Separator::default();
    for attribute in attributes {
        let attribute = attribute?;
        if !list.0 {
            put_key(out, object, "attributes");
            out.push(b'[');
        }
        list.put(out);
        put_attribute(out, attribute.key, attribute.value)?;
    }
    if list.0 {
        out.push(b']');
    }
    Ok(())
}

fn put_attribute(out: &mut Vec<u8>, key: &[u8], value: Option<AnyValue<'_>>) -> Result<(), Malformed> {
    out.extend_from_slice(b"{\"key\":");
    put_string(out, key);
    out.extend_from_slice(b",\"value\":");
    put_value(out, value)?;
    out.push(b'}');
    Ok(())
}

/// The view bounds the nesting, and so the recursion here.
fn put_value(out: &mut Vec<u8>, value: Option<AnyValue<'_>>) -> Result<(), Malformed> {
    match value {
        None => out.extend_from_slice(b"{"),
        Some(AnyValue::Text(text)) => {
            out.extend_from_slice(b"{\"stringValue\":");
            put_string(out, text);
        }
        Some(AnyValue::Bool(value)) => put(out, format_args!("{{\"boolValue\":{value}")),
        Some(AnyValue::Int(value)) => {
            out.extend_from_slice(b"{\"intValue\":\"");
            if value < 0 {
                out.push(b'-');
            }
            put_decimal(out, value.unsigned_abs());
            out.push(b'"');
        }
        Some(AnyValue::Double(value)) => put_double(out, value),
        Some(AnyValue::Bytes(bytes)) => {
            out.extend_from_slice(b"{\"bytesValue\":\"");
            put_base64(out, bytes);
            out.push(b'"');
        }
        Some(AnyValue::Array(nested)) => {
            out.extend_from_slice(b"{\"arrayValue\":{\"values\":[");
            let mut list = Separator::default();
            for value in nested.values() {
                list.put(out);
                put_value(out, value?)?;
            }
            out.extend_from_slice(b"]}");
        }
        Some(AnyValue::Map(nested)) => {
            out.extend_from_slice(b"{\"kvlistValue\":{\"values\":[");
            let mut list = Separator::default();
            for attribute in nested.attributes() {
                let attribute = attribute?;
                list.put(out);
                put_attribute(out, attribute.key, attribute.value)?;
            }
            out.extend_from_slice(b"]}");
        }
    }
    out.push(b'}');
    Ok(())
}

/// JSON has no numbers for these three; protobuf's mapping writes them as text.
fn put_double(out: &mut Vec<u8>, value: f64) {
    match value {
        value if value.is_nan() => out.extend_from_slice(b"{\"doubleValue\":\"NaN\""),
        f64::INFINITY => out.extend_from_slice(b"{\"doubleValue\":\"Infinity\""),
        f64::NEG_INFINITY => out.extend_from_slice(b"{\"doubleValue\":\"-Infinity\""),
        value => put(out, format_args!("{{\"doubleValue\":{value:?}")),
    }
}

/// Puts a comma before each element but the first.
#[derive(Debug, Default)]
struct Separator(bool);

impl Separator {
    fn put(&mut self, out: &mut Vec<u8>) {
        if self.0 {
            out.push(b',');
        }
        self.0 = true;
    }
}

fn put(out: &mut Vec<u8>, arguments: std::fmt::Arguments<'_>) {
    // Writing to memory cannot fail.
    let _ = out.write_fmt(arguments);
}

fn put_key(out: &mut Vec<u8>, object: &mut Separator, key: &str) {
    object.put(out);
    out.push(b'"');
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
}

fn put_text(out: &mut Vec<u8>, object: &mut Separator, key: &str, text: &[u8]) {
    if !text.is_empty() {
        put_key(out, object, key);
        put_string(out, text);
    }
}

fn put_count(out: &mut Vec<u8>, object: &mut Separator, key: &str, count: u32) {
    if count != 0 {
        put_key(out, object, key);
        put_decimal(out, u64::from(count));
    }
}

fn put_number(out: &mut Vec<u8>, object: &mut Separator, key: &str, number: i32) {
    if number != 0 {
        put_key(out, object, key);
        put(out, format_args!("{number}"));
    }
}

fn put_long(out: &mut Vec<u8>, object: &mut Separator, key: &str, number: u64) {
    put_key(out, object, key);
    out.push(b'"');
    put_decimal(out, number);
    out.push(b'"');
}

fn put_id(out: &mut Vec<u8>, object: &mut Separator, key: &str, id: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    put_key(out, object, key);
    out.push(b'"');
    // An id of zeros is how an empty one is read.
    if id.iter().any(|byte| *byte != 0) {
        out.extend(
            id.iter()
                .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]),
        );
    }
    out.push(b'"');
}

/// A JSON string; what is not UTF-8 becomes U+FFFD, and control characters are escaped.
fn put_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    match std::str::from_utf8(text) {
        Ok(text) => put_escaped(out, text.as_bytes()),
        Err(_) => put_escaped(out, String::from_utf8_lossy(text).as_bytes()),
    }
    out.push(b'"');
}

/// Copies runs of bytes that stand for themselves, which nearly always is all of it.
fn put_escaped(out: &mut Vec<u8>, mut text: &[u8]) {
    while let Some(at) = text
        .iter()
        .position(|byte| matches!(byte, 0..=0x1f | 0x7f | b'"' | b'\\'))
    {
        out.extend_from_slice(&text[..at]);
        match text[at] {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            control => put(out, format_args!("\\u{control:04x}")),
        }
        text = &text[at + 1..];
    }
    out.extend_from_slice(text);
}

fn put_decimal(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return out.extend_from_slice(&digits[start..]);
        }
    }
}

fn put_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for group in bytes.chunks(3) {
        let mut padded = [0; 3];
        padded[..group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes([0, padded[0], padded[1], padded[2]]);
        for digit in 0..4 {
            let index = (bits >> (18 - 6 * digit)) & 63;
            out.push(if digit <= group.len() {
                DIGITS[index as usize]
            } else {
                b'='
            });
        }
    }
}
