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
use collector_engine::{Authenticator, BoxError, Extension, ExtensionFactory};
use std::sync::Arc;

/// The line in the table.
pub const FACTORY: ExtensionFactory = ExtensionFactory {
    kind: "basicauth",
    configure,
};

struct BasicAuth(Arc<Credentials>);

/// The value of the header.
struct Credentials(String);

fn configure(section: &mut Section<'_, '_>) -> Box<dyn Extension> {
    let value = section.section("client_auth", |client| {
        let username = client.required_text("username").unwrap_or_default();
        let password = client.required_text("password").unwrap_or_default();
        if username.contains(':') {
            client.error("username", "must not hold a colon (RFC 7617)");
        }
        format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
    });
    Box::new(BasicAuth(Arc::new(Credentials(value))))
}

impl Extension for BasicAuth {
    fn authenticator(&self) -> Option<Arc<dyn Authenticator>> {
        Some(self.0.clone())
    }
}

impl Authenticator for Credentials {
    fn headers(&self) -> Result<Vec<(String, String)>, BoxError> {
        Ok(vec![("authorization".to_owned(), self.0.clone())])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use collector_config::{Errors, Node};

    fn read(text: &str) -> Result<Box<dyn Extension>, String> {
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
        let headers = auth.authenticator().unwrap().headers().unwrap();
        let value = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";
        assert_eq!(headers, [("authorization".to_owned(), value.to_owned())]);
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
