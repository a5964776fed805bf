//! What a user filled in, checked field by field, and brought into the form that templates take.

use super::definition::{Definition, Field, Format, Input, Signal};
use super::render::{Destination, SecretVariable};
use super::{address, references};
use collector_config::{Node, Value, closest};
use std::collections::BTreeMap;

/// The exporters that a dynamic destination may be; others are not in our collector.
const EXPORTERS: [&str; 6] = ["otlp", "otlphttp", "prometheus", "file", "debug", "nop"];

/// The longest text of a field, in bytes; certificates are the longest.
const MAX_TEXT: usize = 64 * 1024;

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct FieldError {
    /// The key in `spec.data` or in the Secret.
    pub field: String,
    /// What to change.
    pub message: String,
}

/// The checked values by field.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filled {
    values: BTreeMap<String, Filling>,
}

#[derive(Debug, Clone, PartialEq)]
enum Filling {
    Text(String),
    Flag(bool),
    Pairs(Vec<(String, String)>),
    List(Vec<String>),
    /// The server, and whether it is without TLS.
    Grpc(String, bool),
    /// A variable of the collector's environment.
    Variable(String),
    /// Settings in the form that the collector takes.
    Tree(Node),
}

impl Filled {
    /// Whether a checkbox is ticked, or anything else is filled in.
    pub fn is_set(&self, field: &str) -> bool {
        match self.values.get(field) {
            None => false,
            Some(Filling::Flag(flag)) => *flag,
            Some(Filling::Pairs(pairs)) => !pairs.is_empty(),
            Some(Filling::List(texts)) => !texts.is_empty(),
            Some(_) => true,
        }
    }

    /// What stands in a longer text. What a user wrote never begins a reference.
    pub fn text(&self, field: &str) -> Option<String> {
        if let Some(server) = field.strip_suffix(".insecure") {
            return match self.values.get(server)? {
                Filling::Grpc(_, insecure) => Some(insecure.to_string()),
                _ => None,
            };
        }
        if let Some(url) = field.strip_suffix(".domain") {
            return match self.values.get(url)? {
                Filling::Text(url) => address::domain(url).map(str::to_owned),
                _ => None,
            };
        }
        match self.values.get(field)? {
            Filling::Text(text) | Filling::Grpc(text, _) => Some(escape(text)),
            Filling::Flag(flag) => Some(flag.to_string()),
            Filling::Variable(name) => Some(format!("${{env:{name}}}")),
            Filling::List(texts) => Some(escape(&texts.join(","))),
            Filling::Pairs(_) | Filling::Tree(_) => None,
        }
    }

    /// What stands alone.
    pub fn node(&self, field: &str) -> Option<Node> {
        if let Some(server) = field.strip_suffix(".insecure") {
            return match self.values.get(server)? {
                Filling::Grpc(_, insecure) => Some((*insecure).into()),
                _ => None,
            };
        }
        match self.values.get(field)? {
            Filling::Flag(flag) => Some((*flag).into()),
            Filling::Pairs(pairs) => {
                let entries: Vec<_> = pairs
                    .iter()
                    .map(|(key, value)| (key.as_str(), escape(value).into()))
                    .collect();
                (!entries.is_empty()).then(|| Node::map(entries))
            }
            Filling::List(texts) => Some(Node::list(texts.iter().map(|text| escape(text).into()))),
            Filling::Tree(node) => Some(node.clone()),
            _ => self.text(field).map(Node::from),
        }
    }
}

/// Every `$` doubled, which the collector reads as one.
fn escape(text: &str) -> String {
    text.replace('$', "$$")
}

/// Checks all fields; `signals` are those that are sent. The variables are those that the collector must be given.
pub(super) fn fill(
    definition: &Definition,
    destination: &Destination,
    signals: &[Signal],
) -> Result<(Filled, Vec<SecretVariable>), Vec<FieldError>> {
    let mut form = Form {
        destination,
        signals,
        filled: Filled::default(),
        variables: Vec::new(),
        errors: Vec::new(),
    };
    for field in &definition.fields {
        form.fill(field);
    }
    form.refuse_unknown(definition);
    if form.errors.is_empty() {
        Ok((form.filled, form.variables))
    } else {
        Err(form.errors)
    }
}

struct Form<'a> {
    destination: &'a Destination,
    signals: &'a [Signal],
    filled: Filled,
    variables: Vec<SecretVariable>,
    errors: Vec<FieldError>,
}

