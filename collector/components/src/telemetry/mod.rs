//! The collector's own metrics, as `service::telemetry::metrics` asks for them: fetched by Prometheus, or sent as OTLP.
//!
//! Names and labels are upstream's, so that its dashboards and alerts go on to work. What upstream has no name for (bytes,
//! what a pipeline holds, drops by reason) begins with `odigos_collector_`.

mod families;
mod otlp;
mod prometheus;
mod push;

pub use families::{Family, Kind, Point, families};

use crate::exposition::CONTENT_TYPE;
use crate::net::listen;
use crate::net::pages::{self, Page};
use collector_config::{Endpoint, MetricReader, PeriodicReader, PrometheusReader, Telemetry};
use collector_engine::{BoxFuture, Draining, Ended, EngineHandle, Extension, Host};
use http::StatusCode;
use std::net::TcpListener;
use std::sync::Arc;
use tokio::task::JoinSet;

/// What shows the metrics, if anything is to be shown.
pub fn extension(telemetry: &Telemetry) -> Option<Box<dyn Extension>> {
    let readers = &telemetry.metrics.readers;
    (!readers.is_empty()).then(|| {
        Box::new(OwnMetrics {
            readers: readers.clone(),
            resource: resource(telemetry),
            listeners: Vec::new(),
        }) as Box<dyn Extension>
    })
}

struct OwnMetrics {
    readers: Vec<MetricReader>,
    resource: Vec<(String, String)>,
    listeners: Vec<(PrometheusReader, Arc<TcpListener>)>,
}

/// The collector's own resource: what is configured takes the place of what it would say by itself.
fn resource(telemetry: &Telemetry) -> Vec<(String, String)> {
    let mut resource = vec![
        ("service.name".to_owned(), "odigos-collector".to_owned()),
        ("service.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("service.instance.id".to_owned(), instance_id()),
    ];
    for (key, value) in &telemetry.resource {
        resource.retain(|(known, _)| known != key);
        resource.extend(value.clone().map(|value| (key.clone(), value)));
    }
    resource
}

/// A random UUID (RFC 9562, version 4), as a new process is a new instance.
fn instance_id() -> String {
    let bits = fastrand::u128(..) & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

impl Extension for OwnMetrics {
    fn open(&mut self, host: &Host) -> Ended {
        for reader in &self.readers {
            if let MetricReader::Prometheus(reader) = reader {
                let endpoint = Endpoint {
                    host: reader.host.clone(),
                    port: reader.port,
                };
                self.listeners.push((reader.clone(), listen::tcp(&endpoint, host)?));
            }
        }
        Ok(())
    }

    fn run(&mut self, engine: EngineHandle, stopping: Draining) -> BoxFuture<Ended> {
        let listeners = std::mem::take(&mut self.listeners);
        let periodic: Vec<PeriodicReader> = self
            .readers
            .iter()
            .filter_map(|reader| match reader {
                MetricReader::Periodic(reader) => Some(reader.clone()),
                MetricReader::Prometheus(_) => None,
            })
            .collect();
        let resource = self.resource.clone();
        Box::pin(async move {
            let mut work = JoinSet::<Ended>::new();
            for (reader, listener) in listeners {
                let (engine, resource, stopping) = (engine.clone(), resource.clone(), stopping.clone());
                let page = move |path: &str| (path == "/metrics").then(|| scrape(&engine, &resource, &reader));
                work.spawn(async move { Ok(pages::serve(listener, page, stopping).await?) });
            }
            for reader in periodic {
                work.spawn(push::run(reader, resource.clone(), engine.clone(), stopping.clone()));
            }
            while let Some(ended) = work.join_next().await {
                ended??;
            }
            Ok(())
        })
    }
}

fn scrape(engine: &EngineHandle, resource: &[(String, String)], reader: &PrometheusReader) -> Page {
    Page {
        status: StatusCode::OK,
        content_type: CONTENT_TYPE,
        body: prometheus::text(&families(engine), resource, reader),
    }
}
