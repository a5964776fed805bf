//! Kept traces on their way out: many in one request, and on one span of each why it was kept.

use super::held::Trace;
use collector_engine::Sink;
use collector_pdata::attributes::{Editor, field, put_text};
use collector_pdata::by_trace::{Segment, assemble};
use collector_pdata::edit::Change;
use collector_pdata::proto::{Malformed, fields};

/// A request of more bytes is sent off. Receivers take 4 MiB over gRPC unless they are told otherwise.
const ENOUGH: usize = 2 << 20;

const POLICY: &[u8] = b"tailsampling.policy";
const DECIDED_EARLY: &[u8] = b"tailsampling.decided_early";

/// Which spans of a kept trace get the policy's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record {
    None,
    /// The root, or the first span if the root is not there.
    Root,
    All,
}

/// Why a trace was kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reason<'p> {
    pub(super) policy: &'p str,
    /// The limit that it was decided early for.
    pub(super) early: Option<&'static str>,
}

#[derive(Debug)]
pub(super) struct Outbox {
    record: Record,
    segments: Vec<Segment>,
    spans: usize,
    bytes: usize,
    editor: Editor,
    value: Vec<u8>,
}

impl Outbox {
    pub(super) fn new(record: Record) -> Self {
        Outbox {
            record,
            segments: Vec::new(),
            spans: 0,
            bytes: 0,
            editor: Editor::default(),
            value: Vec::new(),
        }
    }

    /// A whole trace. One that is larger than a request should be goes out in several, one after the other.
    pub(super) fn trace(&mut self, trace: Trace, reason: Reason<'_>, sink: &mut Sink<'_>) {
        let (spans, is_large) = (trace.spans(), trace.bytes() > ENOUGH);
        if self.bytes + trace.bytes() > ENOUGH {
            self.send(sink);
        }
        let mut segments = trace.into_segments();
        self.sign(&mut segments, reason);
        if !is_large {
            self.spans += spans;
            self.bytes += segments.iter().map(Segment::len).sum::<usize>();
            self.segments.append(&mut segments);
            return;
        }
        for segment in segments {
            let spans = segment.encoded().count();
            self.add(segment, spans, sink);
        }
    }

    /// Spans of a trace that was kept before.
    pub(super) fn late(
        &mut self,
        segment: Segment,
        spans: usize,
        has_root: bool,
        reason: Reason<'_>,
        sink: &mut Sink<'_>,
    ) {
        let mut segments = [segment];
        if self.record == Record::All || has_root {
            self.sign(&mut segments, reason);
        }
        let [segment] = segments;
        self.add(segment, spans, sink);
    }

    fn add(&mut self, segment: Segment, spans: usize, sink: &mut Sink<'_>) {
        if self.bytes + segment.len() > ENOUGH {
            self.send(sink);
        }
        self.bytes += segment.len();
        self.spans += spans;
        self.segments.push(segment);
    }

    /// Forwards what is in it.
    pub(super) fn send(&mut self, sink: &mut Sink<'_>) {
        if !self.segments.is_empty() {
            sink.forward(assemble(&self.segments, self.spans));
            self.segments.clear();
            (self.spans, self.bytes) = (0, 0);
        }
    }

    /// Spans that cannot be read stay as they are: whether they are passed on is not for sampling to say.
    fn sign(&mut self, segments: &mut [Segment], reason: Reason<'_>) {
        let chosen = match self.record {
            Record::None => return,
            Record::All => None,
            Record::Root => Some(root(segments).unwrap_or((0, 0))),
        };
        for (number, segment) in segments.iter_mut().enumerate() {
            if chosen.is_some_and(|(chosen, _)| chosen != number) {
                continue;
            }
            let mut index = 0;
            let signed = segment.edited(|span, out| {
                let is_chosen = chosen.is_none_or(|(_, chosen)| chosen == index);
                index += 1;
                if is_chosen {
                    self.sign_span(span, reason, out)
                } else {
                    Ok(Change::Keep)
                }
            });
            if let Ok(signed) = signed {
                *segment = signed;
            }
        }
    }

    fn sign_span(&mut self, span: &[u8], reason: Reason<'_>, out: &mut Vec<u8>) -> Result<Change, Malformed> {
        let mut attributes = self.editor.open(span, field::SPAN)?;
        self.value.clear();
        put_text(&mut self.value, reason.policy);
        attributes.upsert(POLICY, &self.value);
        if let Some(limit) = reason.early {
            self.value.clear();
            put_text(&mut self.value, limit);
            attributes.upsert(DECIDED_EARLY, &self.value);
        }
        Ok(attributes.finish(out))
    }
}

/// The segment of the first root, and its number in it.
fn root(segments: &[Segment]) -> Option<(usize, usize)> {
    segments.iter().enumerate().find_map(|(number, segment)| {
        let index = segment.encoded().position(|span| span.is_ok_and(is_root))?;
        Some((number, index))
    })
}

fn is_root(span: &[u8]) -> bool {
    let parent = fields(span).find_map(|field| field.ok().filter(|field| field.number == 4));
    parent.is_none_or(|parent| parent.bytes().is_ok_and(|id| id.iter().all(|byte| *byte == 0)))
}
