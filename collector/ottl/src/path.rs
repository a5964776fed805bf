//! What there is to read and write: the contexts, and the table of each one's paths.

use crate::ast::Key;
use std::fmt;

/// What a text is evaluated on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Context {
    /// A resource.
    Resource,
    /// An instrumentation scope, with its resource.
    Scope,
    /// A span, with its scope and its resource.
    Span,
    /// A span's event, with its span and all that the span has.
    SpanEvent,
    /// A metric, with its scope and its resource.
    Metric,
    /// A data point, with its metric and all that the metric has.
    DataPoint,
    /// A log record, with its scope and its resource.
    Log,
}

/// A field of a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Field {
    Cache,
    Attributes,
    DroppedAttributesCount,
    Name,
    Version,
    TraceId,
    TraceIdString,
    SpanId,
    SpanIdString,
    ParentSpanId,
    ParentSpanIdString,
    TraceState,
    Kind,
    KindString,
    KindDeprecatedString,
    StartTimeUnixNano,
    EndTimeUnixNano,
    TimeUnixNano,
    ObservedTimeUnixNano,
    DroppedEventsCount,
    DroppedLinksCount,
    StatusCode,
    StatusMessage,
    Flags,
    Description,
    Unit,
    Type,
    AggregationTemporality,
    IsMonotonic,
    ValueInt,
    ValueDouble,
    Count,
    Sum,
    BucketCounts,
    ExplicitBounds,
    Scale,
    ZeroCount,
    PositiveOffset,
    PositiveBucketCounts,
    NegativeOffset,
    NegativeBucketCounts,
    SeverityNumber,
    SeverityText,
    Body,
    BodyString,
    EventName,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A bool.
    Bool,
    /// A whole number.
    Int,
    /// A double.
    Double,
    /// A text.
    Text,
    /// Bytes.
    Bytes,
    /// A list.
    List,
    /// A map.
    Map,
    /// Any value.
    Any,
    /// W3C trace state: a text, or the text of one member by its key.
    TraceState,
}

impl Shape {
    /// Its name in an error.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Shape::Bool => "bool",
            Shape::Int => "int",
            Shape::Double => "double",
            Shape::Text | Shape::TraceState => "text",
            Shape::Bytes => "bytes",
            Shape::List => "list",
            Shape::Map => "map",
            Shape::Any => "any value",
        }
    }
}

/// A path that was looked up: a field of a context, and the keys into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// Whose field it is: the text's own context, or one that holds it.
    pub context: Context,
    /// The field.
    pub field: Field,
    /// The keys. None for most fields; the first one of a map is a text.
    pub keys: Vec<Key>,
}

/// A line of a context's table.
#[derive(Debug, Clone, Copy)]
pub struct PathEntry {
    /// As it is written after the context's name.
    pub name: &'static str,
    /// The field.
    pub field: Field,
    /// What it holds.
    pub shape: Shape,
    /// Whether an editor may write it.
    pub settable: bool,
}

const fn entry(name: &'static str, field: Field, shape: Shape) -> PathEntry {
    PathEntry {
        name,
        field,
        shape,
        settable: true,
    }
}

const fn read_only(name: &'static str, field: Field, shape: Shape) -> PathEntry {
    PathEntry {
        settable: false,
        ..entry(name, field, shape)
    }
}

const CACHE: PathEntry = entry("cache", Field::Cache, Shape::Map);
const ATTRIBUTES: PathEntry = entry("attributes", Field::Attributes, Shape::Map);
const DROPPED_ATTRIBUTES: PathEntry = entry("dropped_attributes_count", Field::DroppedAttributesCount, Shape::Int);
const NAME: PathEntry = entry("name", Field::Name, Shape::Text);
const TRACE_ID: PathEntry = entry("trace_id", Field::TraceId, Shape::Bytes);
const TRACE_ID_STRING: PathEntry = entry("trace_id.string", Field::TraceIdString, Shape::Text);
const SPAN_ID: PathEntry = entry("span_id", Field::SpanId, Shape::Bytes);
const SPAN_ID_STRING: PathEntry = entry("span_id.string", Field::SpanIdString, Shape::Text);
const START_TIME: PathEntry = entry("start_time_unix_nano", Field::StartTimeUnixNano, Shape::Int);
const TIME: PathEntry = entry("time_unix_nano", Field::TimeUnixNano, Shape::Int);
const FLAGS: PathEntry = entry("flags", Field::Flags, Shape::Int);

const RESOURCE: &[PathEntry] = &[CACHE, ATTRIBUTES, DROPPED_ATTRIBUTES];

const SCOPE: &[PathEntry] = &[
    CACHE,
    ATTRIBUTES,
    DROPPED_ATTRIBUTES,
    NAME,
    entry("version", Field::Version, Shape::Text),
];

