//! The messages of OTLP as tables: which fields each has, and what a field must hold.
//!
//! From `opentelemetry/proto/{collector/*,trace,metrics,logs,resource,common}/v1/*.proto` of OTLP 1.9. A field that a table
//! does not have is unknown, and passes.

/// What a field must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// Anything well formed.
    Unknown,
    /// int, uint, sint, bool or enum.
    Varint,
    /// fixed64, sfixed64 or double.
    Fixed64,
    /// fixed32.
    Fixed32,
    /// UTF-8.
    Text,
    /// Any bytes.
    Bytes,
    /// No byte, or so many.
    Id(u8),
    /// Repeated [`Holds::Fixed64`], packed or not.
    PackedFixed64,
    /// Repeated [`Holds::Varint`], packed or not.
    PackedVarint,
    /// A message.
    Message(Kind),
    /// A message that counts as an item.
    Item(Kind),
}

/// A message's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    TracesRequest,
    ResourceSpans,
    ScopeSpans,
    Span,
    Event,
    Link,
    Status,
    MetricsRequest,
    ResourceMetrics,
    ScopeMetrics,
    Metric,
    Gauge,
    Sum,
    Histogram,
    ExponentialHistogram,
    Summary,
    NumberPoint,
    HistogramPoint,
    ExponentialPoint,
    Buckets,
    SummaryPoint,
    Quantile,
    Exemplar,
    LogsRequest,
    ResourceLogs,
    ScopeLogs,
    LogRecord,
    Resource,
    EntityRef,
    Scope,
    KeyValue,
    AnyValue,
    ArrayValue,
    KeyValueList,
}

use Holds::{Bytes, Fixed32, Fixed64, Id, Item, Message, PackedFixed64, PackedVarint, Text, Unknown, Varint};

const ATTRIBUTES: Holds = Message(Kind::KeyValue);
const TRACE_ID: Holds = Id(16);
const SPAN_ID: Holds = Id(8);

impl Kind {
    /// What the fields hold; the first is field 1.
    pub(super) const fn fields(self) -> &'static [Holds] {
        match self {
            Kind::TracesRequest => &[Message(Kind::ResourceSpans)],
            Kind::ResourceSpans => &[Message(Kind::Resource), Message(Kind::ScopeSpans), Text],
            Kind::ScopeSpans => &[Message(Kind::Scope), Item(Kind::Span), Text],
            Kind::Span | Kind::Event | Kind::Link | Kind::Status => self.of_traces(),
            Kind::LogsRequest => &[Message(Kind::ResourceLogs)],
            Kind::ResourceLogs => &[Message(Kind::Resource), Message(Kind::ScopeLogs), Text],
            Kind::ScopeLogs => &[Message(Kind::Scope), Item(Kind::LogRecord), Text],
            Kind::LogRecord => LOG_RECORD,
            Kind::Resource => &[ATTRIBUTES, Varint, Message(Kind::EntityRef)],
            Kind::EntityRef => &[Text, Text, Text, Text],
            Kind::Scope => &[Text, Text, ATTRIBUTES, Varint],
            Kind::KeyValue => &[Text, Message(Kind::AnyValue)],
            Kind::AnyValue => ANY_VALUE,
            Kind::ArrayValue => &[Message(Kind::AnyValue)],
            Kind::KeyValueList => &[ATTRIBUTES],
            _ => self.of_metrics(),
        }
    }

    const fn of_traces(self) -> &'static [Holds] {
        match self {
            Kind::Span => SPAN,
            Kind::Event => &[Fixed64, Text, ATTRIBUTES, Varint],
            Kind::Link => &[TRACE_ID, SPAN_ID, Text, ATTRIBUTES, Varint, Fixed32],
            Kind::Status => &[Unknown, Text, Varint],
            _ => &[],
        }
    }

    const fn of_metrics(self) -> &'static [Holds] {
        match self {
            Kind::MetricsRequest => &[Message(Kind::ResourceMetrics)],
            Kind::ResourceMetrics => &[Message(Kind::Resource), Message(Kind::ScopeMetrics), Text],
            Kind::ScopeMetrics => &[Message(Kind::Scope), Message(Kind::Metric), Text],
            Kind::Metric => METRIC,
            Kind::Gauge => &[Item(Kind::NumberPoint)],
            Kind::Sum => &[Item(Kind::NumberPoint), Varint, Varint],
            Kind::Histogram => &[Item(Kind::HistogramPoint), Varint],
            Kind::ExponentialHistogram => &[Item(Kind::ExponentialPoint), Varint],
            Kind::Summary => &[Item(Kind::SummaryPoint)],
            Kind::NumberPoint => NUMBER_POINT,
            Kind::HistogramPoint => HISTOGRAM_POINT,
            Kind::ExponentialPoint => EXPONENTIAL_POINT,
            Kind::Buckets => &[Varint, PackedVarint],
            Kind::SummaryPoint => SUMMARY_POINT,
            Kind::Quantile => &[Fixed64, Fixed64],
            Kind::Exemplar => EXEMPLAR,
            _ => &[],
        }
    }

    /// Whether a message of this kind lies within a value, which may nest without end.
    pub(super) const fn is_nested_value(self) -> bool {
        matches!(self, Kind::ArrayValue | Kind::KeyValueList)
    }
}

