use super::{
    LogEncoding, LogLevel, LogTelemetry, MetricLevel, MetricReader, MetricTelemetry, OtlpProtocol, OtlpTelemetry,
    PeriodicReader, PrometheusReader, Telemetry,
};
use crate::structure::map_entries;
use crate::{Endpoint, Entry, Errors, Node, Section, Value};
use std::time::Duration;

const LOG_LEVELS: [(&str, LogLevel); 7] = [
    ("debug", LogLevel::Debug),
    ("info", LogLevel::Info),
    ("warn", LogLevel::Warn),
    ("error", LogLevel::Error),
    // Upstream's logger has more words for what ends a program; nothing here is more severe than an error.
    ("dpanic", LogLevel::Error),
    ("panic", LogLevel::Error),
    ("fatal", LogLevel::Error),
];

const METRIC_LEVELS: [(&str, MetricLevel); 4] = [
    ("none", MetricLevel::None),
    ("basic", MetricLevel::Basic),
    ("normal", MetricLevel::Normal),
    ("detailed", MetricLevel::Detailed),
];

impl Telemetry {
    pub(crate) fn read(node: Option<&Node>, errors: &mut Errors) -> Telemetry {
        let Some(node) = node else { return Telemetry::default() };
        let mut section = Section::open("service::telemetry", node, errors);
        let logs = section.section("logs", logs);
        let metrics = section.section("metrics", metrics);
        let resources = section.any("resource");
        section.without_effect("traces");
        section.finish();
        Telemetry {
            logs,
            metrics,
            resource: resources.map(|node| resource(node, errors)).unwrap_or_default(),
        }
    }
}

fn logs(section: &mut Section<'_, '_>) -> LogTelemetry {
    section.accept(&["development", "disable_caller", "disable_stacktrace", "sampling"]);
    for key in ["output_paths", "error_output_paths", "initial_fields", "processors"] {
        section.without_effect(key);
    }
    let encodings = [("console", LogEncoding::Console), ("json", LogEncoding::Json)];
    LogTelemetry {
        level: word(section, "level", &LOG_LEVELS),
        encoding: section.choice("encoding", &encodings).unwrap_or_default(),
    }
}

/// As [`Section::choice`], in any case.
fn word<T: Copy>(section: &mut Section<'_, '_>, key: &'static str, words: &[(&'static str, T)]) -> Option<T> {
    let written = section.any(key).and_then(Node::text).unwrap_or_default();
    match words.iter().find(|(word, _)| word.eq_ignore_ascii_case(written)) {
        Some((_, value)) => Some(*value),
        None => section.choice(key, words),
    }
}

fn metrics(section: &mut Section<'_, '_>) -> MetricTelemetry {
    let default = MetricTelemetry::default();
    let level = word(section, "level", &METRIC_LEVELS).unwrap_or(default.level);
    section.without_effect("views");
    let readers = readers(section).unwrap_or(default.readers);
    let silent = level == MetricLevel::None;
    if readers.is_empty() && !silent {
        section.error("readers", "needs at least one reader, unless the level is none");
    }
    MetricTelemetry {
        level,
        readers: if silent { Vec::new() } else { readers },
    }
}

/// The readers that are written, an empty list being one too; nothing if there is none, or none without a mistake.
fn readers(section: &mut Section<'_, '_>) -> Option<Vec<MetricReader>> {
    let mut readers: Vec<MetricReader> = section.sections("readers", reader).into_iter().flatten().collect();
    match section.text("address").map(Endpoint::parse) {
        Some(Ok(Endpoint { host, port })) => {
            section.warn("address", "is deprecated; write readers with a pull exporter instead");
            readers.push(MetricReader::Prometheus(PrometheusReader::plain(&host, port)));
        }
        Some(Err(message)) => section.error("address", message),
        None => {}
    }
    let empty = |node: &Node| matches!(&node.value, Value::List(nodes) if nodes.is_empty());
    (!readers.is_empty() || section.any("readers").is_some_and(empty)).then_some(readers)
}