impl Form<'_> {
    fn fill(&mut self, field: &Field) {
        if !self.is_asked_for(field) {
            return;
        }
        let filling = if field.secret {
            self.secret(field)
        } else {
            self.value(field)
        };
        match filling {
            Ok(Some(filling)) => {
                self.filled.values.insert(field.name.clone(), filling);
            }
            Ok(None) if field.required => {
                let place = if field.secret {
                    "the Secret that secretRef names"
                } else {
                    "data"
                };
                self.error(&field.name, format!("is required: set it in {place}"));
            }
            Ok(None) => {}
            Err(message) => self.error(&field.name, message),
        }
    }

    fn is_asked_for(&self, field: &Field) -> bool {
        let for_signals =
            field.shown_for.is_empty() || field.shown_for.iter().any(|signal| self.signals.contains(signal));
        for_signals
            && field
                .shown_if
                .as_ref()
                .is_none_or(|condition| condition.holds(&self.filled))
    }

    fn error(&mut self, field: &str, message: impl Into<String>) {
        self.errors.push(FieldError {
            field: field.to_owned(),
            message: message.into(),
        });
    }

    fn secret(&mut self, field: &Field) -> Result<Option<Filling>, String> {
        if self
            .destination
            .data
            .get(&field.name)
            .is_some_and(|text| !text.is_empty())
        {
            return Err("is a secret: take it out of data and put it into the Secret that secretRef names".to_owned());
        }
        Ok(self.kept_in_secret(&field.name))
    }

    /// The variable for a key of the Secret, if it is there.
    fn kept_in_secret(&mut self, key: &str) -> Option<Filling> {
        let secret = self.destination.secret.as_ref();
        let secret = secret.filter(|secret| secret.keys.contains(key))?;
        let variable = SecretVariable {
            variable: variable(&self.destination.name, key),
            secret: secret.name.clone(),
            key: key.to_owned(),
        };
        if !self.variables.contains(&variable) {
            self.variables.push(variable.clone());
        }
        Some(Filling::Variable(variable.variable))
    }

    fn value(&mut self, field: &Field) -> Result<Option<Filling>, String> {
        let written = self.destination.data.get(&field.name).map(String::as_str);
        let written = written.map(str::trim).filter(|text| !text.is_empty());
        // What manifests have in the open may be kept in the Secret, where nothing has to be made of it.
        if written.is_none() && field.input == Input::Line && field.format == Format::Text {
            let kept = self.kept_in_secret(&field.name);
            if kept.is_some() {
                return Ok(kept);
            }
        }
        let Some(text) = written.or(field.initial.as_deref()).filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        if text.len() > MAX_TEXT {
            return Err(format!("is longer than {MAX_TEXT} bytes"));
        }
        if let Format::Url(url) = &field.format
            && let Some(checkbox) = &url.https_if
            && self.is_ticked(checkbox)
        {
            let url = one_line(text).and_then(|text| url.read_https(text, checkbox));
            return url.map(|url| Some(Filling::Text(url)));
        }
        if field.format == Format::Yaml {
            return self.settings(text).map(Some);
        }
        match field.input {
            Input::Line => one_line(text).and_then(|text| formatted(text, &field.format)),
            Input::Lines => formatted(text, &field.format),
            Input::Dropdown => one_line(text).and_then(|text| chosen(text, field)),
            Input::Checkbox => flag(text),
            Input::KeyValuePairs => pairs(text).map(Filling::Pairs),
            Input::List => list(text).map(Filling::List),
        }
        .map(Some)
    }

    fn is_ticked(&self, checkbox: &str) -> bool {
        let written = self.destination.data.get(checkbox);
        written.is_some_and(|text| flag(text.trim()) == Ok(Filling::Flag(true)))
    }

    /// A user's own settings, whose references are to the keys of the destination's Secret.
    fn settings(&mut self, text: &str) -> Result<Filling, String> {
        let node = Node::parse(text, "").map_err(|errors| format!("is no YAML: {errors}"))?;
        if !matches!(node.value, Value::Map(_)) {
            return Err(format!("expected a mapping of settings, found {}", node.value.kind()));
        }
        let resolved = references::resolve(&node, &mut |key| self.reference(key))?;
        Ok(Filling::Tree(resolved))
    }

    /// The variable for a key of the Secret.
    fn reference(&mut self, key: &str) -> Result<String, String> {
        if !is_variable(key) {
            return Err(format!(
                "refers to \"{}\": a key can be referred to if it consists of letters, digits and single underscores",
                key.escape_debug()
            ));
        }
        match self.kept_in_secret(key) {
            Some(Filling::Variable(name)) => Ok(name),
            _ => Err(format!(
                "refers to {key}, which is no key of the Secret that secretRef names: add it there, or write $$ for a $"
            )),
        }
    }

    fn refuse_unknown(&mut self, definition: &Definition) {
        let unknown = self
            .destination
            .data
            .keys()
            .filter(|key| definition.field(key).is_none());
        let messages: Vec<_> = unknown
            .map(|key| {
                let names = definition.fields.iter().map(|field| field.name.as_str());
                let hint = closest(key, names).map_or_else(String::new, |name| format!("; did you mean {name}?"));
                (
                    key.clone(),
                    format!("is no field of the type {}{hint}", definition.kind),
                )
            })
            .collect();
        for (key, message) in messages {
            self.error(&key, message);
        }
    }
}

