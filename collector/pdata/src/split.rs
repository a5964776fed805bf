//! Cuts encoded traces at spans' boundaries.

use crate::proto::{BYTES, Malformed, messages, put_bytes, put_key, put_varint};
use crate::traces::resource_spans;
use crate::{Payload, count, proto};
use bytes::Bytes;

/// Cuts `payload` into payloads of at most `max_items` spans (at least one), in order. Pieces that fit stay as they are.
/// A piece that must be cut is written anew, with its resource and scope in each part.
pub fn traces(payload: Payload, max_items: usize) -> Result<Vec<Payload>, Malformed> {
    let max_items = max_items.max(1);
    if payload.items() <= max_items {
        return Ok(vec![payload]);
    }
    let mut cutter = Cutter {
        max_items,
        open: Payload::empty(payload.signal()),
        done: Vec::new(),
    };
    for chunk in payload.chunks() {
        let items = count(payload.signal(), chunk)?;
        if cutter.open.items() + items <= max_items {
            cutter.add(Payload::new(payload.signal(), chunk.clone(), items));
        } else {
            cutter.cut(chunk)?;
        }
    }
    cutter.close();
    Ok(cutter.done)
}

struct Cutter {
    max_items: usize,
    open: Payload,
    done: Vec<Payload>,
}

impl Cutter {
    fn cut(&mut self, request: &[u8]) -> Result<(), Malformed> {
        for resource in resource_spans(request) {
            let resource = resource?;
            for scope in resource.scope_spans() {
                self.cut_scope(resource.0, scope?.0)?;
            }
        }
        Ok(())
    }

    fn cut_scope(&mut self, resource: &[u8], scope: &[u8]) -> Result<(), Malformed> {
        let mut spans = Vec::new();
        let mut count = 0;
        for span in messages(scope, 2) {
            put_bytes(&mut spans, 2, span?);
            count += 1;
            if self.open.items() + count == self.max_items {
                self.take(resource, scope, &mut spans, &mut count)?;
            }
        }
        self.take(resource, scope, &mut spans, &mut count)
    }

    fn take(&mut self, resource: &[u8], scope: &[u8], spans: &mut Vec<u8>, count: &mut usize) -> Result<(), Malformed> {
        if *count == 0 {
            return Ok(());
        }
        let mut scope_spans = all_but(scope, 2)?;
        scope_spans.append(spans);
        let mut resource_spans = all_but(resource, 2)?;
        put_bytes(&mut resource_spans, 2, &scope_spans);
        let mut request = Vec::with_capacity(resource_spans.len() + 8);
        put_bytes(&mut request, 1, &resource_spans);
        let part = Payload::new(self.open.signal(), Bytes::from(request), std::mem::take(count));
        self.add(part);
        Ok(())
    }

    fn add(&mut self, part: Payload) {
        self.open.append(part);
        if self.open.items() == self.max_items {
            self.close();
        }
    }

    fn close(&mut self) {
        if self.open.items() > 0 {
            let next = Payload::empty(self.open.signal());
            self.done.push(std::mem::replace(&mut self.open, next));
        }
    }
}

/// A copy of `message` without the fields `number`.
fn all_but(message: &[u8], number: u32) -> Result<Vec<u8>, Malformed> {
    let mut out = Vec::new();
    for field in proto::fields(message) {
        let field = field?;
        if field.number == number {
            continue;
        }
        match field.value {
            proto::FieldValue::Varint(value) => {
                put_key(&mut out, field.number, proto::VARINT);
                put_varint(&mut out, value);
            }
            proto::FieldValue::Fixed64(value) => {
                put_key(&mut out, field.number, proto::FIXED64);
                out.extend_from_slice(&value.to_le_bytes());
            }
            proto::FieldValue::Fixed32(value) => {
                put_key(&mut out, field.number, proto::FIXED32);
                out.extend_from_slice(&value.to_le_bytes());
            }
            proto::FieldValue::Bytes(bytes) => {
                put_key(&mut out, field.number, BYTES);
                put_varint(&mut out, bytes.len() as u64);
                out.extend_from_slice(bytes);
            }
        }
    }
    Ok(out)
}
