//! `bearertokenauth`: a token in a header, for clients.
//!
//! ```yaml
//! extensions:
//!   bearertokenauth:
//!     token: "${env:TOKEN}"    # or filename: a file that holds it, read again when it changes
//!     scheme: Bearer
//!     header: Authorization
//! ```

use collector_config::Section;
use collector_engine::{Authenticator, Extension, ExtensionFactory};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The line in the table.
pub const FACTORY: ExtensionFactory = ExtensionFactory {
    kind: "bearertokenauth",
    configure: |section| Box::new(BearerTokenExtension(configure(section))),
};

/// Offers the authenticator to exporters.
struct BearerTokenExtension(Arc<dyn Authenticator>);

impl Extension for BearerTokenExtension {
    fn authenticator(&self) -> Option<Arc<dyn Authenticator>> {
        Some(self.0.clone())
    }
}

struct BearerToken {
    header: HeaderName,
    scheme: String,
    source: Source,
}

enum Source {
    Fixed(Option<HeaderValue>),
    File(PathBuf, Mutex<Seen>),
}

/// What the file held when it was last looked at.
#[derive(Default)]
struct Seen {
    value: Option<HeaderValue>,
    modified: Option<SystemTime>,
    looked: Option<Instant>,
}

/// Reads the settings; the file only when the first request is sent.
pub fn configure(section: &mut Section<'_, '_>) -> Arc<dyn Authenticator> {
    let scheme = section.text("scheme").unwrap_or("Bearer").to_owned();
    let header = section.text("header").unwrap_or("Authorization").parse();
    let header = header.unwrap_or_else(|_| {
        section.error("header", "is not a header's name");
        http::header::AUTHORIZATION
    });
    let token = section.text("token");
    let source = match (section.text("filename"), token) {
        // As upstream: a file is stronger than a token.
        (Some(path), _) => Source::File(path.into(), Mutex::default()),
        (None, Some(token)) => {
            let value = header_value(&scheme, token);
            if value.is_none() {
                section.error("token", "must be printable and not empty");
            }
            Source::Fixed(value)
        }
        (None, None) => {
            section.error("token", "is required, or a filename that holds it");
            Source::Fixed(None)
        }
    };
    Arc::new(BearerToken { header, scheme, source })
}

fn header_value(scheme: &str, token: &str) -> Option<HeaderValue> {
    let token = Some(token.trim()).filter(|token| !token.is_empty())?;
    let mut value = HeaderValue::try_from(format!("{scheme} {token}").trim_start()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

impl Authenticator for BearerToken {
    fn apply(&self, headers: &mut HeaderMap) {
        let value = match &self.source {
            Source::Fixed(value) => value.clone(),
            Source::File(path, seen) => {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                if seen.looked.is_none_or(|looked| looked.elapsed() >= LOOK) {
                    seen.look(path, &self.scheme);
                }
                seen.value.clone()
            }
        };
        if let Some(value) = value {
            headers.insert(self.header.clone(), value);
        }
    }
}

impl Seen {
    /// Reads the file if it has changed. One that cannot be read leaves the token from before.
    fn look(&mut self, path: &PathBuf, scheme: &str) {
        self.looked = Some(Instant::now());
        let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        if modified.is_some() && modified == self.modified {
            return;
        }
        match std::fs::read_to_string(path) {
            Ok(text) => match header_value(scheme, &text) {
                Some(value) => {
                    self.value = Some(value);
                    self.modified = modified;
                }
                None => tracing::warn!(path = %path.display(), "the token's file holds no printable token"),
            },
            Err(error) => tracing::warn!(path = %path.display(), %error, "cannot read the token's file"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use collector_config::{Errors, Node};

    fn read(text: &str) -> Result<Arc<dyn Authenticator>, String> {
        let node = Node::parse(text, "").unwrap();
        let mut errors = Errors::default();
        let mut section = Section::open("extensions::bearertokenauth", &node, &mut errors);
        let value = configure(&mut section);
        section.finish();
        errors.unless_any(value).map_err(|errors| errors.to_string())
    }

    fn applied(auth: &dyn Authenticator) -> HeaderMap {
        let mut headers = HeaderMap::new();
        auth.apply(&mut headers);
        headers
    }

    #[test]
    fn a_token_stands_behind_its_scheme() {
        let auth = read("token: abc").unwrap();
        assert_eq!(applied(&*auth)["authorization"], "Bearer abc");
        let auth = read("{token: abc, scheme: '', header: X-Key}").unwrap();
        assert_eq!(applied(&*auth)["x-key"], "abc");
        assert!(applied(&*auth)["x-key"].is_sensitive());
    }

    #[test]
    fn a_file_is_read_again_when_it_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "one\n").unwrap();
        let auth = read(&format!("{{token: ignored, filename: '{}'}}", path.display())).unwrap();
        assert_eq!(applied(&*auth)["authorization"], "Bearer one");
        std::fs::write(&path, "two\n").unwrap();
        let later = SystemTime::now() + Duration::from_secs(5);
        std::fs::File::open(&path).unwrap().set_modified(later).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while applied(&*auth)["authorization"] != "Bearer two" {
            assert!(Instant::now() < deadline, "the new token is never used");
            std::thread::yield_now();
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(applied(&*auth)["authorization"], "Bearer two");
    }

    #[test]
    fn a_token_that_cannot_be_sent_is_refused_and_not_repeated() {
        for (text, expected) in [
            ("scheme: Bearer", "token: is required"),
            ("token: \"hunter2\\n2\"", "token: must be printable"),
            ("{token: a, header: 'a b'}", "header: is not a header's name"),
        ] {
            let error = read(text).err().unwrap();
            assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
        }
    }
}