fn reader(section: &mut Section<'_, '_>) -> Option<MetricReader> {
    let pull = section.optional_section("pull", |pull| {
        pull.section("exporter", |exporter| {
            exporter.optional_section("prometheus", prometheus).flatten()
        })
    });
    let periodic = section.optional_section("periodic", periodic);
    if pull.is_none() && periodic.is_none() {
        section.error("", "expected a reader, which is pull or periodic");
    }
    if pull.is_some() && periodic.is_some() {
        section.error("pull", "is here beside periodic; write two readers");
    }
    pull.or(periodic).flatten()
}

fn prometheus(section: &mut Section<'_, '_>) -> Option<MetricReader> {
    section.accept(&["with_resource_constant_labels", "translation_strategy"]);
    let host = section.text("host").unwrap_or("localhost").to_owned();
    if !section.is_written("port") {
        section.error("port", "is required");
    }
    let reader = PrometheusReader {
        host,
        port: section.count_in("port", 0..=65535, 0) as u16,
        scope_info: !section.flag("without_scope_info", false),
        type_suffix: !section.flag("without_type_suffix", false),
        units: !section.flag("without_units", false),
    };
    Some(MetricReader::Prometheus(reader))
}

fn periodic(section: &mut Section<'_, '_>) -> Option<MetricReader> {
    let interval = Duration::from_millis(section.count_in("interval", 1..=u64::from(u32::MAX), 60_000));
    let timeout = Duration::from_millis(section.count("timeout", 30_000));
    let exporter = section.section("exporter", |exporter| {
        let console = exporter.is_written("console");
        exporter.without_effect("console");
        let otlp = exporter.optional_section("otlp", otlp);
        if otlp.is_none() && !console {
            exporter.error("otlp", "is required");
        }
        otlp.flatten()
    });
    exporter.map(|exporter| {
        MetricReader::Periodic(PeriodicReader {
            interval,
            timeout,
            exporter,
        })
    })
}

fn otlp(section: &mut Section<'_, '_>) -> Option<OtlpTelemetry> {
    let protocols = [
        ("http/protobuf", OtlpProtocol::HttpProtobuf),
        ("grpc", OtlpProtocol::Grpc),
    ];
    section.accept(&["timeout", "default_histogram_aggregation"]);
    section.unsupported("headers_list", "these headers would not be sent; write them as headers");
    section.choice("temporality_preference", &[("cumulative", ())]);
    let compressions = [("gzip", true), ("none", false)];
    let headers = section.secrets("headers").into_iter();
    let path = |text: &str| text.to_owned();
    let protocol = section.choice("protocol", &protocols);
    if !section.is_written("protocol") {
        section.error("protocol", "is required");
    }
    Some(OtlpTelemetry {
        endpoint: section.required_text("endpoint").map(path).unwrap_or_default(),
        headers: headers.map(|(name, value)| (name.to_owned(), value)).collect(),
        insecure: section.flag("insecure", false),
        gzip: section.choice("compression", &compressions).unwrap_or(false),
        certificate: section.text("certificate").map(path),
        client_certificate: section.text("client_certificate").map(path),
        client_key: section.text("client_key").map(path),
        protocol: protocol?,
    })
}

/// Attributes in either of upstream's forms: each a key of its own, or a list under `attributes`.
fn resource(node: &Node, errors: &mut Errors) -> Vec<(String, Option<String>)> {
    let path = "service::telemetry::resource";
    let entries = map_entries(path, node, errors);
    let listed = |entry: &Entry| entry.key == "attributes" && matches!(entry.node.value, Value::List(_));
    if entries.iter().any(listed) {
        return listed_resource(Section::open(path, node, errors));
    }
    let mut attributes = Vec::new();
    for entry in entries {
        match entry.node.text() {
            Some(text) => attributes.push((entry.key.clone(), Some(text.to_owned()))),
            None if matches!(entry.node.value, Value::Null) => attributes.push((entry.key.clone(), None)),
            None => {
                let message = format!("expected text, found {}", entry.node.value.kind());
                errors.add(format!("{path}::{}", entry.key), &entry.position, message);
            }
        }
    }
    attributes
}

fn listed_resource(mut section: Section<'_, '_>) -> Vec<(String, Option<String>)> {
    section.accept(&["schema_url"]);
    section.without_effect("detectors");
    let attributes = section.sections("attributes", |attribute| {
        attribute.accept(&["type"]);
        let value = attribute.text("value").map(str::to_owned);
        (attribute.required_text("name").unwrap_or_default().to_owned(), value)
    });
    section.finish();
    attributes
}
