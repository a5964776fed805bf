//! From OTLP's metrics to points of series.

use super::names::{self, Labels, Suffix};
use super::store::{Kind, Point, Store, Value};
use collector_pdata::metrics::{
    Data, HistogramDataPoint, Metric, Number, NumberDataPoint, ResourceMetrics, SummaryDataPoint, resource_metrics,
};
use collector_pdata::traces::{Attributes, Resource};
use collector_pdata::{Malformed, Payload};
use std::collections::BTreeMap;
use std::time::Instant;

/// The reason that is counted for points of a kind that Prometheus' text has no form for.
pub(super) const UNSUPPORTED: &str = "unsupported";

/// `DataPointFlags`: no recorded value.
const NO_VALUE: u32 = 1;
const DELTA: i32 = 1;

/// How names and labels are made.
#[derive(Debug, Clone, Default)]
pub(super) struct Naming {
    pub(super) namespace: String,
    pub(super) const_labels: Labels,
    pub(super) resource_labels: bool,
    pub(super) suffixes: bool,
    pub(super) scope_info: bool,
}

/// What became of a payload's points.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) dropped: BTreeMap<&'static str, usize>,
}

/// Puts points in the store.
pub(super) struct Reader<'a> {
    pub(super) naming: &'a Naming,
    pub(super) store: &'a mut Store,
    pub(super) now: Instant,
    pub(super) outcome: Outcome,
}

/// Where a point belongs.
struct Place<'m> {
    name: String,
    kind: Kind,
    help: &'m str,
    labels: &'m Labels,
    is_delta: bool,
}

