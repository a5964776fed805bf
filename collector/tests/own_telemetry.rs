//! What the program tells about itself: its metrics over Prometheus and OTLP, the health check and the live view.

#![allow(clippy::unwrap_used)]

mod support;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{metric::Data, number_data_point};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use support::http::{Destination, free_port, get, post};
use support::{Collector, wait_until};

/// The program, and where its parts listen.
struct Program {
    collector: Collector,
    grpc: SocketAddr,
    http: SocketAddr,
    metrics: SocketAddr,
    health: SocketAddr,
    live: SocketAddr,
    destination: Destination,
    _directory: tempfile::TempDir,
}

impl Program {
    fn start() -> Self {
        let [grpc, http, metrics, health, live] = [(); 5].map(|()| free_port());
        let (destination, directory) = (Destination::start(), tempfile::tempdir().unwrap());
        let text = format!(
            "
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '{grpc}'}}, http: {{endpoint: '{http}'}}}}}}}}
processors:
  filter: {{traces: {{span: ['name == \"GET /healthz\"']}}}}
extensions:
  health_check: {{endpoint: '{health}'}}
  live: {{endpoint: '{live}'}}
  file_storage: {{directory: '{}', create_directory: true}}
exporters:
  otlphttp:
    endpoint: 'http://{destination}'
    compression: none
    retry_on_failure: {{initial_interval: 10ms, max_interval: 20ms, max_elapsed_time: 0}}
    sending_queue: {{storage: file_storage}}
  nop:
service:
  extensions: [health_check, live, file_storage]
  telemetry:
    resource: {{service.name: the-collector}}
    metrics:
      readers:
        - pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {}, without_scope_info: true}}}}}}
        - periodic: {{interval: 100, exporter: {{otlp: {{protocol: http/protobuf, endpoint: 'http://{destination}/own'}}}}}}
  pipelines:
    traces: {{receivers: [otlp], processors: [filter], exporters: [otlphttp]}}
    logs: {{receivers: [otlp], exporters: [otlphttp, nop]}}
",
            directory.path().join("storage").display(),
            metrics.port(),
            destination = destination.address,
        );
        let configuration = directory.path().join("collector.yaml");
        std::fs::write(&configuration, text).unwrap();
        let program = Program {
            collector: Collector::start(&configuration),
            grpc,
            http,
            metrics,
            health,
            live,
            destination,
            _directory: directory,
        };
        wait_until("it runs", || get(health, "/").is_some());
        program
    }

    fn page(&self) -> Page {
        let (status, text) = get(self.metrics, "/metrics").unwrap();
        assert_eq!(status, 200, "{text}");
        Page::parse(&text)
    }

    fn live(&self) -> serde_json::Value {
        let (status, text) = get(self.live, "/").unwrap();
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Spans of two workloads, one of which is not wanted.
    fn send_spans(&self) {
        let span = |name: &str| {
            format!(
                "{{\"traceId\":\"{}\",\"spanId\":\"00000000000000aa\",\"name\":\"{name}\"}}",
                "ab".repeat(16)
            )
        };
        let attribute =
            |key: &str, value: &str| format!("{{\"key\":\"{key}\",\"value\":{{\"stringValue\":\"{value}\"}}}}");
        let group = |kind: &str, name: &str, spans: &[&str]| {
            let attributes = [
                attribute("service.name", name),
                attribute("k8s.namespace.name", "shop"),
                attribute(&format!("k8s.{kind}.name"), name),
                attribute("k8s.pod.name", &format!("{name}-x7d")),
            ];
            let spans: Vec<String> = spans.iter().map(|name| span(name)).collect();
            let (attributes, spans) = (attributes.join(","), spans.join(","));
            format!("{{\"resource\":{{\"attributes\":[{attributes}]}},\"scopeSpans\":[{{\"spans\":[{spans}]}}]}}")
        };
        let cart = group("deployment", "cart", &["GET /a", "GET /b", "GET /c"]);
        let stock = group("statefulset", "stock", &["GET /d", "GET /healthz"]);
        let request = format!("{{\"resourceSpans\":[{cart},{stock}]}}");
        assert_eq!(post(self.http, "/v1/traces", &request), Some(200));
    }

    /// Log records of a service outside of Kubernetes.
    fn send_logs(&self, records: usize) {
        let value = Some(Value::StringValue("batch \"nightly\"".to_owned()));
        let name = KeyValue {
            key: "service.name".to_owned(),
            value: Some(AnyValue { value }),
        };
        let logs = ResourceLogs {
            resource: Some(Resource {
                attributes: vec![name],
                ..Resource::default()
            }),
            scope_logs: vec![ScopeLogs {
                log_records: vec![LogRecord::default(); records],
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        };
        let request = ExportLogsServiceRequest {
            resource_logs: vec![logs],
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let address = format!("http://{}", self.grpc);
            let mut client = LogsServiceClient::connect(address).await.unwrap();
            client.export(request).await.unwrap();
        });
    }

    /// Its log, when it has ended.
    fn stop(self) -> String {
        self.collector.stop()
    }
}

/// A page of Prometheus': values by name with labels.
struct Page(BTreeMap<String, f64>);

impl Page {
    fn parse(text: &str) -> Page {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let sample = |line: &str| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.parse().unwrap())
        };
        let samples: Vec<(String, f64)> = samples.map(sample).collect();
        let page = Page(samples.iter().cloned().collect());
        assert_eq!(page.0.len(), samples.len(), "no series comes twice\n{text}");
        page
    }

    fn value(&self, series: &str) -> Option<f64> {
        self.0.get(series).copied()
    }

    fn assert(&self, expected: &[(&str, f64)]) {
        for (series, value) in expected {
            assert_eq!(self.value(series), Some(*value), "{series}\n{:#?}", self.0);
        }
    }

    /// The sum over all series of a family that have these labels.
    fn sum(&self, family: &str, label: &str) -> f64 {
        let of_family = |series: &str| series.split('{').next() == Some(family) && series.contains(label);
        self.0
            .iter()
            .filter(|(series, _)| of_family(series))
            .map(|(_, value)| value)
            .sum()
    }
}

