use super::Section;
use crate::error::suggestion;
use crate::{ComponentId, Node, Reference, Scalar, Secret, Value, duration, size};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

const COUNT: &str = "a whole number that is not negative";

impl<'a> Section<'a, '_> {
    /// Text. A number, `true` and `false` are taken as they were written.
    pub fn text(&mut self, key: &'static str) -> Option<&'a str> {
        self.read(key, "text", Node::text)
    }

    /// Text that must be there.
    pub fn required_text(&mut self, key: &'static str) -> Option<&'a str> {
        if self.present(key).is_none() {
            self.error(key, "is required");
        }
        self.text(key)
    }

    /// Text that must not be shown.
    pub fn secret(&mut self, key: &'static str) -> Option<Secret> {
        let entry = self.present(key)?;
        let text = entry.node.text();
        if text.is_none() {
            self.error(key, format!("expected text, found {}", entry.node.value.kind()));
        }
        text.map(Secret::from)
    }

    /// Any value that holds no others.
    pub fn scalar(&mut self, key: &'static str) -> Option<Scalar> {
        self.read(key, "text, a number, true or false", Node::scalar)
    }

    /// `true` or `false`.
    pub fn flag(&mut self, key: &'static str, default: bool) -> bool {
        self.optional_flag(key).unwrap_or(default)
    }

    /// As [`Section::flag`].
    pub fn optional_flag(&mut self, key: &'static str) -> Option<bool> {
        self.read(key, "true or false", |node| match node.value {
            Value::Bool(flag) => Some(flag),
            _ => None,
        })
    }

    /// A whole number that is not negative.
    pub fn count(&mut self, key: &'static str, default: u64) -> u64 {
        self.optional_count(key).unwrap_or(default)
    }

    /// As [`Section::count`].
    pub fn optional_count(&mut self, key: &'static str) -> Option<u64> {
        self.read(key, COUNT, |node| match node.value {
            Value::Int(number) => u64::try_from(number).ok(),
            _ => None,
        })
    }

    /// A whole number within `range`.
    pub fn count_in(&mut self, key: &'static str, range: RangeInclusive<u64>, default: u64) -> u64 {
        let count = self.optional_count(key);
        self.within(key, count, &range).unwrap_or(default)
    }

    /// A whole number.
    pub fn integer(&mut self, key: &'static str, default: i64) -> i64 {
        self.optional_integer(key).unwrap_or(default)
    }

    /// As [`Section::integer`].
    pub fn optional_integer(&mut self, key: &'static str) -> Option<i64> {
        self.read(key, "a whole number", |node| match node.value {
            Value::Int(number) => Some(number),
            _ => None,
        })
    }

    /// A number.
    pub fn number(&mut self, key: &'static str, default: f64) -> f64 {
        self.optional_number(key).unwrap_or(default)
    }

    /// As [`Section::number`].
    pub fn optional_number(&mut self, key: &'static str) -> Option<f64> {
        self.read(key, "a number", |node| match node.value {
            Value::Int(number) => Some(number as f64),
            Value::Float(number) => Some(number),
            _ => None,
        })
    }

    /// A number within `range`.
    pub fn number_in(&mut self, key: &'static str, range: RangeInclusive<f64>, default: f64) -> f64 {
        let number = self.optional_number(key);
        self.within(key, number, &range).unwrap_or(default)
    }

    /// A duration as Go writes it, for example `1m30s`.
    pub fn duration(&mut self, key: &'static str, default: Duration) -> Duration {
        self.optional_duration(key).unwrap_or(default)
    }

    /// As [`Section::duration`].
    pub fn optional_duration(&mut self, key: &'static str) -> Option<Duration> {
        self.read(key, "a duration such as 200ms or 1m30s", |node| match &node.value {
            Value::Text(text) => duration::parse(text),
            Value::Int(0) => Some(Duration::ZERO),
            _ => None,
        })
    }

    /// A size in bytes: a whole number, or one with its unit, for example `64MiB`.
    pub fn bytes(&mut self, key: &'static str, default: u64) -> u64 {
        self.optional_bytes(key).unwrap_or(default)
    }

    /// As [`Section::bytes`].
    pub fn optional_bytes(&mut self, key: &'static str) -> Option<u64> {
        self.read(key, "a size such as 65536 or 64MiB", |node| match &node.value {
            Value::Text(text) => size::parse(text),
            Value::Int(number) => u64::try_from(*number).ok(),
            _ => None,
        })
    }

    /// The permissions of a file: octal digits, quoted or not.
    pub fn permissions(&mut self, key: &'static str, default: u32) -> u32 {
        let octal = |text: &str| u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
        self.read(key, "an octal number such as \"0750\"", |node| octal(node.text()?))
            .unwrap_or(default)
    }

    /// One of several words.
    pub fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&'static str, T)]) -> Option<T> {
        let text = self.text(key)?;
        let chosen = choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if chosen.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            let hint = suggestion(text, words.iter().copied());
            let message = format!("\"{}\" is none of {}{hint}", text.escape_debug(), words.join(", "));
            self.error(key, message);
        }
        chosen
    }

    /// The id of a component, such as `file_storage/queue`. Whether there is one is checked where all are known.
    pub fn component_reference(&mut self, key: &'static str) -> Option<Reference> {
        let text = self.text(key)?;
        match ComponentId::parse(text) {
            Ok(id) => Some(Reference {
                id,
                position: self.position_of(key).clone(),
            }),
            Err(message) => {
                self.error(key, message);
                None
            }
        }
    }

    fn within<T: PartialOrd + Display>(
        &mut self,
        key: &'static str,
        value: Option<T>,
        range: &RangeInclusive<T>,
    ) -> Option<T> {
        let value = value?;
        if range.contains(&value) {
            return Some(value);
        }
        let (least, most) = (range.start(), range.end());
        self.error(key, format!("must be between {least} and {most}, found {value}"));
        None
    }

    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        convert: impl Fn(&'a Node) -> Option<T>,
    ) -> Option<T> {
        let entry = self.present(key)?;
        let converted = convert(&entry.node);
        // An expansion to nothing is only a value for who wants text.
        if converted.is_none() && !matches!(entry.node.value, Value::Null) {
            self.error(key, format!("expected {expected}, found {}", shown(&entry.node)));
        }
        converted
    }
}

fn shown(node: &Node) -> String {
    match &node.value {
        Value::Text(text) => format!("\"{}\"", text.escape_debug()),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        other => other.kind().to_owned(),
    }
}
