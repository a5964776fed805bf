use super::*;
use collector_config::{Errors, Node};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A CA, and certificates from it, in a folder.
struct Authority {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Authority {
            folder,
            issuer: Issuer::new(params, key),
        }
    }

    fn issue(&self, name: &str) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.folder.path().join("cert.pem"), certificate.pem()).unwrap();
        std::fs::write(self.folder.path().join("key.pem"), key.serialize_pem()).unwrap();
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

fn read<T>(text: &str, configure: impl FnOnce(&mut Section<'_, '_>) -> T) -> Result<T, String> {
    let node = Node::parse(text, "").unwrap();
    let mut errors = Errors::default();
    let mut section = Section::open("exporters::otlp", &node, &mut errors);
    let value = configure(&mut section);
    section.finish();
    errors.unless_any(value).map_err(|errors| errors.to_string())
}

fn client(text: &str) -> Result<ClientTls, String> {
    read(text, |section| ClientTls::configure(section, false))
}

fn server(text: &str) -> Result<Option<ServerTls>, String> {
    read(text, ServerTls::configure)
}

/// One handshake over a real connection; the error is that of the client or, if it has none, of the server.
fn handshake(client: &ClientTls, server: &Loaded<ServerConfig>, host: &str) -> Result<Option<Vec<u8>>, String> {
    let config = client.load(&[b"h2"]).unwrap().current();
    let name = client.server_name(host).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(server.current());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async move {
        let (near, far) = tokio::io::duplex(1 << 16);
        let serving = tokio::spawn(async move {
            let mut stream = acceptor.accept(far).await?;
            stream.write_all(b"!").await?;
            stream.shutdown().await
        });
        let mut stream = tokio_rustls::TlsConnector::from(config)
            .connect(name, near)
            .await
            .map_err(|error| error.to_string())?;
        let mut byte = [0];
        stream.read_exact(&mut byte).await.map_err(|error| error.to_string())?;
        serving.await.unwrap().map_err(|error| error.to_string())?;
        Ok(stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec))
    })
}

fn serving(authority: &Authority, more: &str) -> Loaded<ServerConfig> {
    let folder = authority.path().display();
    let text = format!("tls: {{cert_file: '{folder}/cert.pem', key_file: '{folder}/key.pem'{more}}}");
    server(&text).unwrap().unwrap().load(&[b"h2", b"http/1.1"]).unwrap()
}

#[test]
fn a_server_with_a_certificate_from_the_ca_is_taken_and_others_are_not() {
    let (authority, other) = (Authority::new(), Authority::new());
    authority.issue("shop.test");
    let server = serving(&authority, "");
    let (ca, wrong) = (authority.path().join("ca.pem"), other.path().join("ca.pem"));
    let trusting = client(&format!("tls: {{ca_file: '{}'}}", ca.display())).unwrap();
    assert_eq!(handshake(&trusting, &server, "shop.test"), Ok(Some(b"h2".to_vec())));
    let error = handshake(&trusting, &server, "other.test").unwrap_err();
    assert!(error.contains("not valid for name"), "{error}");
    let strange = client(&format!("tls: {{ca_file: '{}'}}", wrong.display())).unwrap();
    let error = handshake(&strange, &server, "shop.test").unwrap_err();
    assert!(error.contains("invalid peer certificate"), "{error}");
    for lax in [
        format!("tls: {{ca_file: '{}', server_name_override: shop.test}}", ca.display()),
        "tls: {insecure_skip_verify: true}".to_owned(),
        format!(
            "tls: {{ca_pem: {:?}, insecure: true, server_name_override: shop.test}}",
            std::fs::read_to_string(&ca).unwrap()
        ),
    ] {
        let client = client(&lax).unwrap();
        assert!(!client.is_plain());
        assert_eq!(
            handshake(&client, &server, "10.0.0.1"),
            Ok(Some(b"h2".to_vec())),
            "{lax}"
        );
    }
}

