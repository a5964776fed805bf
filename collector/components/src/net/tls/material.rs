//! Certificates and keys, in files or in the configuration itself.

use collector_config::Section;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

/// Why TLS cannot be used as it is configured. Never repeats a key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Something that holds no certificate, or a damaged one.
    #[error("{place} holds no usable certificate: {reason}")]
    Certificate {
        /// The file, or the setting.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// Something that holds no private key.
    #[error("{place} holds no usable private key (PKCS#8, PKCS#1 or SEC1 in PEM)")]
    Key {
        /// The file, or the setting.
        place: String,
    },
    /// What rustls will not take, such as a key that is not its certificate's.
    #[error("the certificate and its key cannot be used")]
    Unusable(#[source] rustls::Error),
    /// No certificate of a server.
    #[error("a server needs cert_file and key_file")]
    NoIdentity,
    /// No CA that clients' certificates may come from.
    #[error("the CA of client_ca_file cannot be used: {0}")]
    ClientCa(String),
    /// Nothing to verify a server with.
    #[error("the system has no root certificates; set tls::ca_file")]
    NoRoots,
    /// A name that no certificate can have.
    #[error("\"{0}\" is neither a host's name nor an address; set tls::server_name_override")]
    ServerName(String),
}

/// Where PEM text is.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Pem {
    File(PathBuf),
    /// The setting's name, and its text.
    Text(&'static str, String),
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())
    }
}

/// Reads a setting that is a file, or text under another name; not both.
pub(super) fn pem(tls: &mut Section<'_, '_>, file: &'static str, text: Option<&'static str>) -> Option<Pem> {
    let path = tls.text(file).filter(|path| !path.is_empty());
    let written = text.and_then(|key| Some((key, tls.text(key).filter(|text| !text.is_empty())?)));
    match (path, written) {
        (Some(_), Some((key, _))) => {
            tls.error(key, format!("must not be set together with {file}"));
            None
        }
        (Some(path), None) => Some(Pem::File(path.into())),
        (None, Some((key, text))) => Some(Pem::Text(key, text.to_owned())),
        (None, None) => None,
    }
}

impl Pem {
    fn place(&self) -> String {
        match self {
            Pem::File(path) => path.display().to_string(),
            Pem::Text(key, _) => format!("the setting {key}"),
        }
    }

    fn read(&self) -> Result<Cow<'_, [u8]>, TlsError> {
        match self {
            Pem::Text(_, text) => Ok(Cow::Borrowed(text.as_bytes())),
            Pem::File(path) => std::fs::read(path).map(Cow::Owned).map_err(|source| TlsError::Read {
                path: path.display().to_string(),
                source,
            }),
        }
    }

    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let text = self.read()?;
        let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        match parsed {
            Ok(certificates) if !certificates.is_empty() => Ok(certificates),
            Ok(_) => Err(self.no_certificate("there is none".to_owned())),
            Err(error) => Err(self.no_certificate(error.to_string())),
        }
    }

    fn no_certificate(&self, reason: String) -> TlsError {
        TlsError::Certificate {
            place: self.place(),
            reason,
        }
    }

    /// Adds its certificates to those that are trusted.
    pub(super) fn add_to(&self, roots: &mut RootCertStore) -> Result<(), TlsError> {
        for certificate in self.certificates()? {
            roots
                .add(certificate)
                .map_err(|error| self.no_certificate(error.to_string()))?;
        }
        Ok(())
    }
}

/// A certificate and its key.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    certificate: Pem,
    key: Pem,
}

impl Identity {
    pub(super) fn configure(tls: &mut Section<'_, '_>) -> Option<Identity> {
        let certificate = pem(tls, "cert_file", Some("cert_pem"));
        let key = pem(tls, "key_file", Some("key_pem"));
        match (certificate, key) {
            (Some(certificate), Some(key)) => Some(Identity { certificate, key }),
            (Some(_), None) => {
                tls.error("key_file", "is required with cert_file");
                None
            }
            (None, Some(_)) => {
                tls.error("cert_file", "is required with key_file");
                None
            }
            (None, None) => None,
        }
    }

    pub(super) fn read(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
        let chain = self.certificate.certificates()?;
        let key = PrivateKeyDer::from_pem_slice(&self.key.read()?).map_err(|_| TlsError::Key {
            place: self.key.place(),
        })?;
        Ok((chain, key))
    }
}
