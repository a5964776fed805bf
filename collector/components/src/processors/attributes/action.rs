//! What is to be done to attributes, as it is configured.

use super::Applier;
use super::convert::Target;
use collector_config::{Node, Section, Value as Written};
use collector_ottl::go_regex;
use collector_pdata::Value;
use regex::Regex;
use std::sync::Arc;

/// Actions, in their order.
#[derive(Debug, Clone)]
pub(crate) struct Actions(Arc<[Action]>);

/// What is done to the attribute of one key.
#[derive(Debug)]
pub(super) struct Action {
    pub(super) key: Vec<u8>,
    pub(super) work: Work,
}

#[derive(Debug)]
pub(super) enum Work {
    /// If the key is absent.
    Insert(Source),
    /// If the key is present.
    Update(Source),
    Upsert(Source),
    /// Also of the keys that match.
    Delete(Option<Regex>),
    /// Also of the keys that match.
    Hash(Option<Regex>),
    /// The pattern's groups become attributes of their names.
    Extract(Regex),
    Convert(Target),
}

/// Where a value comes from. Values are encoded `AnyValue`s.
#[derive(Debug)]
pub(super) enum Source {
    Value(Vec<u8>),
    Attribute { key: Vec<u8>, default: Option<Vec<u8>> },
}

const NAMES: &str = "insert, update, upsert, delete, hash, extract, convert";

impl Actions {
    /// Reads the list `key`, which must have actions.
    pub(crate) fn read(section: &mut Section<'_, '_>, key: &'static str) -> Actions {
        if section.entry(key).is_none_or(|entry| is_empty(&entry.node)) {
            section.error(key, "is required: what is to be done to the attributes");
        }
        let actions = section.sections(key, Action::read);
        Actions(actions.into_iter().flatten().collect())
    }

    /// Does them.
    pub(crate) fn applier(&self) -> Applier {
        Applier::new(self.0.clone())
    }
}

impl Action {
    fn read(section: &mut Section<'_, '_>) -> Option<Action> {
        section.accept(&["value", "from_attribute", "default_value", "pattern", "converted_type"]);
        section.unsupported(
            "from_context",
            "it would take the value from the headers, credentials or address of the request that brought the data in, \
             which are not kept here",
        );
        let key = section.text("key").unwrap_or_default().as_bytes().to_vec();
        let name = section.required_text("action")?.to_lowercase();
        let has_pattern = section.text("pattern").is_some_and(|pattern| !pattern.is_empty());
        let names_keys = matches!(name.as_str(), "delete" | "hash") && has_pattern;
        if key.is_empty() && !names_keys {
            section.error("key", "is required: the attribute's key");
        }
        let work = Work::read(section, &name)?;
        Some(Action { key, work })
    }
}

impl Work {
    fn read(section: &mut Section<'_, '_>, name: &str) -> Option<Work> {
        let unused: &[&'static str] = match name {
            "insert" | "update" | "upsert" => &["pattern", "converted_type"],
            "delete" | "hash" | "extract" => &["value", "from_attribute", "converted_type"],
            _ => &["value", "from_attribute", "pattern"],
        };
        let work = match name {
            "insert" => Work::Insert(Source::read(section)?),
            "update" => Work::Update(Source::read(section)?),
            "upsert" => Work::Upsert(Source::read(section)?),
            "delete" => Work::Delete(pattern(section)),
            "hash" => Work::Hash(pattern(section)),
            "extract" => Work::Extract(extraction(section)?),
            "convert" => Work::Convert(target(section)?),
            other => {
                let message = format!("\"{}\" is none of {NAMES}", other.escape_debug());
                section.error("action", message);
                return None;
            }
        };
        for key in unused {
            if section.any(key).is_some_and(is_set) {
                section.error(key, format!("is not used by the action {name}, and must not be there"));
            }
        }
        Some(work)
    }
}

impl Source {
    fn read(section: &mut Section<'_, '_>) -> Option<Source> {
        let value = encoded(section, "value");
        let from = section.text("from_attribute").filter(|key| !key.is_empty());
        let default = encoded(section, "default_value");
        if value.is_some() && from.is_some() {
            section.error("from_attribute", "must not be there beside value");
        }
        match (value, from, default) {
            (Some(value), ..) | (None, None, Some(value)) => Some(Source::Value(value)),
            (None, Some(key), default) => Some(Source::Attribute {
                key: key.as_bytes().to_vec(),
                default,
            }),
            (None, None, None) => {
                // What there is instead has its own error.
                if !section.is_written("from_context") {
                    section.error("value", "or from_attribute or default_value is required");
                }
                None
            }
        }
    }
}

fn encoded(section: &mut Section<'_, '_>, key: &'static str) -> Option<Vec<u8>> {
    let node = section.any(key).filter(|node| is_set(node))?;
    let mut out = Vec::new();
    value(node).put(&mut out);
    Some(out)
}

/// What YAML says, as an attribute's value.
pub(crate) fn value(node: &Node) -> Value {
    match &node.value {
        Written::Null => Value::Null,
        Written::Bool(flag) => Value::Bool(*flag),
        Written::Int(number) => Value::Int(*number),
        Written::Float(number) => Value::Double(*number),
        Written::Text(text) => Value::Text(text.clone()),
        Written::List(nodes) => Value::List(nodes.iter().map(value).collect()),
        Written::Map(entries) => {
            let entries = entries.iter().map(|entry| (entry.key.clone(), value(&entry.node)));
            Value::Map(entries.collect())
        }
    }
}

fn is_set(node: &Node) -> bool {
    node.value != Written::Null
}

fn is_empty(node: &Node) -> bool {
    match &node.value {
        Written::Null => true,
        Written::List(nodes) => nodes.is_empty(),
        _ => false,
    }
}

fn pattern(section: &mut Section<'_, '_>) -> Option<Regex> {
    let text = section.text("pattern").filter(|text| !text.is_empty())?;
    go_regex(text).map_err(|message| section.error("pattern", message)).ok()
}

fn extraction(section: &mut Section<'_, '_>) -> Option<Regex> {
    if section.text("pattern").is_none_or(str::is_empty) {
        section.error("pattern", "is required by the action extract");
        return None;
    }
    let pattern = pattern(section)?;
    let groups = pattern.captures_len() - 1;
    let named = pattern.capture_names().flatten().count();
    if groups == 0 {
        section.error(
            "pattern",
            "must have named groups, as (?P<name>.*): they become attributes",
        );
    } else if named < groups {
        let message = "has a group without a name; write (?P<name>...), or (?:...) if it is to become no attribute";
        section.error("pattern", message);
    }
    Some(pattern)
}

fn target(section: &mut Section<'_, '_>) -> Option<Target> {
    if section.required_text("converted_type").is_none_or(str::is_empty) {
        return None;
    }
    let targets = [
        ("int", Target::Int),
        ("double", Target::Double),
        ("string", Target::Text),
    ];
    section.choice("converted_type", &targets)
}
