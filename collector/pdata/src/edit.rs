//! One-pass edits of encoded requests.
//!
//! An [`Edit`] is asked about each resource, scope, metric and item, in this order whatever the order of the encoding,
//! and answers what is to become of it. Bytes that nothing happens to are copied in runs as long as they come; a request
//! that nothing happens to at all is not copied. Fields that are not known are kept where they are.
//!
//! A text may not be UTF-8: whoever makes text of bytes must check.

mod output;

use crate::proto::{Malformed, put_bytes};
use crate::scan::{At, Scan, messages};
use crate::{ItemKind, Signal, count};
use bytes::Bytes;
use output::Output;
use std::borrow::Cow;

/// What is to become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It stays as it is.
    Keep,
    /// The bytes that were put out take its place.
    Replace,
    /// It is removed, with all that is in it.
    Drop,
}

/// An edit of a request. What it learns of a resource, scope or metric holds for the items that it is asked about until
/// the next one.
///
/// `out` is empty when it is handed over, and what was written to it counts only if the answer is [`Change::Replace`].
pub trait Edit {
    /// Whether [`Edit::scope`] is to be called.
    fn looks_at_scopes(&self) -> bool {
        true
    }

    /// Whether [`Edit::metric`] is to be called.
    fn looks_at_metrics(&self) -> bool {
        true
    }

    /// Whether [`Edit::item`] is to be called. If neither scopes nor metrics nor items are looked at, whole scopes are
    /// copied at once.
    fn looks_at_items(&self) -> bool {
        true
    }

    /// A `Resource`, which is empty if none was encoded. `out` takes another one.
    fn resource(&mut self, resource: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
        let _ = (resource, out);
        Ok(Change::Keep)
    }

    /// An `InstrumentationScope`, which is empty if none was encoded. `out` takes another one.
    fn scope(&mut self, scope: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
        let _ = (scope, out);
        Ok(Change::Keep)
    }

    /// A `Metric` with all its points. `out` takes what describes it, and that only: the fields name, description, unit
    /// and metadata, all of them. Its data stay, and the points are asked about next.
    fn metric(&mut self, metric: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
        let _ = (metric, out);
        Ok(Change::Keep)
    }

    /// A span, a log record or a data point. `out` takes another one of its kind.
    fn item(&mut self, kind: ItemKind, item: &[u8], out: &mut Vec<u8>) -> Result<Change, Malformed> {
        let _ = (kind, item, out);
        Ok(Change::Keep)
    }
}

/// A request after an edit. `kept` and `dropped` together are the items it had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    /// The new request; `None` if nothing was changed.
    pub request: Option<Bytes>,
    /// Items that are in it.
    pub kept: usize,
    /// Items that are not, because they, or what held them, were dropped.
    pub dropped: usize,
}

/// Edits one encoded request. Resources, scopes and metrics without items are left out, whether or not they had any
/// before; only metrics in a scope that is copied whole are not looked for. The edit is not asked about what a request's
/// part lacks, but for an absent resource or scope.
pub fn rewrite<E: Edit + ?Sized>(signal: Signal, request: &[u8], edit: &mut E) -> Result<Rewritten, Malformed> {
    let mut rewriter = Rewriter {
        signal,
        looks: Looks {
            at_scopes: edit.looks_at_scopes(),
            at_metrics: edit.looks_at_metrics() && signal == Signal::Metrics,
            at_items: edit.looks_at_items(),
        },
        edit,
        output: Output::new(request),
        scratch: Vec::new(),
        kept: 0,
        dropped: 0,
    };
    let mut scan = Scan::new(request);
    while let Some(place) = scan.next()? {
        if place.number == 1 {
            rewriter.resource(&place)?;
        }
    }
    Ok(Rewritten {
        request: rewriter.output.finish(),
        kept: rewriter.kept,
        dropped: rewriter.dropped,
    })
}

struct Rewriter<'a, 'e, E: ?Sized> {
    signal: Signal,
    looks: Looks,
    edit: &'e mut E,
    output: Output<'a>,
    scratch: Vec<u8>,
    kept: usize,
    dropped: usize,
}

#[derive(Clone, Copy)]
struct Looks {
    at_scopes: bool,
    at_metrics: bool,
    at_items: bool,
}

impl Looks {
    fn into_scopes(self) -> bool {
        self.at_scopes || self.at_metrics || self.at_items
    }
}

impl<E: Edit + ?Sized> Rewriter<'_, '_, E> {
    fn resource(&mut self, place: &At) -> Result<(), Malformed> {
        let body = place.bytes(self.output.source())?;
        let before = self.kept;
        self.output.enter(place);
        self.scratch.clear();
        let change = self.edit.resource(&merged(body, 1)?, &mut self.scratch)?;
        match change {
            Change::Drop => self.dropped += count::of_resource(self.signal, body)?,
            _ => self.resource_fields(place, change)?,
        }
        self.output.leave(self.kept > before);
        Ok(())
    }

