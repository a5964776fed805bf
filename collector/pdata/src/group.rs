use crate::proto::Malformed;
use crate::scan::{Scan, last_bytes};
use crate::{Payload, count};

/// A `ResourceSpans`, `ResourceMetrics` or `ResourceLogs`: items of one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group<'a> {
    /// The encoded `Resource`; empty if there is none.
    pub resource: &'a [u8],
    /// Spans, data points or log records.
    pub items: usize,
    /// The encoded length, with what precedes it in the request.
    pub bytes: usize,
}

/// Calls `each` for the groups of a payload, in order. One that is alone is not looked into, since its items are counted
/// already.
pub fn groups(payload: &Payload, mut each: impl FnMut(Group<'_>)) -> Result<(), Malformed> {
    for chunk in payload.chunks() {
        let mut scan = Scan::new(chunk);
        while let Some(at) = scan.next()? {
            if at.number != 1 {
                continue;
            }
            let message = at.bytes(chunk)?;
            let bytes = at.end - at.start;
            let items = if bytes == payload.bytes() {
                payload.items()
            } else {
                count::of_resource(payload.signal(), message)?
            };
            each(Group {
                resource: last_bytes(message, 1)?,
                items,
                bytes,
            });
        }
    }
    Ok(())
}
