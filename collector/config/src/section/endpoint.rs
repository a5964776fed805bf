use super::Section;
use std::fmt;

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// A name or an address, an IPv6 one without its brackets. Empty for all addresses of this machine.
    pub host: String,
    /// The port; 0 lets the system choose.
    pub port: u16,
}

impl Endpoint {
    /// Reads `host:port`, `[address]:port` or `:port`; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Endpoint, String> {
        let shown = text.escape_debug();
        if text.contains("://") {
            return Err(format!("expected host:port without a scheme, found \"{shown}\""));
        }
        let Some((host, port)) = text.rsplit_once(':') else {
            return Err(format!("expected host:port, found \"{shown}\""));
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        if bare.is_none() && host.contains(':') {
            return Err(format!(
                "an IPv6 address needs brackets, as [::1]:4317; found \"{shown}\""
            ));
        }
        let host = bare.unwrap_or(host);
        if host.contains(|c: char| c.is_whitespace() || c.is_control() || "[]/@".contains(c)) {
            return Err(format!("\"{}\" is not a host", host.escape_debug()));
        }
        let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        match port.parse().ok().filter(|_| is_number) {
            Some(port) => Ok(Endpoint {
                host: host.to_owned(),
                port,
            }),
            None => Err(format!("\"{}\" is not a port from 0 to 65535", port.escape_debug())),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Section<'_, '_> {
    /// An address as `host:port`; `default` is the component's own, and nothing is returned only after an error.
    pub fn endpoint(&mut self, key: &'static str, default: &str) -> Option<Endpoint> {
        let written = self.text(key).unwrap_or(default);
        let parsed = Endpoint::parse(written);
        parsed.map_err(|message| self.error(key, message)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_and_malformed_ones_refused_with_the_reason() {
        for (text, expected) in [
            ("localhost:4317", Ok(("localhost", 4317))),
            ("0.0.0.0:0", Ok(("0.0.0.0", 0))),
            (":8080", Ok(("", 8080))),
            ("[::1]:4318", Ok(("::1", 4318))),
            ("a.b-c_d:65535", Ok(("a.b-c_d", 65535))),
            ("localhost", Err("expected host:port, found \"localhost\"")),
            (
                "::1:4317",
                Err("an IPv6 address needs brackets, as [::1]:4317; found \"::1:4317\""),
            ),
            ("localhost:65536", Err("\"65536\" is not a port from 0 to 65535")),
            ("localhost:", Err("\"\" is not a port from 0 to 65535")),
            ("localhost:+1", Err("\"+1\" is not a port from 0 to 65535")),
            (
                "http://a:1",
                Err("expected host:port without a scheme, found \"http://a:1\""),
            ),
            ("a b:1", Err("\"a b\" is not a host")),
        ] {
            let found = Endpoint::parse(text);
            let expected = expected.map_err(str::to_owned).map(|(host, port)| Endpoint {
                host: host.to_owned(),
                port,
            });
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn an_endpoint_is_written_as_it_was_read() {
        for text in ["localhost:4317", "[::1]:4318", ":80"] {
            assert_eq!(Endpoint::parse(text).unwrap().to_string(), text);
        }
    }
}
