//! `live`: what the collector does right now, as one JSON document: rates, queues, last errors, the loss account.
//!
//! ```yaml
//! extensions:
//!   live:
//!     endpoint: localhost:55679
//! ```
//!
//! Not a component of upstream's; its `zpages` are the nearest. Rates are those since the last look, of whoever looked, and
//! are left out in the first answer.

use crate::net::listen;
use crate::net::pages::{self, Page};
use collector_config::{Endpoint, Section};
use collector_engine::{
    Account, BoxFuture, Draining, Ended, EngineHandle, ExporterAccount, Extension, ExtensionFactory, Host, LastError,
    PipelineAccount, ReceiverAccount, WorkloadAccount,
};
use http::StatusCode;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, UNIX_EPOCH};

/// The line in the table.
pub const FACTORY: ExtensionFactory = ExtensionFactory {
    kind: "live",
    configure,
};

struct Live {
    endpoint: Option<Endpoint>,
    listener: Option<Arc<TcpListener>>,
}

fn configure(section: &mut Section<'_, '_>) -> Box<dyn Extension> {
    Box::new(Live {
        endpoint: section.endpoint("endpoint", "localhost:55679"),
        listener: None,
    })
}

impl Extension for Live {
    fn open(&mut self, host: &Host) -> Ended {
        let endpoint = self.endpoint.as_ref().ok_or("no endpoint")?;
        self.listener = Some(listen::tcp(endpoint, host)?);
        Ok(())
    }

    fn run(&mut self, engine: EngineHandle, stopping: Draining) -> BoxFuture<Ended> {
        let listener = self.listener.take();
        Box::pin(async move {
            let listener = listener.ok_or("the extension was not opened")?;
            let before = Mutex::new(Counts::default());
            let page = move |_: &str| {
                let mut before = before.lock().unwrap_or_else(PoisonError::into_inner);
                Some(Page {
                    status: StatusCode::OK,
                    content_type: "application/json",
                    body: document(&engine, &mut before).to_string(),
                })
            };
            Ok(pages::serve(listener, page, stopping).await?)
        })
    }
}

/// Counts of the last look, by what they count.
#[derive(Debug, Default)]
struct Counts {
    at: Option<Instant>,
    counts: HashMap<String, u64>,
}

/// Counts of this look, and those of the last one.
struct Look<'b> {
    before: &'b mut Counts,
    elapsed: Option<Duration>,
}

impl Look<'_> {
    /// A count, and how fast it grows.
    fn rate(&mut self, key: String, count: u64) -> Value {
        let known = self.before.counts.insert(key, count);
        match (known, self.elapsed) {
            (Some(known), Some(elapsed)) if !elapsed.is_zero() => {
                json!(count.saturating_sub(known) as f64 / elapsed.as_secs_f64())
            }
            _ => Value::Null,
        }
    }
}

fn document(engine: &EngineHandle, before: &mut Counts) -> Value {
    let now = Instant::now();
    let mut look = Look {
        elapsed: before.at.map(|at| now - at),
        before,
    };
    let account = engine.account();
    let workers: Vec<Value> = engine
        .worker_silence()
        .iter()
        .map(|silence| json!({"silent_seconds": silence.as_secs_f64()}))
        .collect();
    let document = json!({
        "uptime_seconds": engine.started().elapsed().as_secs_f64(),
        "draining": engine.is_draining(),
        "workers": workers,
        "receivers": receivers(&account, &mut look),
        "pipelines": pipelines(&account, &mut look),
        "balances": account.balances(),
    });
    look.before.at = Some(now);
    document
}

fn receivers(account: &Account, look: &mut Look<'_>) -> Map<String, Value> {
    let mut all = Map::new();
    for receiver in &account.receivers {
        all.insert(receiver.id.clone(), one_receiver(receiver, look));
    }
    all
}

