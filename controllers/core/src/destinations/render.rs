//! From a destination to the components that send to it.

use super::condition::Condition;
use super::definition::{Definition, Piece, Signal, Support};
use super::fields::{self, FieldError, Filled};
use super::{find, template};
use collector_config::{Node, Value, closest};
use std::collections::{BTreeMap, BTreeSet};

/// What a user wrote, as the `Destination` object has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Destination {
    /// The object's name.
    pub name: String,
    /// `spec.type`.
    pub kind: String,
    /// `spec.signals`.
    pub signals: Vec<Signal>,
    /// `spec.data`.
    pub data: BTreeMap<String, String>,
    /// `spec.secretRef`, if the Secret is there.
    pub secret: Option<SecretReference>,
}

/// A Secret, without its values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecretReference {
    /// Its name.
    pub name: String,
    /// The keys that have a value which is not empty.
    pub keys: BTreeSet<String>,
}

/// A variable that the collector's container must be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretVariable {
    /// Its name.
    pub variable: String,
    /// The Secret that holds its value.
    pub secret: String,
    /// The key of its value in there.
    pub key: String,
}

/// What a destination adds to a configuration.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rendered {
    /// Extensions by id.
    pub extensions: Vec<(String, Node)>,
    /// Processors by id, with the signals whose pipelines have them, in their order.
    pub processors: Vec<Exporter>,
    /// Exporters.
    pub exporters: Vec<Exporter>,
    /// What the collector's container must be given.
    pub secrets: Vec<SecretVariable>,
    /// Signals that the destination asks for and that are not sent, with the way around.
    pub without: Vec<(Signal, String)>,
}

/// A component of a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Exporter {
    /// Its id.
    pub id: String,
    /// Its settings.
    pub settings: Node,
    /// The pipelines that it is in.
    pub signals: Vec<Signal>,
}

/// Why nothing is sent to a destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// There is no such type.
    #[error("there is no destination of the type \"{kind}\"{hint}")]
    UnknownType {
        /// What was written.
        kind: String,
        /// What may have been meant.
        hint: String,
    },
    /// The collector has no exporter for it.
    #[error("{display_name} is not supported yet: {around}")]
    NotSupported {
        /// What a person calls the destination.
        display_name: String,
        /// What to do instead.
        around: String,
    },
    /// No signal is asked for.
    #[error("no signal is chosen: set signals to some of {0}")]
    NoSignals(String),
    /// The destination does not take a signal that is asked for.
    #[error("{display_name} takes no {signal}: take it out of signals, which may be {taken}")]
    Signal {
        /// What a person calls the destination.
        display_name: String,
        /// What it does not take.
        signal: Signal,
        /// What it takes.
        taken: String,
    },
    /// What was filled in is not right; all that is wrong.
    #[error("{}", .0.iter().map(FieldError::to_string).collect::<Vec<_>>().join("; "))]
    Fields(Vec<FieldError>),
}

/// The components for a destination, or why there are none.
pub fn render(destination: &Destination) -> Result<Rendered, RenderError> {
    let definition = find(&destination.kind).ok_or_else(|| unknown(&destination.kind))?;
    render_as(definition, destination)
}

fn unknown(kind: &str) -> RenderError {
    let kinds = super::all().map(|definition| definition.kind.as_str());
    RenderError::UnknownType {
        kind: kind.to_owned(),
        hint: closest(kind, kinds).map_or_else(String::new, |kind| format!("; did you mean \"{kind}\"?")),
    }
}

/// As [`render`], for a definition that is at hand.
pub(super) fn render_as(definition: &Definition, destination: &Destination) -> Result<Rendered, RenderError> {
    let Support::Rendered {
        extensions,
        processors,
        exporters,
        refusals,
        without,
    } = &definition.support
    else {
        return Err(not_supported(definition));
    };
    let (signals, without) = signals(definition, destination, without)?;
    let (filled, secrets) = fields::fill(definition, destination, &signals).map_err(RenderError::Fields)?;
    let refused: Vec<FieldError> = refusals
        .iter()
        .filter(|refusal| refusal.when.holds(&filled))
        .map(|refusal| FieldError {
            field: refusal.when.fields().next().unwrap_or_default().to_owned(),
            message: refusal.message.clone(),
        })
        .collect();
    if !refused.is_empty() {
        return Err(RenderError::Fields(refused));
    }
    let make = |pieces: &[Piece]| -> Vec<Exporter> {
        let pieces = pieces.iter();
        pieces
            .filter_map(|piece| component(piece, &destination.name, &filled, &signals))
            .collect()
    };
    let exporters = make(exporters);
    let mut wrong: Vec<FieldError> = exporters
        .iter()
        .flat_map(|made| header_errors(&made.settings))
        .collect();
    wrong.extend(unserved(&signals, &exporters));
    let extensions = make(extensions);
    wrong.extend(extensions.iter().filter_map(|made| user_error(&made.settings)));
    if !wrong.is_empty() {
        return Err(RenderError::Fields(wrong));
    }
    Ok(Rendered {
        extensions: extensions.into_iter().map(|made| (made.id, made.settings)).collect(),
        processors: make(processors),
        exporters,
        secrets,
        without,
    })
}

fn not_supported(definition: &Definition) -> RenderError {
    let around = match &definition.support {
        Support::NotSupported(around) => around.clone(),
        Support::Rendered { .. } => String::new(),
    };
    RenderError::NotSupported {
        display_name: definition.display_name.clone(),
        around,
    }
}

/// Those that are sent, and those that cannot be.
type Signals = (Vec<Signal>, Vec<(Signal, String)>);

