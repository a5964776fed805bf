//! Spans by trace, for those who hold whole traces: where each span of a request lies and which trace it is of, the spans
//! of one trace in as few bytes as they take, and requests from what was held.
//!
//! A [`Segment`] has the encoded spans that one request had of one trace, resource and scope, in a buffer of just their
//! length. Resource and scope are an [`Origin`], of which there is one for all segments that have the same.

use crate::edit::Change;
use crate::proto::{Malformed, field_len, put_bytes, put_bytes_key};
use crate::scan::{Scan, last_bytes, messages, put_all_but};
use crate::traces::Span;
use crate::view::id;
use crate::{Payload, Signal};
use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

/// Where a span lies in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Which of the request's `ResourceSpans` it is in.
    pub resource: usize,
    /// Which of the request's `ScopeSpans` it is in, counted through all resources.
    pub scope: usize,
    /// The bytes of its field of `ScopeSpans`, from the key on.
    pub field: Range<usize>,
    /// All zero if it was empty.
    pub trace_id: [u8; 16],
    /// It has no parent: the id is absent, empty or all zero.
    pub is_root: bool,
}

/// Appends where each span of an encoded request lies, in order. A span is read only until trace and parent are known: of
/// an id that is encoded twice, which no encoder does, the first counts here and the last for [`Span`].
pub fn places(request: &[u8], places: &mut Vec<Place>) -> Result<(), Malformed> {
    each_scope(request, |scope| {
        let mut spans = Scan::part(request, scope.body.start, scope.body.end);
        while let Some(at) = spans.next()? {
            if at.number == 2 {
                let (trace_id, is_root) = ids(at.bytes(request)?)?;
                places.push(Place {
                    resource: scope.resource,
                    scope: scope.index,
                    field: at.start..at.end,
                    trace_id,
                    is_root,
                });
            }
        }
        Ok(())
    })
}

/// A `ScopeSpans` of a request.
struct ScopeSpans {
    resource: usize,
    resource_body: Range<usize>,
    index: usize,
    body: Range<usize>,
}

fn each_scope(request: &[u8], mut each: impl FnMut(&ScopeSpans) -> Result<(), Malformed>) -> Result<(), Malformed> {
    let (mut resource, mut index) = (0, 0);
    let mut resources = Scan::new(request);
    while let Some(at) = resources.next()? {
        if at.number != 1 {
            continue;
        }
        at.bytes(request)?;
        let mut scopes = Scan::part(request, at.body, at.end);
        while let Some(scope) = scopes.next()? {
            if scope.number == 2 {
                scope.bytes(request)?;
                each(&ScopeSpans {
                    resource,
                    resource_body: at.body..at.end,
                    index,
                    body: scope.body..scope.end,
                })?;
                index += 1;
            }
        }
        resource += 1;
    }
    Ok(())
}

/// A span's trace, and whether it is the root.
fn ids(span: &[u8]) -> Result<([u8; 16], bool), Malformed> {
    let (mut trace_id, mut parent) = (None, None);
    let mut scan = Scan::new(span);
    while let Some(at) = scan.next()? {
        match at.number {
            1 => trace_id = Some(id(at.bytes(span)?)?.unwrap_or_default()),
            4 => parent = Some(id::<8>(at.bytes(span)?)?.unwrap_or_default()),
            _ => continue,
        }
        if let (Some(trace_id), Some(parent)) = (trace_id, parent) {
            return Ok((trace_id, parent == [0; 8]));
        }
    }
    Ok((trace_id.unwrap_or_default(), parent.unwrap_or_default() == [0; 8]))
}

/// Resource and scope of spans: a `ResourceSpans` without scopes and a `ScopeSpans` without spans, with all their other
/// fields.
#[derive(Debug, PartialEq, Eq)]
pub struct Origin {
    /// The resource's part, then the scope's.
    bytes: Box<[u8]>,
    resource: usize,
}

