//! OTLP/JSON from the views over encoded traces, for those who have a view in hand.

use super::text::{
    Separator, put_base64, put_count, put_double, put_id, put_key, put_long, put_number, put_signed, put_string,
    put_text,
};
use crate::proto::Malformed;
use crate::traces::{AnyValue, Attributes, Event, Link, ResourceSpans, Scope, ScopeSpans, Span, resource_spans};

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
        Some(AnyValue::Bool(true)) => out.extend_from_slice(b"{\"boolValue\":true"),
        Some(AnyValue::Bool(false)) => out.extend_from_slice(b"{\"boolValue\":false"),
        Some(AnyValue::Int(value)) => {
            out.extend_from_slice(b"{\"intValue\":\"");
            put_signed(out, value);
            out.push(b'"');
        }
        Some(AnyValue::Double(value)) => {
            out.extend_from_slice(b"{\"doubleValue\":");
            put_double(out, value);
        }
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
