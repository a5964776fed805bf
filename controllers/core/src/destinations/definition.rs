//! What a destination's file says.

use super::address::{GrpcFormat, UrlFormat};
use super::condition::Condition;
use collector_config::{Errors, Node, Section, Value};
use std::fmt;

/// What is sent. Unlike a collector's pipeline, a destination may take profiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Data points.
    Metrics,
    /// Log records.
    Logs,
    /// Profiles.
    Profiles,
}

/// Who runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    /// A vendor.
    Managed,
    /// The user.
    SelfHosted,
}

/// A kind of destination.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// `spec.type` of a Destination.
    pub kind: String,
    /// What a person calls it.
    pub display_name: String,
    /// Who runs it.
    pub category: Category,
    /// What it takes.
    pub signals: Vec<Signal>,
    /// Where the facts come from: public documentation.
    pub sources: Vec<String>,
    /// What a person should know who tries it out.
    pub hint: Option<String>,
    /// What a user fills in.
    pub fields: Vec<Field>,
    /// What comes of it.
    pub support: Support,
}

/// What a user fills in.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The key in `spec.data`, or in the Secret.
    pub name: String,
    /// What a person calls it.
    pub label: String,
    /// How it is asked for.
    pub input: Input,
    /// Whether it must be filled in, if it is asked for.
    pub required: bool,
    /// Whether it belongs in the Secret.
    pub secret: bool,
    /// What it is if it is not filled in.
    pub initial: Option<String>,
    /// The choices of a dropdown. Empty where any value is taken.
    pub values: Vec<String>,
    /// Whether the choices are those that were known, and others of the format are taken too.
    pub is_open: bool,
    /// When it is asked for.
    pub shown_if: Option<Condition>,
    /// When it is asked for: for one of the signals.
    pub shown_for: Vec<Signal>,
    /// What its text must be.
    pub format: Format,
}

/// How a field is asked for, and so what its text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// One line.
    Line,
    /// Several lines.
    Lines,
    /// One of several words.
    Dropdown,
    /// `true` or `false`.
    Checkbox,
    /// Names and values, as a JSON list of `{key, value}` or a JSON object.
    KeyValuePairs,
    /// A JSON list of texts.
    List,
}

/// What the text of a field must be, and what is made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// As it is.
    Text,
    /// A URL. The template's `{{FIELD.domain}}` is the domain that its host is in.
    Url(UrlFormat),
    /// The server of gRPC. The template's `{{FIELD.insecure}}` says whether it is without TLS.
    Grpc(GrpcFormat),
    /// A host without scheme, port and path, or a part of one, without these endings.
    Host(Vec<String>),
    /// Certificates, as PEM.
    Pem,
    /// The type of an exporter of our collector.
    ExporterType,
    /// A mapping, as YAML, that may refer to the Secret's keys.
    Yaml,
}

/// What comes of what was filled in.
#[derive(Debug, Clone, PartialEq)]
pub enum Support {
    /// Components of the collector.
    Rendered {
        /// Such as those that authenticate.
        extensions: Vec<Piece>,
        /// What its pipelines do before they send.
        processors: Vec<Piece>,
        /// Where it is sent.
        exporters: Vec<Piece>,
        /// What is filled in rightly and yet cannot be done.
        refusals: Vec<Refusal>,
        /// Signals of the destination that cannot be sent yet, with the way around.
        without: Vec<(Signal, String)>,
    },
    /// Nothing yet; the way around, as a sentence without its full stop.
    NotSupported(String),
}

/// A component of the template.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// Its type; of an exporter it may be a field.
    pub kind: String,
    /// What it is told by from others of the same type.
    pub suffix: Option<String>,
    /// When it is there.
    pub when: Option<Condition>,
    /// What it is there for; empty for all.
    pub signals: Vec<Signal>,
    /// Its settings, with placeholders.
    pub settings: Node,
}

/// What cannot be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// When.
    pub when: Condition,
    /// What to do instead, as a sentence without its full stop.
    pub message: String,
}

impl Signal {
    /// All of them, with their names.
    pub const ALL: [(&'static str, Signal); 4] = [
        ("traces", Signal::Traces),
        ("metrics", Signal::Metrics),
        ("logs", Signal::Logs),
        ("profiles", Signal::Profiles),
    ];

    /// The pipeline that carries it.
    pub fn pipeline(self) -> Option<collector_config::Signal> {
        match self {
            Signal::Traces => Some(collector_config::Signal::Traces),
            Signal::Metrics => Some(collector_config::Signal::Metrics),
            Signal::Logs => Some(collector_config::Signal::Logs),
            Signal::Profiles => None,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, _) = Signal::ALL[*self as usize];
        f.write_str(name)
    }
}

impl Piece {
    /// Whether it is there for `signal`.
    pub fn is_for(&self, signal: Signal) -> bool {
        self.signals.is_empty() || self.signals.contains(&signal)
    }
}

impl Definition {
    /// Reads a file; `name` is what errors call it.
    pub fn parse(text: &str, name: &str) -> Result<Definition, Errors> {
        let node = Node::parse(text, name)?;
        let mut errors = Errors::default();
        let mut section = Section::open("", &node, &mut errors);
        let definition = read(&mut section);
        section.finish();
        errors.unless_any(definition)
    }

