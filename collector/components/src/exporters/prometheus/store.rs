//! The last value of every series, and their page.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write;
use std::time::{Duration, Instant};

/// The most series that are held; points of further ones are dropped and counted.
const MAX_SERIES: usize = 100_000;
/// The longest labels of a series, in bytes.
const MAX_LABELS: usize = 8 << 10;
/// The most buckets or quantiles of a series.
const MAX_BUCKETS: usize = 1024;
/// The most characters of a description.
const MAX_HELP: usize = 1024;
/// The most bytes of the page, which are more than what is held of it: every bucket is a line with all labels.
const MAX_PAGE: usize = 256 << 20;
/// About what a line has besides its name and labels.
const LINE: usize = 64;
/// How often it is looked for series that have expired, when there is no room for another.
const LOOK: Duration = Duration::from_secs(1);

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

impl Kind {
    /// The label by which the samples of one series differ.
    pub(super) fn own_label(self) -> Option<&'static str> {
        match self {
            Kind::Histogram => Some("le"),
            Kind::Summary => Some("quantile"),
            Kind::Counter | Kind::Gauge => None,
        }
    }
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
    /// What it has of the page.
    bytes: usize,
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
    held: Held,
    expiration: Duration,
    /// When it was last looked for what has expired.
    looked: Option<Instant>,
}

/// How much there is.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    series: usize,
    /// Of the page.
    bytes: usize,
}

impl Held {
    /// Whether there is room for another series.
    fn has_room(&self, bytes: usize) -> bool {
        self.series < MAX_SERIES && self.bytes + bytes <= MAX_PAGE
    }
}

impl Store {
    pub(super) fn new(expiration: Duration) -> Self {
        Store {
            families: BTreeMap::new(),
            held: Held::default(),
            expiration,
            looked: None,
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
        let lines = point.value.as_ref().map_or(0, Value::lines);
        let bytes = lines * (name.len() + point.labels.len() + LINE);
        self.make_room(bytes + Family::bytes(name, help), now);
        let family = match self.families.entry(name.to_owned()) {
            Entry::Occupied(family) => family.into_mut(),
            Entry::Vacant(_) if point.value.is_none() => return Ok(()),
            Entry::Vacant(vacant) => {
                let own = Family::bytes(name, help);
                if !self.held.has_room(bytes + own) {
                    return Err(SERIES_LIMIT);
                }
                self.held.bytes += own;
                vacant.insert(Family {
                    kind,
                    help: help.chars().take(MAX_HELP).collect(),
                    series: BTreeMap::new(),
                })
            }
        };
        if family.kind != kind {
            return Err(TYPE_CONFLICT);
        }
        family.put(point, bytes, &mut self.held, now)
    }

    /// Forgets what has expired if there is no room otherwise; not at every point, since it looks at all series.
    fn make_room(&mut self, bytes: usize, now: Instant) {
        let is_due = self.looked.is_none_or(|looked| now.duration_since(looked) >= LOOK);
        if !self.held.has_room(bytes) && is_due {
            self.looked = Some(now);
            self.expire(now);
        }
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
        self.held = Held::default();
        for (name, family) in &self.families {
            let of_series: usize = family.series.values().map(|series| series.bytes).sum();
            self.held.series += family.series.len();
            self.held.bytes += Family::bytes(name, &family.help) + of_series;
        }
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
    /// The bytes that it has of the page, without its series.
    fn bytes(name: &str, help: &str) -> usize {
        2 * name.len() + help.len().min(4 * MAX_HELP) + LINE
    }

    /// Takes a point that has so many bytes of the page.
    fn put(&mut self, point: Point, bytes: usize, held: &mut Held, now: Instant) -> Result<(), &'static str> {
        let Some(value) = point.value else {
            if let Some(gone) = self.series.remove(&point.labels) {
                held.series -= 1;
                held.bytes -= gone.bytes;
            }
            return Ok(());
        };
        match self.series.entry(point.labels) {
            Entry::Vacant(_) if !held.has_room(bytes) => Err(SERIES_LIMIT),
            Entry::Vacant(vacant) => {
                held.series += 1;
                held.bytes += bytes;
                vacant.insert(Series {
                    value,
                    unix_nano: point.unix_nano,
                    seen: now,
                    bytes,
                });
                Ok(())
            }
            Entry::Occupied(known) if point.unix_nano < known.get().unix_nano => Err(OUT_OF_ORDER),
            Entry::Occupied(mut known) => {
                let series = known.get_mut();
                let others = held.bytes - series.bytes;
                if bytes > series.bytes && others + bytes > MAX_PAGE {
                    return Err(SERIES_LIMIT);
                }
                held.bytes = others + bytes;
                series.value = if point.is_delta {
                    value.added_to(&series.value)
                } else {
                    value
                };
                series.unix_nano = point.unix_nano;
                series.seen = now;
                series.bytes = bytes;
                Ok(())
            }
        }
    }
}

impl Value {
    fn is_too_large(&self) -> bool {
        match self {
            Value::Number(_) => false,
            Value::Histogram { bounds, counts, .. } => bounds.len().max(counts.len()) > MAX_BUCKETS,
            Value::Summary { quantiles, .. } => quantiles.len() > MAX_BUCKETS,
        }
    }

    /// How many lines of the page it has.
    fn lines(&self) -> usize {
        match self {
            Value::Number(_) => 1,
            Value::Histogram { bounds, counts, .. } => bounds.len().max(counts.len()) + 3,
            Value::Summary { quantiles, .. } => quantiles.len() + 2,
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
            bounds: (0..counts.len() - 1).map(|index| index as f64).collect(),
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
            # HELP t \n# TYPE t histogram\nt_bucket{le=\"0\"} 2 2\nt_bucket{le=\"1\"} 6 2\nt_bucket{le=\"+Inf\"} 12 2\n\
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
        assert_eq!(store.held.series, 1);
        assert_eq!(store.put("a", Kind::Gauge, "", number(0), later), Ok(()));
        let gone = Point {
            value: None,
            ..number(0)
        };
        for name in ["a", "b"] {
            store.put(name, Kind::Gauge, "", gone.clone(), later).unwrap();
        }
        assert_eq!((store.held.series, store.page(later, false)), (0, String::new()));
        assert_eq!(store.held.bytes, 0);
    }

    #[test]
    fn the_page_is_bounded_whatever_the_series_are() {
        let (mut store, now) = (Store::new(Duration::from_secs(60)), Instant::now());
        let large = |index: usize, count: usize| Point {
            labels: format!("{index}{}", "x".repeat(MAX_LABELS - 8)),
            ..point("", histogram(&vec![1; count]), 1, false)
        };
        let mut taken = 0;
        while store
            .put("a", Kind::Histogram, "", large(taken, MAX_BUCKETS), now)
            .is_ok()
        {
            taken += 1;
        }
        assert!((10..100).contains(&taken), "{taken}");
        let bytes = store.held.bytes;
        store.put("a", Kind::Histogram, "", large(0, 2), now).unwrap();
        assert!(store.held.bytes < bytes, "a series may become smaller");
        assert!(store.page(now, false).len() <= MAX_PAGE);
    }
}
