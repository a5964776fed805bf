//! The program while its configuration changes and its addresses stay.

#![allow(clippy::unwrap_used)]

mod support;

use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use support::http::{Destination, free_port, get, post};
use support::{Collector, wait_until};

struct Addresses {
    otlp: SocketAddr,
    unix: PathBuf,
    health: SocketAddr,
    metrics: SocketAddr,
    destination: SocketAddr,
}

/// `limit` is of a request's body, `name` what the program says of itself, `extensions` what is beside the pipelines.
fn write(path: &Path, to: &Addresses, limit: usize, name: &str, extensions: &str) {
    let text = format!(
        "
receivers: {{otlp: {{protocols: {{http: {{endpoint: '{}', max_request_body_size: {limit}}}, grpc: {{endpoint: '{}', transport: unix, max_concurrent_streams: {limit}}}}}}}}}
extensions: {{health_check: {{endpoint: '{}', response_body: {{healthy: {name}}}}}}}
exporters: {{otlphttp: {{endpoint: 'http://{}', encoding: json, compression: none}}}}
service:
  extensions: [{extensions}]
  telemetry:
    resource: {{service.name: {name}}}
    metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {}}}}}}}}}]}}
  pipelines: {{logs: {{receivers: [otlp], exporters: [otlphttp]}}}}
",
        to.otlp,
        to.unix.display(),
        to.health,
        to.destination,
        to.metrics.port()
    );
    // As a ConfigMap is replaced, so that no half of it is read.
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(&new, path).unwrap();
}

fn request(body: &str) -> String {
    format!(
        "{{\"resourceLogs\":[{{\"scopeLogs\":[{{\"logRecords\":[{{\"body\":{{\"stringValue\":\"{body}\"}}}}]}}]}}]}}"
    )
}

/// Sends records until it is told to stop; gives how many were taken. There always is somebody to connect to.
fn client(otlp: SocketAddr, stop: &AtomicBool) -> usize {
    let mut taken = 0;
    while !stop.load(Ordering::SeqCst) {
        drop(TcpStream::connect(otlp).expect("somebody listens at any time"));
        taken += usize::from(post(otlp, "/v1/logs", &request("taken")) == Some(200));
    }
    taken
}

#[test]
fn components_that_change_keep_their_addresses_and_nothing_is_lost() {
    let destination = Destination::start();
    let [otlp, health, metrics] = [(); 3].map(|()| free_port());
    let directory = tempfile::tempdir().unwrap();
    let addresses = Addresses {
        otlp,
        unix: directory.path().join("otlp.sock"),
        health,
        metrics,
        destination: destination.address,
    };
    let path = directory.path().join("collector.yaml");
    write(&path, &addresses, 100_000, "first", "health_check");
    let collector = Collector::start(&path);
    let says = |name: &str| {
        let page = get(metrics, "/metrics").map(|(_, text)| text).unwrap_or_default();
        get(health, "/") == Some((200, name.to_owned())) && page.contains(&format!("service_name=\"{name}\""))
    };
    wait_until("it runs", || says("first") && TcpStream::connect(otlp).is_ok());
    let stop = Arc::<AtomicBool>::default();
    let clients: Vec<_> = (0..2)
        .map(|_| {
            let stop = stop.clone();
            std::thread::spawn(move || client(otlp, &stop))
        })
        .collect();
    let large = request(&"x".repeat(10_000));
    assert_eq!(post(otlp, "/v1/logs", &large), Some(200));
    for (limit, name, status) in [(5000, "second", 413), (50_000, "third", 200), (6000, "fourth", 413)] {
        write(&path, &addresses, limit, name, "health_check");
        wait_until(name, || says(name));
        // The one before takes no more connections, but may have taken one.
        wait_until("the limit holds", || post(otlp, "/v1/logs", &large) == Some(status));
        drop(UnixStream::connect(&addresses.unix).expect("somebody listens at any time"));
    }
    write(&path, &addresses, 6000, "fifth", "");
    wait_until("what is gone does not listen", || TcpStream::connect(health).is_err());
    stop.store(true, Ordering::SeqCst);
    let taken: usize = clients.into_iter().map(|client| client.join().unwrap()).sum();
    assert!(taken > 50, "only {taken} were taken");
    let log = collector.stop();
    assert!(!addresses.unix.exists(), "the socket's file is left");
    let arrived = destination.received("/v1/logs").into_iter();
    let arrived: usize = arrived
        .map(|request| String::from_utf8(request.body).unwrap().matches("\"taken\"").count())
        .sum();
    assert!(arrived >= taken, "{arrived} of {taken}\n{log}");
    assert!(log.contains("dropped 0, held 0"), "{log}");
}
