//! Where the fields of each message are: `trace.proto`, `logs.proto`, `metrics.proto`, `common.proto`, `resource.proto`.

use super::wire::{Slot, Wire, slot};
use crate::path::{Context, Field};
use collector_pdata::ItemKind;

/// One kind of message.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) context: Context,
    pub(super) slots: &'static [Slot],
    /// The number of its attributes.
    pub(super) attributes: Option<u32>,
}

pub(super) const RESOURCE: &Table = &Table {
    context: Context::Resource,
    slots: &[slot(Field::DroppedAttributesCount, 2, Wire::Uint32)],
    attributes: Some(1),
};

pub(super) const SCOPE: &Table = &Table {
    context: Context::Scope,
    slots: &[
        slot(Field::Name, 1, Wire::Text),
        slot(Field::Version, 2, Wire::Text),
        slot(Field::DroppedAttributesCount, 4, Wire::Uint32),
    ],
    attributes: Some(3),
};

const STATUS: u32 = 15;

pub(super) const SPAN: &Table = &Table {
    context: Context::Span,
    slots: &[
        slot(Field::TraceId, 1, Wire::Id(16)),
        slot(Field::SpanId, 2, Wire::Id(8)),
        slot(Field::TraceState, 3, Wire::Text),
        slot(Field::ParentSpanId, 4, Wire::Id(8)),
        slot(Field::Name, 5, Wire::Text),
        slot(Field::Kind, 6, Wire::Enum),
        slot(Field::StartTimeUnixNano, 7, Wire::Fixed64),
        slot(Field::EndTimeUnixNano, 8, Wire::Fixed64),
        slot(Field::DroppedAttributesCount, 10, Wire::Uint32),
        slot(Field::DroppedEventsCount, 12, Wire::Uint32),
        slot(Field::DroppedLinksCount, 14, Wire::Uint32),
        slot(Field::StatusMessage, 2, Wire::Text).within(STATUS),
        slot(Field::StatusCode, 3, Wire::Enum).within(STATUS),
        slot(Field::Flags, 16, Wire::Fixed32),
    ],
    attributes: Some(9),
};

pub(super) const SPAN_EVENT: &Table = &Table {
    context: Context::SpanEvent,
    slots: &[
        slot(Field::TimeUnixNano, 1, Wire::Fixed64),
        slot(Field::Name, 2, Wire::Text),
        slot(Field::DroppedAttributesCount, 4, Wire::Uint32),
    ],
    attributes: Some(3),
};

pub(super) const LOG: &Table = &Table {
    context: Context::Log,
    slots: &[
        slot(Field::TimeUnixNano, 1, Wire::Fixed64),
        slot(Field::SeverityNumber, 2, Wire::Enum),
        slot(Field::SeverityText, 3, Wire::Text),
        slot(Field::Body, 5, Wire::AnyValue),
        slot(Field::DroppedAttributesCount, 7, Wire::Uint32),
        slot(Field::Flags, 8, Wire::Fixed32),
        slot(Field::TraceId, 9, Wire::Id(16)),
        slot(Field::SpanId, 10, Wire::Id(8)),
        slot(Field::ObservedTimeUnixNano, 11, Wire::Fixed64),
        slot(Field::EventName, 12, Wire::Text),
    ],
    attributes: Some(6),
};

pub(super) const METRIC: &Table = &Table {
    context: Context::Metric,
    slots: &[
        slot(Field::Name, 1, Wire::Text),
        slot(Field::Description, 2, Wire::Text),
        slot(Field::Unit, 3, Wire::Text),
    ],
    attributes: None,
};

const START: Slot = slot(Field::StartTimeUnixNano, 2, Wire::Fixed64);
const TIME: Slot = slot(Field::TimeUnixNano, 3, Wire::Fixed64);
const COUNT: Slot = slot(Field::Count, 4, Wire::Fixed64);
const SUM: Slot = slot(Field::Sum, 5, Wire::Double);
const AS_DOUBLE: u32 = 4;
const AS_INT: u32 = 6;
const POSITIVE: u32 = 8;
const NEGATIVE: u32 = 9;

const NUMBER: &Table = &Table {
    context: Context::DataPoint,
    slots: &[
        START,
        TIME,
        slot(Field::ValueDouble, AS_DOUBLE, Wire::Double).instead_of(AS_INT),
        slot(Field::ValueInt, AS_INT, Wire::Fixed64).instead_of(AS_DOUBLE),
        slot(Field::Flags, 8, Wire::Uint32),
    ],
    attributes: Some(7),
};

const HISTOGRAM: &Table = &Table {
    context: Context::DataPoint,
    slots: &[
        START,
        TIME,
        COUNT,
        SUM,
        slot(Field::BucketCounts, 6, Wire::Fixed64s),
        slot(Field::ExplicitBounds, 7, Wire::Doubles),
        slot(Field::Flags, 10, Wire::Uint32),
    ],
    attributes: Some(9),
};

const EXPONENTIAL_HISTOGRAM: &Table = &Table {
    context: Context::DataPoint,
    slots: &[
        START,
        TIME,
        COUNT,
        SUM,
        slot(Field::Scale, 6, Wire::Zigzag),
        slot(Field::ZeroCount, 7, Wire::Fixed64),
        slot(Field::PositiveOffset, 1, Wire::Zigzag).within(POSITIVE),
        slot(Field::PositiveBucketCounts, 2, Wire::Varints).within(POSITIVE),
        slot(Field::NegativeOffset, 1, Wire::Zigzag).within(NEGATIVE),
        slot(Field::NegativeBucketCounts, 2, Wire::Varints).within(NEGATIVE),
        slot(Field::Flags, 10, Wire::Uint32),
    ],
    attributes: Some(1),
};

const SUMMARY: &Table = &Table {
    context: Context::DataPoint,
    slots: &[START, TIME, COUNT, SUM, slot(Field::Flags, 8, Wire::Uint32)],
    attributes: Some(7),
};

/// The table of a kind of items.
pub(super) fn of_item(kind: ItemKind) -> &'static Table {
    match kind {
        ItemKind::Span => SPAN,
        ItemKind::LogRecord => LOG,
        ItemKind::Gauge | ItemKind::Sum => NUMBER,
        ItemKind::Histogram => HISTOGRAM,
        ItemKind::ExponentialHistogram => EXPONENTIAL_HISTOGRAM,
        ItemKind::Summary => SUMMARY,
    }
}