impl Reader<'_> {
    /// All points of a payload. After an error some may be there.
    pub(super) fn payload(&mut self, payload: &Payload) -> Result<(), Malformed> {
        for chunk in payload.chunks() {
            for resource in resource_metrics(chunk) {
                self.resource(resource?)?;
            }
        }
        Ok(())
    }

    fn resource(&mut self, metrics: ResourceMetrics<'_>) -> Result<(), Malformed> {
        let resource = metrics.resource()?;
        let identity = self.identity(&resource)?;
        let mut latest = 0;
        for scope_metrics in metrics.scope_metrics() {
            let scope_metrics = scope_metrics?;
            let mut labels = identity.clone();
            if self.naming.resource_labels {
                names::add(&mut labels, "", resource.attributes())?;
            }
            if self.naming.scope_info {
                let scope = scope_metrics.scope()?;
                names::add(&mut labels, "otel_scope_", scope.attributes())?;
                // These are the scope's own, whatever its attributes are called.
                for (name, text) in [
                    ("otel_scope_name", scope.name),
                    ("otel_scope_version", scope.version),
                    ("otel_scope_schema_url", scope_metrics.schema_url()?),
                ] {
                    labels.insert(name.to_owned(), String::from_utf8_lossy(text).into_owned());
                }
            }
            for metric in scope_metrics.metrics() {
                latest = latest.max(self.metric(&metric?, &labels)?);
            }
        }
        self.target_info(&resource, identity, latest)
    }

    /// `job` and `instance`, with the labels that all have.
    fn identity(&self, resource: &Resource<'_>) -> Result<Labels, Malformed> {
        let mut labels = self.naming.const_labels.clone();
        let text = |key| {
            let found = resource.text(key)?;
            Ok(found.map(|text| String::from_utf8_lossy(text).into_owned()))
        };
        let job = match (text("service.namespace")?, text("service.name")?) {
            (Some(namespace), Some(name)) => Some(format!("{namespace}/{name}")),
            (None, name) => name,
            (Some(_), None) => None,
        };
        labels.extend(job.map(|job| ("job".to_owned(), job)));
        labels.extend(text("service.instance.id")?.map(|instance| ("instance".to_owned(), instance)));
        Ok(labels)
    }

    /// The resource as a metric of its own, which is no item of ours and not counted.
    fn target_info(&mut self, resource: &Resource<'_>, identity: Labels, unix_nano: u64) -> Result<(), Malformed> {
        let mut labels = Labels::new();
        names::add(&mut labels, "", resource.attributes())?;
        for key in ["service_name", "service_namespace", "service_instance_id"] {
            labels.remove(key);
        }
        if labels.is_empty() || unix_nano == 0 {
            return Ok(());
        }
        labels.extend(identity);
        let point = Point {
            labels: names::text(&labels),
            value: Some(Value::Number(1.0)),
            unix_nano,
            is_delta: false,
        };
        // Without room for it the series themselves are still there.
        let _ = self
            .store
            .put("target_info", Kind::Gauge, "Target metadata", point, self.now);
        Ok(())
    }

    /// The latest time of its points.
    fn metric(&mut self, metric: &Metric<'_>, labels: &Labels) -> Result<u64, Malformed> {
        let help = String::from_utf8_lossy(metric.description);
        let place = |kind, suffix, is_delta| Place {
            name: self.name(metric, suffix),
            kind,
            help: &help,
            labels,
            is_delta,
        };
        match metric.data {
            None => Ok(0),
            Some(Data::Gauge(points)) => {
                let place = place(Kind::Gauge, Suffix::Ratio, false);
                self.each(points.numbers(), |reader, point| reader.number(&place, &point))
            }
            Some(Data::Sum {
                points,
                aggregation_temporality,
                is_monotonic,
            }) => {
                let (kind, suffix) = match is_monotonic {
                    true => (Kind::Counter, Suffix::Total),
                    false => (Kind::Gauge, Suffix::None),
                };
                let place = place(kind, suffix, aggregation_temporality == DELTA);
                self.each(points.numbers(), |reader, point| reader.number(&place, &point))
            }
            Some(Data::Histogram {
                points,
                aggregation_temporality,
            }) => {
                let place = place(Kind::Histogram, Suffix::None, aggregation_temporality == DELTA);
                self.each(points.histograms(), |reader, point| reader.histogram(&place, &point))
            }
            Some(Data::Summary(points)) => {
                let place = place(Kind::Summary, Suffix::None, false);
                self.each(points.summaries(), |reader, point| reader.summary(&place, &point))
            }
            Some(Data::ExponentialHistogram { points, .. }) => {
                let count = points.exponential_histograms().count();
                *self.outcome.dropped.entry(UNSUPPORTED).or_default() += count;
                Ok(0)
            }
        }
    }

    fn name(&self, metric: &Metric<'_>, suffix: Suffix) -> String {
        let (name, unit) = (
            String::from_utf8_lossy(metric.name),
            String::from_utf8_lossy(metric.unit),
        );
        names::metric(&self.naming.namespace, &name, &unit, suffix, self.naming.suffixes)
    }

    /// Takes points one by one, and gives the latest of their times.
    fn each<P>(
        &mut self,
        points: impl Iterator<Item = Result<P, Malformed>>,
        take: impl Fn(&mut Self, P) -> Result<u64, Malformed>,
    ) -> Result<u64, Malformed> {
        let mut latest = 0;
        for point in points {
            latest = latest.max(take(self, point?)?);
        }
        Ok(latest)
    }

    fn number(&mut self, place: &Place<'_>, point: &NumberDataPoint<'_>) -> Result<u64, Malformed> {
        let value = point.value.map(|number| match number {
            Number::Double(value) => Value::Number(value),
            Number::Int(value) => Value::Number(value as f64),
        });
        self.put(place, point.attributes(), point.time_unix_nano, point.flags, value)
    }

    fn histogram(&mut self, place: &Place<'_>, point: &HistogramDataPoint<'_>) -> Result<u64, Malformed> {
        let value = Value::Histogram {
            count: point.count,
            sum: point.sum,
            bounds: point.explicit_bounds().collect::<Result<_, _>>()?,
            counts: point.bucket_counts().collect::<Result<_, _>>()?,
        };
        self.put(
            place,
            point.attributes(),
            point.time_unix_nano,
            point.flags,
            Some(value),
        )
    }

    fn summary(&mut self, place: &Place<'_>, point: &SummaryDataPoint<'_>) -> Result<u64, Malformed> {
        let quantiles = point
            .quantile_values()
            .map(|value| value.map(|value| (value.quantile, value.value)));
        let value = Value::Summary {
            count: point.count,
            sum: point.sum,
            quantiles: quantiles.collect::<Result<_, _>>()?,
        };
        self.put(
            place,
            point.attributes(),
            point.time_unix_nano,
            point.flags,
            Some(value),
        )
    }

    /// Puts a point in its series, and gives its time.
    fn put(
        &mut self,
        place: &Place<'_>,
        attributes: Attributes<'_>,
        unix_nano: u64,
        flags: u32,
        value: Option<Value>,
    ) -> Result<u64, Malformed> {
        let mut labels = Labels::new();
        names::add(&mut labels, "", attributes)?;
        // A point's own attributes must not hide which target it is from, nor say twice what its samples' labels say.
        labels.extend(place.labels.iter().map(|(name, value)| (name.clone(), value.clone())));
        if let Some(name) = place.kind.own_label() {
            labels.remove(name);
        }
        let point = Point {
            labels: names::text(&labels),
            value: value.filter(|_| flags & NO_VALUE == 0),
            unix_nano,
            is_delta: place.is_delta,
        };
        let put = self.store.put(&place.name, place.kind, place.help, point, self.now);
        if let Err(reason) = put {
            *self.outcome.dropped.entry(reason).or_default() += 1;
        }
        Ok(unix_nano)
    }
}
