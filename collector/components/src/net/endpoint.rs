//! Where a server is, as users of the upstream collector write it.

use http::uri::{Authority, PathAndQuery};
use std::fmt;
use std::path::PathBuf;

/// A server's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A host, by name or address (without brackets), and its port.
    Tcp {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// A socket of this machine.
    Unix(PathBuf),
}

/// What the scheme says about TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `http://`.
    Plain,
    /// `https://`.
    Tls,
    /// Nothing.
    Unsaid,
}

/// A place, and what else its text said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The place.
    pub place: Place,
    /// The scheme.
    pub scheme: Scheme,
    /// The path of a URL, without a slash at its end.
    pub path: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Place::Tcp { host, port } => write!(f, "{host}:{port}"),
            Place::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

impl Place {
    /// The name that a certificate must have.
    pub fn host(&self) -> &str {
        match self {
            Place::Tcp { host, .. } => host,
            Place::Unix(_) => "localhost",
        }
    }

    /// What requests name as their server.
    pub fn authority(&self) -> String {
        match self {
            Place::Tcp { .. } => self.to_string(),
            Place::Unix(_) => "localhost".to_owned(),
        }
    }
}

/// An endpoint is named in logs and errors, where credentials do not belong; this error does not repeat it.
fn refuse_credentials(written: &str) -> Result<(), String> {
    if written.contains('@') {
        Err("must not hold a user or a password, which logs would repeat; `headers` may".to_owned())
    } else {
        Ok(())
    }
}

/// A gRPC target: `host:port`, with `http://`, `https://`, `dns:///` or `passthrough:///` before it; or `unix:///path`.
pub fn grpc(written: &str) -> Result<Endpoint, String> {
    refuse_credentials(written)?;
    let (scheme, rest) = split_scheme(written);
    if let Some(path) = rest.strip_prefix("unix:") {
        return unix(path, scheme);
    }
    let rest = ["dns:", "passthrough:"]
        .iter()
        .find_map(|prefix| rest.strip_prefix(prefix))
        .map_or(rest, |rest| rest.strip_prefix("///").unwrap_or(rest));
    match tcp(rest.trim_end_matches('/'), None) {
        Some(place) => Ok(Endpoint {
            place,
            scheme,
            path: String::new(),
        }),
        None => Err(format!("\"{}\" is not host:port", written.escape_debug())),
    }
}

/// A URL of HTTP, such as `https://host:4318/base`. The port is the scheme's where there is none.
pub fn url(written: &str) -> Result<Endpoint, String> {
    refuse_credentials(written)?;
    let wrong = || format!("\"{}\" is not a URL such as http://host:4318", written.escape_debug());
    let (scheme, rest) = split_scheme(written);
    let port = match scheme {
        Scheme::Plain => 80,
        Scheme::Tls => 443,
        Scheme::Unsaid => return Err(wrong()),
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let path = path.trim_end_matches('/');
    let is_path = path.is_empty() || path.starts_with('/') && path.parse::<PathAndQuery>().is_ok();
    match tcp(authority, Some(port)) {
        Some(place) if is_path && !path.contains(['?', '#']) => Ok(Endpoint {
            place,
            scheme,
            path: path.to_owned(),
        }),
        _ => Err(wrong()),
    }
}

fn split_scheme(written: &str) -> (Scheme, &str) {
    match written.split_once("://") {
        Some(("http", rest)) => (Scheme::Plain, rest),
        Some(("https", rest)) => (Scheme::Tls, rest),
        _ => (Scheme::Unsaid, written),
    }
}

fn unix(path: &str, scheme: Scheme) -> Result<Endpoint, String> {
    // `unix:///a` names the file /a, `unix:a` the file a.
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() {
        return Err("unix: must be followed by a socket's path".to_owned());
    }
    Ok(Endpoint {
        place: Place::Unix(path.into()),
        scheme,
        path: String::new(),
    })
}

fn tcp(written: &str, default_port: Option<u16>) -> Option<Place> {
    let authority: Authority = written.parse().ok()?;
    let host = authority.host();
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    let port = match authority.port() {
        Some(port) => port.as_str().parse().ok().filter(|port| *port != 0),
        None => default_port,
    };
    Some(Place::Tcp {
        host: Some(host).filter(|host| !host.is_empty())?.to_owned(),
        port: port?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_targets_are_read_in_every_way_that_users_write_them() {
        for (written, place, scheme) in [
            ("h:4317", "h:4317", Scheme::Unsaid),
            ("http://h:4317/", "h:4317", Scheme::Plain),
            ("https://h:4317", "h:4317", Scheme::Tls),
            ("dns:///gateway.odigos:4317", "gateway.odigos:4317", Scheme::Unsaid),
            ("dns:h:1", "h:1", Scheme::Unsaid),
            ("[::1]:4317", "[::1]:4317", Scheme::Unsaid),
            ("unix:///run/c.sock", "unix:///run/c.sock", Scheme::Unsaid),
            ("unix:c.sock", "unix://c.sock", Scheme::Unsaid),
        ] {
            let endpoint = grpc(written).unwrap();
            assert_eq!(
                (endpoint.place.to_string().as_str(), endpoint.scheme),
                (place, scheme),
                "{written}"
            );
        }
        for written in [
            "",
            "h",
            "h:",
            "h:0",
            "h:99999",
            ":4317",
            "ftp://h:1",
            "h:1/path",
            "unix:",
            "dns:///",
        ] {
            assert!(grpc(written).is_err(), "{written}");
        }
    }

    #[test]
    fn urls_have_a_path_and_a_default_port() {
        let read = |written| url(written).map(|endpoint| (endpoint.place.to_string(), endpoint.path));
        assert_eq!(read("http://h"), Ok(("h:80".to_owned(), String::new())));
        assert_eq!(read("https://h/a/b/"), Ok(("h:443".to_owned(), "/a/b".to_owned())));
        assert_eq!(read("http://[::1]:4318"), Ok(("[::1]:4318".to_owned(), String::new())));
        for written in [
            "h:4318",
            "http://",
            "ftp://h",
            "http://h?x=1",
            "http://h/a?x",
            "http://h/a b",
            "http://h#f",
        ] {
            assert!(read(written).unwrap_err().contains("is not a URL"), "{written}");
        }
    }

    #[test]
    fn credentials_are_refused_and_not_repeated() {
        for read in [grpc, url] {
            let error = read("http://me:hunter2@h:1").unwrap_err();
            assert!(
                error.starts_with("must not hold a user") && !error.contains("hunter2"),
                "{error}"
            );
        }
    }
}