#[test]
fn a_server_with_a_client_ca_takes_only_its_clients() {
    let authority = Authority::new();
    authority.issue("shop.test");
    let folder = authority.path().display();
    let server = serving(&authority, &format!(", client_ca_file: '{folder}/ca.pem'"));
    let without = client(&format!("tls: {{ca_file: '{folder}/ca.pem'}}")).unwrap();
    let error = handshake(&without, &server, "shop.test").unwrap_err();
    assert!(error.contains("CertificateRequired"), "{error}");
    let with = client(&format!(
        "tls: {{ca_file: '{folder}/ca.pem', cert_file: '{folder}/cert.pem', key_file: '{folder}/key.pem'}}"
    ));
    assert!(handshake(&with.unwrap(), &server, "shop.test").is_ok());
}

#[test]
fn versions_bound_the_handshake() {
    let authority = Authority::new();
    authority.issue("shop.test");
    let server = serving(&authority, ", min_version: '1.3'");
    let old = client("tls: {insecure_skip_verify: true, max_version: 1.2}").unwrap();
    let error = handshake(&old, &server, "shop.test").unwrap_err();
    assert!(error.contains("ProtocolVersion"), "{error}");
}

#[test]
fn a_new_certificate_is_read_after_the_interval_and_a_damaged_one_changes_nothing() {
    let authority = Authority::new();
    authority.issue("old.test");
    let server = serving(&authority, ", reload_interval: 1ns");
    let ca = authority.path().join("ca.pem");
    let trusting = client(&format!("tls: {{ca_file: '{}'}}", ca.display())).unwrap();
    assert!(handshake(&trusting, &server, "old.test").is_ok());
    authority.issue("new.test");
    assert!(handshake(&trusting, &server, "new.test").is_ok());
    std::fs::write(authority.path().join("cert.pem"), "no certificate").unwrap();
    assert!(handshake(&trusting, &server, "new.test").is_ok());
}

#[test]
fn settings_that_cannot_work_are_named() {
    for (settings, expected) in [
        (
            "{ca_file: a, ca_pem: b}",
            "tls::ca_pem: must not be set together with ca_file",
        ),
        ("{cert_file: a}", "tls::key_file: is required with cert_file"),
        ("{key_pem: a}", "tls::cert_file: is required with key_file"),
        ("{min_version: 1.1}", "tls::min_version: TLS 1.0 and 1.1 are broken"),
        (
            "{min_version: '1.3', max_version: '1.2'}",
            "tls::max_version: must not be below min_version",
        ),
        ("{max_version: '2'}", "tls::max_version: \"2\" is none of 1.2, 1.3"),
        (
            "{server_name_override: 'a b'}",
            "tls::server_name_override: \"a b\" is neither",
        ),
        ("{cafile: x}", "tls::cafile: unknown key; did you mean \"ca_file\"?"),
    ] {
        let error = client(&format!("tls: {settings}")).unwrap_err();
        assert!(error.contains(expected), "{settings}: {error}");
    }
    let error = server("tls: {client_ca_file: x}").unwrap_err();
    assert!(
        error.contains("tls::cert_file: is required with its key_file"),
        "{error}"
    );
    assert!(server("").unwrap().is_none());
    assert!(client("tls: {insecure: true}").unwrap().is_plain());
}

#[test]
fn files_that_cannot_work_are_named_and_keys_are_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let tls = format!("tls: {{ca_file: '{}'}}", path.display());
    let error = client(&tls).unwrap().load(&[]).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot read {}", path.display()));
    std::fs::write(&path, "nothing").unwrap();
    let error = client(&tls).unwrap().load(&[]).unwrap_err().to_string();
    assert!(
        error.contains("ca.pem holds no usable certificate: there is none"),
        "{error}"
    );
    let authority = Authority::new();
    let cert = std::fs::read_to_string(authority.path().join("ca.pem")).unwrap();
    let tls = format!("tls: {{insecure_skip_verify: true, cert_pem: {cert:?}, key_pem: hunter2}}");
    let tls = client(&tls).unwrap();
    let error = format!("{} {tls:?}", tls.load(&[]).unwrap_err());
    assert!(
        error.contains("the setting key_pem holds no usable private key"),
        "{error}"
    );
    assert!(!error.contains("hunter2"), "{error}");
}
