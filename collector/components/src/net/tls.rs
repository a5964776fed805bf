//! TLS of both sides, with the names, defaults and meaning of upstream's `configtls`.
//!
//! ```yaml
//! tls:
//!   insecure: false                  # clients: true is no TLS, unless there is a CA
//!   ca_file: ca.pem                  # or ca_pem; who the peer's certificate must come from; clients: default the system's
//!   include_system_ca_certs_pool: false
//!   cert_file: cert.pem              # or cert_pem: this side's own certificate,
//!   key_file: key.pem                # or key_pem: and its key
//!   min_version: "1.2"               # 1.2 or 1.3
//!   max_version: ""                  # empty is the newest
//!   reload_interval: 0s              # read cert and key again after that long; 0 is never
//!   insecure_skip_verify: false      # clients: take any certificate
//!   server_name_override: ""         # clients: the name that the server's certificate must have
//!   client_ca_file: ca.pem           # servers: every client must have a certificate from here
//! ```
//!
//! Settings are read without touching a file; [`ClientTls::load`] and [`ServerTls::load`] do that.

mod material;
mod verify;

pub use material::TlsError;

use collector_config::Section;
use material::{Identity, Pem};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What both sides have.
#[derive(Debug, Clone)]
struct Common {
    ca: Option<Pem>,
    system_ca: bool,
    identity: Option<Identity>,
    versions: Versions,
    reload_interval: Duration,
}

/// The settings of a client.
#[derive(Debug, Clone)]
pub struct ClientTls {
    common: Common,
    insecure: bool,
    skip_verify: bool,
    server_name: Option<String>,
}

/// The settings of a server that has TLS.
#[derive(Debug, Clone)]
pub struct ServerTls {
    common: Common,
    client_ca: Option<Pem>,
}

/// A range of protocol versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Versions {
    min: Version,
    max: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    Tls12,
    Tls13,
}

impl ClientTls {
    /// Reads a client's `tls`. `plain` is whether no TLS is the default (an `http://` endpoint).
    pub fn configure(section: &mut Section<'_, '_>, plain: bool) -> ClientTls {
        section.section("tls", |tls| ClientTls {
            common: Common::configure(tls),
            insecure: tls.flag("insecure", plain),
            skip_verify: tls.flag("insecure_skip_verify", false),
            server_name: server_name(tls),
        })
    }

    /// No TLS at all: `insecure` without a CA.
    pub fn is_plain(&self) -> bool {
        self.insecure && self.common.ca.is_none()
    }

    /// The name that the server at `host` must prove to have.
    pub fn server_name(&self, host: &str) -> Result<ServerName<'static>, TlsError> {
        let name = self.server_name.as_deref().unwrap_or(host);
        let name = name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'))
            .unwrap_or(name);
        ServerName::try_from(name.to_owned()).map_err(|_| TlsError::ServerName(name.to_owned()))
    }

    /// Reads the files. `alpn` lists the protocols offered, the preferred one first.
    pub fn load(&self, alpn: &[&[u8]]) -> Result<Loaded<ClientConfig>, TlsError> {
        let (tls, alpn) = (self.clone(), owned(alpn));
        Loaded::new(self.common.reload_interval, move || tls.build(&alpn))
    }

    fn build(&self, alpn: &[Vec<u8>]) -> Result<ClientConfig, TlsError> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(self.common.versions.supported())
            .map_err(TlsError::Unusable)?;
        let builder = if self.skip_verify {
            builder
                .dangerous()
                .with_custom_certificate_verifier(verify::any_certificate(provider()))
        } else {
            builder.with_root_certificates(self.common.roots()?)
        };
        let mut config = match &self.common.identity {
            Some(identity) => {
                let (chain, key) = identity.read()?;
                builder.with_client_auth_cert(chain, key).map_err(TlsError::Unusable)?
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = alpn.to_vec();
        Ok(config)
    }
}

impl ServerTls {
    /// Reads a server's `tls`; without one there is no TLS.
    pub fn configure(section: &mut Section<'_, '_>) -> Option<ServerTls> {
        section.optional_section("tls", |tls| {
            let server = ServerTls {
                common: Common::configure(tls),
                client_ca: material::pem(tls, "client_ca_file", None),
            };
            if server.common.identity.is_none() {
                tls.error(
                    "cert_file",
                    "is required with its key_file: a server needs a certificate",
                );
            }
            if tls.flag("client_ca_file_reload", false) {
                tls.warn(
                    "client_ca_file_reload",
                    "has no effect: reload_interval is for the clients' CA too",
                );
            }
            server
        })
    }

    /// Reads the files. `alpn` lists the protocols taken, the preferred one first.
    pub fn load(&self, alpn: &[&[u8]]) -> Result<Loaded<ServerConfig>, TlsError> {
        let (tls, alpn) = (self.clone(), owned(alpn));
        Loaded::new(self.common.reload_interval, move || tls.build(&alpn))
    }

