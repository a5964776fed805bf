//! Sends the collector's own metrics as OTLP, at intervals.

use super::{families, otlp};
use crate::exporters::delivery::{Outcome, Transport};
use crate::exporters::{otlp as grpc, otlphttp};
use bytes::Bytes;
use collector_config::{Node, OtlpProtocol, OtlpTelemetry, PeriodicReader};
use collector_engine::{Draining, Ended, EngineHandle};
use collector_pdata::{Payload, Signal};
use std::time::{SystemTime, UNIX_EPOCH};

/// Sends until the engine has ended, and then once more, so that the last counts arrive.
pub(super) async fn run(
    reader: PeriodicReader,
    resource: Vec<(String, String)>,
    engine: EngineHandle,
    stopping: Draining,
) -> Ended {
    let settings = settings(&reader);
    match reader.exporter.protocol {
        OtlpProtocol::Grpc => send_all(grpc::sender(&settings, &stopping)?, reader, resource, engine, stopping).await,
        OtlpProtocol::HttpProtobuf => {
            send_all(
                otlphttp::sender(&settings, &stopping)?,
                reader,
                resource,
                engine,
                stopping,
            )
            .await;
        }
    }
    Ok(())
}

async fn send_all(
    transport: impl Transport,
    reader: PeriodicReader,
    resource: Vec<(String, String)>,
    engine: EngineHandle,
    mut stopping: Draining,
) {
    let start = nanos();
    let mut failing = false;
    let mut last = false;
    while !last {
        tokio::select! {
            () = tokio::time::sleep(reader.interval) => {}
            _ = stopping.begun() => last = true,
        }
        let request = otlp::request(&families(&engine), &resource, start, nanos());
        let payload = Payload::new(Signal::Metrics, Bytes::from(request), 1);
        match send(&transport, &payload).await {
            None => failing = false,
            Some(why) if !std::mem::replace(&mut failing, true) => {
                tracing::warn!(
                    endpoint = reader.exporter.endpoint,
                    reason = why,
                    "cannot send the collector's own metrics"
                );
            }
            Some(_) => {}
        }
    }
}

/// Why it was not taken, if it was not. The next request has newer values, so that none is tried again.
async fn send(transport: &impl Transport, payload: &Payload) -> Option<String> {
    let request = match transport.encode(payload) {
        Ok(request) => request,
        Err(error) => return Some(error.to_string()),
    };
    match transport.send(&request).await {
        Outcome::Delivered => None,
        Outcome::Partial { message, .. } => Some(message),
        Outcome::Refused(reason) | Outcome::TooLarge(reason) | Outcome::Later { reason, .. } => Some(reason),
        Outcome::Moved => Some("it goes elsewhere now".to_owned()),
    }
}

#[expect(clippy::disallowed_methods, reason = "OTLP's times are of the day")]
fn nanos() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_nanos() as u64
}

/// The settings of the exporter that sends to where the reader says.
fn settings(reader: &PeriodicReader) -> Node {
    let exporter = &reader.exporter;
    let headers = exporter
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), Node::from(value.expose())));
    let compression = if exporter.gzip { "gzip" } else { "none" };
    let mut all = vec![
        (endpoint_key(exporter), Node::from(exporter.endpoint.as_str())),
        ("headers", Node::map(headers)),
        ("compression", Node::from(compression)),
        ("timeout", Node::from(format!("{}ms", reader.timeout.as_millis()))),
    ];
    let files = [
        ("ca_file", &exporter.certificate),
        ("cert_file", &exporter.client_certificate),
        ("key_file", &exporter.client_key),
    ];
    let files = files
        .iter()
        .filter_map(|(key, file)| Some((*key, Node::from(file.as_deref()?))));
    let insecure = exporter.insecure.then(|| ("insecure", Node::from(true)));
    all.push(("tls", Node::map(files.chain(insecure))));
    Node::map(all)
}

/// Over HTTP the endpoint is the whole URL.
fn endpoint_key(exporter: &OtlpTelemetry) -> &'static str {
    match exporter.protocol {
        OtlpProtocol::Grpc => "endpoint",
        OtlpProtocol::HttpProtobuf => "metrics_endpoint",
    }
}