fn one_receiver(receiver: &ReceiverAccount, look: &mut Look<'_>) -> Value {
    let key = |what: &str| format!("{what} of receiver {}", receiver.id);
    let bytes: u64 = receiver.signals.iter().map(|signal| signal.bytes).sum();
    let source: Map<String, Value> = receiver
        .source
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    json!({
        "received": receiver.received,
        "received_per_second": look.rate(key("items"), receiver.received),
        "bytes": bytes,
        "bytes_per_second": look.rate(key("bytes"), bytes),
        "refused": receiver.refused,
        "malformed_requests": receiver.malformed_requests,
        "dropped": reasons(&receiver.dropped),
        "workloads": receiver.workloads.iter().map(|account| workload(&receiver.id, account, look)).collect::<Vec<_>>(),
        "source": source,
    })
}

/// Without the names, all those together that are too many to be told apart.
fn workload(receiver: &str, account: &WorkloadAccount, look: &mut Look<'_>) -> Value {
    let key = |what: &str| {
        format!(
            "{what} of {:?} in {} of receiver {receiver}",
            account.workload,
            account.signal.name()
        )
    };
    let names = account.workload.as_ref().map(|workload| {
        json!({
            "service": workload.service,
            "namespace": workload.namespace,
            "kind": workload.kind,
            "name": workload.name,
        })
    });
    json!({
        "workload": names,
        "signal": account.signal.name(),
        "received": account.items,
        "received_per_second": look.rate(key("items"), account.items),
        "bytes": account.bytes,
        "bytes_per_second": look.rate(key("bytes"), account.bytes),
    })
}

fn pipelines(account: &Account, look: &mut Look<'_>) -> Map<String, Value> {
    let mut all = Map::new();
    for pipeline in &account.pipelines {
        all.insert(pipeline.id.clone(), one_pipeline(pipeline, look));
    }
    all
}

fn one_pipeline(pipeline: &PipelineAccount, look: &mut Look<'_>) -> Value {
    let mut exporters = Map::new();
    for exporter in &pipeline.exporters {
        exporters.insert(exporter.id.clone(), one_exporter(&pipeline.id, exporter, look));
    }
    let processors: Vec<Value> = pipeline
        .processors
        .iter()
        .map(|one| json!({"id": one.id, "incoming": one.incoming, "outgoing": one.outgoing}))
        .collect();
    json!({
        "received": pipeline.received,
        "processors": processors,
        "forwarded": pipeline.forwarded,
        "held": pipeline.held,
        "dropped": reasons(&pipeline.dropped),
        "exporters": exporters,
    })
}

fn one_exporter(pipeline: &str, exporter: &ExporterAccount, look: &mut Look<'_>) -> Value {
    let key = |what: &str| format!("{what} of exporter {} in {pipeline}", exporter.id);
    json!({
        "received": exporter.received,
        "exported": exporter.exported,
        "exported_per_second": look.rate(key("items"), exporter.exported),
        "exported_bytes": exporter.exported_bytes,
        "exported_bytes_per_second": look.rate(key("bytes"), exporter.exported_bytes),
        "stored": exporter.stored,
        "held": exporter.held,
        "held_bytes": exporter.held_bytes,
        "dropped": reasons(&exporter.dropped),
        "last_error": exporter.last_error.as_ref().map(error),
    })
}

fn error(error: &LastError) -> Value {
    let at = error.at.duration_since(UNIX_EPOCH).unwrap_or_default();
    json!({"reason": error.reason, "unix_seconds": at.as_secs(), "lasting": error.lasting})
}

fn reasons(dropped: &BTreeMap<&'static str, u64>) -> Map<String, Value> {
    dropped
        .iter()
        .map(|(reason, items)| ((*reason).to_owned(), json!(items)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_known_from_the_second_look_on() {
        let mut before = Counts::default();
        let mut look = |elapsed: Option<u64>, count| {
            let elapsed = elapsed.map(Duration::from_secs);
            Look {
                before: &mut before,
                elapsed,
            }
            .rate("items".to_owned(), count)
        };
        assert_eq!(look(None, 100), Value::Null);
        assert_eq!(look(Some(2), 150), json!(25.0));
        assert_eq!(
            look(Some(2), 0),
            json!(0.0),
            "a count that began anew is no negative rate"
        );
    }
}
