//! The data points of a metric, in all detail.

use super::detailed::Detailed;
use super::form::{fixed, id, time, word};
use super::normal::{bucket_index, factor};
use collector_pdata::Malformed;
use collector_pdata::metrics::{
    AGGREGATION_TEMPORALITIES, Data, Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, Number,
    NumberDataPoint, SummaryDataPoint,
};
use collector_pdata::traces::Attributes;

impl Detailed {
    /// The kind of data, and the points.
    pub(super) fn data(&mut self, metric: &Metric<'_>) -> Result<(), Malformed> {
        let kind = match metric.data {
            None => "Empty",
            Some(Data::Gauge(_)) => "Gauge",
            Some(Data::Sum { .. }) => "Sum",
            Some(Data::Histogram { .. }) => "Histogram",
            Some(Data::ExponentialHistogram { .. }) => "ExponentialHistogram",
            Some(Data::Summary(_)) => "Summary",
        };
        self.below("DataType", kind);
        self.attributes("     ", "     -> Metadata", metric.metadata())?;
        let (is_monotonic, temporality) = match metric.data {
            Some(Data::Sum {
                is_monotonic,
                aggregation_temporality,
                ..
            }) => (Some(is_monotonic), Some(aggregation_temporality)),
            Some(
                Data::Histogram {
                    aggregation_temporality,
                    ..
                }
                | Data::ExponentialHistogram {
                    aggregation_temporality,
                    ..
                },
            ) => (None, Some(aggregation_temporality)),
            _ => (None, None),
        };
        if let Some(is_monotonic) = is_monotonic {
            self.below("IsMonotonic", is_monotonic);
        }
        if let Some(number) = temporality {
            let temporality = word(&AGGREGATION_TEMPORALITIES, "AGGREGATION_TEMPORALITY_", number);
            self.below("AggregationTemporality", temporality);
        }
        self.points(metric)
    }

    fn points(&mut self, metric: &Metric<'_>) -> Result<(), Malformed> {
        match metric.data {
            None => Ok(()),
            Some(Data::Gauge(points) | Data::Sum { points, .. }) => {
                let mut points = points.numbers().enumerate();
                points.try_for_each(|(index, point)| self.number(index, &point?))
            }
            Some(Data::Histogram { points, .. }) => {
                let mut points = points.histograms().enumerate();
                points.try_for_each(|(index, point)| self.histogram(index, &point?))
            }
            Some(Data::ExponentialHistogram { points, .. }) => {
                let mut points = points.exponential_histograms().enumerate();
                points.try_for_each(|(index, point)| self.exponential_histogram(index, &point?))
            }
            Some(Data::Summary(points)) => {
                let mut points = points.summaries().enumerate();
                points.try_for_each(|(index, point)| self.summary(index, &point?))
            }
        }
    }

    fn head(&mut self, attributes: Attributes<'_>, start: u64, at: u64) -> Result<(), Malformed> {
        self.attributes("", "Data point attributes", attributes)?;
        self.line(format_args!("StartTimestamp: {}", time(start)));
        self.line(format_args!("Timestamp: {}", time(at)));
        Ok(())
    }

    fn number(&mut self, index: usize, point: &NumberDataPoint<'_>) -> Result<(), Malformed> {
        self.line(format_args!("NumberDataPoints #{index}"));
        self.head(point.attributes(), point.start_time_unix_nano, point.time_unix_nano)?;
        if let Some(value) = point.value {
            self.line(format_args!("Value: {}", measured(value)));
        }
        self.exemplars(point.exemplars())
    }

    fn totals(&mut self, count: u64, parts: [(&str, Option<f64>); 3]) {
        self.line(format_args!("Count: {count}"));
        for (name, part) in parts {
            if let Some(part) = part {
                self.line(format_args!("{name}: {}", fixed(part)));
            }
        }
    }

