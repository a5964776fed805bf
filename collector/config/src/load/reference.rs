//! What stands between `${` and `}`.

use std::collections::HashMap;

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// Text that means itself.
    Literal(&'a str),
    /// `$$`.
    Dollar,
    /// `${...}`, without its ends. There may be others in it.
    Reference(&'a str),
}

/// What a reference refers to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reference<'a> {
    Env { name: &'a str, default: Option<&'a str> },
    File(&'a str),
    Yaml(&'a str),
}

/// Takes a text apart. A `$` that begins nothing, and a `${` that nothing ends, mean themselves.
pub(super) fn parts(text: &str) -> Vec<Part<'_>> {
    let ends = ends(text);
    let mut parts = Vec::new();
    let (mut from, mut at) = (0, 0);
    while let Some(dollar) = text[at..].find('$').map(|offset| at + offset) {
        let (part, after) = match ends.get(&dollar) {
            _ if text[dollar + 1..].starts_with('$') => (Part::Dollar, dollar + 2),
            Some(end) => (Part::Reference(&text[dollar + 2..*end]), end + 1),
            None => {
                at = dollar + 1;
                continue;
            }
        };
        parts.extend((from < dollar).then(|| Part::Literal(&text[from..dollar])));
        parts.push(part);
        (from, at) = (after, after);
    }
    parts.extend((from < text.len()).then(|| Part::Literal(&text[from..])));
    parts
}

/// For the place of each `${`, that of the `}` which ends it.
fn ends(text: &str) -> HashMap<usize, usize> {
    let mut open = Vec::new();
    let mut ends = HashMap::new();
    for (index, _) in text.match_indices(['$', '}']) {
        if text[index..].starts_with("${") {
            open.push(index);
        } else if let Some(start) = open.pop_if(|_| text[index..].starts_with('}')) {
            ends.insert(start, index);
        }
    }
    ends
}

impl Reference<'_> {
    /// Reads what is between `${` and `}`; the error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Reference<'_>, String> {
        if text.contains('$') {
            return Err("a reference must not contain $".to_owned());
        }
        match split_scheme(text) {
            Some(("env", rest)) => env(rest),
            Some(("file", path)) => Ok(Reference::File(path)),
            Some(("yaml", text)) => Ok(Reference::Yaml(text)),
            Some((scheme, rest)) if !rest.starts_with('-') => {
                Err(format!("the scheme \"{scheme}\" is none of env, file, yaml"))
            }
            _ if text.contains(":-") => Err(format!("a default needs the scheme: write ${{env:{text}}}")),
            _ => env(text),
        }
    }
}

fn env(text: &str) -> Result<Reference<'_>, String> {
    let (name, default) = match text.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (text, None),
    };
    let begins = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    if begins && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(Reference::Env { name, default });
    }
    let name = name.escape_debug();
    Err(format!(
        "\"{name}\" is not the name of an environment variable; a $ that is meant as such is written $$"
    ))
}

/// `scheme` and `rest` of `scheme:rest`. One letter is no scheme.
pub(super) fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let begins = scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.len() > 1;
    let goes_on = scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+.-".contains(c));
    (begins && goes_on).then_some((scheme, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Part::{Dollar, Literal, Reference as Ref};

    #[test]
    fn a_text_is_taken_apart_at_its_references() {
        for (text, expected) in [
            ("plain", vec![Literal("plain")]),
            ("${A}", vec![Ref("A")]),
            ("a${env:B}c", vec![Literal("a"), Ref("env:B"), Literal("c")]),
            ("$${A}", vec![Dollar, Literal("{A}")]),
            ("$$${A}", vec![Dollar, Ref("A")]),
            ("${env:${B}}", vec![Ref("env:${B}")]),
            ("^a$ $1 ${", vec![Literal("^a$ $1 ${")]),
            ("${a ${B}", vec![Literal("${a "), Ref("B")]),
            ("$${a ${B}", vec![Dollar, Literal("{a "), Ref("B")]),
            ("${env:X:-{a: b}}", vec![Ref("env:X:-{a: b"), Literal("}")]),
            ("", vec![]),
        ] {
            assert_eq!(parts(text), expected, "{text:?}");
        }
    }

    #[test]
    fn references_are_read_and_malformed_ones_refused() {
        let env = |name, default| Ok(Reference::Env { name, default });
        for (text, expected) in [
            ("A_1", env("A_1", None)),
            ("env:A", env("A", None)),
            ("env:A:-x:-y", env("A", Some("x:-y"))),
            ("env:A:-", env("A", Some(""))),
            ("file:/a:b", Ok(Reference::File("/a:b"))),
            ("yaml:a: b", Ok(Reference::Yaml("a: b"))),
            ("http://a", Err("the scheme \"http\" is none of env, file, yaml")),
            ("A:-b", Err("a default needs the scheme: write ${env:A:-b}")),
            ("AB:-b", Err("a default needs the scheme: write ${env:AB:-b}")),
            (
                "1",
                Err("\"1\" is not the name of an environment variable; a $ that is meant as such is written $$"),
            ),
            (
                "",
                Err("\"\" is not the name of an environment variable; a $ that is meant as such is written $$"),
            ),
            ("a$b", Err("a reference must not contain $")),
        ] {
            assert_eq!(Reference::parse(text), expected.map_err(str::to_owned), "{text:?}");
        }
    }
}
