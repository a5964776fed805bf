//! Lists of texts and of attributes to compare with.

use crate::processors::attributes::config_value;
use collector_config::{Node, Section, Value as Written};
use collector_ottl::go_regex;
use collector_ottl::value::same_value;
use collector_pdata::attributes::find;
use collector_pdata::{Malformed, Value};
use regex::Regex;

/// `match_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MatchType {
    Strict,
    Regexp,
}

/// Texts, of which one must match.
#[derive(Debug)]
pub(super) enum Texts {
    Strict(Vec<String>),
    Regexp(Vec<Regex>),
}

/// An attribute that must be there.
#[derive(Debug)]
pub(super) struct Expected {
    key: Vec<u8>,
    value: Condition,
}

#[derive(Debug)]
enum Condition {
    Any,
    Equal(Value),
    Matches(Texts),
}

impl Texts {
    /// Notes a pattern that is none as an error of `key`.
    pub(super) fn new(section: &mut Section<'_, '_>, key: &str, kind: MatchType, texts: &[&str]) -> Texts {
        if kind == MatchType::Strict {
            return Texts::Strict(texts.iter().map(|text| (*text).to_owned()).collect());
        }
        let mut compile = |text: &&str| go_regex(text).map_err(|message| section.error(key, message)).ok();
        Texts::Regexp(texts.iter().filter_map(&mut compile).collect())
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Texts::Strict(texts) => texts.iter().any(|expected| expected == text),
            Texts::Regexp(patterns) => patterns.iter().any(|pattern| pattern.is_match(text)),
        }
    }

    /// The same for a text that may not be UTF-8.
    pub(super) fn match_bytes(&self, text: &[u8]) -> bool {
        self.matches(&String::from_utf8_lossy(text))
    }
}

impl Expected {
    /// Reads `{key, value}`.
    pub(super) fn read(section: &mut Section<'_, '_>, kind: MatchType) -> Expected {
        let key = section.required_text("key").unwrap_or_default();
        let value = section.any("value").filter(|node| node.value != Written::Null);
        let value = value.map_or(Condition::Any, |node| Condition::read(section, node, kind));
        Expected {
            key: key.as_bytes().to_vec(),
            value,
        }
    }

    /// Whether it is among the attributes in field `number` of `message`.
    pub(super) fn is_in(&self, message: &[u8], number: u32) -> Result<bool, Malformed> {
        let Some(found) = find(message, number, &self.key)? else {
            return Ok(false);
        };
        Ok(match &self.value {
            Condition::Any => true,
            Condition::Equal(value) => same_value(value, &Value::read(found)?),
            Condition::Matches(texts) => text_of(&Value::read(found)?).is_some_and(|text| texts.matches(&text)),
        })
    }
}

impl Condition {
    fn read(section: &mut Section<'_, '_>, node: &Node, kind: MatchType) -> Condition {
        let value = config_value(node);
        match (kind, &value) {
            (MatchType::Strict, _) => Condition::Equal(value),
            (MatchType::Regexp, Value::Text(text)) => {
                Condition::Matches(Texts::new(section, "value", kind, &[text.as_str()]))
            }
            (MatchType::Regexp, _) => {
                let message = format!("must be text with match_type regexp, found {}", node.value.kind());
                section.error("value", message);
                Condition::Any
            }
        }
    }
}

/// What a pattern is compared with. Lists, maps, bytes and nothing match no pattern.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Int(number) => Some(number.to_string()),
        Value::Double(number) if number.is_infinite() => Some(if *number > 0.0 { "+Inf" } else { "-Inf" }.to_owned()),
        Value::Double(number) => Some(number.to_string()),
        _ => None,
    }
}
