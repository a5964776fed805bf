use super::*;
use crate::admission::certificates::Material;
use crate::rim::Metrics;
use controllers_core::admission::certificates::Lifetimes;
use controllers_core::admission::review::MAX_BODY;
use controllers_core::injection::admit;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A server on a port of its own, with what it serves and the end that stops it.
struct Running {
    address: SocketAddr,
    serving: Arc<Serving>,
    metrics: Metrics,
    bundle: String,
    drain: kit::drain::Drain,
    ended: tokio::task::JoinHandle<anyhow::Result<()>>,
}

fn lifetimes() -> Lifetimes {
    Lifetimes::of(3600)
}

fn subjects() -> Vec<String> {
    vec!["127.0.0.1".to_owned()]
}

fn now() -> i64 {
    crate::admission::keeper::now()
}

impl Running {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let material = Material::begin(&subjects(), lifetimes(), now()).unwrap();
        let bundle = material.bundle();
        let serving = Arc::new(Serving::default());
        serving.serve(material);
        // Nobody answers there, and nobody is asked but about new Sources.
        let nowhere = kube_client::Config::new("http://127.0.0.1:1".parse().unwrap());
        let metrics = Metrics::default();
        let answers = Answers {
            client: kube_client::Client::try_from(nowhere).unwrap(),
            metrics: metrics.clone(),
            pods: Box::new(|namespace, pod| admit(namespace, pod, |_| None)),
        };
        let server = Server {
            listener,
            serving: Arc::clone(&serving),
            answers: Arc::new(answers),
        };
        let (drain, draining) = kit::drain::channel();
        let ended = tokio::spawn(server.run(draining));
        Self {
            address,
            serving,
            metrics,
            bundle,
            drain,
            ended,
        }
    }

    /// A connection, if the server's certificate is one of `bundle`.
    async fn connect(&self, bundle: &str) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::from(self.address.ip());
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    /// Sends bytes on a connection of their own, and reads to its end; none means that the other side said nothing.
    async fn send(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect(&self.bundle).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    async fn post(&self, path: &str, body: &[u8]) -> String {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: \
             close\r\n\r\n",
            body.len()
        );
        self.send(&[head.as_bytes(), body].concat()).await
    }

    /// The response of the review that answers a question about an object.
    async fn ask(&self, path: &str, operation: &str, object: Value) -> Value {
        let review = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {"uid": "u", "kind": {}, "operation": operation, "object": object},
        });
        let answer = self.post(path, review.to_string().as_bytes()).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        let review: Value = serde_json::from_str(body).unwrap();
        review["response"].clone()
    }
}

fn source() -> Value {
    json!({
        "apiVersion": "odigos.io/v1alpha1", "kind": "Source", "metadata": {"name": "cart", "namespace": "shop"},
        "spec": {"workload": {"name": "cart", "namespace": "shop", "kind": "Deployment"}},
    })
}

#[tokio::test]
async fn each_webhook_answers_and_is_counted() {
    let server = Running::start().await;
    let changed = server.ask("/mutate/sources", "CREATE", source()).await;
    assert_eq!(
        (&changed["allowed"], &changed["patchType"]),
        (&json!(true), &json!("JSONPatch"))
    );
    let mut wrong = source();
    wrong["spec"]["workload"]["namespace"] = json!("other");
    let refused = server.ask("/validate/sources", "UPDATE", wrong).await;
    assert_eq!(refused["allowed"], json!(false));
    for (path, kind) in [
        ("/validate/actions", "Action"),
        ("/validate/instrumentationrules", "InstrumentationRule"),
    ] {
        let object = json!({"apiVersion": "odigos.io/v1alpha1", "kind": kind, "metadata": {"name": "a"},
            "spec": {"signals": [], "otelDistros": {"otelDistroNames": []}}});
        assert_eq!(
            server.ask(path, "CREATE", object).await["allowed"],
            json!(false),
            "{path}"
        );
    }
    let destination = json!({"apiVersion": "odigos.io/v1alpha1", "kind": "Destination", "metadata": {"name": "a"},
        "spec": {"type": "jeager", "signals": ["TRACES"], "data": {}, "destinationName": ""}});
    let refused = server.ask("/validate/destinations", "CREATE", destination).await;
    let message = "spec.type: there is no destination of the type \"jeager\"; did you mean \"jaeger\"?";
    assert_eq!(refused["status"]["message"], message);
    assert_eq!(
        server.ask("/validate/sources", "DELETE", Value::Null).await["allowed"],
        json!(true)
    );
    for pod in [
        json!({"metadata": {"name": "alone"}}),
        json!({"metadata": 7}),
        Value::Null,
    ] {
        let let_in = json!({"uid": "u", "allowed": true});
        assert_eq!(server.ask("/mutate/pods", "CREATE", pod).await, let_in);
    }
    let figures = server.metrics.encode().unwrap();
    for line in [
        r#"odigos_controller_admissions_total{webhook="/mutate/sources",verdict="changed"} 1"#,
        r#"odigos_controller_admissions_total{webhook="/validate/sources",verdict="refused"} 1"#,
        r#"odigos_controller_admissions_total{webhook="/validate/sources",verdict="allowed"} 1"#,
        r#"odigos_controller_admissions_total{webhook="/mutate/pods",verdict="no_workload"} 1"#,
        r#"odigos_controller_admissions_total{webhook="/mutate/pods",verdict="unreadable"} 2"#,
    ] {
        assert!(figures.lines().any(|it| it == line), "{line} is not in\n{figures}");
    }
}

