//! A user's own processors.
//!
//! One that the collector would refuse would cost all destinations their configuration, so each is read here as the
//! collector reads it, and what cannot be read is an error of that object.

use super::parts::Component;
use super::statements::check_condition;
use crate::destinations::Signal;
use collector_config::{Entry, Errors, Node, Position, Section, Value};
use collector_ottl::{Context, Statement, Text, go_regex, infer_context};
use controllers_api::processor::ProcessorSpec;
use serde_json::Value as Json;
use std::time::Duration;

/// Why a processor is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProcessorError {
    /// The collector has none of its type.
    #[error("spec.type: the collector has no processor {0}: use one of {known}", known = KINDS.map(|(kind, _)| kind).join(", "))]
    UnknownType(String),
    /// `tail_sampling` would be a second one.
    #[error("spec.type: whole traces are sampled by the rules of a Sampling, not by a processor")]
    Sampling,
    /// No signal that it could be for.
    #[error("spec.signals: must be some of TRACES, METRICS, LOGS")]
    Signals,
    /// What samples has nothing to say of data points.
    #[error("spec.signals: probabilistic_sampler takes no metrics: take METRICS out")]
    NoMetrics,
    /// Its settings are not right; all that is wrong.
    #[error("spec.processorConfig: {0}")]
    Settings(String),
}

/// How a processor's settings are read.
type Read = fn(&mut Section<'_, '_>);

/// The processors that a user may choose.
const KINDS: [(&str, Read); 6] = [
    ("attributes", |section| attribute_changes(section, "actions")),
    ("resource", |section| attribute_changes(section, "attributes")),
    ("transform", transform),
    ("filter", filter),
    ("probabilistic_sampler", probabilistic_sampler),
    ("batch", batch),
];

/// The processor of an object that is named `name`.
///
/// # Errors
/// The collector would not take it.
pub fn processor(name: &str, spec: &ProcessorSpec) -> Result<Component, ProcessorError> {
    let kind = spec.r#type.as_str();
    if kind == "tail_sampling" {
        return Err(ProcessorError::Sampling);
    }
    let known = KINDS.iter().find(|(known, _)| *known == kind);
    let (_, read) = known.ok_or_else(|| ProcessorError::UnknownType(kind.escape_debug().to_string()))?;
    let signals: Vec<Signal> = spec
        .signals
        .iter()
        .filter_map(|signal| super::actions::pipeline(*signal))
        .collect();
    if signals.is_empty() {
        return Err(ProcessorError::Signals);
    }
    if kind == "probabilistic_sampler" && signals.contains(&Signal::Metrics) {
        return Err(ProcessorError::NoMetrics);
    }
    let settings = node(&Json::Object(spec.processor_config.clone()));
    let mut errors = Errors::default();
    let mut section = Section::open("", &settings, &mut errors);
    read(&mut section);
    section.finish();
    // What only has no effect is no reason to refuse.
    errors.take_warnings();
    match errors.is_empty() {
        true => Ok(Component {
            id: format!("{kind}/processor_{name}"),
            settings: settings.escaped(),
            signals,
        }),
        false => Err(ProcessorError::Settings(all_of(&errors))),
    }
}

fn all_of(errors: &Errors) -> String {
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    errors.join("; ")
}

/// As the collector would read it out of its YAML, where a dollar is written twice. A single one never begins a reference
/// here: what a user writes reads no variable of the collector's, which hold the secrets of destinations.
fn node(json: &Json) -> Node {
    let value = match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::Int(number),
            None => Value::Float(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::Text(text.replace("$$", "$")),
        Json::Array(elements) => Value::List(elements.iter().map(node).collect()),
        Json::Object(entries) => Value::Map(
            entries
                .iter()
                .map(|(key, value)| Entry {
                    key: key.clone(),
                    position: Position::default(),
                    node: node(value),
                })
                .collect(),
        ),
    };
    value.into()
}

fn attribute_changes(section: &mut Section<'_, '_>, list: &'static str) {
    let changes = section.sections(list, |section| attribute_change(section));
    if changes.is_empty() {
        section.error(list, "is required: what is to be done to the attributes");
    }
}

fn attribute_change(section: &mut Section<'_, '_>) {
    let is_set = |section: &mut Section<'_, '_>, key| section.any(key).is_some_and(|node| node.value != Value::Null);
    let has_value = is_set(section, "value");
    let (from, default) = (
        section.text("from_attribute").is_some(),
        is_set(section, "default_value"),
    );
    let pattern = section.text("pattern").filter(|pattern| !pattern.is_empty());
    let has_type = is_set(section, "converted_type");
    let key = section.text("key").unwrap_or_default();
    let Some(action) = section.required_text("action") else {
        return;
    };
    if key.is_empty() && !(matches!(action, "delete" | "hash") && pattern.is_some()) {
        section.error("key", "is required: the attribute's key");
    }
    if let Some(Err(message)) = pattern.map(go_regex) {
        section.error("pattern", message);
    }
    match action {
        "insert" | "update" | "upsert" if has_value && from => {
            section.error("from_attribute", "must not be there beside value");
        }
        "insert" | "update" | "upsert" if !(has_value || from || default) => {
            section.error("value", "or from_attribute or default_value is required");
        }
        "insert" | "update" | "upsert" if pattern.is_some() || has_type => {
            section.error(
                "",
                format!("pattern and converted_type are not used by the action {action}"),
            );
        }
        "delete" | "hash" | "extract" if has_value || from || has_type => {
            section.error(
                "",
                format!("value, from_attribute and converted_type are not used by the action {action}"),
            );
        }
        "convert" if has_value || from || pattern.is_some() => {
            section.error(
                "",
                "value, from_attribute and pattern are not used by the action convert",
            );
        }
        "extract" => extraction(section, pattern),
        "convert" => {
            let types = [("int", ()), ("double", ()), ("string", ())];
            if section.choice("converted_type", &types).is_none() {
                section.error("converted_type", "must be one of int, double, string");
            }
        }
        "insert" | "update" | "upsert" | "delete" | "hash" => {}
        other => {
            let message = format!(
                "\"{}\" is none of insert, update, upsert, delete, hash, extract, convert",
                other.escape_debug()
            );
            section.error("action", message);
        }
    }
}

