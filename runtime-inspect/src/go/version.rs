//! Versions of Go and of modules, ordered as releases are.

use std::fmt;
use std::str::FromStr;

/// A release number: Go's own (`go1.26.8`) or a module's (`v1.82.1`). Pre-release and vendor suffixes are dropped, so a
/// release candidate counts as its release: struct layouts are frozen long before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoVersion {
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
    /// Third number, 0 if absent.
    pub patch: u32,
}

impl GoVersion {
    /// A version from its three numbers.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }
}

/// A text that begins with no version number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a version")]
pub struct NotAVersion;

impl FromStr for GoVersion {
    type Err = NotAVersion;

    /// Accepts `go1.26.8`, `go1.27rc1`, `go1.24.1 X:boringcrypto`, `devel go1.27-0123abc`, `v1.82.1`, `1.18`.
    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let text = text.strip_prefix("devel ").unwrap_or(text);
        let text = text
            .strip_prefix("go")
            .or_else(|| text.strip_prefix('v'))
            .unwrap_or(text);
        let mut numbers = [0u32; 3];
        let mut rest = text;
        for (index, number) in numbers.iter_mut().enumerate() {
            if index > 0 {
                let Some(after) = rest.strip_prefix('.') else { break };
                rest = after;
            }
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            *number = rest[..end].parse().map_err(|_| NotAVersion)?;
            rest = &rest[end..];
        }
        Ok(Self::new(numbers[0], numbers[1], numbers[2]))
    }
}

impl fmt::Display for GoVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::GoVersion;

    fn check(text: &str, expected: Option<(u32, u32, u32)>) {
        let parsed = text.parse::<GoVersion>().ok().map(|v| (v.major, v.minor, v.patch));
        assert_eq!(parsed, expected, "{text}");
    }

    #[test]
    fn versions_are_read_as_releases() {
        check("go1.26.8", Some((1, 26, 8)));
        check("go1.27rc1", Some((1, 27, 0)));
        check("go1.24.1 X:boringcrypto", Some((1, 24, 1)));
        check("devel go1.27-0123abc Mon", Some((1, 27, 0)));
        check("v1.82.1-0.20240101-abc", Some((1, 82, 1)));
        check("1.18", Some((1, 18, 0)));
        check("(devel)", None);
        check("go", None);
        check("go1.", None);
        check("go99999999999.1", None);
    }
}
