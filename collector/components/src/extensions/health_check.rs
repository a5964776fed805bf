//! `health_check`: whether the collector works, for whoever restarts it if not.
//!
//! ```yaml
//! extensions:
//!   health_check:
//!     endpoint: localhost:13133
//!     path: /
//!     response_body: {healthy: "", unhealthy: ""}   # sent as they are; without them a description as JSON is sent
//! ```
//!
//! 200 while every worker is alive, else 503; 503 too once the drain has begun, so that nobody is sent here any more. A
//! destination that is away is not this process's failure and cannot be mended by its restart: it is named in the
//! description, by pipeline, and the status stays 200.

use crate::net::listen;
use crate::net::pages::{self, Page};
use collector_config::{Endpoint, Section};
use collector_engine::{BoxFuture, Draining, Ended, EngineHandle, Extension, ExtensionFactory, Host, PipelineAccount};
use http::StatusCode;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

/// The line in the table.
pub const FACTORY: ExtensionFactory = ExtensionFactory {
    kind: "health_check",
    configure,
};

/// A worker shows itself every second. One that was silent for so long is stuck or dead.
pub const SILENCE: Duration = Duration::from_secs(10);

struct HealthCheck {
    endpoint: Option<Endpoint>,
    path: String,
    bodies: Option<[String; 2]>,
    listener: Option<Arc<TcpListener>>,
}

fn configure(section: &mut Section<'_, '_>) -> Box<dyn Extension> {
    let endpoint = section.endpoint("endpoint", "localhost:13133");
    let path = section.text("path").unwrap_or("/").to_owned();
    if !path.starts_with('/') {
        section.error("path", "must begin with a slash");
    }
    let bodies = section.section("response_body", |section| {
        let [healthy, unhealthy] = ["healthy", "unhealthy"].map(|key| section.text(key).map(str::to_owned));
        (healthy.is_some() || unhealthy.is_some()).then(|| [healthy.unwrap_or_default(), unhealthy.unwrap_or_default()])
    });
    section.section("check_collector_pipeline", |section| {
        // Upstream's own documentation says not to use it, as it never worked there.
        if section.flag("enabled", false) {
            section.error("enabled", "must be false: the description shows each pipeline as it is");
        }
        section.text("interval");
        section.count("exporter_failure_threshold", 5);
    });
    Box::new(HealthCheck {
        endpoint,
        path,
        bodies,
        listener: None,
    })
}

impl Extension for HealthCheck {
    fn open(&mut self, host: &Host) -> Ended {
        let endpoint = self.endpoint.as_ref().ok_or("no endpoint")?;
        self.listener = Some(listen::tcp(endpoint, host)?);
        Ok(())
    }

    fn run(&mut self, engine: EngineHandle, stopping: Draining) -> BoxFuture<Ended> {
        let (listener, path, bodies) = (self.listener.take(), self.path.clone(), self.bodies.clone());
        Box::pin(async move {
            let listener = listener.ok_or("the extension was not opened")?;
            let page = move |asked: &str| (asked == path).then(|| Health::of(&engine).page(bodies.as_ref()));
            Ok(pages::serve(listener, page, stopping).await?)
        })
    }
}

/// What is looked at.
struct Health {
    uptime: Duration,
    is_draining: bool,
    silence: Vec<Duration>,
    pipelines: Vec<PipelineAccount>,
}

impl Health {
    fn of(engine: &EngineHandle) -> Self {
        Health {
            uptime: engine.started().elapsed(),
            is_draining: engine.is_draining(),
            silence: engine.worker_silence(),
            pipelines: engine.account().pipelines,
        }
    }

    fn is_healthy(&self) -> bool {
        !self.is_draining && self.silence.iter().all(|silence| *silence < SILENCE)
    }

    fn page(&self, bodies: Option<&[String; 2]>) -> Page {
        let healthy = self.is_healthy();
        Page {
            status: if healthy {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            },
            content_type: if bodies.is_some() {
                "text/plain; charset=utf-8"
            } else {
                "application/json"
            },
            body: match bodies {
                Some([text, _]) if healthy => text.clone(),
                Some([_, text]) => text.clone(),
                None => self.description(),
            },
        }
    }

    fn description(&self) -> String {
        let status = match (self.is_draining, self.is_healthy()) {
            (true, _) => "Server not available: draining",
            (false, true) => "Server available",
            (false, false) => "Server not available: a worker is stuck",
        };
        let workers: Vec<_> = self
            .silence
            .iter()
            .map(|silence| serde_json::json!({"alive": *silence < SILENCE, "silent_seconds": silence.as_secs()}))
            .collect();
        let pipelines: serde_json::Map<_, _> = self.pipelines.iter().map(described).collect();
        serde_json::json!({
            "status": status,
            "uptime": format!("{}s", self.uptime.as_secs()),
            "workers": workers,
            "pipelines": pipelines,
        })
        .to_string()
    }
}

fn described(pipeline: &PipelineAccount) -> (String, serde_json::Value) {
    let troubles = pipeline.exporters.iter().filter_map(|exporter| {
        let error = exporter.last_error.as_ref().filter(|error| error.lasting)?;
        Some((exporter.id.clone(), serde_json::Value::from(error.reason.clone())))
    });
    let troubles: serde_json::Map<_, _> = troubles.collect();
    let value = serde_json::json!({"healthy": troubles.is_empty(), "failing": troubles});
    (pipeline.id.clone(), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(silence: &[u64], is_draining: bool) -> Health {
        Health {
            uptime: Duration::from_secs(7),
            is_draining,
            silence: silence.iter().map(|seconds| Duration::from_secs(*seconds)).collect(),
            pipelines: Vec::new(),
        }
    }

    #[test]
    fn a_stuck_worker_or_a_drain_is_not_healthy() {
        for (health, status, words) in [
            (health(&[0, 1], false), StatusCode::OK, "Server available"),
            (health(&[0, 11], false), StatusCode::SERVICE_UNAVAILABLE, "stuck"),
            (health(&[0], true), StatusCode::SERVICE_UNAVAILABLE, "draining"),
        ] {
            let page = health.page(None);
            assert_eq!(page.status, status);
            assert!(page.body.contains(words), "{}", page.body);
        }
    }

    #[test]
    fn bodies_that_are_set_are_sent_as_they_are() {
        let bodies = ["fine".to_owned(), "ill".to_owned()];
        assert_eq!(health(&[0], false).page(Some(&bodies)).body, "fine");
        assert_eq!(health(&[60], false).page(Some(&bodies)).body, "ill");
    }
}