impl Origin {
    /// The encoded `ResourceSpans` without scopes.
    pub fn resource_spans(&self) -> &[u8] {
        &self.bytes[..self.resource]
    }

    /// The encoded `ScopeSpans` without spans.
    pub fn scope_spans(&self) -> &[u8] {
        // What follows is the length of the resource's part, which keeps apart what is only together the same.
        &self.bytes[self.resource..self.bytes.len() - LENGTH]
    }

    /// The encoded `Resource`, empty if there is none.
    pub fn encoded_resource(&self) -> Result<&[u8], Malformed> {
        last_bytes(self.resource_spans(), 1)
    }

    /// The encoded `InstrumentationScope`, empty if there is none.
    pub fn encoded_scope(&self) -> Result<&[u8], Malformed> {
        last_bytes(self.scope_spans(), 1)
    }
}

const LENGTH: usize = size_of::<u64>();

#[derive(Debug, PartialEq, Eq)]
struct Known(Arc<Origin>);

impl Hash for Known {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.bytes.hash(state);
    }
}

impl Borrow<[u8]> for Known {
    fn borrow(&self) -> &[u8] {
        &self.0.bytes
    }
}

/// The encoded spans of one request, trace, resource and scope.
#[derive(Debug, Clone)]
pub struct Segment {
    origin: Arc<Origin>,
    spans: Box<[u8]>,
}

impl Segment {
    /// Resource and scope of the spans.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The spans, in order.
    pub fn spans(&self) -> impl Iterator<Item = Result<Span<'_>, Malformed>> {
        self.encoded().map(|span| span.and_then(Span::read))
    }

    /// The encoded spans, in order.
    pub fn encoded(&self) -> impl Iterator<Item = Result<&[u8], Malformed>> {
        messages(&self.spans, 2)
    }

    /// The same spans, each as `edit` says of it when it is shown it encoded; `out` takes another one.
    pub fn edited(
        &self,
        mut edit: impl FnMut(&[u8], &mut Vec<u8>) -> Result<Change, Malformed>,
    ) -> Result<Segment, Malformed> {
        let mut spans = Vec::with_capacity(self.spans.len() + 64);
        let mut other = Vec::new();
        for span in self.encoded() {
            let span = span?;
            other.clear();
            match edit(span, &mut other)? {
                Change::Keep => put_bytes(&mut spans, 2, span),
                Change::Replace => put_bytes(&mut spans, 2, &other),
                Change::Drop => {}
            }
        }
        Ok(Segment {
            origin: self.origin.clone(),
            spans: spans.into_boxed_slice(),
        })
    }

    /// How many bytes the encoded spans take, with their keys and lengths.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// No spans.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }
}

/// A segment, with what is known of it from its making.
#[derive(Debug, Clone)]
pub struct Taken {
    /// The trace.
    pub trace_id: [u8; 16],
    /// Its spans.
    pub segment: Segment,
    /// How many spans there are.
    pub spans: usize,
    /// One of them is a root.
    pub has_root: bool,
}

/// Takes requests apart. Knows the origins of all segments that live.
#[derive(Debug, Default)]
pub struct Grouper {
    known: HashSet<Known>,
    /// Origins that were found when those without segments were last forgotten.
    alive: usize,
    /// What the known origins take.
    bytes: usize,
    origins: Vec<Arc<Origin>>,
    places: Vec<Place>,
    key: Vec<u8>,
}

