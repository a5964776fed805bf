//! Where data goes, for each way in which users write an address: as the vendor shows it, and as manifests have it.

use crate::support::{Extent, sample};
use collector_config::{Node, Value};
use controllers_core::destinations::{find, render};

fn child<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    match &node.value {
        Value::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node),
        _ => None,
    }
}

/// The endpoint of the first exporter where `field` holds `text`, with a `!` before it if it is without TLS by `tls`.
fn endpoint(kind: &str, field: &str, text: &str) -> Result<String, String> {
    let mut destination = sample(find(kind).unwrap(), Extent::Required);
    destination.data.insert(field.to_owned(), text.to_owned());
    let rendered = render(&destination).map_err(|error| error.to_string())?;
    let settings = &rendered.exporters[0].settings;
    let keys = ["endpoint", "traces_endpoint", "metrics_endpoint", "logs_endpoint"];
    let endpoint = keys.iter().find_map(|key| child(settings, key)).unwrap();
    let insecure = child(settings, "tls").and_then(|tls| child(tls, "insecure"));
    let is_plain = insecure.is_some_and(|node| node.value == Value::Bool(true));
    let sign = if is_plain { "!" } else { "" };
    Ok(format!("{sign}{}", endpoint.text().unwrap()))
}

fn check(kind: &str, field: &str, cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(
            endpoint(kind, field, text).as_deref(),
            Ok(*expected),
            "{kind}: {field}: {text}"
        );
    }
}

#[test]
fn a_default_port_is_added_where_no_scheme_implies_one() {
    let cases = [
        ("loki", "http://loki:3100/otlp"),
        ("http://loki", "http://loki:3100/otlp"),
        ("https://loki.example", "https://loki.example/otlp"),
        ("https://loki.example:3100/", "https://loki.example:3100/otlp"),
        ("http://loki:3100/loki/api/v1/push", "http://loki:3100/otlp"),
        ("https://proxy.example/logs/otlp", "https://proxy.example/logs/otlp"),
    ];
    check("loki", "LOKI_URL", &cases);
    let cases = [
        ("collector", "http://collector:4318"),
        ("http://collector", "http://collector"),
        ("https://otlp.example", "https://otlp.example"),
        ("https://otlp.example/v1/traces", "https://otlp.example"),
        ("collector/otlp", "http://collector/otlp"),
        ("[::1]", "http://[::1]:4318"),
    ];
    check("otlphttp", "OTLP_HTTP_ENDPOINT", &cases);
    let cases = [
        ("seq", "http://seq:5341/ingest/otlp"),
        ("https://seq.example", "https://seq.example/ingest/otlp"),
        ("http://seq:5341/ingest/otlp", "http://seq:5341/ingest/otlp"),
    ];
    check("seq", "SEQ_ENDPOINT", &cases);
    // The vendor listens there with TLS too.
    let cases = [
        ("https://es", "https://es:9200/_otlp"),
        ("https://es:443", "https://es:443/_otlp"),
        ("https://es.example/prefix", "https://es.example/prefix/_otlp"),
    ];
    check("elasticsearch", "ELASTICSEARCH_URL", &cases);
}

#[test]
fn the_scheme_of_grpc_says_whether_there_is_tls() {
    let cases = [
        ("tempo", "!tempo:4317"),
        ("http://tempo", "!tempo:4317"),
        ("grpc://tempo:9095/", "!tempo:9095"),
        ("grpcs://tempo", "tempo:4317"),
        ("https://tempo.example:443", "tempo.example:443"),
    ];
    check("tempo", "TEMPO_URL", &cases);
    check("quickwit", "QUICKWIT_URL", &[("quickwit", "!quickwit:7281")]);
    check(
        "alibabacloud",
        "ALIBABA_ENDPOINT",
        &[("http://a.aliyuncs.com", "!a.aliyuncs.com:8090")],
    );
    check(
        "elasticapm",
        "ELASTIC_APM_SERVER_ENDPOINT",
        &[("apm", "apm:8200"), ("http://apm", "!apm:8200")],
    );
    // The mediator has no TLS, whatever is written.
    check(
        "causely",
        "CAUSELY_URL",
        &[("https://mediator.causely", "!mediator.causely:4317")],
    );
}

#[test]
fn no_credential_goes_to_a_vendor_in_the_open() {
    check(
        "checkly",
        "CHECKLY_ENDOINT",
        &[(
            "http://otel.eu-west-1.checklyhq.com:4317",
            "otel.eu-west-1.checklyhq.com:4317",
        )],
    );
    check(
        "instana",
        "INSTANA_ENDPOINT",
        &[("http://otlp-blue-saas.instana.io", "otlp-blue-saas.instana.io:4317")],
    );
    check(
        "groundcover",
        "GROUNDCOVER_ENDPOINT",
        &[("grpc://acme.platform.grcv.io", "acme.platform.grcv.io:443")],
    );
    check(
        "dynatrace",
        "DYNATRACE_URL",
        &[(
            "http://abc.live.dynatrace.com",
            "https://abc.live.dynatrace.com/api/v2/otlp",
        )],
    );
    let cases = [(
        "http://logs-prod-012.grafana.net",
        "https://logs-prod-012.grafana.net/otlp",
    )];
    check("grafanacloudloki", "GRAFANA_CLOUD_LOKI_ENDPOINT", &cases);
}

