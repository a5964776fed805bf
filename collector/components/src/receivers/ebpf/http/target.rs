//! Request targets and authorities, RFC 9112 section 3.2 and RFC 3986.

/// A request target in its parts. Empty slices mean "not there".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Target<'a> {
    /// Of an absolute target.
    pub scheme: &'a [u8],
    /// Of an absolute target, or the whole of CONNECT's; without user information.
    pub authority: &'a [u8],
    /// The authority had user information, which nobody may see.
    pub has_credentials: bool,
    /// `*` for OPTIONS of the whole server.
    pub path: &'a [u8],
    /// Without the question mark.
    pub query: &'a [u8],
}

/// Takes a target apart: origin form, absolute form, authority form (of CONNECT) or `*`.
pub fn parse<'a>(method: &[u8], target: &'a [u8]) -> Target<'a> {
    if method == b"CONNECT" {
        let (authority, has_credentials) = without_credentials(target);
        return Target {
            authority,
            has_credentials,
            ..Target::default()
        };
    }
    match find(target, b"://") {
        Some(at) if !target.starts_with(b"/") && target[..at].iter().all(u8::is_ascii_alphanumeric) => {
            absolute(&target[..at], &target[at + 3..])
        }
        _ => {
            let (path, query) = path_and_query(target);
            Target {
                path,
                query,
                ..Target::default()
            }
        }
    }
}

fn absolute<'a>(scheme: &'a [u8], rest: &'a [u8]) -> Target<'a> {
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?' | b'#'))
        .unwrap_or(rest.len());
    let (authority, has_credentials) = without_credentials(&rest[..end]);
    let (path, query) = path_and_query(&rest[end..]);
    Target {
        scheme,
        authority,
        has_credentials,
        path: if path.is_empty() { b"/" } else { path },
        query,
    }
}

fn path_and_query(target: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr(b'#', target).unwrap_or(target.len());
    let target = &target[..end];
    match memchr::memchr(b'?', target) {
        Some(at) => (&target[..at], &target[at + 1..]),
        None => (target, &[]),
    }
}