    fn histogram(&mut self, index: usize, point: &HistogramDataPoint<'_>) -> Result<(), Malformed> {
        self.line(format_args!("HistogramDataPoints #{index}"));
        self.head(point.attributes(), point.start_time_unix_nano, point.time_unix_nano)?;
        self.totals(
            point.count,
            [("Sum", point.sum), ("Min", point.min), ("Max", point.max)],
        );
        for (index, bound) in point.explicit_bounds().enumerate() {
            self.line(format_args!("ExplicitBounds #{index}: {}", fixed(bound?)));
        }
        for (index, count) in point.bucket_counts().enumerate() {
            self.line(format_args!("Buckets #{index}, Count: {}", count?));
        }
        self.exemplars(point.exemplars())
    }

    fn exponential_histogram(
        &mut self,
        index: usize,
        point: &ExponentialHistogramDataPoint<'_>,
    ) -> Result<(), Malformed> {
        self.line(format_args!("ExponentialHistogramDataPoints #{index}"));
        self.head(point.attributes(), point.start_time_unix_nano, point.time_unix_nano)?;
        self.totals(
            point.count,
            [("Sum", point.sum), ("Min", point.min), ("Max", point.max)],
        );
        let factor = factor(point.scale);
        let bounds = |offset, index| {
            let index = bucket_index(offset, index);
            ((index * factor).exp(), ((index + 1.0) * factor).exp())
        };
        if let Some(buckets) = point.negative {
            let counts: Vec<u64> = buckets.bucket_counts().collect::<Result<_, _>>()?;
            for (index, count) in counts.into_iter().enumerate().rev() {
                let (lower, upper) = bounds(buckets.offset, index);
                self.line(format_args!(
                    "Bucket [{}, {}), Count: {count}",
                    fixed(-upper),
                    fixed(-lower)
                ));
            }
        }
        if point.zero_count != 0 {
            self.line(format_args!("Bucket [0, 0], Count: {}", point.zero_count));
        }
        if let Some(buckets) = point.positive {
            for (index, count) in buckets.bucket_counts().enumerate() {
                let (lower, upper) = bounds(buckets.offset, index);
                self.line(format_args!(
                    "Bucket ({}, {}], Count: {}",
                    fixed(lower),
                    fixed(upper),
                    count?
                ));
            }
        }
        self.exemplars(point.exemplars())
    }

    fn summary(&mut self, index: usize, point: &SummaryDataPoint<'_>) -> Result<(), Malformed> {
        self.line(format_args!("SummaryDataPoints #{index}"));
        self.head(point.attributes(), point.start_time_unix_nano, point.time_unix_nano)?;
        self.totals(point.count, [("Sum", Some(point.sum)), ("Min", None), ("Max", None)]);
        for (index, quantile) in point.quantile_values().enumerate() {
            let quantile = quantile?;
            let (at, value) = (fixed(quantile.quantile), fixed(quantile.value));
            self.line(format_args!("QuantileValue #{index}: Quantile {at}, Value {value}"));
        }
        Ok(())
    }

    fn exemplars<'a>(
        &mut self,
        exemplars: impl Iterator<Item = Result<Exemplar<'a>, Malformed>>,
    ) -> Result<(), Malformed> {
        for (index, exemplar) in exemplars.enumerate() {
            let exemplar = exemplar?;
            if index == 0 {
                self.line(format_args!("Exemplars:"));
            }
            self.line(format_args!("Exemplar #{index}"));
            self.below("Trace ID", id(&exemplar.trace_id));
            self.below("Span ID", id(&exemplar.span_id));
            self.below("Timestamp", time(exemplar.time_unix_nano));
            if let Some(value) = exemplar.value {
                self.below("Value", measured(value));
            }
            self.attributes("     ", "     -> FilteredAttributes", exemplar.filtered_attributes())?;
        }
        Ok(())
    }
}

fn measured(value: Number) -> String {
    match value {
        Number::Int(value) => value.to_string(),
        Number::Double(value) => fixed(value).into_owned(),
    }
}
