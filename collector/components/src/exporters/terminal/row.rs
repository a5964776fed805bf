use collector_pdata::traces::{AnyValue, Span, resource_spans};
use collector_pdata::{Malformed, Payload};
use std::sync::Arc;

/// What is shown of a span. Texts are cut to a length that bounds the memory, and escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) trace_id: [u8; 16],
    pub(crate) span_id: [u8; 8],
    pub(crate) parent: Option<[u8; 8]>,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) service: Arc<str>,
    pub(crate) name: String,
    /// Where the name does not tell: the path, or the URL.
    pub(crate) target: String,
    pub(crate) kind: &'static str,
    pub(crate) http_status: Option<i64>,
    /// `error.type`, or `error` if the status alone says so.
    pub(crate) error: Option<String>,
}

const MAX_TEXT: usize = 200;

/// The rows of a payload, in its order.
pub(crate) fn rows(payload: &Payload) -> Result<Vec<Row>, Malformed> {
    let mut rows = Vec::with_capacity(payload.items());
    for chunk in payload.chunks() {
        for resource in resource_spans(chunk) {
            let resource = resource?;
            let service = resource.resource()?.text("service.name")?.unwrap_or(b"unknown_service");
            let service: Arc<str> = shown(service).into();
            for scope in resource.scope_spans() {
                for span in scope?.spans() {
                    rows.push(row(&span?, &service)?);
                }
            }
        }
    }
    Ok(rows)
}

fn row(span: &Span<'_>, service: &Arc<str>) -> Result<Row, Malformed> {
    let mut row = Row {
        trace_id: span.trace_id,
        span_id: span.span_id,
        parent: span.parent_span_id,
        start: span.start_unix_nano,
        end: span.end_unix_nano.max(span.start_unix_nano),
        service: service.clone(),
        name: shown(span.name),
        target: String::new(),
        kind: kind(span.kind),
        http_status: None,
        error: None,
    };
    let (mut has_route, mut error_type) = (false, None);
    for attribute in span.attributes() {
        let attribute = attribute?;
        match (attribute.key, attribute.value) {
            (b"http.route", _) => has_route = true,
            (b"url.path" | b"url.full", Some(AnyValue::Text(text))) => row.target = shown(text),
            (b"http.response.status_code", Some(AnyValue::Int(status))) => row.http_status = Some(status),
            (b"error.type", Some(AnyValue::Text(text))) => error_type = Some(shown(text)),
            _ => {}
        }
    }
    if has_route {
        row.target.clear();
    }
    if span.status.is_some_and(|status| status.code == 2) {
        row.error = Some(error_type.unwrap_or_else(|| "error".to_owned()));
    }
    Ok(row)
}

fn kind(number: i32) -> &'static str {
    match number {
        2 => "server",
        3 => "client",
        4 => "producer",
        5 => "consumer",
        _ => "internal",
    }
}

/// Text that cannot do anything to a terminal: control characters, and those that change the direction of writing, are
/// shown by their number.
pub(crate) fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut out = String::new();
    for (index, c) in text.chars().enumerate() {
        if index == MAX_TEXT {
            out.push('…');
            break;
        }
        if can_control(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Whether the character does something to a terminal, be it only that others stand elsewhere.
pub(crate) fn can_control(c: char) -> bool {
    let reorders = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || reorders || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_can_control_the_terminal_or_fill_the_memory() {
        assert_eq!(shown(b"GET /a\x1b[2J\r\n\xff"), "GET /a\\u{1b}[2J\\u{d}\\u{a}\u{fffd}");
        assert_eq!(shown("a\u{202e}b\u{9b}c é".as_bytes()), "a\\u{202e}b\\u{9b}c é");
        assert_eq!(shown(&[b'x'; 5000]).chars().count(), MAX_TEXT + 1);
    }
}