impl Grouper {
    /// Takes a request apart into segments, those of one trace after each other.
    pub fn take(&mut self, request: &[u8]) -> Result<Vec<Taken>, Malformed> {
        self.places.clear();
        places(request, &mut self.places)?;
        self.origins.clear();
        each_scope(request, |scope| {
            let origin = intern(&mut self.known, &mut self.bytes, &mut self.key, request, scope)?;
            self.origins.push(origin);
            Ok(())
        })?;
        // As numbers, ids are compared in registers; which of two comes first does not matter.
        self.places
            .sort_by_key(|place| (u128::from_ne_bytes(place.trace_id), place.scope));
        let same = |one: &Place, other: &Place| one.trace_id == other.trace_id && one.scope == other.scope;
        let taken = self
            .places
            .chunk_by(same)
            .map(|group| take(request, group, &self.origins));
        let taken = taken.collect();
        self.origins.clear();
        const FEW: usize = 64;
        if self.known.len() > FEW.max(2 * self.alive) {
            self.forget();
        }
        Ok(taken)
    }

    /// How many bytes the known origins take. Those without segments are among them until they are forgotten, which is
    /// each time that there are twice as many origins as were alive the last time.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets the origins without segments now.
    pub fn forget(&mut self) {
        self.known.retain(|known| Arc::strong_count(&known.0) > 1);
        self.alive = self.known.len();
        self.bytes = self.known.iter().map(|known| known.0.bytes.len()).sum();
    }
}

fn intern(
    known: &mut HashSet<Known>,
    bytes: &mut usize,
    key: &mut Vec<u8>,
    request: &[u8],
    scope: &ScopeSpans,
) -> Result<Arc<Origin>, Malformed> {
    key.clear();
    put_all_but(key, &request[scope.resource_body.clone()], |field| field == 2)?;
    let resource = key.len();
    put_all_but(key, &request[scope.body.clone()], |field| field == 2)?;
    key.extend_from_slice(&(resource as u64).to_le_bytes());
    if let Some(known) = known.get(&key[..]) {
        return Ok(known.0.clone());
    }
    let origin = Arc::new(Origin {
        bytes: key.as_slice().into(),
        resource,
    });
    *bytes += origin.bytes.len();
    known.insert(Known(origin.clone()));
    Ok(origin)
}

/// The segment of spans that are all of one trace and scope.
fn take(request: &[u8], group: &[Place], origins: &[Arc<Origin>]) -> Taken {
    let mut spans = Vec::with_capacity(group.iter().map(|place| place.field.len()).sum());
    for place in group {
        spans.extend_from_slice(&request[place.field.clone()]);
    }
    Taken {
        trace_id: group[0].trace_id,
        segment: Segment {
            origin: origins[group[0].scope].clone(),
            spans: spans.into_boxed_slice(),
        },
        spans: group.len(),
        has_root: group.iter().any(|place| place.is_root),
    }
}

/// One request of all the spans in `segments`, which are `items`, those of one origin together: many traces that were
/// held apart share their resources again.
pub fn assemble<'s>(segments: impl IntoIterator<Item = &'s Segment>, items: usize) -> Payload {
    let mut segments: Vec<&Segment> = segments.into_iter().collect();
    // Stable, so that the spans of a trace stay in the order in which they came.
    segments.sort_by_key(|segment| Arc::as_ptr(&segment.origin));
    let groups = || segments.chunk_by(|one, other| Arc::ptr_eq(&one.origin, &other.origin));
    let length = groups().map(|group| field_len(resource_spans_len(group))).sum();
    let mut out = Vec::with_capacity(length);
    for group in groups() {
        put_bytes_key(&mut out, 1, resource_spans_len(group));
        out.extend_from_slice(group[0].origin.resource_spans());
        put_bytes_key(&mut out, 2, scope_spans_len(group));
        out.extend_from_slice(group[0].origin.scope_spans());
        for segment in group {
            out.extend_from_slice(&segment.spans);
        }
    }
    Payload::new(Signal::Traces, out.into(), items)
}

fn scope_spans_len(group: &[&Segment]) -> usize {
    let spans: usize = group.iter().map(|segment| segment.len()).sum();
    group[0].origin.scope_spans().len() + spans
}

fn resource_spans_len(group: &[&Segment]) -> usize {
    group[0].origin.resource_spans().len() + field_len(scope_spans_len(group))
}
