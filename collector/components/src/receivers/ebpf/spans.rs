//! From records to encoded spans. No I/O but the clock's.

use super::clock::Clock;
use super::context;
use super::entities::Entities;
use super::groups::{Groups, Key, Probe};
use super::http::{Exchange, HttpSpans, head, target};
use super::source::RingSource;
use collector_pdata::Payload;
use collector_pdata::encode::{SpanKind, SpanStart};
use probe_wire::{DecodeError, Endpoint, Event, GoHttp, Http1, SpanHeader, decode};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long a record waits for the announcement of its entity, which comes by another way than the record. Odiglet answers for
/// each that the kernel side has handed out; where hundreds of programs start at once that takes some seconds, and those that
/// nobody asked for must not be taken for unnamed ones.
const ENTITY_WAIT: Duration = Duration::from_secs(10);
/// The most records that wait, and the most bytes of them.
const MAX_HELD: usize = 4096;
const MAX_HELD_BYTES: usize = 1 << 20;

/// Turns records into payloads.
#[derive(Debug)]
pub struct Spans {
    /// What records' entity ids stand for.
    pub entities: Entities,
    encoder: Encoder,
    held: VecDeque<Held>,
    held_bytes: usize,
    counts: Arc<RingSource>,
    /// A record whose entity is not announced may be of a process that nobody asked for.
    selective: bool,
    complained: bool,
}

/// The parts that encode, apart from the entities that decide when.
#[derive(Debug, Default)]
struct Encoder {
    groups: Groups,
    http: HttpSpans,
    clock: Clock,
    random: fastrand::Rng,
}

#[derive(Debug)]
struct Held {
    entity: u32,
    until: Instant,
    record: Vec<u8>,
}

impl Spans {
    /// Counts what it decodes in `counts`.
    pub fn new(counts: Arc<RingSource>) -> Self {
        Spans {
            entities: Entities::default(),
            encoder: Encoder::default(),
            held: VecDeque::new(),
            held_bytes: 0,
            counts,
            selective: false,
            complained: false,
        }
    }

    /// Whether a record whose entity is never announced is dropped, since it may be of a process that is not selected.
    pub(crate) fn set_selective(&mut self, selective: bool) {
        self.selective = selective;
    }

    /// To be called before a pass over the ring.
    pub fn begin_pass(&mut self) {
        self.encoder.clock.refresh();
    }

    /// Takes one record. `now` is when the pass began.
    pub fn record(&mut self, record: &[u8], now: Instant) {
        match decode(record) {
            Ok(event) => {
                let entity = header(&event).entity;
                if self.entities.is_known(entity) {
                    self.encode(&event);
                } else if self.entities.is_refused(entity) {
                    self.counts.not_selected.fetch_add(1, Ordering::Release);
                } else {
                    self.hold(entity, record, &event, now);
                }
            }
            Err(error) => self.undecodable(error),
        }
    }

    fn encode(&mut self, event: &Event<'_>) {
        self.counts.decoded.fetch_add(1, Ordering::Release);
        self.encoder.encode(event);
    }

    fn undecodable(&mut self, error: DecodeError) {
        self.counts.undecodable.fetch_add(1, Ordering::Release);
        if !std::mem::replace(&mut self.complained, true) {
            tracing::warn!(%error, "a record of the ring cannot be read; further ones are only counted");
        }
    }

    /// Entity 0 is the kernel's "none", for which no announcement will come.
    fn hold(&mut self, entity: u32, record: &[u8], event: &Event<'_>, now: Instant) {
        if entity == 0 || self.held.len() >= MAX_HELD || self.held_bytes + record.len() > MAX_HELD_BYTES {
            return self.unannounced(event);
        }
        self.held_bytes += record.len();
        self.held.push_back(Held {
            entity,
            until: now + ENTITY_WAIT,
            record: record.to_vec(),
        });
    }

    /// Nobody has said, or will in time, what the event's entity is.
    fn unannounced(&mut self, event: &Event<'_>) {
        if self.selective {
            self.counts.undecided.fetch_add(1, Ordering::Release);
        } else {
            self.counts.unknown_entity.fetch_add(1, Ordering::Relaxed);
            self.encode(event);
        }
    }

