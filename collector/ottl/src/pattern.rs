//! Patterns: regular expressions in Go's syntax, globs, and replacements that name groups.
//!
//! Go's regexp and the regex crate are both of RE2's family, linear in the input. Where they read a pattern differently, it
//! is rewritten here to mean what it means in Go: `\d`, `\w`, `\s` and `\b` are ASCII, `{` that opens no repetition, `[` and
//! `&` in a class stand for themselves, and `\Q...\E` quotes.

use crate::error::EvalError;
use regex::{Regex, RegexBuilder};

/// The most memory that one compiled pattern may take, in bytes.
const MAX_COMPILED: usize = 2 << 20;

/// The longest text that replacing gives, in bytes: a few hostile bytes could otherwise be asked to become terabytes.
const MAX_REPLACED: usize = 16 << 20;

/// Compiles a pattern in Go's syntax.
pub fn regex(pattern: &str) -> Result<Regex, String> {
    compile(&from_go(pattern))
}

fn compile(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern)
        .size_limit(MAX_COMPILED)
        .dfa_size_limit(MAX_COMPILED)
        .nest_limit(100)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "the pattern takes too much memory; make it simpler".to_owned(),
            error => format!("this is no regular expression: {}", last_line(&error.to_string())),
        })
}

/// Of an error with a drawing of the place, what is wrong.
fn last_line(message: &str) -> String {
    let last = message.lines().last().unwrap_or(message).trim();
    last.trim_start_matches("error: ").to_owned()
}

/// Rewrites a pattern of Go's for the regex crate.
fn from_go(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    let mut class = Class::Outside;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        let first_of_class = class == Class::Start;
        rest = match c {
            '\\' => escape(after, class, &mut out),
            '{' if class == Class::Outside && !opens_repetition(after) => literal("\\{", after, &mut out),
            '[' if class == Class::Outside => {
                class = Class::Start;
                out.push('[');
                negation(after, &mut out)
            }
            ']' if class == Class::Start => literal("\\]", after, &mut out),
            ']' if class == Class::Inside => {
                class = Class::Outside;
                literal("]", after, &mut out)
            }
            '[' if after.starts_with(':') => named_class(rest, &mut out),
            '[' | '&' | '~' if class != Class::Outside => {
                out.push('\\');
                out.push(c);
                after
            }
            _ => {
                out.push(c);
                after
            }
        };
        // A closing bracket right after the opening one stands for itself; from then on it closes.
        if first_of_class {
            class = Class::Inside;
        }
    }
    out
}

/// Where in a pattern a character stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Outside,
    Start,
    Inside,
}

fn literal<'a>(text: &str, rest: &'a str, out: &mut String) -> &'a str {
    out.push_str(text);
    rest
}

fn negation<'a>(rest: &'a str, out: &mut String) -> &'a str {
    match rest.strip_prefix('^') {
        Some(rest) => literal("^", rest, out),
        None => rest,
    }
}

/// `[:alpha:]` within a class is the same in both.
fn named_class<'a>(rest: &'a str, out: &mut String) -> &'a str {
    let Some(end) = rest.find(":]") else {
        return literal("\\[", &rest[1..], out);
    };
    literal(&rest[..end + 2], &rest[end + 2..], out)
}

fn opens_repetition(after: &str) -> bool {
    let Some((inside, _)) = after.split_once('}') else {
        return false;
    };
    let (from, to) = inside.split_once(',').unwrap_or((inside, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !from.is_empty() && digits(from) && digits(to)
}

/// Writes what a backslash and the beginning of `after` mean; gives the rest.
fn escape<'a>(after: &'a str, class: Class, out: &mut String) -> &'a str {
    let Some(c) = after.chars().next() else {
        return literal("\\", after, out);
    };
    let rest = &after[c.len_utf8()..];
    if c == 'Q' {
        let (quoted, rest) = rest.split_once("\\E").unwrap_or((rest, ""));
        out.push_str(&regex::escape(quoted));
        return rest;
    }
    let meant = match c {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        'w' => "[0-9A-Za-z_]",
        'W' => "[^0-9A-Za-z_]",
        's' => "[\\t\\n\\f\\r ]",
        'S' => "[^\\t\\n\\f\\r ]",
        'b' if class == Class::Outside => "(?-u:\\b)",
        // The regex crate takes these for the borders of a word.
        '<' => "<",
        '>' => ">",
        _ => {
            out.push('\\');
            out.push(c);
            return rest;
        }
    };
    literal(meant, rest, out)
}

