use crate::error::suggestion;
use crate::{ComponentId, Entry, Errors, Node, PipelineId, Position, Section, Value};

/// The structure of a configuration: which components there are, and how pipelines join them.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// In the order in which they were written; no id is twice.
    pub receivers: Vec<Component>,
    /// As the receivers.
    pub processors: Vec<Component>,
    /// As the receivers.
    pub exporters: Vec<Component>,
    /// As the receivers.
    pub connectors: Vec<Component>,
    /// As the receivers.
    pub extensions: Vec<Component>,
    /// The extensions that are started, in this order.
    pub service_extensions: Vec<Reference>,
    /// TMP
    pub telemetry: Telemetry,
    /// At least one.
    pub pipelines: Vec<Pipeline>,
}

/// TMP
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Telemetry {}

/// A component and its settings, which nobody has read yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    /// Its id.
    pub id: ComponentId,
    /// Where the id was written.
    pub position: Position,
    /// Its settings.
    pub settings: Node,
}

/// A pipeline. All that it refers to exists.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    /// Its id.
    pub id: PipelineId,
    /// At least one.
    pub receivers: Vec<Reference>,
    /// In the order in which an item passes them.
    pub processors: Vec<Reference>,
    /// At least one; each receives every item.
    pub exporters: Vec<Reference>,
}

/// A pipeline's mention of a component.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// The component.
    pub id: ComponentId,
    /// Where it was written.
    pub position: Position,
}

impl Config {
    /// Finds the structure in what was written. What is wrong is added to `errors`, and left out of the result.
    pub fn read(root: &Node, errors: &mut Errors) -> Config {
        let mut config = Config {
            receivers: Vec::new(),
            processors: Vec::new(),
            exporters: Vec::new(),
            connectors: Vec::new(),
            extensions: Vec::new(),
            service_extensions: Vec::new(),
            telemetry: Telemetry::default(),
            pipelines: Vec::new(),
        };
        let mut section = Section::open("", root, errors);
        let receivers = section.entry("receivers");
        let processors = section.entry("processors");
        let exporters = section.entry("exporters");
        let service = section.entry("service");
        let extensions = section.entry("extensions");
        let connectors = section.entry("connectors");
        section.finish();
        config.receivers = components("receivers", receivers, errors);
        config.processors = components("processors", processors, errors);
        config.exporters = components("exporters", exporters, errors);
        config.connectors = components("connectors", connectors, errors);
        config.extensions = components("extensions", extensions, errors);
        match service {
            Some(entry) => config.pipelines = pipelines(&entry.node, &config, errors),
            None => errors.add("service", &root.position, "is required"),
        }
        config
    }
}

fn components(role: &str, entry: Option<&Entry>, errors: &mut Errors) -> Vec<Component> {
    let Some(entry) = entry else { return Vec::new() };
    let mut found: Vec<Component> = Vec::new();
    for entry in map_entries(role, &entry.node, errors) {
        let path = format!("{role}::{}", entry.key);
        match ComponentId::parse(&entry.key) {
            Ok(id) if found.iter().any(|other| other.id == id) => errors.add(path, &entry.position, "is defined twice"),
            Ok(id) => found.push(Component {
                id,
                position: entry.position.clone(),
                settings: Node {
                    // An absent mapping has no line of its own, so its errors point at the id.
                    position: entry.position.clone(),
                    value: entry.node.value.clone(),
                },
            }),
            Err(message) => errors.add(path, &entry.position, message),
        }
    }
    found
}

fn pipelines(service: &Node, config: &Config, errors: &mut Errors) -> Vec<Pipeline> {
    let mut section = Section::open("service", service, errors);
    let entry = section.entry("pipelines");
    if entry.is_none() {
        section.error("pipelines", "is required");
    }
    section.entry("extensions");
    section.entry("telemetry");
    section.finish();
    let Some(entry) = entry else { return Vec::new() };
    let entries = map_entries("service::pipelines", &entry.node, errors);
    if entries.is_empty() {
        errors.add("service::pipelines", &entry.position, "needs at least one pipeline");
    }
    entries
        .iter()
        .filter_map(|entry| pipeline(entry, config, errors))
        .collect()
}

fn pipeline(entry: &Entry, config: &Config, errors: &mut Errors) -> Option<Pipeline> {
    let path = format!("service::pipelines::{}", entry.key);
    let id = PipelineId::parse(&entry.key);
    if let Err(message) = &id {
        errors.add(path.clone(), &entry.position, message);
    }
    let mut section = Section::open(path.clone(), &entry.node, errors);
    let lists = ["receivers", "processors", "exporters"].map(|role| section.entry(role));
    for (role, list) in ["receivers", "exporters"].into_iter().zip([lists[0], lists[2]]) {
        if list.is_none_or(|entry| {
            matches!(&entry.node.value, Value::Null) || matches!(&entry.node.value, Value::List(ids) if ids.is_empty())
        }) {
            section.error(role, "needs at least one component");
        }
    }
    section.finish();
    Some(Pipeline {
        receivers: references(&path, lists[0], &config.receivers, errors),
        processors: references(&path, lists[1], &config.processors, errors),
        exporters: references(&path, lists[2], &config.exporters, errors),
        id: id.ok()?,
    })
}

fn references(pipeline: &str, entry: Option<&Entry>, defined: &[Component], errors: &mut Errors) -> Vec<Reference> {
    let Some(entry) = entry else { return Vec::new() };
    let path = format!("{pipeline}::{}", entry.key);
    let nodes = match &entry.node.value {
        Value::List(nodes) => nodes.as_slice(),
        Value::Null => &[],
        other => {
            errors.add(
                path,
                &entry.position,
                format!("expected a list, found {}", other.kind()),
            );
            return Vec::new();
        }
    };
    let mut found: Vec<Reference> = Vec::new();
    for node in nodes {
        match reference(node, defined) {
            Ok(id) if found.iter().any(|other| other.id == id) => {
                errors.add(path.clone(), &node.position, format!("\"{id}\" is named twice"));
            }
            Ok(id) => found.push(Reference {
                id,
                position: node.position.clone(),
            }),
            Err(message) => errors.add(path.clone(), &node.position, message),
        }
    }
    found
}

fn reference(node: &Node, defined: &[Component]) -> Result<ComponentId, String> {
    let Value::Text(text) = &node.value else {
        return Err(format!("expected a component's id, found {}", node.value.kind()));
    };
    let id = ComponentId::parse(text)?;
    if defined.iter().any(|component| component.id == id) {
        return Ok(id);
    }
    let names: Vec<String> = defined.iter().map(|component| component.id.to_string()).collect();
    let hint = suggestion(text, names.iter().map(String::as_str));
    Err(format!("\"{id}\" is not defined{hint}"))
}

fn map_entries<'a>(path: &str, node: &'a Node, errors: &mut Errors) -> &'a [Entry] {
    match &node.value {
        Value::Map(entries) => entries,
        Value::Null => &[],
        other => {
            errors.add(
                path,
                &node.position,
                format!("expected a mapping, found {}", other.kind()),
            );
            &[]
        }
    }
}