const SPAN: &[Holds] = &[
    TRACE_ID,
    SPAN_ID,
    Text,
    SPAN_ID,
    Text,
    Varint,
    Fixed64,
    Fixed64,
    ATTRIBUTES,
    Varint,
    Message(Kind::Event),
    Varint,
    Message(Kind::Link),
    Varint,
    Message(Kind::Status),
    Fixed32,
];

const LOG_RECORD: &[Holds] = &[
    Fixed64,
    Varint,
    Text,
    Unknown,
    Message(Kind::AnyValue),
    ATTRIBUTES,
    Varint,
    Fixed32,
    TRACE_ID,
    SPAN_ID,
    Fixed64,
    Text,
];

const METRIC: &[Holds] = &[
    Text,
    Text,
    Text,
    Unknown,
    Message(Kind::Gauge),
    Unknown,
    Message(Kind::Sum),
    Unknown,
    Message(Kind::Histogram),
    Message(Kind::ExponentialHistogram),
    Message(Kind::Summary),
    ATTRIBUTES,
];

const NUMBER_POINT: &[Holds] = &[
    Unknown,
    Fixed64,
    Fixed64,
    Fixed64,
    Message(Kind::Exemplar),
    Fixed64,
    ATTRIBUTES,
    Varint,
];

const HISTOGRAM_POINT: &[Holds] = &[
    Unknown,
    Fixed64,
    Fixed64,
    Fixed64,
    Fixed64,
    PackedFixed64,
    PackedFixed64,
    Message(Kind::Exemplar),
    ATTRIBUTES,
    Varint,
    Fixed64,
    Fixed64,
];

const EXPONENTIAL_POINT: &[Holds] = &[
    ATTRIBUTES,
    Fixed64,
    Fixed64,
    Fixed64,
    Fixed64,
    Varint,
    Fixed64,
    Message(Kind::Buckets),
    Message(Kind::Buckets),
    Varint,
    Message(Kind::Exemplar),
    Fixed64,
    Fixed64,
    Fixed64,
];

const SUMMARY_POINT: &[Holds] = &[
    Unknown,
    Fixed64,
    Fixed64,
    Fixed64,
    Fixed64,
    Message(Kind::Quantile),
    ATTRIBUTES,
    Varint,
];

const EXEMPLAR: &[Holds] = &[Unknown, Fixed64, Fixed64, SPAN_ID, TRACE_ID, Fixed64, ATTRIBUTES];

const ANY_VALUE: &[Holds] = &[
    Text,
    Varint,
    Varint,
    Fixed64,
    Message(Kind::ArrayValue),
    Message(Kind::KeyValueList),
    Bytes,
];
