use crate::Signal;

/// What an item is: the message that is counted, kept, changed or dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ItemKind {
    /// A `Span`.
    Span,
    /// A `LogRecord`.
    LogRecord,
    /// A `NumberDataPoint` of a gauge.
    Gauge,
    /// A `NumberDataPoint` of a sum.
    Sum,
    /// A `HistogramDataPoint`.
    Histogram,
    /// An `ExponentialHistogramDataPoint`.
    ExponentialHistogram,
    /// A `SummaryDataPoint`.
    Summary,
}

impl ItemKind {
    /// The kind of the messages in a scope's field 2; `None` for metrics, whose items lie deeper.
    pub fn of_scope(signal: Signal) -> Option<ItemKind> {
        match signal {
            Signal::Traces => Some(ItemKind::Span),
            Signal::Logs => Some(ItemKind::LogRecord),
            Signal::Metrics => None,
        }
    }

    /// The kind of the data points in a `Metric`'s field; `None` if the field is not one of its five kinds of data.
    #[inline]
    pub fn of_data(field: u32) -> Option<ItemKind> {
        match field {
            5 => Some(ItemKind::Gauge),
            7 => Some(ItemKind::Sum),
            9 => Some(ItemKind::Histogram),
            10 => Some(ItemKind::ExponentialHistogram),
            11 => Some(ItemKind::Summary),
            _ => None,
        }
    }

    /// The number of the field that holds the item's attributes.
    #[inline]
    pub fn attributes_field(self) -> u32 {
        match self {
            ItemKind::Span | ItemKind::Histogram => 9,
            ItemKind::LogRecord => 6,
            ItemKind::Gauge | ItemKind::Sum | ItemKind::Summary => 7,
            ItemKind::ExponentialHistogram => 1,
        }
    }
}
