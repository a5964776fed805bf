//! `prometheus`: the last value of every metric, on a page that Prometheus scrapes.
//!
//! ```yaml
//! exporters:
//!   prometheus:
//!     endpoint: 0.0.0.0:8889
//!     namespace: shop
//!     const_labels: {region: eu}
//!     send_timestamps: false
//!     metric_expiration: 5m
//!     resource_to_telemetry_conversion: {enabled: false}
//!     add_metric_suffixes: true
//!     without_scope_info: false
//! ```
//!
//! The page is at `/metrics`, in the text format 0.0.4. Sums and histograms of deltas are added up. Exponential
//! histograms have no form in that text: they are dropped and counted as `unsupported`. So are points beyond 100 000
//! series or a page of 256 MiB (`series_limit`), points older than the last of their series (`out_of_order`), and those
//! of a metric whose name another type of metric has already (`type_conflict`).

mod names;
mod read;
mod store;

use crate::exposition::{self, CONTENT_TYPE};
use crate::net::listen;
use crate::net::pages::{self, Page};
use collector_config::{Endpoint, Section};
use collector_engine::{BoxFuture, Delivery, Ended, Exporter, ExporterFactory, ExporterInput, Host, Queue, reason};
use collector_pdata::Signal;
use http::StatusCode;
use names::Labels;
use read::{Naming, Outcome, Reader};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use store::Store;

/// The line in the table.
pub const FACTORY: ExporterFactory = ExporterFactory {
    kind: "prometheus",
    signals: &[Signal::Metrics],
    configure,
};

const PATH: &str = "/metrics";

struct PrometheusExporter {
    endpoint: Option<Endpoint>,
    naming: Naming,
    timestamps: bool,
    expiration: Duration,
    listener: Option<Arc<TcpListener>>,
}

fn configure(section: &mut Section<'_, '_>) -> Box<dyn Exporter> {
    let is_named = section.required_text("endpoint").is_some();
    let endpoint = is_named.then(|| section.endpoint("endpoint", "")).flatten();
    let const_labels: Labels = section
        .texts("const_labels")
        .into_iter()
        .map(|(name, value)| (exposition::label_name(name), value.to_owned()))
        .collect();
    if section.flag("enable_open_metrics", false) {
        section.warn("enable_open_metrics", "has no effect: the text format 0.0.4 is served");
    }
    section.unsupported("translation_strategy", "names are made as add_metric_suffixes says");
    section.unsupported("tls", "the page would be served without TLS");
    Box::new(PrometheusExporter {
        endpoint,
        naming: Naming {
            namespace: section.text("namespace").unwrap_or_default().to_owned(),
            const_labels,
            resource_labels: section.section("resource_to_telemetry_conversion", |conversion| {
                conversion.flag("enabled", false)
            }),
            suffixes: section.flag("add_metric_suffixes", true),
            scope_info: !section.flag("without_scope_info", false),
        },
        timestamps: section.flag("send_timestamps", false),
        expiration: section.duration("metric_expiration", Duration::from_secs(300)),
        listener: None,
    })
}

impl Exporter for PrometheusExporter {
    fn queue(&self) -> Queue {
        Queue::LOCAL
    }

    fn open(&mut self, host: &Host) -> Ended {
        let endpoint = self.endpoint.as_ref().ok_or("no endpoint")?;
        self.listener = Some(listen::tcp(endpoint, host)?);
        Ok(())
    }

    fn run(&mut self, mut input: ExporterInput) -> BoxFuture<Ended> {
        let (listener, naming, timestamps) = (self.listener.take(), self.naming.clone(), self.timestamps);
        let store = Arc::new(Mutex::new(Store::new(self.expiration)));
        Box::pin(async move {
            let listener = listener.ok_or("the exporter was not opened")?;
            let shown = store.clone();
            let page = move |path: &str| (path == PATH).then(|| page(&shown, timestamps));
            // The page goes with this task, at the input's end.
            let (_stop, stopping) = kit::drain::channel();
            let mut serving = Box::pin(pages::serve(listener, page, stopping));
            loop {
                tokio::select! {
                    biased;
                    next = input.next() => match next {
                        Some(delivery) => take(&store, &naming, delivery),
                        None => return Ok(()),
                    },
                    served = &mut serving => return Ok(served?),
                }
            }
        })
    }
}

fn page(store: &Mutex<Store>, timestamps: bool) -> Page {
    let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
    Page {
        status: StatusCode::OK,
        content_type: CONTENT_TYPE,
        body: store.page(Instant::now(), timestamps),
    }
}

