//! Which pages of browsers may send: the `cors` of upstream's `confighttp`.

use crate::receivers::otlp::settings::Cors;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD,
    HeaderMap, HeaderName, HeaderValue, ORIGIN, VARY,
};
use http::{Method, Request};

/// What a page may always send.
const SAFE_HEADERS: [&str; 5] = [
    "accept",
    "accept-language",
    "content-language",
    "content-type",
    "x-requested-with",
];

/// Whether a browser asks what it may send.
pub(super) fn is_preflight<T>(request: &Request<T>) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

impl Cors {
    /// The answer to a preflight request: nothing for what is not allowed.
    pub(super) fn preflight(&self, asked: &HeaderMap) -> HeaderMap {
        let mut headers = self.origin(asked);
        let method = asked.get(ACCESS_CONTROL_REQUEST_METHOD).map(HeaderValue::as_bytes);
        let wanted = asked.get(ACCESS_CONTROL_REQUEST_HEADERS);
        if headers.is_empty() || method != Some(b"POST") || !wanted.is_none_or(|wanted| self.allows_headers(wanted)) {
            return HeaderMap::new();
        }
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
        if let Some(wanted) = wanted {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
        if self.max_age > 0 {
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(self.max_age));
        }
        headers
    }

    /// What lets a page see the answer; nothing for an origin that is not allowed.
    pub(super) fn origin(&self, asked: &HeaderMap) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let Some(origin) = asked.get(ORIGIN).filter(|origin| self.allows_origin(origin)) else {
            return headers;
        };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.insert(VARY, HeaderValue::from_name(HeaderName::from_static("origin")));
        headers
    }

    fn allows_origin(&self, origin: &HeaderValue) -> bool {
        let Ok(origin) = origin.to_str().map(str::to_ascii_lowercase) else {
            return false;
        };
        self.allowed_origins.iter().any(|allowed| matches(allowed, &origin))
    }

    fn allows_headers(&self, wanted: &HeaderValue) -> bool {
        let is_allowed = |name: &str| {
            let name = name.trim().to_ascii_lowercase();
            let listed = |allowed: &String| *allowed == name || allowed == "*";
            SAFE_HEADERS.contains(&name.as_str()) || self.allowed_headers.iter().any(listed)
        };
        wanted.to_str().is_ok_and(|wanted| wanted.split(',').all(is_allowed))
    }
}

/// `allowed` has at most one `*`, which stands for anything.
fn matches(allowed: &str, origin: &str) -> bool {
    let allowed = allowed.to_ascii_lowercase();
    match allowed.split_once('*') {
        None => allowed == origin,
        Some((before, after)) => {
            origin.len() >= before.len() + after.len() && origin.starts_with(before) && origin.ends_with(after)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_in_an_origin_stands_for_anything() {
        for (allowed, origin, expected) in [
            ("*", "https://a.test", true),
            ("https://*.a.test", "https://b.a.test", true),
            ("https://*.A.test", "https://b.a.test", true),
            ("https://*.a.test", "https://a.test", false),
            ("https://a.test", "https://a.test", true),
            ("https://a.test", "https://a.test.evil", false),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(matches(allowed, origin), expected, "{allowed} {origin}");
        }
    }

    #[test]
    fn a_preflight_is_answered_only_where_all_that_it_asks_is_allowed() {
        let cors = Cors {
            allowed_origins: vec!["https://a.test".into()],
            allowed_headers: vec!["x-token".into()],
            max_age: 60,
        };
        let ask = |origin: &str, headers: &str| {
            let mut asked = HeaderMap::new();
            asked.insert(ORIGIN, origin.parse().unwrap());
            asked.insert(ACCESS_CONTROL_REQUEST_METHOD, "POST".parse().unwrap());
            asked.insert(ACCESS_CONTROL_REQUEST_HEADERS, headers.parse().unwrap());
            cors.preflight(&asked)
        };
        let allowed = ask("https://a.test", "X-Token, content-type");
        assert_eq!(allowed[ACCESS_CONTROL_ALLOW_ORIGIN], "https://a.test");
        assert_eq!(allowed[ACCESS_CONTROL_MAX_AGE], "60");
        assert_eq!(ask("https://b.test", "x-token"), HeaderMap::new());
        assert_eq!(ask("https://a.test", "x-other"), HeaderMap::new());
    }
}
