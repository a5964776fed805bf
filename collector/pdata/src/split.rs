//! Cuts encoded payloads at items' boundaries.

use crate::proto::{BYTES, Malformed, put_bytes, put_key, put_length, varint_len};
use crate::scan::{Scan, messages, put_all_but};
use crate::{ItemKind, Payload, Signal, count};
use bytes::Bytes;

/// Cuts `payload` into payloads of at most `max_items` items (at least one) and at most `max_bytes` bytes, in order; only
/// an item that is too large by itself, with its resource and scope, makes a larger one. `usize::MAX` is no limit. Pieces
/// that fit stay as they are. A piece that must be cut is written anew, with resource, scope and metric in each part;
/// what has no items is left out of it.
///
/// A stranger may put a million items of two bytes into a resource of megabytes. When the parts would take many times the
/// memory of the payload, all that is left becomes one part, whatever the limits.
pub fn parts(payload: Payload, max_items: usize, max_bytes: usize) -> Result<Vec<Payload>, Malformed> {
    let mut cutter = Cutter {
        signal: payload.signal(),
        max_items: max_items.max(1),
        max_bytes,
        open: Payload::empty(payload.signal()),
        done: Vec::new(),
        part: Part::default(),
        spare: LEAST_SPARE.saturating_add(payload.bytes().saturating_mul(SPARE)),
    };
    if cutter.fits(payload.items(), payload.bytes()) {
        return Ok(vec![payload]);
    }
    for chunk in payload.chunks() {
        let items = count(payload.signal(), chunk)?;
        if cutter.fits(items, chunk.len()) {
            cutter.take_part();
            cutter.open.append(Payload::new(payload.signal(), chunk.clone(), items));
        } else {
            cutter.cut(chunk)?;
        }
    }
    cutter.close();
    Ok(cutter.done)
}

/// Fills `part` with items, and `open` with parts and whole pieces until the limits are reached.
struct Cutter {
    signal: Signal,
    max_items: usize,
    max_bytes: usize,
    open: Payload,
    done: Vec<Payload>,
    part: Part,
    /// What cuts may still take.
    spare: usize,
}

/// What all cuts of a payload may take, in bytes, and more of a payload in times its own bytes.
const LEAST_SPARE: usize = 64 << 20;
const SPARE: usize = 8;
/// What a cut takes beside the fields that are written once more.
const CUT: usize = 256;

impl Cutter {
    /// Whether so much more fits into what is open.
    fn fits(&self, items: usize, bytes: usize) -> bool {
        self.items() + items <= self.max_items && self.open.bytes() + self.part.out.len() + bytes <= self.max_bytes
    }

    fn items(&self) -> usize {
        self.open.items() + self.part.items
    }

    fn cut(&mut self, request: &[u8]) -> Result<(), Malformed> {
        for resource in messages(request, 1) {
            let resource = resource?;
            self.part.enter(1, resource, |field| field == 2)?;
            for scope in messages(resource, 2) {
                let scope = scope?;
                self.part.enter(2, scope, |field| field == 2)?;
                self.cut_scope(scope)?;
                self.part.leave();
            }
            self.part.leave();
        }
        Ok(())
    }

    fn cut_scope(&mut self, scope: &[u8]) -> Result<(), Malformed> {
        for message in messages(scope, 2) {
            let message = message?;
            if self.signal == Signal::Metrics {
                self.part
                    .enter(2, message, |field| ItemKind::of_data(field).is_some())?;
                self.cut_metric(message)?;
                self.part.leave();
            } else {
                self.put_item(2, message);
            }
        }
        Ok(())
    }

    fn cut_metric(&mut self, metric: &[u8]) -> Result<(), Malformed> {
        let mut scan = Scan::new(metric);
        while let Some(field) = scan.next()? {
            if ItemKind::of_data(field.number).is_some() {
                let data = field.bytes(metric)?;
                self.part.enter(field.number, data, |field| field == 1)?;
                for point in messages(data, 1) {
                    self.put_item(1, point?);
                }
                self.part.leave();
            }
        }
        Ok(())
    }

