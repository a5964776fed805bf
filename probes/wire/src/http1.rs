use crate::layout::{self, u16_at, u64_at};
use crate::{DecodeError, Endpoint, Http1, SpanHeader};

/// Reads a `struct http1_record`.
pub(crate) fn decode(span: SpanHeader, record: &[u8]) -> Result<Http1<'_>, DecodeError> {
    layout::need(record, layout::HTTP1_REQUEST)?;
    let captured = usize::from(u16_at(record, layout::HTTP1_CAPTURED));
    let tail = &record[layout::HTTP1_REQUEST..];
    let route = usize::from(u16_at(record, layout::HTTP1_ROUTE));
    let strings = tail.get(..captured + route).ok_or(DecodeError::BadLength {
        captured: captured + route,
        available: tail.len(),
    })?;
    let (request, pattern) = strings.split_at(captured);
    let status = u16_at(record, layout::HTTP1_STATUS);
    let body = u64_at(record, layout::HTTP1_RESPONSE_BODY);
    Ok(Http1 {
        span,
        local: Endpoint::decode(record, layout::HTTP1_LOCAL),
        remote: Endpoint::decode(record, layout::HTTP1_REMOTE),
        status: (status != 0).then_some(status),
        request_bytes: u64_at(record, layout::HTTP1_REQUEST_BYTES),
        response_bytes: u64_at(record, layout::HTTP1_RESPONSE_BYTES),
        response_body: (body != u64::MAX).then_some(body),
        request,
        pattern,
    })
}