fn take(store: &Mutex<Store>, naming: &Naming, delivery: Delivery) {
    let Delivery { payload, mut claim, .. } = delivery;
    let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
    let mut reader = Reader {
        naming,
        store: &mut store,
        now: Instant::now(),
        outcome: Outcome::default(),
    };
    let read = reader.payload(&payload);
    for (reason, points) in reader.outcome.dropped {
        claim.split(points).dropped(reason);
    }
    match read {
        Ok(()) => claim.exported(),
        Err(error) => {
            tracing::debug!(%error, "metrics that are not OTLP were dropped");
            claim.dropped(reason::MALFORMED);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use collector_pdata::{Payload, json};

    fn shown(naming: &Naming, metrics: &str) -> (String, Outcome) {
        let resource = r#"{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}},{"key":"host.name","value":{"stringValue":"h"}}]}"#;
        let scope = r#"{"key":"k","value":{"intValue":"1"}},{"key":"name","value":{"stringValue":"hidden"}}"#;
        let text = format!(
            r#"{{"resourceMetrics":[{{"resource":{resource},"scopeMetrics":[{{"scope":{{"name":"s","attributes":[{scope}]}},"metrics":[{metrics}]}}]}}]}}"#
        );
        let limits = json::Limits { output_bytes: 1 << 20 };
        let bytes = Bytes::from(json::decode(Signal::Metrics, text.as_bytes(), &limits).unwrap());
        let (mut store, now) = (Store::new(Duration::from_secs(300)), Instant::now());
        let mut reader = Reader {
            naming,
            store: &mut store,
            now,
            outcome: Outcome::default(),
        };
        reader.payload(&Payload::new(Signal::Metrics, bytes, 1)).unwrap();
        let outcome = reader.outcome;
        (store.page(now, false), outcome)
    }

    const PLAIN: fn() -> Naming = || Naming {
        suffixes: true,
        ..Naming::default()
    };

    #[test]
    fn all_kinds_of_metrics_are_shown_with_their_target() {
        let metrics = r#"
            {"name":"requests","unit":"1","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[
                {"timeUnixNano":"5","asInt":"7","attributes":[{"key":"a.b","value":{"stringValue":"1"}},{"key":"a/b","value":{"stringValue":"2"}}]}]}},
            {"name":"latency","unit":"s","histogram":{"aggregationTemporality":2,"dataPoints":[
                {"timeUnixNano":"5","count":"3","sum":4.5,"bucketCounts":["1","2"],"explicitBounds":[0.5],
                 "attributes":[{"key":"le","value":{"stringValue":"x"}}]}]}},
            {"name":"size","summary":{"dataPoints":[
                {"timeUnixNano":"5","count":"2","sum":9,"quantileValues":[{"quantile":0.5,"value":4}]}]}},
            {"name":"fine","exponentialHistogram":{"aggregationTemporality":2,"dataPoints":[{"timeUnixNano":"5","count":"1"}]}}"#;
        let (page, outcome) = shown(&PLAIN(), metrics);
        for line in [
            "# TYPE requests_total counter\nrequests_total{a_b=\"1;2\",job=\"shop\"} 7\n",
            "latency_seconds_bucket{job=\"shop\",le=\"0.5\"} 1\nlatency_seconds_bucket{job=\"shop\",le=\"+Inf\"} 3\n",
            "latency_seconds_sum{job=\"shop\"} 4.5\nlatency_seconds_count{job=\"shop\"} 3\n",
            "size{job=\"shop\",quantile=\"0.5\"} 4\nsize_sum{job=\"shop\"} 9\nsize_count{job=\"shop\"} 2\n",
            "target_info{host_name=\"h\",job=\"shop\"} 1\n",
        ] {
            assert!(page.contains(line), "{line} is not in\n{page}");
        }
        assert_eq!(outcome.dropped[read::UNSUPPORTED], 1);
    }

    #[test]
    fn names_and_labels_are_as_configured() {
        let naming = Naming {
            namespace: "ns".to_owned(),
            const_labels: Labels::from([("region".to_owned(), "eu".to_owned())]),
            resource_labels: true,
            suffixes: false,
            scope_info: true,
        };
        let metric = r#"{"name":"m","unit":"s","gauge":{"dataPoints":[{"timeUnixNano":"5","asDouble":1.5}]}}"#;
        let (page, _) = shown(&naming, metric);
        let line = "ns_m{host_name=\"h\",job=\"shop\",otel_scope_k=\"1\",otel_scope_name=\"s\",\
            otel_scope_schema_url=\"\",otel_scope_version=\"\",region=\"eu\",service_name=\"shop\"} 1.5\n";
        assert!(page.contains(line), "{page}");
    }
}