#[tokio::test]
async fn a_source_is_taken_with_a_warning_where_others_cannot_be_looked_at() {
    let server = Running::start().await;
    let taken = server.ask("/validate/sources", "CREATE", source()).await;
    assert_eq!(taken["allowed"], json!(true));
    let warning = "spec.workload: it could not be checked whether the workload has another Source";
    assert_eq!(taken["warnings"], json!([warning]));
}

#[tokio::test]
async fn what_is_hostile_is_refused_and_the_next_question_answered() {
    let server = Running::start().await;
    let deep = [&b"{\"apiVersion\":"[..], &b"[".repeat(1_000_000)].concat();
    let long = format!(
        "POST /validate/sources HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        MAX_BODY + 1
    );
    let headers = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(200_000));
    let cases: [(&str, &[u8]); 8] = [
        ("HTTP/1.1 404", b"POST /x HTTP/1.1\r\nconnection: close\r\n\r\n"),
        ("HTTP/1.1 405", b"GET /validate/sources HTTP/1.1\r\nconnection: close\r\n\r\n"),
        ("HTTP/1.1 415", b"POST /validate/sources HTTP/1.1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"),
        (
            "HTTP/1.1 411",
            b"POST /validate/sources HTTP/1.1\r\nconnection: close\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        ("HTTP/1.1 413", long.as_bytes()),
        ("HTTP/1.1 400", b"\x00\xff\r\n\r\n"),
        ("HTTP/1.1 431", headers.as_bytes()),
        ("HTTP/1.1 400", b"POST /validate/sources HTTP/9\r\n\r\n"),
    ];
    for (status, bytes) in cases {
        // What is refused before it is read does not end the connection at once.
        let answer = tokio::time::timeout(Duration::from_millis(500), server.send(bytes)).await;
        if let Ok(answer) = answer {
            assert!(answer.starts_with(status), "{status}: {answer:?}");
        } else {
            assert_eq!(status, "HTTP/1.1 413");
        }
    }
    for body in [&b""[..], b"null", b"{}", b"[1]", &deep, b"\xff\xfe"] {
        let answer = server.post("/validate/sources", body).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer:?}");
    }
    let odd = server.ask("/validate/sources", "CREATE", json!({"spec": 7})).await;
    assert_eq!(odd["status"]["code"], json!(400));
    let large = json!({"spec": "x".repeat(3_000_000)});
    let large = server.ask("/validate/destinations", "CREATE", large).await;
    let message = large["status"]["message"].as_str().unwrap();
    assert!(
        message.ends_with("bytes, and at most 2097152 are looked at"),
        "{message}"
    );
    assert_eq!(
        server.ask("/mutate/sources", "CREATE", source()).await["allowed"],
        json!(true)
    );
}

#[tokio::test]
async fn a_new_certificate_is_served_while_connections_go_on() {
    let server = Running::start().await;
    let old = server.serving.material().unwrap();
    let mut kept = server.connect(&server.bundle).await.unwrap();
    let new = old.staged(lifetimes(), now()).unwrap();
    let both = new.bundle();
    server
        .serving
        .serve(new.promoted(&subjects(), lifetimes(), now()).unwrap());
    assert!(
        server.connect(&server.bundle).await.is_err(),
        "the old certificate is still served"
    );
    server.connect(&both).await.unwrap();
    kept.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    kept.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
}

#[tokio::test]
async fn it_ends_when_the_drain_begins() {
    let server = Running::start().await;
    let _idle = server.connect(&server.bundle).await.unwrap();
    server.drain.begin(Instant::now() + Duration::from_secs(5));
    tokio::time::timeout(Duration::from_secs(4), server.ended)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}

#[test]
fn patience_is_short_before_the_first_question_and_long_after() {
    let activity = Activity::default();
    assert!(activity.patience() <= PATIENCE && activity.patience() > PATIENCE / 2);
    activity.begins();
    assert_eq!(activity.patience(), ANSWERED);
    activity.ends();
    assert!(activity.patience() > PATIENCE && activity.patience() <= IDLE);
    assert!(!activity.is_over());
}
