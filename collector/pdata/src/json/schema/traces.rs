//! `trace.proto`.

use super::common::{
    attributes, dropped_attributes_count, resource, schema_url, scope, span_id, start_time, time, trace_id,
};
use super::{Field, Kind, Message, field};
use crate::traces::{SPAN_KINDS, STATUS_CODES};

pub(super) static REQUEST: Message =
    Message::new(&[
        field(1, "resource_spans", "resourceSpans", Kind::Message(&RESOURCE_SPANS))
            .repeated()
            .always(),
    ]);

static RESOURCE_SPANS: Message = Message::new(&[
    resource(),
    field(2, "scope_spans", "scopeSpans", Kind::Message(&SCOPE_SPANS))
        .repeated()
        .always(),
    schema_url(3),
]);

static SCOPE_SPANS: Message = Message::new(&[
    scope(),
    field(2, "spans", "spans", Kind::Message(&SPAN)).repeated().always(),
    schema_url(3),
]);

static SPAN: Message = Message::new(&[
    trace_id(1).always(),
    span_id(2).always(),
    trace_state(3),
    field(4, "parent_span_id", "parentSpanId", Kind::Id(8)),
    field(16, "flags", "flags", Kind::Fixed32),
    field(5, "name", "name", Kind::Text),
    field(6, "kind", "kind", Kind::Enum(&SPAN_KINDS)),
    start_time(7).always(),
    field(8, "end_time_unix_nano", "endTimeUnixNano", Kind::Fixed64).always(),
    attributes(9),
    dropped_attributes_count(10),
    field(11, "events", "events", Kind::Message(&EVENT)).repeated(),
    field(12, "dropped_events_count", "droppedEventsCount", Kind::Uint32),
    field(13, "links", "links", Kind::Message(&LINK)).repeated(),
    field(14, "dropped_links_count", "droppedLinksCount", Kind::Uint32),
    field(15, "status", "status", Kind::Message(&STATUS)).always(),
]);

static EVENT: Message = Message::new(&[
    time(1),
    field(2, "name", "name", Kind::Text),
    attributes(3),
    dropped_attributes_count(4),
]);

static LINK: Message = Message::new(&[
    trace_id(1).always(),
    span_id(2).always(),
    trace_state(3),
    attributes(4),
    dropped_attributes_count(5),
    field(6, "flags", "flags", Kind::Fixed32),
]);

static STATUS: Message = Message::new(&[
    field(2, "message", "message", Kind::Text),
    field(3, "code", "code", Kind::Enum(&STATUS_CODES)),
]);

const fn trace_state(number: u32) -> Field {
    field(number, "trace_state", "traceState", Kind::Text)
}
