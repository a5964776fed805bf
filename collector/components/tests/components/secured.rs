//! TLS, compression and addresses, as far as the wire shows them.

use crate::feed::{finish, start, start_error, start_text, start_unbatched, wait_for};
use crate::standin::StandIn;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::Arc;

/// A CA whose certificates are files of a folder.
struct Authority {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        Authority {
            folder,
            issuer: Issuer::new(params, key),
            certificate: certificate.der().clone(),
        }
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// A server for `name`, whose certificate has expired or not; with `clients` it wants theirs too.
    fn server(&self, name: &str, expired: bool, clients: bool) -> StandIn {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if expired {
            params.not_after = rcgen::date_time_ymd(2001, 1, 1);
            params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if clients {
            let mut roots = RootCertStore::empty();
            roots.add(self.certificate.clone()).unwrap();
            let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        let mut config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        StandIn::with_tls(config)
    }

    /// Writes a client's certificate and key, and returns the settings that name them.
    fn client(&self) -> String {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["client".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.file("cert.pem"), certificate.pem()).unwrap();
        std::fs::write(self.file("key.pem"), key.serialize_pem()).unwrap();
        format!(
            ", cert_file: '{}', key_file: '{}'",
            self.file("cert.pem"),
            self.file("key.pem")
        )
    }
}

fn endpoint(exporter: &str, server: &StandIn) -> String {
    let scheme = if exporter == "otlp" { "" } else { "https://" };
    format!("endpoint: '{scheme}{}'", server.address)
}

/// Whether five spans arrive; otherwise all must be counted as failed.
fn arrives(exporter: &str, server: &StandIn, tls: &str) -> bool {
    let settings = format!(
        "{}, tls: {{{tls}}}, retry_on_failure: {{enabled: false}}",
        endpoint(exporter, server)
    );
    let engine = start("spans: 5", exporter, &settings);
    wait_for(&engine, "all have an end", |otlp| otlp.received == 5 && otlp.held == 0);
    let account = finish(engine);
    let failed = account.dropped.get("export_failed").copied().unwrap_or(0);
    assert_eq!(account.exported + failed, 5, "{account:?}");
    assert_eq!(server.requests(), usize::from(account.exported == 5));
    account.exported == 5
}

#[test]
fn only_a_valid_certificate_of_the_right_host_from_the_right_ca_is_trusted() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let trusting = format!("ca_file: '{}'", ours.file("ca.pem"));
    for exporter in ["otlp", "otlphttp"] {
        let cases = [
            (ours.server("127.0.0.1", false, false), true),
            (other.server("127.0.0.1", false, false), false),
            (ours.server("127.0.0.1", true, false), false),
            (ours.server("shop.test", false, false), false),
        ];
        for (index, (server, expected)) in cases.into_iter().enumerate() {
            assert_eq!(
                arrives(exporter, &server, &trusting),
                expected,
                "{exporter}, case {index}"
            );
        }
        let server = ours.server("shop.test", false, false);
        let named = format!("{trusting}, server_name_override: shop.test");
        assert!(arrives(exporter, &server, &named), "{exporter}");
        let server = other.server("shop.test", true, false);
        assert!(arrives(exporter, &server, "insecure_skip_verify: true"), "{exporter}");
    }
}

#[test]
fn a_server_that_wants_a_clients_certificate_gets_it() {
    let authority = Authority::new("ours");
    let trusting = format!("ca_file: '{}'", authority.file("ca.pem"));
    let with = format!("{trusting}{}", authority.client());
    for exporter in ["otlp", "otlphttp"] {
        let server = authority.server("127.0.0.1", false, true);
        assert!(!arrives(exporter, &server, &trusting), "{exporter} without");
        let server = authority.server("127.0.0.1", false, true);
        assert!(arrives(exporter, &server, &with), "{exporter} with");
    }
}

#[test]
fn a_certificate_that_cannot_be_read_stops_the_start() {
    for exporter in ["otlp", "otlphttp"] {
        let settings = "endpoint: 'https://h:1', tls: {ca_file: /nonexistent/ca.pem}";
        let error = start_error(exporter, settings);
        assert!(
            error.contains("cannot read /nonexistent/ca.pem: No such file"),
            "{error}"
        );
    }
}

#[test]
fn bodies_arrive_in_every_encoding_that_is_offered() {
    for (exporter, compressions) in [
        ("otlp", &["none", "gzip", "zstd"][..]),
        ("otlphttp", &["none", "gzip", "zstd", "deflate", "zlib"]),
    ] {
        for compression in compressions {
            let server = StandIn::start([]);
            let settings = format!("endpoint: 'http://{}', compression: {compression}", server.address);
            let engine = start("spans: 500", exporter, &settings);
            wait_for(&engine, "all is exported", |otlp| otlp.exported == 500);
            assert!(finish(engine).dropped.is_empty());
            server.received(|received| {
                let request = ExportTraceServiceRequest::decode(&received[0].body[..]).unwrap();
                assert_eq!(request.resource_spans[0].scope_spans[0].spans.len(), 500);
                let header = if exporter == "otlp" {
                    "grpc-encoding"
                } else {
                    "content-encoding"
                };
                let said = received[0].headers.get(header).map(|value| value.to_str().unwrap());
                assert_eq!(said, Some(*compression).filter(|name| *name != "none"), "{exporter}");
            });
        }
    }
}

#[test]
fn gzip_is_what_upstream_would_send_too() {
    let server = StandIn::start([]);
    let engine = start("spans: 5", "otlp", &format!("endpoint: 'http://{}'", server.address));
    wait_for(&engine, "all is exported", |otlp| otlp.exported == 5);
    finish(engine);
    server.received(|received| assert_eq!(received[0].headers["grpc-encoding"], "gzip"));
}

#[test]
fn json_is_sent_where_it_is_asked_for() {
    let server = StandIn::start([]);
    let settings = format!("traces_endpoint: 'http://{}/in', encoding: json", server.address);
    let engine = start("spans: 5", "otlphttp", &settings);
    wait_for(&engine, "all is exported", |otlp| otlp.exported == 5);
    finish(engine);
    server.received(|received| {
        assert_eq!(received[0].path, "/in");
        assert_eq!(received[0].headers["content-type"], "application/json");
        let request: ExportTraceServiceRequest = serde_json::from_slice(&received[0].body).unwrap();
        assert_eq!(request.resource_spans[0].scope_spans[0].spans.len(), 5);
    });
}

#[test]
fn a_name_with_a_scheme_of_gos_and_numbers_in_headers_are_what_users_write() {
    // The name has an address of IPv6 too on most machines, at which nobody listens.
    for balancer in ["pick_first", "round_robin"] {
        let server = StandIn::start([]);
        let settings = format!(
            "endpoint: 'dns:///localhost:{}', tls: {{insecure: true}}, balancer_name: {balancer}, authority: shop.test, \
             headers: {{X-Scope-OrgID: 7}}, wait_for_ready: true, \
             keepalive: {{time: 30s, timeout: 5s, permit_without_stream: true}}",
            server.address.port()
        );
        let engine = start_unbatched("payloads: 5, spans: 5", "otlp", &settings);
        wait_for(&engine, "all is exported", |otlp| otlp.exported == 25);
        assert!(finish(engine).dropped.is_empty());
        assert_eq!(server.connections(), 1, "{balancer}");
        server.received(|received| {
            assert_eq!(received[0].headers["x-scope-orgid"], "7");
            assert_eq!(received[0].headers["grpc-timeout"], "5000m");
            assert_eq!(received[0].headers["te"], "trailers");
        });
    }
}

#[test]
fn an_extension_proves_who_is_sending() {
    for exporter in ["otlp", "otlphttp"] {
        let server = StandIn::start([]);
        let engine = start_text(&format!(
            "
receivers: {{feed: {{spans: 5}}}}
extensions:
  bearertokenauth/a: {{token: abc}}
  basicauth: {{client_auth: {{username: me, password: hunter2}}}}
exporters: {{{exporter}: {{endpoint: 'http://{}', auth: {{authenticator: bearertokenauth/a}}}}}}
service:
  extensions: [bearertokenauth/a, basicauth]
  pipelines: {{traces: {{receivers: [feed], exporters: [{exporter}]}}}}
",
            server.address
        ));
        wait_for(&engine, "all is exported", |otlp| otlp.exported == 5);
        finish(engine);
        server.received(|received| assert_eq!(received[0].headers["authorization"], "Bearer abc"));
    }
}
