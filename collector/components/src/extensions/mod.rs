//! What components share and refer to by an extension's id.

pub mod basicauth;
pub mod bearertokenauth;

use http::HeaderMap;

/// Proves to a destination who is asking, as `auth: {authenticator: ID}` of an exporter wants it.
pub trait Authenticator: Send + Sync {
    /// Sets the headers of one request. Called for each, so that a credential that has changed is used at once.
    fn apply(&self, headers: &mut HeaderMap);
}
