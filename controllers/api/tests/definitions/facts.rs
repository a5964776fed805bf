//! `tests/facts.txt` and the schemas of the definitions, both as fields by their path.

use serde_json::Value;
use std::collections::BTreeMap;

/// What is known of a kind.
#[derive(Debug, Default)]
pub struct Kind {
    pub group: String,
    pub kind: String,
    pub plural: String,
    pub singular: String,
    pub short: Vec<String>,
    pub columns: Vec<(String, String)>,
    pub fields: BTreeMap<String, Field>,
}

/// A field, with everything that decides whether a manifest is accepted and what becomes of it. Numbers as text.
#[derive(Debug, Default, PartialEq)]
pub struct Field {
    pub kind: String,
    pub required: bool,
    /// Everything else by name: enum, default, bounds.
    pub more: BTreeMap<String, String>,
}

const MORE: [&str; 7] = [
    "default",
    "enum",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
];

pub fn read() -> Vec<Kind> {
    let mut kinds: Vec<Kind> = Vec::new();
    let mut parents: Vec<String> = Vec::new();
    let lines = include_str!("../facts.txt").lines();
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(rest) = line.strip_prefix("kind ") {
            kinds.push(kind(rest));
        } else if let Some(rest) = line.strip_prefix("column ") {
            let (name, path) = rest.split_once(' ').unwrap();
            kinds.last_mut().unwrap().columns.push((name.into(), path.into()));
        } else {
            let depth = (line.len() - line.trim_start().len()) / 2;
            let (name, rest) = line.trim_start().split_once(": ").unwrap();
            parents.truncate(depth);
            parents.push(name.trim_end_matches('*').to_owned());
            let field = field(name.ends_with('*'), rest);
            kinds.last_mut().unwrap().fields.insert(parents.join("."), field);
        }
    }
    kinds
}

fn kind(line: &str) -> Kind {
    let words: Vec<&str> = line.split(' ').collect();
    let short = words.get(4).and_then(|word| word.strip_prefix("short="));
    Kind {
        group: words[0].into(),
        kind: words[1].into(),
        plural: words[2].into(),
        singular: words[3].into(),
        short: short
            .into_iter()
            .flat_map(|names| names.split(','))
            .map(str::to_owned)
            .collect(),
        ..Kind::default()
    }
}

/// `string[] enum=A|B` and the like. A format only counts where it decides something.
fn field(required: bool, text: &str) -> Field {
    let mut words = text.split(' ');
    let kind = words.next().unwrap().to_owned();
    let pairs = words.filter_map(|word| word.split_once('='));
    let mut field = Field {
        kind,
        required,
        ..Field::default()
    };
    for (name, value) in pairs {
        match name {
            "format" if value == "date-time" => field.kind = value.to_owned(),
            "format" => {}
            _ => {
                field.more.insert(name.into(), value.trim_matches('\'').into());
            }
        }
    }
    field
}

/// The fields of `spec` and `status`.
pub fn of_schema(root: &Value) -> BTreeMap<String, Field> {
    let mut fields = BTreeMap::new();
    for part in ["spec", "status"] {
        walk(part.to_owned(), &root["properties"][part], false, &mut fields);
    }
    fields
}

fn walk(path: String, schema: &Value, required: bool, fields: &mut BTreeMap<String, Field>) {
    let is_array = schema["type"] == "array";
    let one = if is_array { &schema["items"] } else { schema };
    let mut kind = name_of(one);
    if is_array {
        kind += "[]";
    }
    let mut more = BTreeMap::new();
    for name in MORE {
        let value = match name {
            "enum" => &one[name],
            _ => &schema[name],
        };
        if !value.is_null() {
            more.insert(name.to_owned(), text(value));
        }
    }
    fields.insert(path.clone(), Field { kind, required, more });
    // What a condition consists of is Kubernetes' own affair.
    if path.ends_with(".conditions") {
        return;
    }
    let needed = one["required"].as_array().cloned().unwrap_or_default();
    for (name, schema) in one["properties"].as_object().into_iter().flatten() {
        walk(
            format!("{path}.{name}"),
            schema,
            needed.iter().any(|it| it == name),
            fields,
        );
    }
}

fn name_of(schema: &Value) -> String {
    if schema["x-kubernetes-preserve-unknown-fields"] == true {
        return "object(any)".to_owned();
    }
    if schema["format"] == "date-time" {
        return "date-time".to_owned();
    }
    match &schema["additionalProperties"] {
        Value::Object(values) => match values.get("type").and_then(Value::as_str) {
            Some(kind) => format!("map<{kind}>"),
            None => "map<None>".to_owned(),
        },
        _ => schema["type"].as_str().unwrap_or("nothing").to_owned(),
    }
}

/// `1.0` and `1` are one number.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_f64().unwrap().to_string(),
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join("|"),
        other => other.to_string(),
    }
}