/// Compiles a glob that covers a whole text: `*` and `**` are any characters, `?` is one, `[a-z]` and `[!a-z]` are
/// classes, `{a,b}` are alternatives, a backslash quotes.
pub(crate) fn glob(pattern: &str) -> Result<Regex, String> {
    let mut out = String::from("(?s)^");
    let mut chars = pattern.chars();
    let mut alternatives = 0;
    while let Some(c) = chars.next() {
        match c {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '{' => {
                alternatives += 1;
                out.push_str("(?:");
            }
            '}' if alternatives > 0 => {
                alternatives -= 1;
                out.push(')');
            }
            ',' if alternatives > 0 => out.push('|'),
            '[' => glob_class(&mut chars, &mut out)?,
            '\\' => push_quoted(chars.next().unwrap_or('\\'), &mut out),
            c => push_quoted(c, &mut out),
        }
    }
    out.push('$');
    if alternatives > 0 {
        return Err("the glob opens `{` and does not close it".to_owned());
    }
    compile(&out)
}

fn push_quoted(c: char, out: &mut String) {
    out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
}

fn glob_class(chars: &mut std::str::Chars<'_>, out: &mut String) -> Result<(), String> {
    out.push('[');
    let mut first = true;
    loop {
        match chars.next() {
            None => return Err("the glob opens `[` and does not close it".to_owned()),
            Some('!' | '^') if first => out.push('^'),
            Some(']') => break,
            Some('-') => out.push('-'),
            Some('\\') => push_quoted(chars.next().unwrap_or('\\'), out),
            Some(c) => push_quoted(c, out),
        }
        first = false;
    }
    out.push(']');
    Ok(())
}

/// A replacement's text, with the groups that it names, by the rules of Go's `Regexp.Expand`: `$1`, `${1}`, `$name`,
/// `${name}`; a name is as long as possible; `$$` is a dollar; a dollar that opens nothing stands for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Index(usize),
    Name(String),
}

impl Template {
    pub(crate) fn new(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            push_text(&mut parts, before);
            rest = match after.strip_prefix('$') {
                Some(after) => {
                    push_text(&mut parts, "$");
                    after
                }
                None => group(after, &mut parts),
            };
        }
        push_text(&mut parts, rest);
        Template(parts)
    }

    /// Appends the text with the groups of a match in place.
    pub(crate) fn expand(&self, groups: &regex::Captures<'_>, out: &mut String) -> Result<(), EvalError> {
        for part in &self.0 {
            out.push_str(match part {
                Part::Text(text) => text,
                Part::Index(index) => groups.get(*index).map_or("", |group| group.as_str()),
                Part::Name(name) => groups.name(name).map_or("", |group| group.as_str()),
            });
            bounded(out)?;
        }
        Ok(())
    }
}

/// `text` with every match of `pattern` replaced by what `replace` appends for it.
pub(crate) fn replace_all(
    pattern: &Regex,
    text: &str,
    mut replace: impl FnMut(&regex::Captures<'_>, &mut String) -> Result<(), EvalError>,
) -> Result<String, EvalError> {
    let mut out = String::with_capacity(text.len());
    let mut end = 0;
    for groups in pattern.captures_iter(text) {
        let found = groups.get_match();
        out.push_str(&text[end..found.start()]);
        replace(&groups, &mut out)?;
        bounded(&out)?;
        end = found.end();
    }
    out.push_str(&text[end..]);
    Ok(out)
}

fn bounded(out: &str) -> Result<(), EvalError> {
    let (what, why) = ("a replacement", "the text grows beyond 16 MiB");
    match out.len() > MAX_REPLACED {
        true => Err(EvalError::Argument { what, why }),
        false => Ok(()),
    }
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        _ if text.is_empty() => {}
        Some(Part::Text(last)) => last.push_str(text),
        _ => parts.push(Part::Text(text.to_owned())),
    }
}

/// Reads the name after a dollar; gives what follows it.
fn group<'a>(after: &'a str, parts: &mut Vec<Part>) -> &'a str {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let braced = after.strip_prefix('{');
    let from = braced.unwrap_or(after);
    let length = from.find(|c| !is_name(c)).unwrap_or(from.len());
    let (name, rest) = from.split_at(length);
    let rest = if braced.is_some() {
        rest.strip_prefix('}')
    } else {
        Some(rest)
    };
    let Some(rest) = rest.filter(|_| !name.is_empty()) else {
        push_text(parts, "$");
        return after;
    };
    let index = name.bytes().all(|byte| byte.is_ascii_digit());
    parts.push(match name.parse() {
        Ok(number) if index => Part::Index(number),
        _ => Part::Name(name.to_owned()),
    });
    rest
}
