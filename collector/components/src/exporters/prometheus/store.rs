//! The last value of every series, and their page.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write;
use std::time::{Duration, Instant};

/// The most series that are held; points of further ones are dropped and counted.
const MAX_SERIES: usize = 100_000;
/// The longest labels of a series, in bytes; with the above, the bound on memory.
const MAX_LABELS: usize = 8 << 10;
/// The most buckets or quantiles of a series.
const MAX_BUCKETS: usize = 1024;

/// Why a point is not shown.
pub(super) const SERIES_LIMIT: &str = "series_limit";
/// Another metric of this name has another type.
pub(super) const TYPE_CONFLICT: &str = "type_conflict";
/// A later point of the series is there already.
pub(super) const OUT_OF_ORDER: &str = "out_of_order";

/// The type of a family, as Prometheus calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Summary,
}

/// What a point says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Number(f64),
    /// The counts are of each bucket alone; there is one more than bounds.
    Histogram {
        count: u64,
        sum: Option<f64>,
        bounds: Vec<f64>,
        counts: Vec<u64>,
    },
    Summary {
        count: u64,
        sum: f64,
        quantiles: Vec<(f64, f64)>,
    },
}

/// A point on its way into its series.
#[derive(Debug, Clone)]
pub(super) struct Point {
    /// Between the braces.
    pub(super) labels: String,
    /// `None` if the source says that there is none any more.
    pub(super) value: Option<Value>,
    pub(super) unix_nano: u64,
    /// It is to be added to what is there.
    pub(super) is_delta: bool,
}

#[derive(Debug)]
struct Series {
    value: Value,
    unix_nano: u64,
    seen: Instant,
}

#[derive(Debug)]
struct Family {
    kind: Kind,
    help: String,
    series: BTreeMap<String, Series>,
}

/// All series, by name and labels.
#[derive(Debug)]
pub(super) struct Store {
    families: BTreeMap<String, Family>,
    count: usize,
    expiration: Duration,
}

impl Store {
    pub(super) fn new(expiration: Duration) -> Self {
        Store {
            families: BTreeMap::new(),
            count: 0,
            expiration,
        }
    }

    /// Takes a point, or gives the reason that is counted for it.
    pub(super) fn put(
        &mut self,
        name: &str,
        kind: Kind,
        help: &str,
        point: Point,
        now: Instant,
    ) -> Result<(), &'static str> {
        if point.labels.len() > MAX_LABELS || point.value.as_ref().is_some_and(Value::is_too_large) {
            return Err(SERIES_LIMIT);
        }
        if self.count >= MAX_SERIES {
            self.expire(now);
        }
        let has_room = self.count < MAX_SERIES;
        let family = match self.families.entry(name.to_owned()) {
            Entry::Occupied(family) => family.into_mut(),
            Entry::Vacant(_) if !has_room || point.value.is_none() => {
                return if has_room { Ok(()) } else { Err(SERIES_LIMIT) };
            }
            Entry::Vacant(vacant) => vacant.insert(Family {
                kind,
                help: help.chars().take(1024).collect(),
                series: BTreeMap::new(),
            }),
        };
        if family.kind != kind {
            return Err(TYPE_CONFLICT);
        }
        let known = family.series.len();
        let result = family.put(point, has_room, now);
        self.count = self.count + family.series.len() - known;
        result
    }

    /// Forgets what was not seen for long.
    fn expire(&mut self, now: Instant) {
        let expiration = self.expiration;
        for family in self.families.values_mut() {
            family
                .series
                .retain(|_, series| now.duration_since(series.seen) < expiration);
        }
        self.families.retain(|_, family| !family.series.is_empty());
        self.count = self.families.values().map(|family| family.series.len()).sum();
    }

    /// The page, in the text format 0.0.4.
    pub(super) fn page(&mut self, now: Instant, timestamps: bool) -> String {
        self.expire(now);
        let mut out = String::new();
        for (name, family) in &self.families {
            let help = family.help.replace('\\', "\\\\").replace('\n', "\\n");
            let kind = match family.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
                Kind::Summary => "summary",
            };
            put(&mut out, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
            for (labels, series) in &family.series {
                let time = timestamps.then_some(series.unix_nano / 1_000_000);
                series.value.show(&mut Page {
                    out: &mut out,
                    name,
                    labels,
                    time,
                });
            }
        }
        out
    }
}

impl Family {
    fn put(&mut self, point: Point, has_room: bool, now: Instant) -> Result<(), &'static str> {
        let Some(value) = point.value else {
            self.series.remove(&point.labels);
            return Ok(());
        };
        match self.series.entry(point.labels) {
            Entry::Vacant(_) if !has_room => Err(SERIES_LIMIT),
            Entry::Vacant(vacant) => {
                vacant.insert(Series {
                    value,
                    unix_nano: point.unix_nano,
                    seen: now,
                });
                Ok(())
            }
            Entry::Occupied(known) if point.unix_nano < known.get().unix_nano => Err(OUT_OF_ORDER),
            Entry::Occupied(mut known) => {
                let series = known.get_mut();
                series.value = if point.is_delta {
                    value.added_to(&series.value)
                } else {
                    value
                };
                series.unix_nano = point.unix_nano;
                series.seen = now;
                Ok(())
            }
        }
    }
}

impl Value {
    fn is_too_large(&self) -> bool {
        match self {
            Value::Number(_) => false,
            Value::Histogram { counts, .. } => counts.len() > MAX_BUCKETS,
            Value::Summary { quantiles, .. } => quantiles.len() > MAX_BUCKETS,
        }
    }

