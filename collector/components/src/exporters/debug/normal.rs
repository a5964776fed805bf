//! About a line an item.

use super::form::{fixed, id, pairs, shortest, text as lossy};
use collector_pdata::logs::resource_logs;
use collector_pdata::metrics::{
    Data, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, Number, NumberDataPoint, SummaryDataPoint,
    resource_metrics,
};
use collector_pdata::traces::{Attributes, Resource, Scope, resource_spans};
use collector_pdata::{Malformed, Payload, Signal, Value};
use std::f64::consts::LN_2;
use std::fmt::Write;

/// A request's lines.
pub(super) fn text(payload: &Payload) -> Result<String, Malformed> {
    let mut out = Lines::default();
    for chunk in payload.chunks() {
        match payload.signal() {
            Signal::Traces => out.traces(chunk)?,
            Signal::Metrics => out.metrics(chunk)?,
            Signal::Logs => out.logs(chunk)?,
        }
    }
    Ok(out.text)
}

#[derive(Default)]
struct Lines {
    text: String,
    resources: usize,
}

impl Lines {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn resource(&mut self, title: &str, resource: &Resource<'_>, schema: &[u8]) -> Result<(), Malformed> {
        let mut line = format!("{title} #{}", self.resources);
        if !schema.is_empty() {
            let _ = write!(line, " [{}]", lossy(schema));
        }
        put_pairs(&mut line, resource.attributes())?;
        self.resources += 1;
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

    fn traces(&mut self, request: &[u8]) -> Result<(), Malformed> {
        for resource in resource_spans(request) {
            let resource = resource?;
            self.resource("ResourceTraces", &resource.resource()?, resource.schema_url()?)?;
            for (index, scope) in resource.scope_spans().enumerate() {
                let scope = scope?;
                self.scope("ScopeTraces", index, &scope.scope()?, scope.schema_url()?)?;
                for span in scope.spans() {
                    let span = span?;
                    let mut line = format!("{} {} {}", lossy(span.name), id(&span.trace_id), id(&span.span_id));
                    put_pairs(&mut line, span.attributes())?;
                    self.line(&line);
                }
            }
        }
        Ok(())
    }

    fn logs(&mut self, request: &[u8]) -> Result<(), Malformed> {
        for resource in resource_logs(request) {
            let resource = resource?;
            self.resource("ResourceLog", &resource.resource()?, resource.schema_url()?)?;
            for (index, scope) in resource.scope_logs().enumerate() {
                let scope = scope?;
                self.scope("ScopeLog", index, &scope.scope()?, scope.schema_url()?)?;
                for record in scope.log_records() {
                    let record = record?;
                    let mut line = Value::of(record.body()?)?.as_string();
                    put_pairs(&mut line, record.attributes())?;
                    self.line(&line);
                }
            }
        }
        Ok(())
    }

    fn metrics(&mut self, request: &[u8]) -> Result<(), Malformed> {
        for resource in resource_metrics(request) {
            let resource = resource?;
            self.resource("ResourceMetrics", &resource.resource()?, resource.schema_url()?)?;
            for (index, scope) in resource.scope_metrics().enumerate() {
                let scope = scope?;
                self.scope("ScopeMetrics", index, &scope.scope()?, scope.schema_url()?)?;
                for metric in scope.metrics() {
                    self.metric(&metric?)?;
                }
            }
        }
        Ok(())
    }

    fn metric(&mut self, metric: &Metric<'_>) -> Result<(), Malformed> {
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