#[test]
fn what_came_in_and_went_out_can_be_scraped_under_upstreams_names() {
    let program = Program::start();
    program.send_spans();
    program.send_logs(4);
    wait_until("all is sent", || {
        let page = program.page();
        page.sum("otelcol_exporter_sent_spans_total", "") == 4.0
            && page.sum("otelcol_exporter_sent_log_records_total", "otlphttp") == 4.0
    });
    let page = program.page();
    page.assert(&[
        (
            "otelcol_receiver_accepted_spans_total{receiver=\"otlp\",transport=\"http\"}",
            5.0,
        ),
        (
            "otelcol_receiver_refused_spans_total{receiver=\"otlp\",transport=\"http\"}",
            0.0,
        ),
        (
            "otelcol_receiver_accepted_log_records_total{receiver=\"otlp\",transport=\"grpc\"}",
            4.0,
        ),
        (
            "otelcol_processor_incoming_items_total{processor=\"filter\",otel_signal=\"traces\"}",
            5.0,
        ),
        (
            "otelcol_processor_outgoing_items_total{processor=\"filter\",otel_signal=\"traces\"}",
            4.0,
        ),
        ("otelcol_exporter_sent_spans_total{exporter=\"otlphttp\"}", 4.0),
        ("otelcol_exporter_sent_log_records_total{exporter=\"otlphttp\"}", 4.0),
        ("otelcol_exporter_sent_log_records_total{exporter=\"nop\"}", 4.0),
        (
            "otelcol_exporter_queue_size{exporter=\"otlphttp\",data_type=\"traces\"}",
            0.0,
        ),
        (
            "odigos_collector_pipeline_dropped_items_total{pipeline=\"traces\",reason=\"filtered\"}",
            1.0,
        ),
    ]);
    assert!(page.value("otelcol_process_uptime_seconds_total").unwrap() > 0.0);
    assert!(page.value("otelcol_process_memory_rss_bytes").unwrap() > 1e6);
    let target = page.0.keys().find(|series| series.starts_with("target_info")).unwrap();
    assert!(target.contains("service_name=\"the-collector\""), "{target}");
    // What a destination has taken, in the bytes that it was sent.
    let bytes: usize = ["/v1/traces", "/v1/logs"]
        .iter()
        .flat_map(|path| program.destination.received(path))
        .map(|request| request.body.len())
        .sum();
    let sent = page.sum("odigos_collector_exporter_sent_bytes_total", "exporter=\"otlphttp\"");
    assert_eq!(sent, bytes as f64);
    program.stop();
}