    /// Puts an item where it fits: into the open part, or into the next one.
    fn put_item(&mut self, number: u32, item: &[u8]) {
        if self.items() >= self.max_items {
            self.cut_here();
        }
        let (begun, length) = (self.part.begun, self.part.out.len());
        self.part.put_item(number, item);
        if !self.fits(0, 0) && self.items() > 1 {
            self.part.take_back(begun, length);
            self.cut_here();
            self.part.put_item(number, item);
        }
    }

    /// Closes what is open, if there is anything left for another cut.
    fn cut_here(&mut self) {
        if let Some(spare) = self.spare.checked_sub(self.part.prefixes() + CUT) {
            self.spare = spare;
            self.close();
        }
    }

    /// Moves the items of the part, as a piece, to what is open.
    fn take_part(&mut self) {
        if let Some((piece, items)) = self.part.take() {
            self.open.append(Payload::new(self.signal, piece, items));
        }
    }

    fn close(&mut self) {
        self.take_part();
        if self.open.items() > 0 {
            let next = Payload::empty(self.signal);
            self.done.push(std::mem::replace(&mut self.open, next));
        }
    }
}

/// Resource, scope, metric and data.
const DEEPEST: usize = 4;

/// A request being written: the items so far, in messages that are begun with the first item that goes into them.
#[derive(Default)]
struct Part {
    out: Vec<u8>,
    items: usize,
    frames: [Frame; DEEPEST],
    depth: usize,
    begun: usize,
}

/// A message that the walk is in.
#[derive(Default)]
struct Frame {
    number: u32,
    /// Its fields but those that hold items.
    prefix: Vec<u8>,
    /// The room of its length, which never is longer than in the source.
    width: usize,
    /// Where its body begins in the part.
    body: usize,
}

impl Part {
    fn enter(&mut self, number: u32, message: &[u8], holds_items: impl Fn(u32) -> bool) -> Result<(), Malformed> {
        let frame = &mut self.frames[self.depth];
        frame.prefix.clear();
        put_all_but(&mut frame.prefix, message, holds_items)?;
        frame.number = number;
        frame.width = varint_len(message.len() as u64);
        self.depth += 1;
        Ok(())
    }

    fn leave(&mut self) {
        self.depth -= 1;
        if self.begun > self.depth {
            self.end_frame();
        }
    }

    fn put_item(&mut self, number: u32, item: &[u8]) {
        for frame in &mut self.frames[self.begun..self.depth] {
            put_key(&mut self.out, frame.number, BYTES);
            self.out.resize(self.out.len() + frame.width, 0);
            frame.body = self.out.len();
            self.out.extend_from_slice(&frame.prefix);
        }
        self.begun = self.depth;
        put_bytes(&mut self.out, number, item);
        self.items += 1;
    }

    /// Undoes the last `put_item`, before which so many messages were begun and so many bytes were written.
    fn take_back(&mut self, begun: usize, length: usize) {
        self.out.truncate(length);
        self.begun = begun;
        self.items -= 1;
    }

    /// How long the fields are that a new part begins with.
    fn prefixes(&self) -> usize {
        self.frames[..self.depth].iter().map(|frame| frame.prefix.len()).sum()
    }

    /// Ends the innermost of the messages that are begun.
    fn end_frame(&mut self) {
        self.begun -= 1;
        let Frame { width, body, .. } = self.frames[self.begun];
        let length = (self.out.len() - body) as u64;
        put_length(&mut self.out[body - width..body], length);
    }

    /// The request, if it has items. Those that follow go into a new one, in the same messages.
    fn take(&mut self) -> Option<(Bytes, usize)> {
        if self.items == 0 {
            return None;
        }
        while self.begun > 0 {
            self.end_frame();
        }
        let piece = Bytes::copy_from_slice(&self.out);
        self.out.clear();
        Some((piece, std::mem::take(&mut self.items)))
    }
}