fn without_credentials(authority: &[u8]) -> (&[u8], bool) {
    match memchr::memrchr(b'@', authority) {
        Some(at) => (&authority[at + 1..], true),
        None => (authority, false),
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(haystack, needle)
}

/// Host and port of `host`, `host:port`, `[v6]:port`, or a bare IPv6 address; brackets are taken off.
pub fn host_and_port(authority: &[u8]) -> (&[u8], Option<u16>) {
    if let Some(rest) = authority.strip_prefix(b"[")
        && let Some(end) = memchr::memchr(b']', rest)
    {
        return (&rest[..end], rest[end + 1..].strip_prefix(b":").and_then(port));
    }
    match memchr::memrchr(b':', authority) {
        // More than one colon and no brackets: an IPv6 address without a port.
        Some(at) if memchr::memchr(b':', authority) == Some(at) => (&authority[..at], port(&authority[at + 1..])),
        _ => (authority, None),
    }
}

fn port(digits: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(digits).ok()?;
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

/// The route of a Go `ServeMux` pattern, `[METHOD ][HOST]/PATH`: the path. `{$}` only anchors the end, so it is left out.
pub fn route_of_pattern(pattern: &[u8]) -> &[u8] {
    let after_method = memchr::memrchr2(b' ', b'\t', pattern).map_or(pattern, |at| &pattern[at + 1..]);
    let path = memchr::memchr(b'/', after_method).map_or(&[][..], |at| &after_method[at..]);
    path.strip_suffix(b"{$}").unwrap_or(path)
}

/// Parameters whose values the semantic conventions want redacted, by these very names: they sign requests to object stores.
const SIGNING_PARAMETERS: [&[u8]; 7] = [
    b"AWSAccessKeyId",
    b"Signature",
    b"sig",
    b"X-Goog-Signature",
    b"X-Amz-Signature",
    b"X-Amz-Credential",
    b"X-Amz-Security-Token",
];

/// Parameters that hold credentials by common custom, in small letters and without what separates words. The conventions
/// permit to redact more than they list. `code` and `key` stand for many things, but each is also a credential that is
/// enough by itself (RFC 6749 section 4.1.2, the key of an API), and a lost value costs less than a leaked one.
const CREDENTIALS: [&[u8]; 18] = [
    b"accesskey",
    b"accesstoken",
    b"apikey",
    b"apitoken",
    b"assertion",
    b"authtoken",
    b"clientassertion",
    b"clientsecret",
    b"code",
    b"codeverifier",
    b"idtoken",
    b"key",
    b"passwd",
    b"password",
    b"pwd",
    b"refreshtoken",
    b"secret",
    b"token",
];

/// The longest name that may be one of [`CREDENTIALS`], in bytes: more would be separators, so that the look at a name is short.
const LONGEST_NAME: usize = 32;

fn is_secret(name: &[u8]) -> bool {
    if SIGNING_PARAMETERS.contains(&name) {
        return true;
    }
    let letters = || {
        let letters = name.iter().filter(|byte| !matches!(byte, b'_' | b'-' | b'.'));
        letters.map(u8::to_ascii_lowercase)
    };
    name.len() <= LONGEST_NAME && CREDENTIALS.iter().any(|secret| letters().eq(secret.iter().copied()))
}

/// Appends `query`, the values of well-known secrets replaced by `REDACTED`.
pub fn put_redacted(out: &mut Vec<u8>, query: &[u8]) {
    for (index, parameter) in query.split(|byte| *byte == b'&').enumerate() {
        if index > 0 {
            out.push(b'&');
        }
        match memchr::memchr(b'=', parameter) {
            Some(at) if is_secret(&parameter[..at]) => {
                out.extend_from_slice(&parameter[..=at]);
                out.extend_from_slice(b"REDACTED");
            }
            _ => out.extend_from_slice(parameter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(method: &str, target: &str, expected: (&str, &str, bool, &str, &str)) {
        let found = parse(method.as_bytes(), target.as_bytes());
        let (scheme, authority, has_credentials, path, query) = expected;
        let expected = Target {
            scheme: scheme.as_bytes(),
            authority: authority.as_bytes(),
            has_credentials,
            path: path.as_bytes(),
            query: query.as_bytes(),
        };
        assert_eq!(found, expected, "{method} {target}");
    }

    #[test]
    fn all_forms_of_targets_are_taken_apart() {
        check("GET", "/a/b?c=d&e", ("", "", false, "/a/b", "c=d&e"));
        check("GET", "/a#f", ("", "", false, "/a", ""));
        check("GET", "http://h:81/a?b", ("http", "h:81", false, "/a", "b"));
        check("GET", "http://u:p@h", ("http", "h", true, "/", ""));
        check("GET", "http://h?q=1", ("http", "h", false, "/", "q=1"));
        check(
            "GET",
            "/redirect?to=http://x/",
            ("", "", false, "/redirect", "to=http://x/"),
        );
        check("CONNECT", "h:443", ("", "h:443", false, "", ""));
        check("OPTIONS", "*", ("", "", false, "*", ""));
    }

    #[test]
    fn authorities_are_split() {
        for (authority, host, port) in [
            ("h", "h", None),
            ("h:80", "h", Some(80)),
            ("h:", "h", None),
            ("h:99999", "h", None),
            ("[::1]:8080", "::1", Some(8080)),
            ("[::1]", "::1", None),
            ("::1", "::1", None),
            ("[::1", "[::1", None),
            ("", "", None),
        ] {
            assert_eq!(
                host_and_port(authority.as_bytes()),
                (host.as_bytes(), port),
                "{authority}"
            );
        }
    }

    #[test]
    fn a_pattern_gives_its_path() {
        for (pattern, route) in [
            ("GET example.com/hello/{id}", "/hello/{id}"),
            ("GET /hello/{id}", "/hello/{id}"),
            ("/files/{path...}", "/files/{path...}"),
            ("/{$}", "/"),
            ("example.com/", "/"),
            ("POST  /two", "/two"),
            ("", ""),
        ] {
            assert_eq!(route_of_pattern(pattern.as_bytes()), route.as_bytes(), "{pattern}");
        }
    }

    #[test]
    fn the_values_of_well_known_secrets_are_redacted() {
        let mut out = Vec::new();
        put_redacted(&mut out, b"a=1&sig=secret&Signature=s=s&sigh=2&sig");
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "a=1&sig=REDACTED&Signature=REDACTED&sigh=2&sig"
        );
    }

    #[test]
    fn the_values_of_credentials_are_redacted_however_their_names_are_written() {
        let redacted = |query: &str| {
            let mut out = Vec::new();
            put_redacted(&mut out, query.as_bytes());
            String::from_utf8(out).unwrap()
        };
        for name in [
            "token",
            "access_token",
            "id_token",
            "refresh_token",
            "api_key",
            "apikey",
            "apiKey",
            "API-KEY",
            "key",
            "password",
            "passwd",
            "secret",
            "client_secret",
            "code",
        ] {
            assert_eq!(
                redacted(&format!("a=1&{name}=x=y&b=2")),
                format!("a=1&{name}=REDACTED&b=2")
            );
        }
        for query in [
            "keyword=x",
            "zipcode=8001",
            "tokens=5",
            "page_token_size=5",
            "monkey=1",
            "=x",
            "token",
        ] {
            assert_eq!(redacted(query), query);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(target in proptest::collection::vec(any::<u8>(), 0..64)) {
            parse(b"GET", &target);
            parse(b"CONNECT", &target);
            host_and_port(&target);
            route_of_pattern(&target);
        }
    }
}
