use crate::proto::{BYTES, put_bytes, put_key, put_length, varint_len};
use crate::scan::{At, Scan};
use bytes::Bytes;

/// A message that the walk is in.
#[derive(Clone, Copy, Default)]
struct Frame {
    number: u32,
    /// Its field's key, the first byte of its body, and its end in the source.
    start: usize,
    body: usize,
    end: usize,
    /// Its key and its body in the output, once it is begun there.
    out_start: usize,
    out_body: usize,
}

/// Resource, scope, metric and data.
const DEEPEST: usize = 4;

/// The new request. Of the source, all up to `done` is in `out` or was left out. Messages are begun in `out` only when
/// something in them changes, so that whatever does not change is copied in runs, or not at all.
pub(super) struct Output<'a> {
    source: &'a [u8],
    out: Vec<u8>,
    done: usize,
    frames: [Frame; DEEPEST],
    depth: usize,
    begun: usize,
}

impl<'a> Output<'a> {
    pub(super) fn new(source: &'a [u8]) -> Self {
        Output {
            source,
            out: Vec::new(),
            done: 0,
            frames: [Frame::default(); DEEPEST],
            depth: 0,
            begun: 0,
        }
    }

    /// The request as it was.
    pub(super) fn source(&self) -> &'a [u8] {
        self.source
    }

    /// The fields of the message in a field of the request.
    pub(super) fn fields(&self, place: &At) -> Scan<'a> {
        Scan::part(self.source, place.body, place.end)
    }

    /// Enters a message field.
    pub(super) fn enter(&mut self, place: &At) {
        self.frames[self.depth] = Frame {
            number: place.number,
            start: place.start,
            body: place.body,
            end: place.end,
            ..Frame::default()
        };
        self.depth += 1;
    }

    /// Leaves the message that was entered last, and removes it unless it is to be kept.
    pub(super) fn leave(&mut self, keep: bool) {
        self.depth -= 1;
        let frame = self.frames[self.depth];
        if self.begun <= self.depth {
            if !keep {
                self.leave_out(frame.start, frame.end);
            }
            return;
        }
        self.begun = self.depth;
        if keep {
            self.copy_to(frame.end);
            self.close(&frame);
        } else {
            self.out.truncate(frame.out_start);
            self.done = frame.end;
        }
    }

    /// Puts a message field at the beginning of the message that was just entered.
    pub(super) fn insert(&mut self, number: u32, body: &[u8]) {
        self.begin();
        put_bytes(&mut self.out, number, body);
    }

    /// Puts encoded fields at the beginning of the message that was just entered.
    pub(super) fn insert_fields(&mut self, fields: &[u8]) {
        self.begin();
        self.out.extend_from_slice(fields);
    }

    /// Gives a message field another body.
    #[inline]
    pub(super) fn replace(&mut self, place: &At, body: &[u8]) {
        self.leave_out(place.start, place.end);
        put_bytes(&mut self.out, place.number, body);
    }

    /// Leaves a field out.
    pub(super) fn remove(&mut self, place: &At) {
        self.leave_out(place.start, place.end);
    }

    /// The request, if anything in it changed.
    pub(super) fn finish(mut self) -> Option<Bytes> {
        if self.done == 0 {
            return None;
        }
        self.copy_to(self.source.len());
        // Payloads wait in queues that are bounded by their length, so no buffer may be much larger than what it holds.
        if self.out.capacity() - self.out.len() > self.out.len() / 4 {
            self.out.shrink_to_fit();
        }
        Some(Bytes::from(self.out))
    }

    #[inline]
    fn leave_out(&mut self, start: usize, end: usize) {
        self.begin();
        self.copy_to(start);
        self.done = end;
    }

    /// Begins all messages that the walk is in. Their lengths are not known yet; room is left for twice what they were.
    #[inline]
    fn begin(&mut self) {
        while self.begun < self.depth {
            let Frame {
                number,
                start,
                body,
                end,
                ..
            } = self.frames[self.begun];
            self.copy_to(start);
            let out_start = self.out.len();
            put_key(&mut self.out, number, BYTES);
            let width = varint_len(2 * (end - body) as u64);
            self.out.resize(self.out.len() + width, 0);
            self.done = body;
            let frame = &mut self.frames[self.begun];
            frame.out_start = out_start;
            frame.out_body = self.out.len();
            self.begun += 1;
        }
    }

    #[inline]
    fn copy_to(&mut self, end: usize) {
        if self.out.capacity() == 0 {
            self.out.reserve(self.source.len() + self.source.len() / 8 + 64);
        }
        self.out.extend_from_slice(&self.source[self.done..end]);
        self.done = end;
    }

    /// Writes the length of a message whose body is complete, padded to the room that was left for it. If the room is
    /// too small the body moves.
    fn close(&mut self, frame: &Frame) {
        let key = varint_len(u64::from(frame.number) << 3);
        let length_at = frame.out_start + key;
        let mut width = frame.out_body - length_at;
        let length = self.out.len() - frame.out_body;
        let needed = varint_len(length as u64);
        if needed > width {
            let end = self.out.len();
            self.out.resize(end + needed - width, 0);
            self.out.copy_within(frame.out_body..end, length_at + needed);
            width = needed;
        }
        put_length(&mut self.out[length_at..length_at + width], length as u64);
    }
}
