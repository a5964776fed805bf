use crate::support::{PEM, alone, judge};
use controllers_core::destinations::{Destination, SecretReference, Signal, render};

fn destination(kind: &str, data: &[(&str, &str)], secrets: &[&str]) -> Destination {
    Destination {
        name: "mine".to_owned(),
        kind: kind.to_owned(),
        signals: vec![Signal::Traces],
        data: data
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        secret: (!secrets.is_empty()).then(|| SecretReference {
            name: "s".to_owned(),
            keys: secrets.iter().map(|key| (*key).to_owned()).collect(),
        }),
    }
}

fn check(kind: &str, data: &[(&str, &str)], message: &str) {
    let error = render(&destination(kind, data, &[])).unwrap_err().to_string();
    assert_eq!(error, message);
}

#[test]
fn each_field_that_is_wrong_is_named_with_what_to_change() {
    check(
        "otpl",
        &[],
        "there is no destination of the type \"otpl\"; did you mean \"otlp\"?",
    );
    check("otlp", &[], "OTLP_GRPC_ENDPOINT: is required: set it in data");
    check(
        "otlp",
        &[("OTLP_GRPC_ENDPOINT", "ftp://a"), ("OTLP_GRPC_COMPRESSION", "brotli")],
        "OTLP_GRPC_ENDPOINT: the scheme \"ftp\" is neither http nor https; \
         OTLP_GRPC_COMPRESSION: \"brotli\" is none of none, gzip, snappy, lz4, zlib, deflate, zstd",
    );
    check(
        "otlp",
        &[("OTLP_GRPC_ENDPOINT", "a:4317"), ("OTLP_GRPC_COMPRESSION", "snappy")],
        "OTLP_GRPC_COMPRESSION: the collector does not compress with snappy here; choose gzip or zstd",
    );
    check(
        "otlp",
        &[("OTLP_GRPC_ENDPOINT", "a:99999")],
        "OTLP_GRPC_ENDPOINT: the port of \"a:99999\" is no number from 1 to 65535",
    );
    check(
        "otlp",
        &[("OTLP_GRPC_ENDPOINT", "http://a/v1/traces")],
        "OTLP_GRPC_ENDPOINT: gRPC knows no path: take \"/v1/traces\" away",
    );
    check(
        "otlp",
        &[("OTLP_GRPC_ENDPOINT", "a"), ("OTLP_GRPC_HEADERS", "a=b")],
        "OTLP_GRPC_HEADERS: expected JSON such as [{\"key\": \"name\", \"value\": \"text\"}] or {\"name\": \"text\"}",
    );
    check(
        "otlp",
        &[("OTLP_GRPC_ENDPOINT", "a"), ("OTLP_GRPC_HEADERS", r#"{"x y": "b"}"#)],
        "header \"x y\": the name must consist of letters, digits and hyphens",
    );
    check(
        "otlp",
        &[("OTLP_GRPC_ENDPONT", "a")],
        "OTLP_GRPC_ENDPOINT: is required: set it in data; \
         OTLP_GRPC_ENDPONT: is no field of the type otlp; did you mean OTLP_GRPC_ENDPOINT?",
    );
    check(
        "otlphttp",
        &[("OTLP_HTTP_ENDPOINT", "http://a"), ("OTLP_HTTP_TLS_ENABLED", "true")],
        "OTLP_HTTP_ENDPOINT: begins with http:// although OTLP_HTTP_TLS_ENABLED is true: write https://, or set that to false",
    );
    check(
        "otlphttp",
        &[("OTLP_HTTP_ENDPOINT", "a"), ("OTLP_HTTP_BASIC_AUTH_USERNAME", "u")],
        "OTLP_HTTP_BASIC_AUTH_USERNAME: needs OTLP_HTTP_BASIC_AUTH_PASSWORD in the Secret that secretRef names",
    );
    check(
        "otlphttp",
        &[("OTLP_HTTP_ENDPOINT", "https://user:word@a")],
        "OTLP_HTTP_ENDPOINT: must not hold a user or password: use the fields for them",
    );
    check(
        "dynamic",
        &[
            ("DYNAMIC_DESTINATION_TYPE", "kafka"),
            ("DYNAMIC_CONFIGURATION_DATA", "[1]"),
        ],
        "DYNAMIC_DESTINATION_TYPE: the collector has no exporter \"kafka\"; it has otlp, otlphttp, prometheus, file, debug, nop; \
         DYNAMIC_CONFIGURATION_DATA: expected a mapping of settings, found a list",
    );
}

#[test]
fn a_secret_that_is_missing_or_in_the_open_is_refused() {
    let data = [("AXIOM_DATASET", "d")];
    check(
        "axiom",
        &data,
        "AXIOM_API_TOKEN: is required: set it in the Secret that secretRef names",
    );
    let open = [("AXIOM_DATASET", "d"), ("AXIOM_API_TOKEN", "hunter2")];
    let error = render(&destination("axiom", &open, &["AXIOM_API_TOKEN"]))
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "AXIOM_API_TOKEN: is a secret: take it out of data and put it into the Secret that secretRef names"
    );
}

#[test]
fn a_user_with_a_colon_is_refused() {
    let data = [("LOKI_URL", "loki"), ("LOKI_USERNAME", "a:b")];
    let mut loki = destination("loki", &data, &["LOKI_PASSWORD"]);
    loki.signals = vec![Signal::Logs];
    let error = render(&loki).unwrap_err().to_string();
    assert_eq!(error, "user name: must be without a colon");
}

#[test]
fn signals_that_a_destination_does_not_take_are_refused_with_those_that_it_takes() {
    let mut wrong = destination("jaeger", &[("JAEGER_URL", "j")], &[]);
    wrong.signals = vec![Signal::Logs];
    let error = render(&wrong).unwrap_err().to_string();
    assert_eq!(
        error,
        "Jaeger takes no logs: take it out of signals, which may be traces"
    );
    let logzio = destination(
        "logzio",
        &[("LOGZIO_REGION", "listener.logz.io")],
        &["LOGZIO_LOGS_TOKEN"],
    );
    assert_eq!(
        render(&logzio).unwrap_err().to_string(),
        "signals: what traces need is not filled in: fill it in, or take traces out"
    );
    wrong.signals = vec![];
    assert_eq!(
        render(&wrong).unwrap_err().to_string(),
        "no signal is chosen: set signals to some of traces"
    );
}

#[test]
fn what_a_user_wrote_is_never_a_reference() {
    let data = [
        ("OTLP_GRPC_ENDPOINT", "a:1"),
        ("OTLP_GRPC_HEADERS", r#"{"x": "${file:/etc/passwd}$"}"#),
    ];
    let yaml = alone(&render(&destination("otlp", &data, &[])).unwrap()).to_yaml();
    assert!(yaml.contains("$${file:/etc/passwd}$$"), "{yaml}");
    let data = [
        ("DYNAMIC_DESTINATION_TYPE", "otlp"),
        (
            "DYNAMIC_CONFIGURATION_DATA",
            "{endpoint: 'a:1', headers: {x: '${env:TOKEN}'}}",
        ),
    ];
    let error = render(&destination("dynamic", &data, &["OTHER"]))
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "DYNAMIC_CONFIGURATION_DATA: refers to TOKEN, which is no key of the Secret that secretRef names: add it there, or write $$ for a $"
    );
}

#[test]
fn a_dynamic_destination_refers_to_its_own_secret_and_to_nothing_else() {
    let of = |text: &str| {
        let data = [
            ("DYNAMIC_DESTINATION_TYPE", "otlp"),
            ("DYNAMIC_CONFIGURATION_DATA", text),
        ];
        render(&destination("dynamic", &data, &["TOKEN"]))
    };
    let settings = "{endpoint: 'a:1', headers: {a: 'Bearer ${env:TOKEN}', b: '${TOKEN}', c: '$${TOKEN}', d: '5$'}}";
    let rendered = of(settings).unwrap();
    let expected = "endpoint: \"a:1\"\nheaders:\n  a: \"Bearer ${env:DESTINATION_MINE__TOKEN}\"\n  \
                    b: \"${env:DESTINATION_MINE__TOKEN}\"\n  c: \"$${TOKEN}\"\n  d: \"5$$\"\n";
    assert_eq!(rendered.exporters[0].settings.to_yaml(), expected);
    assert_eq!(rendered.secrets.len(), 1);
    assert_eq!(judge(&alone(&rendered)), Ok(()));
    for elsewhere in [
        "${file:/etc/passwd}",
        "${env:KUBERNETES_SERVICE_HOST}",
        "${_A}",
        "${A__B}",
        "${}",
    ] {
        let error = of(&format!("{{endpoint: '{elsewhere}'}}")).unwrap_err().to_string();
        assert!(error.starts_with("DYNAMIC_CONFIGURATION_DATA: refers to "), "{error}");
    }
}

#[test]
fn tls_headers_and_compression_of_a_generic_destination_reach_the_exporter() {
    let data = [
        ("OTLP_GRPC_ENDPOINT", "gateway.example"),
        ("OTLP_GRPC_TLS_ENABLED", "true"),
        ("OTLP_GRPC_CA_PEM", PEM),
        ("OTLP_GRPC_COMPRESSION", "zstd"),
        ("OTLP_GRPC_HEADERS", r#"[{"key": "x-a", "value": "1"}]"#),
    ];
    let rendered = render(&destination("otlp", &data, &[])).unwrap();
    let settings = rendered.exporters[0].settings.to_yaml();
    let expected = "endpoint: \"gateway.example:4317\"\ncompression: zstd\nheaders:\n  x-a: \"1\"\ntls:\n  insecure: false\n  \
                    ca_pem: \"-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----\"\n  insecure_skip_verify: false\n";
    assert_eq!(settings, expected);
    assert_eq!(judge(&alone(&rendered)), Ok(()));
}

#[test]
fn variables_of_secrets_are_never_shared() {
    let of = |name: &str| {
        let mut one = destination("axiom", &[("AXIOM_DATASET", "d")], &["AXIOM_API_TOKEN"]);
        one.name = name.to_owned();
        render(&one).unwrap().secrets[0].variable.clone()
    };
    let names = ["a-b", "a.b", "a--b", "a-dot-b", "a"].map(of);
    for (index, name) in names.iter().enumerate() {
        assert!(!names[..index].contains(name), "{names:?}");
    }
}
