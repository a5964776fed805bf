use super::read;
use collector_config::{
    Config, Errors, LogEncoding, LogLevel, MetricLevel, MetricReader, Node, OtlpProtocol, PrometheusReader, Telemetry,
};
use std::time::Duration;

fn document(telemetry: &str) -> String {
    format!(
        "{{receivers: {{in: }}, exporters: {{out: }}, service: {{pipelines: {{traces: {{receivers: [in], exporters: [out]}}}}, \
         telemetry: {{\n{telemetry}}}}}}}\n"
    )
}

fn telemetry(text: &str) -> Result<Telemetry, String> {
    read(&document(text)).map(|config| config.telemetry)
}

#[test]
fn what_is_not_written_is_as_upstream() {
    let expected = [MetricReader::Prometheus(PrometheusReader {
        host: "localhost".to_owned(),
        port: 8888,
        scope_info: false,
        type_suffix: false,
        units: false,
    })];
    for text in ["", "metrics: {level: normal}", "logs: {level: info}"] {
        let telemetry = telemetry(text).unwrap();
        assert_eq!(telemetry.metrics.level, MetricLevel::Normal);
        assert_eq!(telemetry.metrics.readers, expected, "{text:?}");
    }
}

#[test]
fn everything_written_is_read() {
    let telemetry = telemetry(
        "logs: {level: WARN, encoding: json, sampling: {enabled: false}},
         metrics: {level: Detailed, readers: [
           {pull: {exporter: {prometheus: {host: 0.0.0.0, port: 9090, without_units: true}}}},
           {periodic: {interval: 5000, timeout: 1000, exporter: {otlp: {protocol: grpc, endpoint: 'https://a:4317',
             headers: [{name: authorization, value: Bearer x}], insecure: true, compression: gzip}}}}]},
         resource: {env: test, version: 1.10, service.name: }",
    )
    .unwrap();
    assert_eq!(telemetry.logs.level, Some(LogLevel::Warn));
    assert_eq!(telemetry.logs.encoding, LogEncoding::Json);
    assert_eq!(telemetry.metrics.level, MetricLevel::Detailed);
    let [MetricReader::Prometheus(pull), MetricReader::Periodic(periodic)] = telemetry.metrics.readers.as_slice()
    else {
        panic!("{:?}", telemetry.metrics.readers);
    };
    assert_eq!(
        (pull.host.as_str(), pull.port, pull.units, pull.type_suffix),
        ("0.0.0.0", 9090, false, true)
    );
    assert_eq!(
        (periodic.interval, periodic.timeout),
        (Duration::from_secs(5), Duration::from_secs(1))
    );
    assert_eq!(periodic.exporter.protocol, OtlpProtocol::Grpc);
    assert_eq!(periodic.exporter.headers[0].1.expose(), "Bearer x");
    assert!(periodic.exporter.gzip && periodic.exporter.insecure);
    assert!(!format!("{periodic:?}").contains("Bearer"));
    let resource: Vec<_> = telemetry
        .resource
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_deref()))
        .collect();
    assert_eq!(
        resource,
        [("env", Some("test")), ("version", Some("1.10")), ("service.name", None)]
    );
}

#[test]
fn the_level_none_needs_no_reader_and_the_old_address_is_one() {
    assert_eq!(
        telemetry("metrics: {level: none, readers: []}")
            .unwrap()
            .metrics
            .readers,
        []
    );
    let readers = telemetry("metrics: {address: ':8889'}").unwrap().metrics.readers;
    let [MetricReader::Prometheus(pull)] = readers.as_slice() else {
        panic!("{readers:?}")
    };
    assert_eq!((pull.host.as_str(), pull.port), ("", 8889));
}

#[test]
fn the_listed_form_of_a_resource_is_read_too() {
    let resource = telemetry("resource: {attributes: [{name: env, value: test}], schema_url: x}")
        .unwrap()
        .resource;
    assert_eq!(resource, [("env".to_owned(), Some("test".to_owned()))]);
}

#[test]
fn what_has_no_effect_is_a_warning() {
    let text =
        document("traces: {processors: []},\n logs: {output_paths: [a], encoding: json},\n metrics: {address: 'a:1'}");
    let mut errors = Errors::default();
    Config::read(&Node::parse(&text, "c.yaml").unwrap(), &mut errors);
    let warnings: Vec<String> = errors.take_warnings().iter().map(ToString::to_string).collect();
    let expected = [
        "c.yaml:2: service::telemetry::traces: has no effect in this collector",
        "c.yaml:3: service::telemetry::logs::output_paths: has no effect in this collector",
        "c.yaml:4: service::telemetry::metrics::address: is deprecated; write readers with a pull exporter instead",
    ];
    assert_eq!(warnings, expected);
    assert!(errors.is_empty(), "{errors}");
}

#[test]
fn mistakes_are_named() {
    for (text, expected) in [
        (
            "logs: {level: wran}",
            "logs::level: \"wran\" is none of debug, info, warn, error, dpanic, panic, fatal; did you mean \"warn\"?",
        ),
        (
            "metrics: {readers: []}",
            "metrics::readers: needs at least one reader, unless the level is none",
        ),
        (
            "metrics: {readers: [{}]}",
            "metrics::readers::0: expected a reader, which is pull or periodic",
        ),
        (
            "metrics: {readers: [{pull: {exporter: {prometheus: {}}}}]}",
            "metrics::readers::0::pull::exporter::prometheus::port: is required",
        ),
        (
            "metrics: {address: x}",
            "metrics::address: expected host:port, found \"x\"",
        ),
        ("resource: {a: [1]}", "resource::a: expected text, found a list"),
        (
            "metrics: {readers: [{periodic: {exporter: {otlp: {endpoint: x}}}}]}",
            "metrics::readers::0::periodic::exporter::otlp::protocol: is required",
        ),
    ] {
        let found = telemetry(text).unwrap_err();
        assert_eq!(
            found,
            format!("c.yaml:2: service::telemetry::{expected}"),
            "found:\n{found}"
        );
    }
}
