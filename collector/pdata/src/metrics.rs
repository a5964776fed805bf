//! Views over encoded metrics. Nothing is decoded before it is asked for, and nothing is copied.

mod point;

use crate::proto::{Malformed, fields};
use crate::scan::{last_bytes, messages};
use crate::view::{Attributes, Resource, Scope};
pub use point::{
    Buckets, Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Number, NumberDataPoint, SummaryDataPoint,
    ValueAtQuantile,
};

/// The names of `AggregationTemporality`, by number.
pub const AGGREGATION_TEMPORALITIES: [&str; 3] = [
    "AGGREGATION_TEMPORALITY_UNSPECIFIED",
    "AGGREGATION_TEMPORALITY_DELTA",
    "AGGREGATION_TEMPORALITY_CUMULATIVE",
];

/// The `ResourceMetrics` of one encoded request.
pub fn resource_metrics(request: &[u8]) -> impl Iterator<Item = Result<ResourceMetrics<'_>, Malformed>> {
    messages(request, 1).map(|message| message.map(ResourceMetrics))
}

/// An encoded `ResourceMetrics`.
#[derive(Debug, Clone, Copy)]
pub struct ResourceMetrics<'a>(&'a [u8]);

/// An encoded `ScopeMetrics`.
#[derive(Debug, Clone, Copy)]
pub struct ScopeMetrics<'a>(&'a [u8]);

/// A `Metric`. Texts are as they were encoded, which need not be UTF-8.
#[derive(Debug, Clone, Copy, Default)]
pub struct Metric<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// For people.
    pub description: &'a [u8],
    /// In the notation of UCUM.
    pub unit: &'a [u8],
    /// Its points, by kind; `None` if there are no data. Of several kinds the last counts.
    pub data: Option<Data<'a>>,
    raw: &'a [u8],
}

/// What a metric measured.
#[derive(Debug, Clone, Copy)]
pub enum Data<'a> {
    /// Values of the moment.
    Gauge(Points<'a>),
    /// Values that add up.
    Sum {
        /// Its points.
        points: Points<'a>,
        /// `AggregationTemporality`, as the number that was encoded: 0 unspecified, 1 delta, 2 cumulative.
        aggregation_temporality: i32,
        /// It only grows.
        is_monotonic: bool,
    },
    /// Distributions over buckets with explicit bounds.
    Histogram {
        /// Its points.
        points: Points<'a>,
        /// As for sums.
        aggregation_temporality: i32,
    },
    /// Distributions over buckets whose bounds are powers of one base.
    ExponentialHistogram {
        /// Its points.
        points: Points<'a>,
        /// As for sums.
        aggregation_temporality: i32,
    },
    /// Quantiles that were computed at the source.
    Summary(Points<'a>),
}

/// The encoded data points of a metric; read as those of their kind.
#[derive(Debug, Clone, Copy)]
pub struct Points<'a>(&'a [u8]);

impl<'a> ResourceMetrics<'a> {
    /// The resource; without attributes if none was encoded.
    pub fn resource(&self) -> Result<Resource<'a>, Malformed> {
        last_bytes(self.0, 1).map(Resource::new)
    }

    /// The schema of the resource.
    pub fn schema_url(&self) -> Result<&'a [u8], Malformed> {
        last_bytes(self.0, 3)
    }

    /// Its scopes.
    pub fn scope_metrics(&self) -> impl Iterator<Item = Result<ScopeMetrics<'a>, Malformed>> + use<'a> {
        messages(self.0, 2).map(|message| message.map(ScopeMetrics))
    }
}

impl<'a> ScopeMetrics<'a> {
    /// The scope.
    pub fn scope(&self) -> Result<Scope<'a>, Malformed> {
        last_bytes(self.0, 1).and_then(Scope::read)
    }

    /// The schema of its metrics.
    pub fn schema_url(&self) -> Result<&'a [u8], Malformed> {
        last_bytes(self.0, 3)
    }

    /// Its metrics.
    pub fn metrics(&self) -> impl Iterator<Item = Result<Metric<'a>, Malformed>> + use<'a> {
        messages(self.0, 2).map(|message| message.and_then(Metric::read))
    }
}

impl<'a> Metric<'a> {
    /// Reads an encoded `Metric`.
    pub fn read(raw: &'a [u8]) -> Result<Self, Malformed> {
        let mut metric = Metric {
            raw,
            ..Metric::default()
        };
        for field in fields(raw) {
            let field = field?;
            match field.number {
                1 => metric.name = field.bytes()?,
                2 => metric.description = field.bytes()?,
                3 => metric.unit = field.bytes()?,
                5 | 7 | 9 | 10 | 11 => metric.data = Some(Data::read(field.number, field.bytes()?)?),
                _ => {}
            }
        }
        Ok(metric)
    }

    /// What is known of the metric itself, beside its points.
    pub fn metadata(&self) -> Attributes<'a> {
        Attributes::new(self.raw, 12)
    }
}

impl<'a> Data<'a> {
    /// Reads the data of a metric's field `number`, which is one of 5, 7, 9, 10 and 11.
    fn read(number: u32, raw: &'a [u8]) -> Result<Self, Malformed> {
        let (mut aggregation_temporality, mut is_monotonic) = (0, false);
        for field in fields(raw) {
            let field = field?;
            match field.number {
                2 => aggregation_temporality = field.varint()? as i32,
                3 => is_monotonic = field.varint()? != 0,
                _ => {}
            }
        }
        let points = Points(raw);
        Ok(match number {
            5 => Data::Gauge(points),
            7 => Data::Sum {
                points,
                aggregation_temporality,
                is_monotonic,
            },
            9 => Data::Histogram {
                points,
                aggregation_temporality,
            },
            10 => Data::ExponentialHistogram {
                points,
                aggregation_temporality,
            },
            _ => Data::Summary(points),
        })
    }
}

impl<'a> Points<'a> {
    /// The points of a gauge or a sum.
    pub fn numbers(&self) -> impl Iterator<Item = Result<NumberDataPoint<'a>, Malformed>> + use<'a> {
        messages(self.0, 1).map(|message| message.and_then(NumberDataPoint::read))
    }

    /// The points of a histogram.
    pub fn histograms(&self) -> impl Iterator<Item = Result<HistogramDataPoint<'a>, Malformed>> + use<'a> {
        messages(self.0, 1).map(|message| message.and_then(HistogramDataPoint::read))
    }

    /// The points of an exponential histogram.
    pub fn exponential_histograms(
        &self,
    ) -> impl Iterator<Item = Result<ExponentialHistogramDataPoint<'a>, Malformed>> + use<'a> {
        messages(self.0, 1).map(|message| message.and_then(ExponentialHistogramDataPoint::read))
    }

    /// The points of a summary.
    pub fn summaries(&self) -> impl Iterator<Item = Result<SummaryDataPoint<'a>, Malformed>> + use<'a> {
        messages(self.0, 1).map(|message| message.and_then(SummaryDataPoint::read))
    }
}
