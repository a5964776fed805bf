//! The events of an encoded span.

use collector_pdata::Malformed;
use collector_pdata::edit::Change;
use collector_pdata::proto::{fields, put_bytes};

/// The number of `Span.events`.
const EVENTS: u32 = 11;

/// The events of `span`, in their order.
pub fn events(span: &[u8]) -> impl Iterator<Item = Result<&[u8], Malformed>> {
    let events = fields(span).filter(|field| !matches!(field, Ok(field) if field.number != EVENTS));
    events.map(|field| field?.bytes())
}

/// Asks `edit` about each event of `span`, and appends the span with what came of them to `out`, unless nothing did.
/// `edit` gets room for another event.
pub fn edit_events<'m>(
    span: &'m [u8],
    out: &mut Vec<u8>,
    mut edit: impl FnMut(&'m [u8], &mut Vec<u8>) -> Result<Change, Malformed>,
) -> Result<Change, Malformed> {
    let mut walk = fields(span);
    let (mut start, mut copied) = (0, 0);
    let mut changed = Change::Keep;
    let mut event = Vec::new();
    while let Some(field) = walk.next() {
        let field = field?;
        let end = span.len() - walk.remaining();
        if field.number == EVENTS {
            event.clear();
            let change = edit(field.bytes()?, &mut event)?;
            if change != Change::Keep {
                changed = Change::Replace;
                out.extend_from_slice(&span[copied..start]);
                copied = end;
            }
            if change == Change::Replace {
                put_bytes(out, EVENTS, &event);
            }
        }
        start = end;
    }
    if changed == Change::Replace {
        out.extend_from_slice(&span[copied..]);
    }
    Ok(changed)
}