    /// A field by its name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

fn read(section: &mut Section<'_, '_>) -> Definition {
    let categories = [("managed", Category::Managed), ("self hosted", Category::SelfHosted)];
    let category = section.choice("category", &categories);
    if category.is_none() {
        section.error("category", "is required");
    }
    let signals = signals(section, "signals");
    if signals.is_empty() {
        section.error("signals", "at least one is required");
    }
    Definition {
        kind: owned(section, "type"),
        display_name: owned(section, "display_name"),
        category: category.unwrap_or(Category::Managed),
        signals,
        sources: texts(section, "sources"),
        hint: section.text("hint").map(str::to_owned),
        fields: section.sections("fields", field),
        support: support(section),
    }
}

fn texts(section: &mut Section<'_, '_>, key: &'static str) -> Vec<String> {
    section.texts_list(key).into_iter().map(str::to_owned).collect()
}

fn owned_pair((key, value): (&str, &str)) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

fn owned(section: &mut Section<'_, '_>, key: &'static str) -> String {
    section.required_text(key).unwrap_or_default().to_owned()
}

fn field(section: &mut Section<'_, '_>) -> Field {
    let inputs = [
        ("input", Input::Line),
        ("textarea", Input::Lines),
        ("dropdown", Input::Dropdown),
        ("checkbox", Input::Checkbox),
        ("keyValuePairs", Input::KeyValuePairs),
        ("multiInput", Input::List),
    ];
    let input = section.choice("input", &inputs);
    if input.is_none() {
        section.error("input", "is required");
    }
    Field {
        name: owned(section, "name"),
        label: owned(section, "label"),
        input: input.unwrap_or(Input::Line),
        required: section.flag("required", false),
        secret: section.flag("secret", false),
        initial: section.text("initial").map(str::to_owned),
        values: texts(section, "values"),
        is_open: section.flag("open", false),
        shown_if: section.text("shown_if").map(Condition::parse),
        shown_for: signals(section, "shown_for"),
        format: section.section("format", format),
    }
}

fn format(section: &mut Section<'_, '_>) -> Format {
    let kinds = ["text", "url", "grpc", "host", "pem", "exporter_type", "yaml"].map(|kind| (kind, kind));
    let kind = section.choice("kind", &kinds).unwrap_or("text");
    let schemes = [("http", "http"), ("https", "https")];
    let scheme = section.choice("scheme", &schemes).unwrap_or("https").to_owned();
    let port = section.optional_count("port").and_then(|port| u16::try_from(port).ok());
    let cut = texts(section, "cut");
    let is_secure = section.flag("secure", false);
    match kind {
        "url" => Format::Url(UrlFormat {
            scheme,
            port,
            port_of: texts(section, "port_of"),
            cut,
            turn: section.texts("turn").into_iter().map(owned_pair).collect(),
            otherwise: section.text("otherwise").unwrap_or_default().to_owned(),
            https_if: section.text("https_if").map(str::to_owned),
            is_secure,
        }),
        "grpc" => Format::Grpc(GrpcFormat {
            scheme,
            port: port.unwrap_or(4317),
            cut,
            is_secure,
        }),
        "host" => Format::Host(cut),
        "pem" => Format::Pem,
        "exporter_type" => Format::ExporterType,
        "yaml" => Format::Yaml,
        _ => Format::Text,
    }
}

fn support(section: &mut Section<'_, '_>) -> Support {
    let around = section.text("not_supported").map(str::to_owned);
    let exporters = section.sections("exporters", piece);
    let extensions = section.sections("extensions", piece);
    let processors = section.sections("processors", piece);
    let refusals = section.sections("refusals", |refusal| Refusal {
        when: Condition::parse(refusal.required_text("if").unwrap_or_default()),
        message: owned(refusal, "message"),
    });
    let without: Vec<_> = section.texts("without").into_iter().map(owned_pair).collect();
    let known = |name: &str| {
        Signal::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, signal)| *signal)
    };
    let without: Vec<_> = without
        .into_iter()
        .filter_map(|(name, around)| {
            let signal = known(&name);
            if signal.is_none() {
                section.error("without", format!("\"{name}\" is no signal"));
            }
            Some((signal?, around))
        })
        .collect();
    match (around, exporters.is_empty()) {
        (Some(around), true) => return Support::NotSupported(around),
        (Some(_), false) => section.error("not_supported", "stands beside exporters"),
        (None, true) => section.error("exporters", "are required, or not_supported with the way around"),
        (None, false) => {}
    }
    Support::Rendered {
        extensions,
        processors,
        exporters,
        refusals,
        without,
    }
}

fn piece(section: &mut Section<'_, '_>) -> Piece {
    Piece {
        kind: owned(section, "type"),
        suffix: section.text("suffix").map(str::to_owned),
        when: section.text("if").map(Condition::parse),
        signals: signals(section, "signals"),
        settings: section.any("settings").cloned().unwrap_or_else(|| Value::Null.into()),
    }
}

fn signals(section: &mut Section<'_, '_>, key: &'static str) -> Vec<Signal> {
    let names = section.texts_list(key);
    let mut signals = Vec::new();
    for name in names {
        match Signal::ALL.iter().find(|(known, _)| *known == name) {
            Some((_, signal)) => signals.push(*signal),
            None => section.error(key, format!("\"{name}\" is none of traces, metrics, logs, profiles")),
        }
    }
    signals
}