/// The collector's variable for a secret. No two destinations and fields share one: names of objects are lower case and end
/// in no hyphen, and names of fields hold no two underscores in a row.
fn variable(destination: &str, field: &str) -> String {
    let mut name = String::from("DESTINATION_");
    for c in destination.chars() {
        match c {
            '-' => name.push('_'),
            '.' => name.push_str("_dot_"),
            c => name.push(c.to_ascii_uppercase()),
        }
    }
    name + "__" + field
}

/// Whether [`variable`] keeps a key apart from all others.
fn is_variable(key: &str) -> bool {
    key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !key.starts_with('_') && !key.contains("__")
}

fn one_line(text: &str) -> Result<&str, String> {
    if text.chars().any(char::is_control) {
        return Err("must be one line without control characters".to_owned());
    }
    Ok(text)
}

fn chosen(text: &str, field: &Field) -> Result<Filling, String> {
    if field.is_open || field.values.is_empty() || field.values.iter().any(|value| value == text) {
        return formatted(text, &field.format);
    }
    Err(format!("\"{text}\" is none of {}", field.values.join(", ")))
}

fn flag(text: &str) -> Result<Filling, String> {
    match text.to_ascii_lowercase().as_str() {
        // The other two are what older manifests say.
        "true" | "yes" => Ok(Filling::Flag(true)),
        "false" | "no" => Ok(Filling::Flag(false)),
        _ => Err(format!("\"{text}\" is neither \"true\" nor \"false\"")),
    }
}

/// `[{"key": "a", "value": "b"}]`, as a form writes it, or `{"a": "b"}`, as a person does.
fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let expected =
        || "expected JSON such as [{\"key\": \"name\", \"value\": \"text\"}] or {\"name\": \"text\"}".to_owned();
    let json: serde_json::Value = serde_json::from_str(text).map_err(|_| expected())?;
    let pairs: Option<Vec<(String, String)>> = match &json {
        serde_json::Value::Object(map) => map
            .iter()
            .map(|(key, value)| Some((key.clone(), scalar(value)?)))
            .collect(),
        serde_json::Value::Array(list) => list
            .iter()
            .map(|pair| Some((pair.get("key")?.as_str()?.to_owned(), scalar(pair.get("value")?)?)))
            .collect(),
        _ => None,
    };
    let mut pairs = pairs.ok_or_else(expected)?;
    // A row of the form that was left empty.
    pairs.retain(|(key, value)| !(key.is_empty() && value.is_empty()));
    for (index, (key, value)) in pairs.iter().enumerate() {
        one_line(key).and(one_line(value))?;
        if key.is_empty() {
            return Err(format!("the value \"{value}\" has no key"));
        }
        if pairs[..index]
            .iter()
            .any(|(earlier, _)| earlier.eq_ignore_ascii_case(key))
        {
            return Err(format!("the key \"{key}\" is there twice"));
        }
    }
    Ok(pairs)
}

fn scalar(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        serde_json::Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn list(text: &str) -> Result<Vec<String>, String> {
    serde_json::from_str(text).map_err(|_| "expected a JSON list of texts, such as [\"a\", \"b\"]".to_owned())
}

fn formatted(text: &str, format: &Format) -> Result<Filling, String> {
    match format {
        Format::Text => Ok(Filling::Text(text.to_owned())),
        Format::Url(url) => url.read(text).map(Filling::Text),
        Format::Grpc(grpc) => grpc
            .read(text)
            .map(|(server, insecure)| Filling::Grpc(server, insecure)),
        Format::Host(endings) => address::host(text, endings).map(Filling::Text),
        Format::Pem if text.contains("-----BEGIN CERTIFICATE-----") => Ok(Filling::Text(text.to_owned())),
        Format::Pem => Err("is no certificate: expected PEM, which begins with -----BEGIN CERTIFICATE-----".to_owned()),
        Format::ExporterType if EXPORTERS.contains(&text) => Ok(Filling::Text(text.to_owned())),
        Format::ExporterType => Err(format!(
            "the collector has no exporter \"{text}\"; it has {}",
            EXPORTERS.join(", ")
        )),
        // Read where the Secret is known.
        Format::Yaml => Err("is no line of text".to_owned()),
    }
}
