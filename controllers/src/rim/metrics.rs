//! The figures of a component, in the text form that Prometheus reads.

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram};
use prometheus_client::registry::{Metric, Registry};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// All figures of a process. Clones share them.
#[derive(Clone)]
pub struct Metrics(Arc<Figures>);

struct Figures {
    registry: Registry,
    reconciles: Family<Controller, Histogram, fn() -> Histogram>,
    errors: Family<Controller, Counter>,
    requeues: Family<Controller, Counter>,
    queue: Family<Controller, Gauge>,
    writes: Family<Write, Counter>,
    unchanged: Family<Kind, Counter>,
    restarts: Family<Kind, Counter>,
    cached: Family<Kind, Gauge>,
    leader: Gauge,
    admissions: Family<Admission, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Admission {
    webhook: String,
    verdict: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Controller {
    controller: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Write {
    kind: String,
    verb: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: String,
}

fn controller(name: &str) -> Controller {
    Controller {
        controller: name.to_owned(),
    }
}

fn of_kind(name: &str) -> Kind {
    Kind { kind: name.to_owned() }
}

/// From what a cache answers to what a slow apiserver takes.
fn durations() -> Histogram {
    Histogram::new([0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0])
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("odigos_controller");
        let reconciles = Family::new_with_constructor(durations as fn() -> Histogram);
        let figures = Figures {
            reconciles: register(
                &mut registry,
                "reconcile_duration_seconds",
                "Time of a look at one object",
                reconciles,
            ),
            errors: register(
                &mut registry,
                "reconcile_errors",
                "Looks that ended in an error",
                Family::default(),
            ),
            requeues: register(
                &mut registry,
                "requeues",
                "Objects that were put back, after an error or to be looked at later",
                Family::default(),
            ),
            queue: register(
                &mut registry,
                "queue_length",
                "Objects that wait to be looked at",
                Family::default(),
            ),
            writes: register(
                &mut registry,
                "writes",
                "Writes that the apiserver took",
                Family::default(),
            ),
            unchanged: register(
                &mut registry,
                "unchanged",
                "Writes that were left out because they would have changed nothing",
                Family::default(),
            ),
            restarts: register(&mut registry, "watch_restarts", "Watches that broke", Family::default()),
            cached: register(
                &mut registry,
                "cached_objects",
                "Objects in the cache",
                Family::default(),
            ),
            leader: register(
                &mut registry,
                "leader",
                "Whether this process decides: 1 or 0",
                Gauge::default(),
            ),
            admissions: register(
                &mut registry,
                "admissions",
                "Questions of the apiserver by webhook and by what became of them",
                Family::default(),
            ),
            registry,
        };
        Self(Arc::new(figures))
    }
}

fn register<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

impl Metrics {
    /// A look at one object has ended.
    pub fn reconciled(&self, name: &str, took: Duration, failed: bool) {
        let label = controller(name);
        self.0.reconciles.get_or_create(&label).observe(took.as_secs_f64());
        if failed {
            self.0.errors.get_or_create(&label).inc();
        }
    }

    /// An object was put back into the queue.
    pub fn requeued(&self, name: &str) {
        self.0.requeues.get_or_create(&controller(name)).inc();
    }

    /// How many objects wait.
    pub fn queue_length(&self, name: &str, length: usize) {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        self.0.queue.get_or_create(&controller(name)).set(length);
    }

    /// The apiserver has taken a write.
    pub fn wrote(&self, kind: &str, verb: &str) {
        let label = Write {
            kind: kind.to_owned(),
            verb: verb.to_owned(),
        };
        self.0.writes.get_or_create(&label).inc();
    }

    /// A write was left out, since it would have changed nothing.
    pub fn left_unchanged(&self, kind: &str) {
        self.0.unchanged.get_or_create(&of_kind(kind)).inc();
    }

    /// A watch broke and is tried again.
    pub fn watch_restarted(&self, kind: &str) {
        self.0.restarts.get_or_create(&of_kind(kind)).inc();
    }

    /// How many objects of a kind are cached.
    pub fn cached(&self, kind: &str, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.0.cached.get_or_create(&of_kind(kind)).set(count);
    }

    /// Whether this process decides.
    pub fn leads(&self, leads: bool) {
        self.0.leader.set(i64::from(leads));
    }

    /// A question of the apiserver was answered.
    pub fn admitted(&self, webhook: &str, verdict: &str) {
        let label = Admission {
            webhook: webhook.to_owned(),
            verdict: verdict.to_owned(),
        };
        self.0.admissions.get_or_create(&label).inc();
    }

    /// All figures as text.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.0.registry)?;
        Ok(out)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_shown_under_their_names() {
        let metrics = Metrics::default();
        metrics.reconciled("sources", Duration::from_millis(3), true);
        metrics.wrote("ConfigMap", "apply");
        metrics.left_unchanged("ConfigMap");
        let text = metrics.encode().unwrap();
        for line in [
            r#"odigos_controller_reconcile_duration_seconds_count{controller="sources"} 1"#,
            r#"odigos_controller_reconcile_errors_total{controller="sources"} 1"#,
            r#"odigos_controller_writes_total{kind="ConfigMap",verb="apply"} 1"#,
            r#"odigos_controller_unchanged_total{kind="ConfigMap"} 1"#,
            "odigos_controller_leader 0",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
        }
    }
}