const SPAN: &[PathEntry] = &[
    CACHE,
    ATTRIBUTES,
    DROPPED_ATTRIBUTES,
    NAME,
    TRACE_ID,
    TRACE_ID_STRING,
    SPAN_ID,
    SPAN_ID_STRING,
    entry("parent_span_id", Field::ParentSpanId, Shape::Bytes),
    entry("parent_span_id.string", Field::ParentSpanIdString, Shape::Text),
    entry("trace_state", Field::TraceState, Shape::TraceState),
    entry("kind", Field::Kind, Shape::Int),
    entry("kind.string", Field::KindString, Shape::Text),
    entry("kind.deprecated_string", Field::KindDeprecatedString, Shape::Text),
    START_TIME,
    entry("end_time_unix_nano", Field::EndTimeUnixNano, Shape::Int),
    entry("dropped_events_count", Field::DroppedEventsCount, Shape::Int),
    entry("dropped_links_count", Field::DroppedLinksCount, Shape::Int),
    entry("status.code", Field::StatusCode, Shape::Int),
    entry("status.message", Field::StatusMessage, Shape::Text),
    FLAGS,
];

const SPAN_EVENT: &[PathEntry] = &[CACHE, ATTRIBUTES, DROPPED_ATTRIBUTES, NAME, TIME];

const METRIC: &[PathEntry] = &[
    CACHE,
    NAME,
    entry("description", Field::Description, Shape::Text),
    entry("unit", Field::Unit, Shape::Text),
    read_only("type", Field::Type, Shape::Int),
    read_only("aggregation_temporality", Field::AggregationTemporality, Shape::Int),
    read_only("is_monotonic", Field::IsMonotonic, Shape::Bool),
];

const DATA_POINT: &[PathEntry] = &[
    CACHE,
    ATTRIBUTES,
    START_TIME,
    TIME,
    FLAGS,
    entry("value_int", Field::ValueInt, Shape::Int),
    entry("value_double", Field::ValueDouble, Shape::Double),
    entry("count", Field::Count, Shape::Int),
    entry("sum", Field::Sum, Shape::Double),
    read_only("bucket_counts", Field::BucketCounts, Shape::List),
    read_only("explicit_bounds", Field::ExplicitBounds, Shape::List),
    entry("scale", Field::Scale, Shape::Int),
    entry("zero_count", Field::ZeroCount, Shape::Int),
    read_only("positive.offset", Field::PositiveOffset, Shape::Int),
    read_only("positive.bucket_counts", Field::PositiveBucketCounts, Shape::List),
    read_only("negative.offset", Field::NegativeOffset, Shape::Int),
    read_only("negative.bucket_counts", Field::NegativeBucketCounts, Shape::List),
];

const LOG: &[PathEntry] = &[
    CACHE,
    ATTRIBUTES,
    DROPPED_ATTRIBUTES,
    TIME,
    entry("observed_time_unix_nano", Field::ObservedTimeUnixNano, Shape::Int),
    entry("severity_number", Field::SeverityNumber, Shape::Int),
    entry("severity_text", Field::SeverityText, Shape::Text),
    entry("body", Field::Body, Shape::Any),
    entry("body.string", Field::BodyString, Shape::Text),
    FLAGS,
    TRACE_ID,
    TRACE_ID_STRING,
    SPAN_ID,
    SPAN_ID_STRING,
    entry("event_name", Field::EventName, Shape::Text),
];

impl Context {
    /// All of them.
    pub const ALL: [Context; 7] = [
        Context::Resource,
        Context::Scope,
        Context::Span,
        Context::SpanEvent,
        Context::Metric,
        Context::DataPoint,
        Context::Log,
    ];

    /// Its name in a path and in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Context::Resource => "resource",
            Context::Scope => "scope",
            Context::Span => "span",
            Context::SpanEvent => "spanevent",
            Context::Metric => "metric",
            Context::DataPoint => "datapoint",
            Context::Log => "log",
        }
    }

    /// The context of that name. `instrumentation_scope` is the scope's older one.
    pub fn named(name: &str) -> Option<Context> {
        let name = if name == "instrumentation_scope" { "scope" } else { name };
        Context::ALL.into_iter().find(|context| context.name() == name)
    }

    /// Itself, and those whose fields it reaches by their name, from the inside out.
    pub fn reaches(self) -> &'static [Context] {
        match self {
            Context::Resource => &[Context::Resource],
            Context::Scope => &[Context::Scope, Context::Resource],
            Context::Span => &[Context::Span, Context::Scope, Context::Resource],
            Context::SpanEvent => &[Context::SpanEvent, Context::Span, Context::Scope, Context::Resource],
            Context::Metric => &[Context::Metric, Context::Scope, Context::Resource],
            Context::DataPoint => &[Context::DataPoint, Context::Metric, Context::Scope, Context::Resource],
            Context::Log => &[Context::Log, Context::Scope, Context::Resource],
        }
    }

    /// Its table of paths.
    pub fn paths(self) -> &'static [PathEntry] {
        match self {
            Context::Resource => RESOURCE,
            Context::Scope => SCOPE,
            Context::Span => SPAN,
            Context::SpanEvent => SPAN_EVENT,
            Context::Metric => METRIC,
            Context::DataPoint => DATA_POINT,
            Context::Log => LOG,
        }
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
