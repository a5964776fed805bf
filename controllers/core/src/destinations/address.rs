//! Addresses as users write them, brought into the form that exporters take.

/// `scheme://host[:port][/path]`: without a slash at its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UrlFormat {
    /// The scheme of a text without one.
    pub scheme: String,
    /// The port of a text with neither scheme nor port nor path.
    pub port: Option<u16>,
    /// The schemes with which a text without port and path has that port too.
    pub port_of: Vec<String>,
    /// Endings of the path that are taken off, since some users write them.
    pub cut: Vec<String>,
    /// What endings of the path become, the first that fits.
    pub turn: Vec<(String, String)>,
    /// What is appended to a path with none of the endings of `turn`.
    pub otherwise: String,
    /// The checkbox that asks for TLS: then `http` is refused, and a text without a scheme means `https`.
    pub https_if: Option<String>,
    /// `http` means `https`, so that no credential goes in the open.
    pub is_secure: bool,
}

/// The server of gRPC, as `host:port`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GrpcFormat {
    /// The scheme of a text without one: it decides about TLS.
    pub scheme: String,
    /// The port of a text without one.
    pub port: u16,
    /// Paths that are taken off, since some users write them; gRPC knows none.
    pub cut: Vec<String>,
    /// `http` means `https`, so that no credential goes in the open.
    pub is_secure: bool,
}

/// Scheme, host with port, and path.
struct Parts<'a> {
    /// As it was written.
    written: Option<&'a str>,
    scheme: &'a str,
    server: &'a str,
    path: &'a str,
}

impl UrlFormat {
    /// The URL of what was written.
    pub(super) fn read(&self, text: &str) -> Result<String, String> {
        let parts = split(text, &self.scheme)?;
        let path = cut(parts.path, &self.cut);
        let port = match (split_port(parts.server).1, self.port) {
            (None, Some(port)) if path.is_empty() && self.has_port(parts.written) => format!(":{port}"),
            _ => String::new(),
        };
        let turned = self
            .turn
            .iter()
            .find_map(|(from, to)| Some((path.strip_suffix(from.as_str())?, to)));
        let (path, ending) = turned.unwrap_or((path, &self.otherwise));
        let scheme = if self.is_secure { "https" } else { parts.scheme };
        Ok(format!("{scheme}://{}{port}{path}{ending}", parts.server))
    }

    /// The URL of what was written where `checkbox` asks for TLS.
    pub(super) fn read_https(&self, text: &str, checkbox: &str) -> Result<String, String> {
        match text.split_once("://") {
            Some(("http", _)) => Err(format!(
                "begins with http:// although {checkbox} is true: write https://, or set that to false"
            )),
            Some(_) => self.read(text),
            None => self.read(&format!("https://{text}")),
        }
    }

    fn has_port(&self, written: Option<&str>) -> bool {
        written.is_none_or(|scheme| self.port_of.iter().any(|of| of == scheme))
    }
}

impl GrpcFormat {
    /// The server of what was written, and whether it is without TLS. `grpc` and `grpcs` say the same as `http` and `https`.
    pub(super) fn read(&self, text: &str) -> Result<(String, bool), String> {
        let text = match text.split_once("://") {
            Some(("grpc", rest)) => format!("http://{rest}"),
            Some(("grpcs", rest)) => format!("https://{rest}"),
            _ => text.to_owned(),
        };
        let parts = split(&text, &self.scheme)?;
        if !cut(parts.path, &self.cut).is_empty() {
            return Err(format!("gRPC knows no path: take \"{}\" away", parts.path));
        }
        let server = match split_port(parts.server) {
            (_, Some(_)) => parts.server.to_owned(),
            (name, None) => format!("{name}:{}", self.port),
        };
        Ok((server, parts.scheme == "http" && !self.is_secure))
    }
}

/// A host without scheme, port and path, or a part of its name; the endings `endings` are taken off, each once and in
/// their order.
pub(super) fn host(text: &str, endings: &[String]) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or(text.strip_prefix("http://"));
    let mut name = rest.unwrap_or(text).trim_end_matches('/');
    for ending in endings {
        name = name.strip_suffix(ending.as_str()).unwrap_or(name);
    }
    check_server(name)?;
    if split_port(name).1.is_some() {
        return Err(format!("\"{name}\" must be without a port"));
    }
    Ok(name.to_owned())
}

/// The domain that the host of a URL is in: its name without the first label.
pub(super) fn domain(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let server = rest.split('/').next()?;
    Some(split_port(server).0.split_once('.')?.1)
}

/// A path without slashes at its end and without the first of `endings` that it has.
fn cut<'a>(path: &'a str, endings: &[String]) -> &'a str {
    let path = path.trim_end_matches('/');
    let rest = endings.iter().find_map(|ending| path.strip_suffix(ending.as_str()));
    rest.unwrap_or(path).trim_end_matches('/')
}

fn split<'a>(text: &'a str, default_scheme: &'a str) -> Result<Parts<'a>, String> {
    let (written, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, text),
    };
    let scheme = written.unwrap_or(default_scheme);
    if scheme != "http" && scheme != "https" {
        return Err(format!("the scheme \"{scheme}\" is neither http nor https"));
    }
    let (server, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if server.contains('@') {
        return Err("must not hold a user or password: use the fields for them".to_owned());
    }
    check_server(server)?;
    if path.contains(|c: char| c.is_whitespace() || "\"<>\\^`{|}#?".contains(c)) {
        return Err(format!("the path \"{path}\" holds what a path cannot"));
    }
    Ok(Parts {
        written,
        scheme,
        server,
        path,
    })
}

fn check_server(server: &str) -> Result<(), String> {
    let (name, port) = split_port(server);
    let bracketed = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let is_valid = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)),
    };
    if !is_valid {
        return Err(format!(
            "\"{server}\" is no host: expected a name or address, such as collector.example:4317"
        ));
    }
    match port.map(str::parse::<u16>) {
        Some(Err(_)) | Some(Ok(0)) => Err(format!("the port of \"{server}\" is no number from 1 to 65535")),
        _ => Ok(()),
    }
}

fn split_port(server: &str) -> (&str, Option<&str>) {
    match server.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (server, None),
    }
}
