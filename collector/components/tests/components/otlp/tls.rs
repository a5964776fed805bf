use super::{Setup, block_on};
use crate::otlp_must::traces;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Makes a CA in this folder, and a certificate for `localhost` from it.
fn issue(folder: &Path) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    std::fs::write(folder.join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &issuer).unwrap();
    std::fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
}

async fn connect(address: SocketAddr, folder: &Path, with_certificate: bool) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(folder.join("ca.pem")).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = if with_certificate {
        let chain = vec![CertificateDer::from_pem_file(folder.join("cert.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
        builder.with_client_auth_cert(chain, key).unwrap()
    } else {
        builder.with_no_client_auth()
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// One call; how it failed if it did.
async fn export(address: SocketAddr, folder: &Path, with_certificate: bool) -> Result<(), String> {
    let stream = connect(address, folder, with_certificate)
        .await
        .map_err(|error| error.to_string())?;
    let (client, connection) = h2::client::handshake(stream).await.map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    let message = super::raw::framed(0, &traces(1).encode_to_vec());
    let reply = super::raw::call(&client, super::raw::TRACES, &[], &[message]).await;
    let reply = reply.map_err(|error| error.to_string())?;
    assert_eq!(reply.code(), 0, "{reply:?}");
    Ok(())
}

#[test]
fn tls_is_served_and_with_a_client_ca_only_to_its_clients() {
    let folder = tempfile::tempdir().unwrap();
    issue(folder.path());
    let path = folder.path().display();
    let files = format!("cert_file: '{path}/cert.pem', key_file: '{path}/key.pem'");
    let plain = format!("tls: {{{files}}}");
    let mutual = format!("tls: {{{files}, client_ca_file: '{path}/ca.pem'}}");
    for (settings, without_is_taken) in [(&plain, true), (&mutual, false)] {
        let receiving = Setup {
            grpc: settings,
            http: settings,
            ..Setup::default()
        }
        .start();
        block_on(async {
            assert_eq!(export(receiving.grpc, folder.path(), true).await, Ok(()));
            let without = export(receiving.grpc, folder.path(), false).await;
            assert_eq!(without.is_ok(), without_is_taken, "{without:?}");
            // A client without TLS does not get far, and harms nobody.
            let stream = TcpStream::connect(receiving.grpc).await.unwrap();
            let (client, connection) = h2::client::handshake(stream).await.unwrap();
            tokio::spawn(connection);
            assert!(super::raw::call(&client, super::raw::TRACES, &[], &[]).await.is_err());
            // HTTP speaks HTTP/2 over ALPN.
            let stream = connect(receiving.http, folder.path(), true).await.unwrap();
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
            let (client, connection) = h2::client::handshake(stream).await.unwrap();
            tokio::spawn(connection);
            let body = traces(1).encode_to_vec();
            let headers = [("content-type", "application/x-protobuf")];
            let reply = super::raw::call(&client, "/v1/traces", &headers, &[body.into()])
                .await
                .unwrap();
            assert_eq!(reply.status, 200);
        });
        let items = 2 + usize::from(without_is_taken);
        for (_, bytes, _) in receiving.arrived(items) {
            assert_eq!(ExportTraceServiceRequest::decode(bytes).unwrap(), traces(1));
        }
        receiving.finish();
    }
}
