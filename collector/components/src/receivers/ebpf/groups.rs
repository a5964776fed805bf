//! Encoded spans by resource and scope, until a pass over the ring ends.

use super::entities::Entities;
use bytes::Bytes;
use collector_pdata::encode::{put_resource_spans, scope};
use collector_pdata::{Payload, Signal};
use std::collections::HashMap;

/// Which probe saw the span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Probe {
    Http1,
    GoNetHttp,
}

impl Probe {
    const ALL: [Probe; 2] = [Probe::Http1, Probe::GoNetHttp];

    fn scope_name(self) -> &'static str {
        match self {
            Probe::Http1 => "io.odigos.http1",
            Probe::GoNetHttp => "io.odigos.go.net_http",
        }
    }
}

/// Spans of one key become one `ResourceSpans`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) entity: u32,
    pub(crate) pid: u32,
    pub(crate) probe: Probe,
}

#[derive(Debug)]
pub(crate) struct Groups {
    scopes: [Vec<u8>; Probe::ALL.len()],
    index: HashMap<Key, usize>,
    /// The first `index.len()` are in use; the others keep their buffers.
    groups: Vec<(Key, Vec<u8>)>,
    last: usize,
    items: usize,
    resource: Vec<u8>,
}

/// A buffer larger than this is not kept.
const KEPT_BYTES: usize = 256 * 1024;
/// As many buffers are kept.
const KEPT_GROUPS: usize = 64;

impl Default for Groups {
    fn default() -> Self {
        Groups {
            scopes: Probe::ALL.map(|probe| scope(probe.scope_name(), env!("CARGO_PKG_VERSION"))),
            index: HashMap::new(),
            groups: Vec::new(),
            last: 0,
            items: 0,
            resource: Vec::new(),
        }
    }
}

impl Groups {
    /// The buffer to which one span of `key` is to be appended.
    pub(crate) fn open(&mut self, key: Key) -> &mut Vec<u8> {
        self.items += 1;
        // Spans of one process come in runs.
        if self.last >= self.index.len() || self.groups[self.last].0 != key {
            self.last = self.find(key);
        }
        &mut self.groups[self.last].1
    }

    fn find(&mut self, key: Key) -> usize {
        let next = self.index.len();
        let found = *self.index.entry(key).or_insert(next);
        if found == next {
            match self.groups.get_mut(next) {
                Some(kept) => kept.0 = key,
                None => self.groups.push((key, Vec::new())),
            }
        }
        found
    }

    /// All spans as one payload; `None` if there are none.
    pub(crate) fn take(&mut self, entities: &Entities) -> Option<Payload> {
        if self.items == 0 {
            return None;
        }
        let used = self.index.len();
        let spans: usize = self.groups[..used].iter().map(|(_, spans)| spans.len()).sum();
        let mut request = Vec::with_capacity(spans + used * 512);
        for (key, spans) in &mut self.groups[..used] {
            self.resource.clear();
            entities.put_resource(key.entity, key.pid, &mut self.resource);
            put_resource_spans(&mut request, &self.resource, &self.scopes[key.probe as usize], spans);
            spans.clear();
            if spans.capacity() > KEPT_BYTES {
                *spans = Vec::new();
            }
        }
        self.groups.truncate(KEPT_GROUPS);
        self.index.clear();
        Some(Payload::new(
            Signal::Traces,
            Bytes::from(request),
            std::mem::take(&mut self.items),
        ))
    }
}
