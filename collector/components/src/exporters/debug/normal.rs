//! About a line an item.

use super::form::{fixed, id, pairs, shortest, text as lossy};
use super::walk::Form;
use collector_pdata::logs::LogRecord;
use collector_pdata::metrics::{
    Data, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, Number, NumberDataPoint, SummaryDataPoint,
};
use collector_pdata::traces::{Attributes, Resource, Scope, Span};
use collector_pdata::{Malformed, Signal, Value};
use std::f64::consts::LN_2;
use std::fmt::Write;

/// The lines so far.
#[derive(Default)]
pub(super) struct Normal(String);

impl Normal {
    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }
}

impl Form for Normal {
    fn titles(signal: Signal) -> [&'static str; 2] {
        match signal {
            Signal::Traces => ["ResourceTraces", "ScopeTraces"],
            Signal::Metrics => ["ResourceMetrics", "ScopeMetrics"],
            Signal::Logs => ["ResourceLog", "ScopeLog"],
        }
    }

    fn resource(&mut self, title: &str, index: usize, resource: &Resource<'_>, schema: &[u8]) -> Result<(), Malformed> {
        let mut line = format!("{title} #{index}");
        if !schema.is_empty() {
            let _ = write!(line, " [{}]", lossy(schema));
        }
        put_pairs(&mut line, resource.attributes())?;
        self.line(&line);
        Ok(())
    }

    fn scope(&mut self, title: &str, index: usize, scope: &Scope<'_>, schema: &[u8]) -> Result<(), Malformed> {
        let mut line = format!("{title} #{index}");
        if !scope.name.is_empty() || !scope.version.is_empty() {
            let _ = write!(line, " {}", lossy(scope.name));
        }
        if !scope.version.is_empty() {
            let _ = write!(line, "@{}", lossy(scope.version));
        }
        if !schema.is_empty() {
            let _ = write!(line, " [{}]", lossy(schema));
        }
        put_pairs(&mut line, scope.attributes())?;
        self.line(&line);
        Ok(())
    }

    fn span(&mut self, _: usize, span: &Span<'_>) -> Result<(), Malformed> {
        let mut line = format!("{} {} {}", lossy(span.name), id(&span.trace_id), id(&span.span_id));
        put_pairs(&mut line, span.attributes())?;
        self.line(&line);
        Ok(())
    }

    fn record(&mut self, _: usize, record: &LogRecord<'_>) -> Result<(), Malformed> {
        let mut line = Value::of(record.body()?)?.as_string();
        put_pairs(&mut line, record.attributes())?;
        self.line(&line);
        Ok(())
    }

    fn metric(&mut self, _: usize, metric: &Metric<'_>) -> Result<(), Malformed> {
        let mut put = |attributes, value: String| {
            let line = format!("{}{{{}}} {value}", lossy(metric.name), pairs(attributes)?.join(","));
            self.line(&line);
            Ok(())
        };
        match metric.data {
            None => Ok(()),
            Some(Data::Gauge(points) | Data::Sum { points, .. }) => points.numbers().try_for_each(|point| {
                let point = point?;
                put(point.attributes(), number(&point))
            }),
            Some(Data::Histogram { points, .. }) => points.histograms().try_for_each(|point| {
                let point = point?;
                put(point.attributes(), histogram(&point)?)
            }),
            Some(Data::ExponentialHistogram { points, .. }) => points.exponential_histograms().try_for_each(|point| {
                let point = point?;
                put(point.attributes(), exponential_histogram(&point)?)
            }),
            Some(Data::Summary(points)) => points.summaries().try_for_each(|point| {
                let point = point?;
                put(point.attributes(), summary(&point)?)
            }),
        }
    }

    fn finish(self) -> String {
        self.0
    }
}

fn put_pairs(line: &mut String, attributes: Attributes<'_>) -> Result<(), Malformed> {
    for pair in pairs(attributes)? {
        line.push(' ');
        line.push_str(&pair);
    }
    Ok(())
}

fn number(point: &NumberDataPoint<'_>) -> String {
    match point.value {
        None => String::new(),
        Some(Number::Int(value)) => value.to_string(),
        Some(Number::Double(value)) => shortest(value).into_owned(),
    }
}

/// The parts that both kinds of histograms begin with.
fn totals(count: u64, parts: [(&str, Option<f64>); 3]) -> String {
    let mut value = format!("count={count}");
    for (name, part) in parts {
        if let Some(part) = part {
            let _ = write!(value, " {name}={}", shortest(part));
        }
    }
    value
}

fn histogram(point: &HistogramDataPoint<'_>) -> Result<String, Malformed> {
    let mut value = totals(
        point.count,
        [("sum", point.sum), ("min", point.min), ("max", point.max)],
    );
    let mut bounds = point.explicit_bounds();
    for count in point.bucket_counts() {
        let bound = bounds.next().transpose()?;
        let bound = bound.map_or_else(String::new, |bound| format!("le{}=", shortest(bound)));
        let _ = write!(value, " {bound}{}", count?);
    }
    Ok(value)
}

fn exponential_histogram(point: &ExponentialHistogramDataPoint<'_>) -> Result<String, Malformed> {
    let mut value = totals(
        point.count,
        [("sum", point.sum), ("min", point.min), ("max", point.max)],
    );
    let factor = factor(point.scale);
    if let Some(buckets) = point.negative {
        let counts: Vec<u64> = buckets.bucket_counts().collect::<Result<_, _>>()?;
        for (index, count) in counts.into_iter().enumerate().rev() {
            let bound = -(bucket_index(buckets.offset, index) * factor).exp();
            let _ = write!(value, " le{}={count}", shortest(bound));
        }
    }
    if point.zero_count != 0 {
        let _ = write!(value, " zero={}", point.zero_count);
    }
    if let Some(buckets) = point.positive {
        for (index, count) in buckets.bucket_counts().enumerate() {
            let bound = ((bucket_index(buckets.offset, index) + 1.0) * factor).exp();
            let _ = write!(value, " le{}={}", shortest(bound), count?);
        }
    }
    Ok(value)
}

fn summary(point: &SummaryDataPoint<'_>) -> Result<String, Malformed> {
    let mut value = format!("count={} sum={}", point.count, fixed(point.sum));
    for quantile in point.quantile_values() {
        let quantile = quantile?;
        let _ = write!(value, " q{}={}", shortest(quantile.quantile), shortest(quantile.value));
    }
    Ok(value)
}

/// The logarithm of an exponential histogram's base.
pub(super) fn factor(scale: i32) -> f64 {
    LN_2 * f64::from(scale.saturating_neg()).exp2()
}

/// The index of a bucket, of which `index` are before it.
pub(super) fn bucket_index(offset: i32, index: usize) -> f64 {
    f64::from(offset) + index as f64
}
