//! Taking the secrets out of a configuration that is shown.

use crate::secret::REDACTED;
use crate::{Entry, Node, Value};

/// A key with one of these in it holds a secret.
const SECRET: [&str; 14] = [
    "password",
    "passphrase",
    "passwd",
    "secret",
    "token",
    "authorization",
    "api_key",
    "apikey",
    "access_key",
    "private_key",
    "key_pem",
    "credential",
    "cookie",
    "connection_string",
];
/// A key that ends so only says where a secret is, or what it is called.
const PLACE: [&str; 8] = [
    "_file",
    "_path",
    "_url",
    "_name",
    "_type",
    "_endpoint",
    "_header",
    "_id",
];

impl Node {
    /// The same, with `[REDACTED]` for what is, or may be, a secret: values by their keys' names, all headers, and the
    /// password in a URL.
    pub fn redacted(&self) -> Node {
        redact(self, false)
    }
}

fn redact(node: &Node, secret: bool) -> Node {
    let value = match &node.value {
        Value::Null | Value::Bool(_) => return node.clone(),
        Value::Text(text) if text.is_empty() => return node.clone(),
        Value::Text(text) if !secret => match without_password(text) {
            Some(text) => Value::Text(text),
            None => return node.clone(),
        },
        Value::Int(_) | Value::Float(_) if !secret => return node.clone(),
        Value::Text(_) | Value::Int(_) | Value::Float(_) => Value::Text(REDACTED.to_owned()),
        Value::List(nodes) => Value::List(nodes.iter().map(|node| redact(node, secret)).collect()),
        Value::Map(entries) => Value::Map(map(entries, secret)),
    };
    Node {
        position: node.position.clone(),
        ..Node::from(value)
    }
}

fn map(entries: &[Entry], secret: bool) -> Vec<Entry> {
    let name = entries
        .iter()
        .find(|entry| matches!(entry.key.as_str(), "name" | "key"));
    // One of a list of names and values: the name is no secret, and says whether the value is one.
    let named = name
        .and_then(|entry| entry.node.text())
        .filter(|_| entries.iter().any(|entry| entry.key == "value"));
    let redacted = |entry: &Entry| {
        let secret = match (named, entry.key.as_str()) {
            (Some(_), "name" | "key") => false,
            (Some(name), "value") => secret || is_secret(name),
            // A mapping under such a key is more likely a section, whose own keys tell.
            (_, key) => secret || (is_secret(key) && !matches!(entry.node.value, Value::Map(_))) || is_headers(key),
        };
        Entry {
            node: redact(&entry.node, secret),
            ..entry.clone()
        }
    };
    entries.iter().map(redacted).collect()
}

fn is_headers(key: &str) -> bool {
    matches!(key, "headers" | "headers_list" | "response_headers")
}

fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace('-', "_");
    SECRET.iter().any(|word| key.contains(word)) && !PLACE.iter().any(|end| key.ends_with(end))
}

/// `scheme://user:password@host` without the user and the password.
fn without_password(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let authority = rest.find(['/', '?', '#']).map_or(rest, |end| &rest[..end]);
    let (user, _) = authority.rsplit_once('@')?;
    Some(format!("{scheme}://{REDACTED}{}", &rest[user.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_redacted_and_what_only_looks_like_one_is_not() {
        for (text, expected) in [
            ("{token: abc}", r#"{"token":"[REDACTED]"}"#),
            ("{token: 123}", r#"{"token":"[REDACTED]"}"#),
            (
                "{include_token: true, token_file: /a, token_url: 'http://a'}",
                r#"{"include_token":true,"token_file":"/a","token_url":"http://a"}"#,
            ),
            (
                "{client_secret: a, API-Key: b, Authorization: c}",
                r#"{"client_secret":"[REDACTED]","API-Key":"[REDACTED]","Authorization":"[REDACTED]"}"#,
            ),
            ("{headers: {x-team: abc}}", r#"{"headers":{"x-team":"[REDACTED]"}}"#),
            (
                "{headers: [{name: x-team, value: abc}]}",
                r#"{"headers":[{"name":"x-team","value":"[REDACTED]"}]}"#,
            ),
            (
                "[{name: token, value: a}, {name: b, value: c}]",
                r#"[{"name":"token","value":"[REDACTED]"},{"name":"b","value":"c"}]"#,
            ),
            (
                "{bearertokenauth/x: {scheme: Bearer, token: a}}",
                r#"{"bearertokenauth/x":{"scheme":"Bearer","token":"[REDACTED]"}}"#,
            ),
            (
                "{tokens: [a, {b: c}]}",
                r#"{"tokens":["[REDACTED]",{"b":"[REDACTED]"}]}"#,
            ),
            (
                "{endpoint: 'http://u:p@h:1/x@y'}",
                r#"{"endpoint":"http://[REDACTED]@h:1/x@y"}"#,
            ),
            ("{endpoint: 'http://h:1/x@y'}", r#"{"endpoint":"http://h:1/x@y"}"#),
            ("{password: }", r#"{"password":null}"#),
        ] {
            assert_eq!(Node::parse(text, "").unwrap().redacted().to_json(), expected, "{text}");
        }
    }
}