#[test]
fn items_and_bytes_are_told_by_the_workload_that_sent_them() {
    let program = Program::start();
    program.send_spans();
    program.send_spans();
    program.send_logs(4);
    let page = program.page();
    let shop = |kind: &str, name: &str| {
        format!(
            "{{receiver=\"otlp\",otel_signal=\"traces\",service_name=\"{name}\",k8s_namespace_name=\"shop\",\
             k8s_workload_kind=\"{kind}\",k8s_workload_name=\"{name}\"}}"
        )
    };
    let items = |labels: &str| format!("odigos_collector_workload_items_total{labels}");
    let plain = "{receiver=\"otlp\",otel_signal=\"logs\",service_name=\"batch \\\"nightly\\\"\"}";
    page.assert(&[
        (&items(&shop("deployment", "cart")), 6.0),
        (&items(&shop("statefulset", "stock")), 4.0),
        (&items(plain), 4.0),
    ]);
    for signal in ["traces", "logs"] {
        let label = format!("otel_signal=\"{signal}\"");
        let by_workload = page.sum("odigos_collector_workload_bytes_total", &label);
        let accepted = page.sum("odigos_collector_receiver_accepted_bytes_total", &label);
        assert!(accepted > 0.0);
        assert_eq!(by_workload, accepted, "{signal}");
    }
    let live = program.live();
    let workloads = live["receivers"]["otlp"]["workloads"].as_array().unwrap();
    let cart = workloads.iter().find(|one| one["workload"]["name"] == "cart").unwrap();
    assert_eq!(
        (&cart["received"], &cart["workload"]["kind"]),
        (&6.into(), &"deployment".into()),
        "{cart}"
    );
    program.stop();
}

#[test]
fn the_loss_account_can_be_drawn_from_the_page_while_items_wait_on_disk() {
    let program = Program::start();
    program.destination.set_away(true);
    program.send_spans();
    program.send_logs(4);
    wait_until("the destination was asked", || {
        !program.destination.received("/v1/traces").is_empty() && !program.destination.received("/v1/logs").is_empty()
    });
    let page = program.page();
    page.assert(&[
        (
            "otelcol_exporter_queue_size{exporter=\"otlphttp\",data_type=\"traces\"}",
            4.0,
        ),
        (
            "otelcol_exporter_queue_size{exporter=\"otlphttp\",data_type=\"logs\"}",
            4.0,
        ),
        (
            "odigos_collector_exporter_stored_items_total{exporter=\"otlphttp\",otel_signal=\"traces\"}",
            0.0,
        ),
    ]);
    let of = |family: &str, label: &str| page.sum(family, label);
    for (label, pipeline) in [("\"traces\"", 5.0), ("\"logs\"", 4.0)] {
        let received = of("odigos_collector_pipeline_received_items_total", label);
        assert_eq!(received, pipeline);
        let passed = of("odigos_collector_pipeline_forwarded_items_total", label);
        let dropped = of("odigos_collector_pipeline_dropped_items_total", label);
        assert_eq!(
            received,
            passed + dropped + of("odigos_collector_pipeline_held_items", label)
        );
    }
    let label = "exporter=\"otlphttp\"";
    let left = of("otelcol_exporter_sent_spans_total", label)
        + of("otelcol_exporter_sent_log_records_total", label)
        + of("odigos_collector_exporter_dropped_items_total", label)
        + of("odigos_collector_exporter_stored_items_total", label)
        + of("otelcol_exporter_queue_size", label);
    assert_eq!(of("odigos_collector_exporter_received_items_total", label), left);
    let log = program.stop();
    for line in [
        "traces -> otlphttp: received 5, exported 0, dropped 1 (filtered 1), stored 4, held 0",
        "logs -> otlphttp: received 4, exported 0, dropped 0, stored 4, held 0",
    ] {
        assert!(log.contains(line), "{line} is not in\n{log}");
    }
}

