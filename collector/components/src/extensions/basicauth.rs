//! `basicauth`: a user's name and password (RFC 7617), for clients.
//!
//! ```yaml
//! extensions:
//!   basicauth:
//!     client_auth: {username: me, password: "${env:PASSWORD}"}
//! ```

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use collector_config::Section;
use collector_engine::{Authenticator, Extension, ExtensionFactory};
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use std::sync::Arc;

/// The line in the table.
pub const FACTORY: ExtensionFactory = ExtensionFactory {
    kind: "basicauth",
    configure: |section| Box::new(BasicAuthExtension(configure(section))),
};

/// Offers the authenticator to exporters.
struct BasicAuthExtension(Arc<dyn Authenticator>);

impl Extension for BasicAuthExtension {
    fn authenticator(&self) -> Option<Arc<dyn Authenticator>> {
        Some(self.0.clone())
    }
}

struct BasicAuth(HeaderValue);

/// Reads the settings.
pub fn configure(section: &mut Section<'_, '_>) -> Arc<dyn Authenticator> {
    let value = section.section("client_auth", |client| {
        let username = client.required_text("username").unwrap_or_default();
        let password = client.required_text("password").unwrap_or_default();
        if username.contains(':') {
            client.error("username", "must not hold a colon (RFC 7617)");
        }
        format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
    });
    // Base64 is always a valid header.
    let mut value = HeaderValue::try_from(value).unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    Arc::new(BasicAuth(value))
}

impl Authenticator for BasicAuth {
    fn apply(&self, headers: &mut HeaderMap) {
        headers.insert(AUTHORIZATION, self.0.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use collector_config::{Errors, Node};

    fn read(text: &str) -> Result<Arc<dyn Authenticator>, String> {
        let node = Node::parse(text, "").unwrap();
        let mut errors = Errors::default();
        let mut section = Section::open("extensions::basicauth", &node, &mut errors);
        let value = configure(&mut section);
        section.finish();
        errors.unless_any(value).map_err(|errors| errors.to_string())
    }

    #[test]
    fn a_name_and_a_password_become_the_header() {
        let auth = read("client_auth: {username: Aladdin, password: 'open sesame'}").unwrap();
        let mut headers = HeaderMap::new();
        auth.apply(&mut headers);
        assert_eq!(headers[AUTHORIZATION], "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(headers[AUTHORIZATION].is_sensitive());
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = read("client_auth: {username: 'a:b'}").err().unwrap();
        assert!(error.contains("client_auth::password: is required"), "{error}");
        assert!(
            error.contains("client_auth::username: must not hold a colon"),
            "{error}"
        );
    }
}