fn extraction(section: &mut Section<'_, '_>, pattern: Option<&str>) {
    let Some(pattern) = pattern.map(go_regex) else {
        return section.error("pattern", "is required by the action extract");
    };
    let Ok(pattern) = pattern else { return };
    let groups = pattern.captures_len() - 1;
    if groups == 0 || pattern.capture_names().flatten().count() < groups {
        section.error("pattern", "must have named groups, as (?P<name>.*), and no others");
    }
}

fn error_mode(section: &mut Section<'_, '_>) {
    section.choice("error_mode", &[("ignore", ()), ("silent", ()), ("propagate", ())]);
}

fn transform(section: &mut Section<'_, '_>) {
    error_mode(section);
    for (key, contexts) in [
        ("trace_statements", &TRACES[..]),
        ("metric_statements", &METRICS[..]),
        ("log_statements", &LOGS[..]),
    ] {
        groups(section, key, contexts, true);
    }
}

fn filter(section: &mut Section<'_, '_>) {
    error_mode(section);
    for (key, lists, flat, contexts) in [
        (
            "traces",
            &["resource", "span", "spanevent"][..],
            "trace_conditions",
            &TRACES[..],
        ),
        (
            "metrics",
            &["resource", "metric", "datapoint"],
            "metric_conditions",
            &METRICS[..],
        ),
        ("logs", &["resource", "log_record"], "log_conditions", &LOGS[..]),
    ] {
        section.section(key, |section| {
            for list in lists {
                let name = if *list == "log_record" { "log" } else { list };
                let Some(context) = Context::named(name) else { continue };
                for text in section.texts_list(list) {
                    if let Err(message) = check_condition(context, text) {
                        section.error(list, message);
                    }
                }
            }
        });
        groups(section, flat, contexts, false);
    }
}

const TRACES: [&str; 4] = ["resource", "scope", "span", "spanevent"];
const METRICS: [&str; 4] = ["resource", "scope", "metric", "datapoint"];
const LOGS: [&str; 3] = ["resource", "scope", "log"];

/// A list of texts whose context is found from their paths, or of mappings.
fn groups(section: &mut Section<'_, '_>, key: &'static str, contexts: &[&str], has_statements: bool) {
    let Some(node) = section.any(key) else { return };
    let is_flat = match &node.value {
        Value::List(elements) => elements.iter().all(|element| element.text().is_some()),
        Value::Text(_) => true,
        _ => false,
    };
    if !is_flat {
        section.sections(key, |section| group(section, contexts, has_statements));
        return;
    }
    let texts = section.texts_list(key);
    let written = if has_statements {
        Texts(&[], &texts)
    } else {
        Texts(&texts, &[])
    };
    if let Err(message) = written.check(None, contexts) {
        section.error(key, message);
    }
}

fn group(section: &mut Section<'_, '_>, contexts: &[&str], has_statements: bool) {
    error_mode(section);
    let context = section.text("context");
    let conditions = section.texts_list("conditions");
    let statements = if has_statements {
        section.texts_list("statements")
    } else {
        Vec::new()
    };
    if let Err(message) = Texts(&conditions, &statements).check(context, contexts) {
        section.error("", message);
    }
}

/// Conditions and statements that are evaluated together.
struct Texts<'t>(&'t [&'t str], &'t [&'t str]);

impl Texts<'_> {
    fn check(&self, named: Option<&str>, contexts: &[&str]) -> Result<(), String> {
        let Texts(conditions, statements) = self;
        if conditions.is_empty() && statements.is_empty() {
            return Ok(());
        }
        let context = match named {
            Some(name) => Context::named(name).filter(|_| contexts.contains(&name)),
            None => {
                let conditions = conditions.iter().map(|text| Text::Condition(text));
                let statements = statements.iter().map(|text| Text::Statement(text));
                infer_context(conditions.chain(statements)).map_err(|errors| errors.to_string())?
            }
        };
        let context = context.ok_or_else(|| format!("the context must be one of {}", contexts.join(", ")))?;
        for condition in *conditions {
            check_condition(context, condition)?;
        }
        for statement in *statements {
            Statement::compile(context, statement).map_err(|errors| errors.to_string())?;
        }
        Ok(())
    }
}

fn probabilistic_sampler(section: &mut Section<'_, '_>) {
    section.number_in("sampling_percentage", 0.0..=100.0, 0.0);
    section.count_in("sampling_precision", 1..=14, 4);
    section.choice("mode", &[("hash_seed", ()), ("equalizing", ()), ("proportional", ())]);
    section.count_in("hash_seed", 0..=u64::from(u32::MAX), 0);
    section.flag("fail_closed", true);
    section.choice("attribute_source", &[("traceID", ()), ("record", ())]);
    section.text("from_attribute");
    section.text("sampling_priority");
}

fn batch(section: &mut Section<'_, '_>) {
    let size = section.count("send_batch_size", 8192);
    let most = section.count("send_batch_max_size", 0);
    if most != 0 && most < size {
        section.error("send_batch_max_size", "must not be less than send_batch_size");
    }
    section.bytes("send_batch_max_bytes", 0);
    section.duration("timeout", Duration::from_millis(200));
}