#[test]
fn a_destination_that_is_away_is_named_by_the_health_check_and_the_live_view() {
    let program = Program::start();
    program.destination.set_away(true);
    program.send_spans();
    let failing = |pipeline: &str| {
        let (status, text) = get(program.health, "/").unwrap();
        let body: serde_json::Value = serde_json::from_str(&text).unwrap();
        // A restart would mend nothing.
        assert_eq!((status, &body["status"]), (200, &"Server available".into()), "{text}");
        body["pipelines"][pipeline]["failing"]["otlphttp"]
            .as_str()
            .map(str::to_owned)
    };
    wait_until("it is told", || failing("traces").is_some());
    assert!(failing("traces").unwrap().contains("503"), "{:?}", failing("traces"));
    let live = program.live();
    let exporter = &live["pipelines"]["traces"]["exporters"]["otlphttp"];
    assert_eq!(
        (&exporter["held"], &exporter["exported"]),
        (&4.into(), &0.into()),
        "{live:#}"
    );
    let error = &exporter["last_error"];
    assert!(
        error["lasting"] == true && error["reason"].as_str().unwrap().contains("503"),
        "{live:#}"
    );
    assert_eq!(live["balances"], true, "{live:#}");
    assert!(
        live["workers"].as_array().is_some_and(|workers| !workers.is_empty()),
        "{live:#}"
    );
    let processors = &live["pipelines"]["traces"]["processors"];
    assert_eq!(
        processors,
        &serde_json::json!([{"id": "filter", "incoming": 5, "outgoing": 4}])
    );
    program.destination.set_away(false);
    wait_until("it is well again", || failing("traces").is_none());
    let exporter = &program.live()["pipelines"]["traces"]["exporters"]["otlphttp"];
    assert_eq!((&exporter["held"], &exporter["exported"]), (&0.into(), &4.into()));
    assert!(exporter["exported_per_second"].as_f64().unwrap() > 0.0, "{exporter}");
    assert_eq!(exporter["last_error"]["lasting"], false);
    program.stop();
}

/// The value of a sum in a request, by its attributes.
fn pushed(request: &ExportMetricsServiceRequest, name: &str, attributes: &[(&str, &str)]) -> Option<f64> {
    let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
    let Some(Data::Sum(sum)) = &metrics.iter().find(|metric| metric.name == name)?.data else {
        return None;
    };
    let found = |attribute: &KeyValue, (key, value): &(&str, &str)| {
        let wanted = Some(Value::StringValue((*value).to_owned()));
        attribute.key == *key && attribute.value.as_ref().is_some_and(|found| found.value == wanted)
    };
    let point = sum.data_points.iter().find(|point| {
        let mut wanted = attributes.iter();
        wanted.all(|wanted| point.attributes.iter().any(|attribute| found(attribute, wanted)))
    })?;
    match point.value {
        Some(number_data_point::Value::AsDouble(value)) => Some(value),
        _ => None,
    }
}

#[test]
fn the_same_is_sent_as_otlp_and_once_more_at_the_end() {
    let program = Program::start();
    let destination = program.destination.clone();
    let last = || {
        let requests = destination.received("/own");
        ExportMetricsServiceRequest::decode(&requests.last()?.body[..]).ok()
    };
    program.send_spans();
    let accepted = [("receiver", "otlp"), ("transport", "http")];
    wait_until("it is sent", || {
        last().is_some_and(|request| pushed(&request, "otelcol_receiver_accepted_spans", &accepted) == Some(5.0))
    });
    program.send_logs(4);
    program.stop();
    let request = last().unwrap();
    let resource = request.resource_metrics[0].resource.as_ref().unwrap();
    assert!(resource.attributes.iter().any(|one| one.key == "service.instance.id"));
    let stock = [
        ("otel.signal", "traces"),
        ("k8s.workload.name", "stock"),
        ("k8s.namespace.name", "shop"),
    ];
    assert_eq!(pushed(&request, "odigos_collector_workload_items", &stock), Some(2.0));
    let sent = pushed(
        &request,
        "otelcol_exporter_sent_log_records",
        &[("exporter", "otlphttp")],
    );
    assert_eq!(
        sent,
        Some(4.0),
        "the last request has all that the drain has brought about"
    );
}
