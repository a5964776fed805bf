//! The settings that all exporters over a network have: headers, compression, authentication, time.

use crate::net::compress::{Compressor, Encoding};
use bytes::Bytes;
use collector_config::{ComponentId, Errors, Node, Section};
use collector_engine::{Authenticator, BoxError, Host, HostError};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What we call ourselves.
pub const USER_AGENT: &str = concat!("odigos-collector/", env!("CARGO_PKG_VERSION"));

/// Reads settings that no configuration file holds.
pub fn read_alone<T>(settings: &Node, read: impl FnOnce(&mut Section<'_, '_>) -> T) -> Result<T, Errors> {
    let mut errors = Errors::default();
    let mut section = Section::open("", settings, &mut errors);
    let value = read(&mut section);
    section.finish();
    errors.unless_any(value)
}

/// Reads `timeout`; zero is none.
pub fn timeout(section: &mut Section<'_, '_>, default: Duration) -> Option<Duration> {
    Some(section.duration("timeout", default)).filter(|timeout| !timeout.is_zero())
}

/// Reads `headers`, a mapping or a list of `{name, value}`, on top of our `User-Agent`. Values are secrets as a rule, so
/// that none is repeated in an error or a log.
pub fn headers(section: &mut Section<'_, '_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(http::header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    for (name, value) in section.texts("headers") {
        match (name.parse::<HeaderName>(), HeaderValue::try_from(value)) {
            (Ok(name), Ok(mut value)) => {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
            _ => section.error("headers", format!("\"{}\" is not a valid header", name.escape_debug())),
        }
    }
    headers
}

/// `compression` and `compression_params`: `None` is none, and gzip the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compression(pub Option<(Encoding, Option<i32>)>);

impl Compression {
    /// Reads the two settings; `allowed` is what the protocol has besides `none`.
    pub fn configure(section: &mut Section<'_, '_>, allowed: &[Encoding]) -> Compression {
        let encoding = match section.text("compression") {
            None => Some(Encoding::Gzip),
            Some("" | "none") => None,
            Some(name) => {
                let found = allowed.iter().find(|encoding| encoding.name() == name).copied();
                if found.is_none() {
                    section.error("compression", refusal(name, allowed));
                }
                found
            }
        };
        let level = section.section("compression_params", |params| {
            params.entry("level")?;
            let level = params.number("level", 1.0);
            // -1 is the library's own choice, as in zlib.
            if level.fract() != 0.0 || !(-2.0..=22.0).contains(&level) {
                params.error("level", "must be a whole number from -2 to 22");
            }
            Some(level as i32).filter(|level| *level >= 0)
        });
        Compression(encoding.map(|encoding| (encoding, level)))
    }

    /// What compresses so, if anything is to be compressed.
    pub fn compressor(self) -> io::Result<Option<SharedCompressor>> {
        let compressor = self.0.map(|(encoding, level)| Compressor::new(encoding, level));
        Ok(compressor.transpose()?.map(SharedCompressor::new))
    }
}

fn refusal(name: &str, allowed: &[Encoding]) -> String {
    let names: Vec<&str> = allowed.iter().map(|encoding| encoding.name()).collect();
    let hint = match name {
        "snappy" | "x-snappy-framed" | "lz4" => "; zstd is as fast and smaller",
        _ => "",
    };
    format!(
        "\"{}\" is none of none, {}{hint}",
        name.escape_debug(),
        names.join(", ")
    )
}

/// A compressor that several requests use in turn.
#[derive(Debug)]
pub struct SharedCompressor {
    encoding: Encoding,
    compressor: Mutex<Compressor>,
}

impl SharedCompressor {
    fn new(compressor: Compressor) -> Self {
        SharedCompressor {
            encoding: compressor.encoding(),
            compressor: Mutex::new(compressor),
        }
    }

    /// Its encoding.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The concatenation of `chunks`, compressed, behind `before` bytes of zeros.
    pub fn compress(&self, chunks: &[Bytes], before: usize) -> io::Result<Vec<u8>> {
        let mut compressor = self.compressor.lock().unwrap_or_else(PoisonError::into_inner);
        compressor.compress(chunks, before)
    }
}

/// `auth`: the extension that proves who we are.
#[derive(Clone)]
pub struct Auth {
    id: Option<ComponentId>,
    authenticator: Option<Arc<dyn Authenticator>>,
}

/// Why a request cannot be authenticated.
#[derive(Debug, thiserror::Error)]
#[error("cannot authenticate")]
pub struct AuthError(#[source] BoxError);

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Auth").field(&self.id).finish()
    }
}

impl Auth {
    /// Reads the exporter's `auth`.
    pub fn configure(section: &mut Section<'_, '_>) -> Auth {
        let id = section.optional_section("auth", |auth| {
            let id = ComponentId::parse(auth.required_text("authenticator")?);
            id.map_err(|message| auth.error("authenticator", message)).ok()
        });
        Auth {
            id: id.flatten(),
            authenticator: None,
        }
    }

    /// The extension that it names.
    pub fn id(&self) -> Option<&ComponentId> {
        self.id.as_ref()
    }

    /// Gets that extension's authenticator.
    pub fn open(&mut self, host: &Host) -> Result<(), HostError> {
        if let Some(id) = &self.id {
            self.authenticator = Some(host.authenticator(id)?);
        }
        Ok(())
    }

    /// Sets the headers of one request; must be opened.
    pub fn apply(&self, headers: &mut HeaderMap) -> Result<(), AuthError> {
        let Some(authenticator) = &self.authenticator else {
            return Ok(());
        };
        for (name, value) in authenticator.headers().map_err(AuthError)? {
            let name = HeaderName::try_from(name).map_err(|error| AuthError(error.into()))?;
            let mut value = HeaderValue::try_from(value).map_err(|error| AuthError(error.into()))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use collector_config::{Errors, Node};

    fn read<T>(text: &str, configure: impl FnOnce(&mut Section<'_, '_>) -> T) -> Result<T, String> {
        let node = Node::parse(text, "").unwrap();
        let mut errors = Errors::default();
        let mut section = Section::open("exporters::otlp", &node, &mut errors);
        let value = configure(&mut section);
        section.finish();
        errors.unless_any(value).map_err(|errors| errors.to_string())
    }

    #[test]
    fn headers_are_a_mapping_or_a_list_and_may_be_numbers() {
        for text in [
            "headers: {X-Scope: tenant, x-id: 7, x-on: true}",
            "headers: [{name: X-Scope, value: tenant}, {name: x-id, value: 7}, {name: x-on, value: true}]",
        ] {
            let headers = read(text, headers).unwrap();
            assert_eq!(headers["x-scope"], "tenant");
            assert_eq!(headers["x-id"], "7");
            assert_eq!(headers["x-on"], "true");
            assert_eq!(headers["user-agent"], USER_AGENT);
            assert!(!format!("{headers:?}").contains("tenant"), "{headers:?}");
        }
        for (text, expected) in [
            ("headers: {'a b': hunter2}", "\"a b\" is not a valid header"),
            ("headers: {a: \"hunter2\\n\"}", "\"a\" is not a valid header"),
            ("headers: [{value: hunter2}]", "headers::0::name: is required"),
            ("headers: {a: [hunter2]}", "headers::a: expected text, found a list"),
        ] {
            let error = read(text, headers).unwrap_err();
            assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn compression_is_gzip_unless_said_otherwise() {
        let allowed = [Encoding::Gzip, Encoding::Zstd];
        let compression = |text: &str| read(text, |section| Compression::configure(section, &allowed).0);
        assert_eq!(compression(""), Ok(Some((Encoding::Gzip, None))));
        assert_eq!(compression("compression: none"), Ok(None));
        let level = "{compression: zstd, compression_params: {level: 3}}";
        assert_eq!(compression(level), Ok(Some((Encoding::Zstd, Some(3)))));
        let default = "{compression: gzip, compression_params: {level: -1}}";
        assert_eq!(compression(default), Ok(Some((Encoding::Gzip, None))));
        let error = compression("compression: snappy").unwrap_err();
        assert!(
            error.contains("\"snappy\" is none of none, gzip, zstd; zstd is as fast"),
            "{error}"
        );
        assert!(compression("compression_params: {level: 1.5}").is_err());
    }

    #[test]
    fn an_authenticator_is_named_by_its_id() {
        let auth = read("auth: {authenticator: bearertokenauth/a}", Auth::configure).unwrap();
        assert_eq!(auth.id().unwrap().to_string(), "bearertokenauth/a");
        let error = read("auth: {}", Auth::configure).unwrap_err();
        assert!(error.contains("auth::authenticator: is required"), "{error}");
        let error = read("auth: {authenticator: 1}", Auth::configure).unwrap_err();
        assert!(error.contains("is not a component"), "{error}");
    }
}