    fn resource_fields(&mut self, place: &At, change: Change) -> Result<(), Malformed> {
        if change == Change::Replace {
            self.output.insert(1, &self.scratch);
        }
        let mut scan = self.output.fields(place);
        while let Some(place) = scan.next()? {
            match place.number {
                1 if change == Change::Replace => self.output.remove(&place),
                2 => self.scope(&place)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn scope(&mut self, place: &At) -> Result<(), Malformed> {
        let body = place.bytes(self.output.source())?;
        if !self.looks.into_scopes() {
            return self.whole_scope(place, body);
        }
        let before = self.kept;
        self.output.enter(place);
        let mut change = Change::Keep;
        if self.looks.at_scopes {
            self.scratch.clear();
            change = self.edit.scope(&merged(body, 1)?, &mut self.scratch)?;
        }
        match change {
            Change::Drop => self.dropped += count::of_scope(self.signal, body)?,
            _ => self.scope_fields(place, change)?,
        }
        self.output.leave(self.kept > before);
        Ok(())
    }

    fn whole_scope(&mut self, place: &At, body: &[u8]) -> Result<(), Malformed> {
        let items = count::of_scope(self.signal, body)?;
        self.kept += items;
        if items == 0 {
            self.output.remove(place);
        }
        Ok(())
    }

    fn scope_fields(&mut self, place: &At, change: Change) -> Result<(), Malformed> {
        if change == Change::Replace {
            self.output.insert(1, &self.scratch);
        }
        let kind = ItemKind::of_scope(self.signal);
        let mut scan = self.output.fields(place);
        while let Some(place) = scan.next()? {
            match (place.number, kind) {
                (1, _) if change == Change::Replace => self.output.remove(&place),
                (2, Some(kind)) => self.item(kind, &place)?,
                (2, None) => self.metric(&place)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn metric(&mut self, place: &At) -> Result<(), Malformed> {
        let body = place.bytes(self.output.source())?;
        let before = self.kept;
        self.output.enter(place);
        let mut change = Change::Keep;
        if self.looks.at_metrics {
            self.scratch.clear();
            change = self.edit.metric(body, &mut self.scratch)?;
        }
        match change {
            Change::Drop => self.dropped += count::of_metric(body)?,
            _ => self.metric_fields(place, change)?,
        }
        self.output.leave(self.kept > before);
        Ok(())
    }

    fn metric_fields(&mut self, place: &At, change: Change) -> Result<(), Malformed> {
        if change == Change::Replace {
            self.output.insert_fields(&self.scratch);
        }
        let mut scan = self.output.fields(place);
        while let Some(place) = scan.next()? {
            match (place.number, ItemKind::of_data(place.number)) {
                (1..=3 | 12, _) if change == Change::Replace => self.output.remove(&place),
                (_, Some(kind)) => self.points(kind, &place)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn points(&mut self, kind: ItemKind, place: &At) -> Result<(), Malformed> {
        place.bytes(self.output.source())?;
        let before = self.kept;
        self.output.enter(place);
        let mut scan = self.output.fields(place);
        while let Some(place) = scan.next()? {
            if place.number == 1 {
                self.item(kind, &place)?;
            }
        }
        self.output.leave(self.kept > before);
        Ok(())
    }

    #[inline]
    fn item(&mut self, kind: ItemKind, place: &At) -> Result<(), Malformed> {
        let body = place.bytes(self.output.source())?;
        if !self.looks.at_items {
            self.kept += 1;
            return Ok(());
        }
        self.scratch.clear();
        match self.edit.item(kind, body, &mut self.scratch)? {
            Change::Keep => self.kept += 1,
            Change::Replace => {
                self.output.replace(place, &self.scratch);
                self.kept += 1;
            }
            Change::Drop => {
                self.output.remove(place);
                self.dropped += 1;
            }
        }
        Ok(())
    }
}

/// The message in the singular field `number`. Encoded in pieces, the pieces one after the other are the message, so that
/// nothing of it can be hidden from an edit.
fn merged(message: &[u8], number: u32) -> Result<Cow<'_, [u8]>, Malformed> {
    let mut found = Cow::Borrowed(&[][..]);
    for piece in messages(message, number) {
        match piece? {
            piece if found.is_empty() => found = Cow::Borrowed(piece),
            piece => found.to_mut().extend_from_slice(piece),
        }
    }
    Ok(found)
}

/// Appends `message` with `bytes` as the only value of its singular field `number`: in place of the first one, or last.
/// All other fields stay, in their order.
pub fn put_with(out: &mut Vec<u8>, message: &[u8], number: u32, bytes: &[u8]) -> Result<(), Malformed> {
    let mut is_put = false;
    let mut copied = 0;
    let mut scan = Scan::new(message);
    while let Some(at) = scan.next()? {
        if at.number == number {
            out.extend_from_slice(&message[copied..at.start]);
            copied = at.end;
            if !is_put {
                put_bytes(out, number, bytes);
                is_put = true;
            }
        }
    }
    out.extend_from_slice(&message[copied..]);
    if !is_put {
        put_bytes(out, number, bytes);
    }
    Ok(())
}