fn signals(
    definition: &Definition,
    destination: &Destination,
    without: &[(Signal, String)],
) -> Result<Signals, RenderError> {
    let taken = || {
        let names: Vec<String> = definition.signals.iter().map(Signal::to_string).collect();
        names.join(", ")
    };
    let asked: BTreeSet<Signal> = destination.signals.iter().copied().collect();
    if asked.is_empty() {
        return Err(RenderError::NoSignals(taken()));
    }
    if let Some(signal) = asked.iter().find(|signal| !definition.signals.contains(signal)) {
        return Err(RenderError::Signal {
            display_name: definition.display_name.clone(),
            signal: *signal,
            taken: taken(),
        });
    }
    let around = |signal: &Signal| without.iter().find(|(other, _)| other == signal);
    let left_out: Vec<_> = asked.iter().filter_map(around).cloned().collect();
    let sent: Vec<_> = asked
        .iter()
        .copied()
        .filter(|signal| around(signal).is_none())
        .collect();
    if sent.is_empty() {
        let ways: Vec<String> = left_out
            .iter()
            .map(|(signal, around)| format!("{signal}: {around}"))
            .collect();
        return Err(RenderError::NotSupported {
            display_name: definition.display_name.clone(),
            around: ways.join("; "),
        });
    }
    Ok((sent, left_out))
}

/// The component of a piece, or nothing where it is not wanted.
fn component(piece: &Piece, name: &str, filled: &Filled, signals: &[Signal]) -> Option<Exporter> {
    let signals: Vec<Signal> = signals.iter().copied().filter(|signal| piece.is_for(*signal)).collect();
    if signals.is_empty() || piece.when.as_ref().is_some_and(|when| !when.holds(filled)) {
        return None;
    }
    let kind = template::expand_line(&piece.kind, filled)?;
    let suffix = piece
        .suffix
        .as_deref()
        .map_or_else(String::new, |suffix| format!("_{suffix}"));
    let settings = with_id(&piece.settings, name);
    let settings = template::expand(&settings, filled).unwrap_or_else(|| Value::Null.into());
    Some(Exporter {
        id: format!("{kind}/{name}{suffix}"),
        settings,
        signals,
    })
}

/// Signals that are asked for and have no exporter, for want of a field that others do without.
fn unserved(signals: &[Signal], exporters: &[Exporter]) -> Vec<FieldError> {
    let is_served = |signal: &Signal| exporters.iter().any(|exporter| exporter.signals.contains(signal));
    let unserved = signals.iter().filter(|signal| !is_served(signal));
    let error = |signal: &Signal| FieldError {
        field: "signals".to_owned(),
        message: format!("what {signal} need is not filled in: fill it in, or take {signal} out"),
    };
    unserved.map(error).collect()
}

/// A user's name with a colon, which basic authentication cannot say (RFC 7617).
fn user_error(settings: &Node) -> Option<FieldError> {
    let child = |node: &Node, key: &str| match &node.value {
        Value::Map(entries) => entries
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| entry.node.clone()),
        _ => None,
    };
    let user = child(&child(settings, "client_auth")?, "username")?;
    let is_wrong = user
        .text()
        .is_some_and(|user| user.contains(':') && !user.starts_with("${env:"));
    is_wrong.then(|| FieldError {
        field: "user name".to_owned(),
        message: "must be without a colon".to_owned(),
    })
}

/// One bad header would make the collector refuse the configuration of all destinations.
fn header_errors(settings: &Node) -> Vec<FieldError> {
    let Value::Map(entries) = &settings.value else {
        return Vec::new();
    };
    let headers = entries.iter().find(|entry| entry.key == "headers");
    let Some(Value::Map(headers)) = headers.map(|entry| &entry.node.value) else {
        return Vec::new();
    };
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let wrong = headers.iter().filter_map(|header| {
        let value = header.node.text().unwrap_or_default();
        let message = if header.key.is_empty() || !header.key.chars().all(is_token) {
            "the name must consist of letters, digits and hyphens"
        } else if !value.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
            "the value must consist of printable ASCII characters"
        } else {
            return None;
        };
        Some(FieldError {
            field: format!("header \"{}\"", header.key.escape_debug()),
            message: message.to_owned(),
        })
    });
    wrong.collect()
}

/// `{{.name}}` stands for the destination's name, for what refers to another piece of it.
fn with_id(node: &Node, name: &str) -> Node {
    let value = match &node.value {
        Value::Text(text) => Value::Text(text.replace("{{.name}}", name)),
        Value::List(nodes) => Value::List(nodes.iter().map(|node| with_id(node, name)).collect()),
        Value::Map(entries) => {
            return Node::map(
                entries
                    .iter()
                    .map(|entry| (entry.key.as_str(), with_id(&entry.node, name))),
            );
        }
        _ => return node.clone(),
    };
    value.into()
}

/// What a definition's template refers to and has no field for: a mistake in its file.
pub fn dangling(definition: &Definition) -> Vec<String> {
    let Support::Rendered {
        extensions,
        processors,
        exporters,
        refusals,
        ..
    } = &definition.support
    else {
        return Vec::new();
    };
    let mut names: Vec<String> = refusals.iter().flat_map(|refusal| fields_of(&refusal.when)).collect();
    for piece in extensions.iter().chain(processors).chain(exporters) {
        template::references(&piece.settings, &mut names);
        names.extend(piece.when.iter().flat_map(fields_of));
        names.extend(template::names(&piece.kind));
    }
    names.extend(
        definition
            .fields
            .iter()
            .flat_map(|field| &field.shown_if)
            .flat_map(fields_of),
    );
    names.retain(|name| name != ".name" && definition.field(name).is_none());
    names
}

fn fields_of(condition: &Condition) -> Vec<String> {
    condition.fields().map(str::to_owned).collect()
}
