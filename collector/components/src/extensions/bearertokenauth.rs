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
use collector_engine::{Authenticator, BoxError, Ended, Extension, ExtensionFactory, Host};
use http::header::{HeaderName, HeaderValue};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// The line in the table.
pub const FACTORY: ExtensionFactory = ExtensionFactory {
    kind: "bearertokenauth",
    configure,
};

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(1);

struct BearerTokenAuth(Arc<BearerToken>);

struct BearerToken {
    header: String,
    scheme: String,
    source: Source,
}

enum Source {
    /// The header's value.
    Fixed(String),
    File(PathBuf, Mutex<Seen>),
}

/// What the file held when it was last looked at.
#[derive(Default)]
struct Seen {
    value: Option<String>,
    modified: Option<SystemTime>,
    looked: Option<Instant>,
}

/// Why there is no token. Never repeats it.
#[derive(Debug, thiserror::Error)]
enum TokenError {
    #[error("cannot read the token in {path}")]
    Read { path: String, source: std::io::Error },
    #[error("{path} holds no token, or one that is not printable")]
    Unusable { path: String },
}

fn configure(section: &mut Section<'_, '_>) -> Box<dyn Extension> {
    let scheme = section.text("scheme").unwrap_or("Bearer").to_owned();
    let header = section.text("header").unwrap_or("Authorization").to_owned();
    if header.parse::<HeaderName>().is_err() {
        section.error("header", "is not a header's name");
    }
    let token = section.text("token");
    let source = match (section.text("filename"), token) {
        // As upstream: a file is stronger than a token.
        (Some(path), _) => Source::File(path.into(), Mutex::default()),
        (None, Some(token)) => Source::Fixed(header_value(&scheme, token).unwrap_or_else(|| {
            section.error("token", "must be printable and not empty");
            String::new()
        })),
        (None, None) => {
            section.error("token", "is required, or a filename that holds it");
            Source::Fixed(String::new())
        }
    };
    Box::new(BearerTokenAuth(Arc::new(BearerToken { header, scheme, source })))
}

fn header_value(scheme: &str, token: &str) -> Option<String> {
    let token = Some(token.trim()).filter(|token| !token.is_empty())?;
    let value = format!("{scheme} {token}").trim_start().to_owned();
    HeaderValue::try_from(&value).is_ok().then_some(value)
}

impl Extension for BearerTokenAuth {
    /// A token that cannot be read now is found before anything runs.
    fn open(&mut self, _: &Host) -> Ended {
        self.0.headers().map(drop)
    }

    fn authenticator(&self) -> Option<Arc<dyn Authenticator>> {
        Some(self.0.clone())
    }
}

impl Authenticator for BearerToken {
    fn headers(&self) -> Result<Vec<(String, String)>, BoxError> {
        let value = match &self.source {
            Source::Fixed(value) => value.clone(),
            Source::File(path, seen) => {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.value(path, &self.scheme)?
            }
        };
        Ok(vec![(self.header.clone(), value)])
    }
}

impl Seen {
    /// The header's value, of the file as it is now. A file that cannot be read any more leaves what it held before.
    fn value(&mut self, path: &Path, scheme: &str) -> Result<String, TokenError> {
        if self.looked.is_none_or(|looked| looked.elapsed() >= LOOK) {
            self.looked = Some(Instant::now());
            if let Err(error) = self.look(path, scheme) {
                let Some(value) = &self.value else {
                    self.looked = None;
                    return Err(error);
                };
                tracing::warn!(
                    error = kit::logging::chain(&error),
                    "going on with the token from before"
                );
                return Ok(value.clone());
            }
        }
        self.value.clone().ok_or_else(|| TokenError::Unusable {
            path: path.display().to_string(),
        })
    }

    /// Reads the file if it has changed.
    fn look(&mut self, path: &Path, scheme: &str) -> Result<(), TokenError> {
        let shown = || path.display().to_string();
        let read = |source| TokenError::Read { path: shown(), source };
        let modified = std::fs::metadata(path).map_err(read)?.modified().ok();
        if modified.is_some() && modified == self.modified {
            return Ok(());
        }
        let text = std::fs::read_to_string(path).map_err(read)?;
        self.value = Some(header_value(scheme, &text).ok_or_else(|| TokenError::Unusable { path: shown() })?);
        self.modified = modified;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use collector_config::{Errors, Node};

    fn read(text: &str) -> Result<Box<dyn Extension>, String> {
        let node = Node::parse(text, "").unwrap();
        let mut errors = Errors::default();
        let mut section = Section::open("extensions::bearertokenauth", &node, &mut errors);
        let value = configure(&mut section);
        section.finish();
        errors.unless_any(value).map_err(|errors| errors.to_string())
    }

    fn applied(auth: &dyn Extension) -> (String, String) {
        let mut headers = auth.authenticator().unwrap().headers().unwrap();
        assert_eq!(headers.len(), 1);
        headers.remove(0)
    }

    fn authorization(value: &str) -> (String, String) {
        ("Authorization".to_owned(), value.to_owned())
    }

    #[test]
    fn a_token_stands_behind_its_scheme() {
        let auth = read("token: abc").unwrap();
        assert_eq!(applied(&*auth), authorization("Bearer abc"));
        let auth = read("{token: abc, scheme: '', header: X-Key}").unwrap();
        assert_eq!(applied(&*auth), ("X-Key".to_owned(), "abc".to_owned()));
    }

    #[test]
    fn a_file_is_read_again_when_it_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "one\n").unwrap();
        let auth = read(&format!("{{token: ignored, filename: '{}'}}", path.display())).unwrap();
        assert_eq!(applied(&*auth), authorization("Bearer one"));
        std::fs::write(&path, "two\n").unwrap();
        let file = std::fs::File::open(&path).unwrap();
        let later = file.metadata().unwrap().modified().unwrap() + Duration::from_secs(5);
        file.set_modified(later).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while applied(&*auth) != authorization("Bearer two") {
            assert!(Instant::now() < deadline, "the new token is never used");
            std::thread::yield_now();
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(applied(&*auth), authorization("Bearer two"));
    }

    #[test]
    fn a_file_without_a_token_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let auth = read(&format!("filename: '{}'", path.display())).unwrap();
        let headers = || auth.authenticator().unwrap().headers().unwrap_err().to_string();
        assert!(headers().contains("cannot read the token in "), "{}", headers());
        std::fs::write(&path, "\n").unwrap();
        assert!(headers().contains("holds no token"), "{}", headers());
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