    fn build(&self, alpn: &[Vec<u8>]) -> Result<ServerConfig, TlsError> {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(self.common.versions.supported())
            .map_err(TlsError::Unusable)?;
        let builder = match &self.client_ca {
            Some(ca) => {
                let mut roots = RootCertStore::empty();
                ca.add_to(&mut roots)?;
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider())
                    .build()
                    .map_err(|error| TlsError::ClientCa(error.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
            None => builder.with_no_client_auth(),
        };
        let identity = self.common.identity.as_ref().ok_or(TlsError::NoIdentity)?;
        let (chain, key) = identity.read()?;
        let mut config = builder.with_single_cert(chain, key).map_err(TlsError::Unusable)?;
        config.alpn_protocols = alpn.to_vec();
        Ok(config)
    }
}

impl Common {
    fn configure(tls: &mut Section<'_, '_>) -> Common {
        Common {
            ca: material::pem(tls, "ca_file", Some("ca_pem")),
            system_ca: tls.flag("include_system_ca_certs_pool", false),
            identity: Identity::configure(tls),
            versions: Versions::configure(tls),
            reload_interval: tls.duration("reload_interval", Duration::ZERO),
        }
    }

    fn roots(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        if let Some(ca) = &self.ca {
            ca.add_to(&mut roots)?;
        }
        if self.ca.is_none() || self.system_ca {
            let system = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(system.certs);
        }
        if roots.is_empty() {
            return Err(TlsError::NoRoots);
        }
        Ok(roots)
    }
}

fn server_name(tls: &mut Section<'_, '_>) -> Option<String> {
    let name = tls.text("server_name_override").filter(|name| !name.is_empty())?;
    if ServerName::try_from(name).is_err() {
        tls.error(
            "server_name_override",
            format!("\"{}\" is neither a host's name nor an address", name.escape_debug()),
        );
    }
    Some(name.to_owned())
}

impl Versions {
    fn configure(tls: &mut Section<'_, '_>) -> Versions {
        let versions = Versions {
            min: version(tls, "min_version").unwrap_or(Version::Tls12),
            max: version(tls, "max_version").unwrap_or(Version::Tls13),
        };
        if versions.min > versions.max {
            tls.error("max_version", "must not be below min_version");
        }
        versions
    }

    fn supported(self) -> &'static [&'static SupportedProtocolVersion] {
        static ONLY_TLS12: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS12];
        static ONLY_TLS13: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS13];
        match (self.min, self.max) {
            (Version::Tls12, Version::Tls12) => &ONLY_TLS12,
            (Version::Tls13, _) => &ONLY_TLS13,
            (Version::Tls12, Version::Tls13) => rustls::ALL_VERSIONS,
        }
    }
}

fn version(tls: &mut Section<'_, '_>, key: &'static str) -> Option<Version> {
    // YAML reads 1.2 as a number where it is not quoted.
    let written = match tls.entry(key).map(|entry| &entry.node.value)? {
        collector_config::Value::Text(text) => text.clone(),
        collector_config::Value::Float(number) => number.to_string(),
        _ => "?".to_owned(),
    };
    match written.as_str() {
        "" => None,
        "1.2" => Some(Version::Tls12),
        "1.3" => Some(Version::Tls13),
        "1.0" | "1.1" | "1" => {
            tls.error(
                key,
                "TLS 1.0 and 1.1 are broken (RFC 8996) and not there: must be 1.2 or 1.3",
            );
            None
        }
        other => {
            tls.error(key, format!("\"{}\" is none of 1.2, 1.3", other.escape_debug()));
            None
        }
    }
}

fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: std::sync::OnceLock<Arc<CryptoProvider>> = std::sync::OnceLock::new();
    PROVIDER
        .get_or_init(|| Arc::new(rustls::crypto::ring::default_provider()))
        .clone()
}

fn owned(alpn: &[&[u8]]) -> Vec<Vec<u8>> {
    alpn.iter().map(|protocol| protocol.to_vec()).collect()
}

/// One side's TLS with its files read, and read again when they may have changed.
pub struct Loaded<T> {
    build: Box<dyn Fn() -> Result<T, TlsError> + Send + Sync>,
    interval: Duration,
    current: Mutex<(Arc<T>, Instant)>,
}

impl<T> std::fmt::Debug for Loaded<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded")
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

impl<T> Loaded<T> {
    fn new(
        interval: Duration,
        build: impl Fn() -> Result<T, TlsError> + Send + Sync + 'static,
    ) -> Result<Self, TlsError> {
        let current = Mutex::new((Arc::new(build()?), Instant::now()));
        Ok(Loaded {
            build: Box::new(build),
            interval,
            current,
        })
    }

    /// What the next handshake is to use. Where `reload_interval` has passed, the files are read again; files that cannot
    /// be used then are logged, and what was there before goes on.
    pub fn current(&self) -> Arc<T> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.interval.is_zero() && current.1.elapsed() >= self.interval {
            current.1 = Instant::now();
            match (self.build)() {
                Ok(built) => current.0 = Arc::new(built),
                Err(error) => tracing::warn!(
                    error = kit::logging::chain(&error),
                    "cannot read the TLS certificate again; going on with the one before"
                ),
            }
        }
        current.0.clone()
    }
}

#[cfg(test)]
mod tests;
