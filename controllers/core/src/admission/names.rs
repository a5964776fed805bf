//! What texts in objects must be: names and labels of Kubernetes, regular expressions, the names of headers.

use regex::{Regex, RegexBuilder};

/// The longest pattern, in bytes, and the bound of a compiled one's memory: patterns are compiled in admission, where whoever
/// may write an object chooses them.
pub const MAX_PATTERN: usize = 1024;
const MAX_COMPILED: usize = 256 * 1024;

/// Compiles a pattern, or says what is wrong with it in one line.
pub(super) fn pattern(text: &str) -> Result<Regex, String> {
    if text.is_empty() {
        return Err("is empty: give a regular expression".to_owned());
    }
    if text.len() > MAX_PATTERN {
        return Err(format!("is longer than {MAX_PATTERN} bytes"));
    }
    let built = RegexBuilder::new(text).size_limit(MAX_COMPILED).build();
    built.map_err(|error| {
        let reason = match &error {
            regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
            error => last_line(&error.to_string()),
        };
        format!("\"{text}\" is not a regular expression: {reason}")
    })
}

/// Compiles the pattern of workload names of a Source, which must match the whole name; an error says what is wrong with it.
pub fn whole(text: &str) -> Result<Regex, String> {
    pattern(text)?;
    pattern_unchecked(&format!("^(?:{text})$"))
}

fn pattern_unchecked(text: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(text).size_limit(MAX_COMPILED).build();
    built.map_err(|error| last_line(&error.to_string()))
}

/// The reason of a syntax error, which follows a drawing of several lines.
fn last_line(error: &str) -> String {
    let line = error.lines().last().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

/// Whether it can be the name of an object: a DNS subdomain (RFC 1123), at most 253 bytes.
pub(super) fn is_object_name(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_subdomain_part)
}

/// Whether it can be the name of a namespace or a container: a DNS label (RFC 1123), at most 63 bytes.
pub(super) fn is_dns_label(text: &str) -> bool {
    text.len() <= 63 && is_subdomain_part(text)
}

fn is_subdomain_part(part: &str) -> bool {
    let is_inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    !part.is_empty() && part.bytes().all(is_inner) && !part.starts_with('-') && !part.ends_with('-')
}

/// Whether it can be the key of a label or annotation: a name of at most 63 bytes, with or without a DNS subdomain and a slash
/// before it.
pub(super) fn is_label_key(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => is_object_name(prefix) && is_label_name(name),
        None => is_label_name(text),
    }
}

/// Whether it can be the value of a label: like the name in a key, or empty.
pub(super) fn is_label_value(text: &str) -> bool {
    text.is_empty() || is_label_name(text)
}

fn is_label_name(text: &str) -> bool {
    let is_end = |c: Option<u8>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let is_inner = |c: u8| c.is_ascii_alphanumeric() || b"-_.".contains(&c);
    let (first, last) = (text.bytes().next(), text.bytes().last());
    text.len() <= 63 && text.bytes().all(is_inner) && is_end(first) && is_end(last)
}

/// Whether it can be the name of an HTTP header (RFC 9110, token).
pub(super) fn is_header_name(text: &str) -> bool {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !text.is_empty() && text.chars().all(is_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_the_apiserver_takes() {
        for name in ["a", "cart-1", "my.shop", "0"] {
            assert!(is_object_name(name), "{name}");
        }
        for name in ["", "-a", "a-", "A", "a_b", "a..b", ".a", "ä", "a/b", &"a".repeat(254)] {
            assert!(!is_object_name(name), "{name}");
        }
        assert!(is_dns_label(&"a".repeat(63)) && !is_dns_label(&"a".repeat(64)) && !is_dns_label("a.b"));
        for key in ["app", "app.kubernetes.io/name", "a_B.c", "x/Y"] {
            assert!(is_label_key(key), "{key}");
        }
        for key in ["", "/a", "a/", "a/b/c", "A.b/c ", "-a", &"a".repeat(64)] {
            assert!(!is_label_key(key), "{key}");
        }
        assert!(is_label_value("") && !is_label_value("a b"));
        assert!(is_header_name("X-Request-Id") && !is_header_name("a:b") && !is_header_name(""));
    }

    #[test]
    fn a_pattern_that_is_none_is_told_in_one_line() {
        assert_eq!(
            pattern("cart-(").unwrap_err(),
            "\"cart-(\" is not a regular expression: unclosed group"
        );
        assert_eq!(pattern("").unwrap_err(), "is empty: give a regular expression");
        assert_eq!(
            pattern(r"\w{500}{50}").unwrap_err(),
            r#""\w{500}{50}" is not a regular expression: it is too large"#
        );
        assert_eq!(pattern(&"a".repeat(1025)).unwrap_err(), "is longer than 1024 bytes");
    }

    #[test]
    fn a_workloads_pattern_matches_the_whole_name() {
        let pattern = whole("cart|shop-.*").unwrap();
        assert!(pattern.is_match("cart") && pattern.is_match("shop-1"));
        assert!(!pattern.is_match("carts") && !pattern.is_match("my-shop-1"));
    }
}