    /// The sum of both. A histogram with other bounds begins anew.
    fn added_to(self, known: &Value) -> Value {
        match (self, known) {
            (Value::Number(new), Value::Number(old)) => Value::Number(new + old),
            (
                Value::Histogram {
                    count,
                    sum,
                    bounds,
                    counts,
                },
                Value::Histogram {
                    count: old_count,
                    sum: old_sum,
                    bounds: old_bounds,
                    counts: old_counts,
                },
            ) if bounds == *old_bounds && counts.len() == old_counts.len() => Value::Histogram {
                count: count.saturating_add(*old_count),
                sum: sum.zip(*old_sum).map(|(new, old)| new + old),
                counts: counts
                    .iter()
                    .zip(old_counts)
                    .map(|(new, old)| new.saturating_add(*old))
                    .collect(),
                bounds,
            },
            (new, _) => new,
        }
    }

    fn show(&self, page: &mut Page<'_>) {
        match self {
            Value::Number(value) => page.sample("", None, *value),
            Value::Histogram {
                count,
                sum,
                bounds,
                counts,
            } => {
                let mut below = 0u64;
                for (bound, count) in bounds.iter().zip(counts) {
                    below = below.saturating_add(*count);
                    page.sample("_bucket", Some(("le", *bound)), below as f64);
                }
                page.sample("_bucket", Some(("le", f64::INFINITY)), *count as f64);
                if let Some(sum) = sum {
                    page.sample("_sum", None, *sum);
                }
                page.sample("_count", None, *count as f64);
            }
            Value::Summary { count, sum, quantiles } => {
                for (quantile, value) in quantiles {
                    page.sample("", Some(("quantile", *quantile)), *value);
                }
                page.sample("_sum", None, *sum);
                page.sample("_count", None, *count as f64);
            }
        }
    }
}

/// Where the samples of one series go.
struct Page<'a> {
    out: &'a mut String,
    name: &'a str,
    labels: &'a str,
    /// Milliseconds since the Unix epoch.
    time: Option<u64>,
}

impl Page<'_> {
    fn sample(&mut self, suffix: &str, more: Option<(&str, f64)>, value: f64) {
        let more = more.map(|(name, value)| format!("{name}=\"{}\"", number(value)));
        let separator = if more.is_some() && !self.labels.is_empty() {
            ","
        } else {
            ""
        };
        let labels = format!("{}{separator}{}", self.labels, more.unwrap_or_default());
        let labels = if labels.is_empty() {
            labels
        } else {
            format!("{{{labels}}}")
        };
        let time = self.time.map(|time| format!(" {time}")).unwrap_or_default();
        let value = number(value);
        put(self.out, format_args!("{}{suffix}{labels} {value}{time}\n", self.name));
    }
}

fn number(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    value.to_string()
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(labels: &str, value: Value, unix_nano: u64, is_delta: bool) -> Point {
        Point {
            labels: labels.to_owned(),
            value: Some(value),
            unix_nano,
            is_delta,
        }
    }

    fn histogram(counts: &[u64]) -> Value {
        Value::Histogram {
            count: counts.iter().sum(),
            sum: Some(2.5),
            bounds: vec![1.0, 5.0],
            counts: counts.to_vec(),
        }
    }

    #[test]
    fn deltas_are_added_and_everything_has_its_samples() {
        let (mut store, now) = (Store::new(Duration::from_secs(300)), Instant::now());
        for time in [1_000_000, 2_000_000] {
            let number = point("a=\"b\"", Value::Number(3.0), time, true);
            store.put("n_total", Kind::Counter, "Things.", number, now).unwrap();
            let distribution = point("", histogram(&[1, 2, 3]), time, true);
            store.put("t", Kind::Histogram, "", distribution, now).unwrap();
        }
        let expected = "# HELP n_total Things.\n# TYPE n_total counter\nn_total{a=\"b\"} 6 2\n\
            # HELP t \n# TYPE t histogram\nt_bucket{le=\"1\"} 2 2\nt_bucket{le=\"5\"} 6 2\nt_bucket{le=\"+Inf\"} 12 2\n\
            t_sum 5 2\nt_count 12 2\n";
        assert_eq!(store.page(now, true), expected);
    }

    #[test]
    fn points_that_cannot_be_shown_have_a_reason() {
        let (mut store, now) = (Store::new(Duration::from_secs(300)), Instant::now());
        let number = |time| point("", Value::Number(1.0), time, false);
        store.put("a", Kind::Gauge, "", number(5), now).unwrap();
        assert_eq!(store.put("a", Kind::Counter, "", number(6), now), Err(TYPE_CONFLICT));
        assert_eq!(store.put("a", Kind::Gauge, "", number(4), now), Err(OUT_OF_ORDER));
        let long = point(&"x".repeat(MAX_LABELS + 1), Value::Number(1.0), 1, false);
        assert_eq!(store.put("a", Kind::Gauge, "", long, now), Err(SERIES_LIMIT));
    }

    #[test]
    fn series_are_bounded_and_expire() {
        let (mut store, now) = (Store::new(Duration::from_secs(60)), Instant::now());
        let number = |index: usize| point(&index.to_string(), Value::Number(1.0), 1, false);
        for index in 0..MAX_SERIES {
            store.put("a", Kind::Gauge, "", number(index), now).unwrap();
        }
        assert_eq!(
            store.put("a", Kind::Gauge, "", number(MAX_SERIES), now),
            Err(SERIES_LIMIT)
        );
        assert_eq!(store.put("b", Kind::Gauge, "", number(0), now), Err(SERIES_LIMIT));
        let later = now + Duration::from_secs(61);
        assert_eq!(store.put("b", Kind::Gauge, "", number(0), later), Ok(()));
        assert_eq!(store.count, 1);
        let gone = Point {
            value: None,
            ..number(0)
        };
        store.put("b", Kind::Gauge, "", gone, later).unwrap();
        assert_eq!(store.page(later, false), "");
    }
}