    /// Encodes the records that have waited long enough, or whose entity has come, and drops those whose entity was refused;
    /// none is left if `all`.
    pub fn release(&mut self, now: Instant, all: bool) {
        for held in std::mem::take(&mut self.held) {
            let known = self.entities.is_known(held.entity);
            let settled = known || self.entities.is_refused(held.entity);
            if !settled && held.until > now && !all {
                self.held.push_back(held);
                continue;
            }
            self.held_bytes -= held.record.len();
            if self.entities.is_refused(held.entity) {
                self.counts.not_selected.fetch_add(1, Ordering::Release);
                continue;
            }
            match decode(&held.record) {
                Ok(event) if known => self.encode(&event),
                Ok(event) => self.unannounced(&event),
                // It was decoded before it was held.
                Err(error) => self.undecodable(error),
            }
        }
    }

    /// Whether records wait for the announcement of their entity.
    pub fn holds_records(&self) -> bool {
        !self.held.is_empty()
    }

    /// All spans so far, as one payload.
    pub fn take(&mut self) -> Option<Payload> {
        self.encoder.groups.take(&self.entities)
    }
}

fn header<'a>(event: &'a Event<'_>) -> &'a SpanHeader {
    match event {
        Event::Http1(http) => &http.span,
        Event::GoHttp(http) => &http.span,
    }
}

impl Encoder {
    fn encode(&mut self, event: &Event<'_>) {
        match event {
            Event::Http1(http) => {
                let head = head::parse(http.request);
                let probe = if http.span.flags.is_go() {
                    Probe::GoNetHttp
                } else {
                    Probe::Http1
                };
                self.put(&http.span, probe, head.traceparent, &http1_exchange(http, &head));
            }
            Event::GoHttp(http) => {
                self.put(&http.span, Probe::GoNetHttp, http.traceparent, &go_exchange(http));
            }
        }
    }

    fn put(&mut self, span: &SpanHeader, probe: Probe, traceparent: &[u8], exchange: &Exchange<'_>) {
        let context = context::choose(span, traceparent, &mut self.random);
        let start = SpanStart {
            trace_id: context.trace_id,
            span_id: context.span_id,
            parent_span_id: context.parent_span_id,
            flags: context.flags,
            kind: SpanKind::Server,
            start_unix_nano: self.clock.unix(span.start_ns),
            // A span never ends before it begins, whatever the record says.
            end_unix_nano: self.clock.unix(span.end_ns.max(span.start_ns)),
        };
        let key = Key {
            entity: span.entity,
            pid: span.pid,
            probe,
        };
        self.http.write(&start, exchange, self.groups.open(key));
    }
}

fn http1_exchange<'a>(http: &Http1<'a>, head: &head::Head<'a>) -> Exchange<'a> {
    let pair = |endpoint: Option<Endpoint>| endpoint.map(|endpoint| (endpoint.addr, endpoint.port));
    Exchange {
        is_client: http.span.flags.is_client(),
        method: head.method,
        target: head.target,
        host: head.host,
        route: target::route_of_pattern(http.pattern),
        local: pair(http.local),
        peer: pair(http.remote),
        forwarded_for: head.forwarded_for,
        user_agent: head.user_agent,
        version: head.version,
        status: http.status,
        incomplete: http.span.flags.is_incomplete(),
        request_body: head.content_length,
        response_body: http.response_body,
        ..Exchange::default()
    }
}

fn go_exchange<'a>(http: &GoHttp<'a>) -> Exchange<'a> {
    Exchange {
        is_client: http.span.flags.is_client(),
        // net/http takes an empty method for GET.
        method: if http.method.is_empty() { b"GET" } else { http.method },
        target: http.target,
        scheme: http.scheme,
        host: http.host,
        route: target::route_of_pattern(http.pattern),
        peer: peer(http.peer),
        user_agent: http.user_agent,
        version: Some(http.protocol),
        status: http.status,
        incomplete: http.span.flags.is_incomplete(),
        request_body: http.request_body,
        response_body: http.response_body,
        ..Exchange::default()
    }
}

fn peer(text: &[u8]) -> Option<(IpAddr, u16)> {
    let address: SocketAddr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some((address.ip().to_canonical(), address.port()))
}

#[cfg(test)]
mod tests;