#[test]
fn what_vendors_show_beside_the_address_is_taken_off() {
    let cases = [
        (
            "https://tempo-prod-10-prod-eu-west-2.grafana.net/tempo",
            "tempo-prod-10-prod-eu-west-2.grafana.net:443",
        ),
        (
            "tempo-prod-10-prod-eu-west-2.grafana.net:443",
            "tempo-prod-10-prod-eu-west-2.grafana.net:443",
        ),
    ];
    check("grafanacloudtempo", "GRAFANA_CLOUD_TEMPO_ENDPOINT", &cases);
    let expected = "acme.chronosphere.io:443";
    let cases = [
        "acme",
        "acme.chronosphere.io",
        "acme.chronosphere.io:443",
        "https://acme.chronosphere.io/",
    ];
    check(
        "chronosphere",
        "CHRONOSPHERE_DOMAIN",
        &cases.map(|text| (text, expected)),
    );
    let cases = [
        "https://abc.live.dynatrace.com",
        "abc.live.dynatrace.com/",
        "https://abc.live.dynatrace.com/api/v2/otlp",
    ];
    let expected = "https://abc.live.dynatrace.com/api/v2/otlp";
    check("dynatrace", "DYNATRACE_URL", &cases.map(|text| (text, expected)));
    let cases = [
        "https://otlp-aps1.last9.io",
        "otlp-aps1.last9.io:443",
        "https://otlp-aps1.last9.io/v1/traces",
    ];
    check(
        "last9",
        "LAST9_OTLP_ENDPOINT",
        &cases.map(|text| (text, "otlp-aps1.last9.io:443")),
    );
    let cases = [
        "https://a.victoriametrics.cloud",
        "https://a.victoriametrics.cloud/opentelemetry",
        "https://a.victoriametrics.cloud/api/v1/write",
    ];
    let expected = "https://a.victoriametrics.cloud/opentelemetry";
    check(
        "victoriametricscloud",
        "VICTORIA_METRICS_CLOUD_ENDPOINT",
        &cases.map(|text| (text, expected)),
    );
    let base = "https://a.apm-agt.us-ashburn-1.oci.oraclecloud.com";
    let private = format!("{base}/20200101/opentelemetry/private/v1/traces");
    check("oracle", "ORACLE_ENDPOINT", &[(base, &private), (&private, &private)]);
}

#[test]
fn remote_write_becomes_the_path_for_otlp_beside_it() {
    let cases = [
        ("prometheus:9090", "http://prometheus:9090/api/v1/otlp"),
        (
            "http://prometheus:9090/api/v1/write",
            "http://prometheus:9090/api/v1/otlp",
        ),
        (
            "https://example/prometheus/api/v1/write",
            "https://example/prometheus/api/v1/otlp",
        ),
        ("http://mimir:8080/api/v1/push", "http://mimir:8080/otlp"),
        (
            "http://prometheus:9090/api/v1/otlp",
            "http://prometheus:9090/api/v1/otlp",
        ),
    ];
    check("prometheus", "PROMETHEUS_REMOTEWRITE_URL", &cases);
}

#[test]
fn newer_regions_of_a_vendor_are_taken() {
    check(
        "coralogix",
        "CORALOGIX_DOMAIN",
        &[("us3.coralogix.com", "ingress.us3.coralogix.com:443")],
    );
    check(
        "datadog",
        "DATADOG_SITE",
        &[("ap2.datadoghq.com", "https://otlp.ap2.datadoghq.com/v1/traces")],
    );
    let error = endpoint("datadog", "DATADOG_SITE", "data dog").unwrap_err();
    assert!(error.contains("is no host"), "{error}");
}

#[test]
fn the_controller_is_beside_the_endpoint_under_the_accounts_name() {
    let mut destination = sample(find("appdynamics").unwrap(), Extent::Required);
    let url = "https://pdx-sls-agent-api.saas.appdynamics.com";
    destination
        .data
        .insert("APPDYNAMICS_ENDPOINT_URL".to_owned(), url.to_owned());
    let rendered = render(&destination).unwrap();
    let yaml = rendered.processors[0].settings.to_yaml();
    assert!(yaml.contains("value: acme.saas.appdynamics.com\n"), "{yaml}");
    assert!(yaml.contains("key: service.namespace\n    value: odigos\n"), "{yaml}");
}

#[test]
fn what_is_not_in_data_is_taken_from_the_secret() {
    let mut destination = sample(find("uptrace").unwrap(), Extent::Required);
    destination.data.remove("UPTRACE_DSN");
    let missing = render(&destination).unwrap_err().to_string();
    assert_eq!(missing, "UPTRACE_DSN: is required: set it in data");
    destination
        .secret
        .as_mut()
        .unwrap()
        .keys
        .insert("UPTRACE_DSN".to_owned());
    let rendered = render(&destination).unwrap();
    let yaml = rendered.exporters[0].settings.to_yaml();
    assert!(
        yaml.contains("uptrace-dsn: \"${env:DESTINATION_MY_UPTRACE__UPTRACE_DSN}\""),
        "{yaml}"
    );
    assert_eq!(rendered.secrets[0].key, "UPTRACE_DSN");
}

#[test]
fn older_manifests_say_yes_and_no() {
    let mut destination = sample(find("qryn").unwrap(), Extent::Required);
    for (text, processors) in [("Yes", 3), ("true", 3), ("No", 0), ("false", 0)] {
        destination
            .data
            .insert("QRYN_ADD_EXPORTER_NAME".to_owned(), text.to_owned());
        let conversion = "QRYN_RESOURCE_TO_TELEMETRY_CONVERSION".to_owned();
        destination.data.insert(conversion, "No".to_owned());
        assert_eq!(render(&destination).unwrap().processors.len(), processors, "{text}");
    }
}
