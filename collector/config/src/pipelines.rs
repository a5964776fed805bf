use crate::error::suggestion;
use crate::structure::map_entries;
use crate::{Component, ComponentId, Config, Entry, Errors, Node, PipelineId, Position, Section, Value};

/// A pipeline. All that it refers to exists.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    /// Its id.
    pub id: PipelineId,
    /// Receivers and connectors, at least one.
    pub receivers: Vec<Reference>,
    /// In the order in which an item passes them.
    pub processors: Vec<Reference>,
    /// Exporters and connectors, at least one; each receives every item.
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

/// What a list may refer to.
pub(crate) struct Defined<'a>(pub &'a [&'a [Component]]);

pub(crate) fn read(entry: &Entry, config: &Config, errors: &mut Errors) -> Vec<Pipeline> {
    let entries = map_entries("service::pipelines", &entry.node, errors);
    if entries.is_empty() {
        errors.add("service::pipelines", &entry.position, "needs at least one pipeline");
    }
    let mut found: Vec<Pipeline> = Vec::new();
    for entry in entries {
        match pipeline(entry, config, errors) {
            Some(pipeline) if found.iter().any(|other| other.id == pipeline.id) => {
                let path = format!("service::pipelines::{}", entry.key);
                errors.add(path, &entry.position, "is defined twice");
            }
            other => found.extend(other),
        }
    }
    found
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
        if list.is_none_or(|entry| is_empty(&entry.node)) {
            section.error(role, "needs at least one component");
        }
    }
    section.finish();
    let sources = Defined(&[&config.receivers, &config.connectors]);
    let processors = Defined(&[&config.processors]);
    let targets = Defined(&[&config.exporters, &config.connectors]);
    Some(Pipeline {
        receivers: references(&path, lists[0], &sources, errors),
        processors: references(&path, lists[1], &processors, errors),
        exporters: references(&path, lists[2], &targets, errors),
        id: id.ok()?,
    })
}

fn is_empty(node: &Node) -> bool {
    match &node.value {
        Value::Null => true,
        Value::List(nodes) => nodes.is_empty(),
        _ => false,
    }
}

/// Reads a list of ids, each of which must be in `defined`.
pub(crate) fn references(
    parent: &str,
    entry: Option<&Entry>,
    defined: &Defined<'_>,
    errors: &mut Errors,
) -> Vec<Reference> {
    let Some(entry) = entry else { return Vec::new() };
    let path = format!("{parent}::{}", entry.key);
    let nodes = match &entry.node.value {
        Value::List(nodes) => nodes.as_slice(),
        Value::Null => &[],
        other => {
            let message = format!("expected a list, found {}", other.kind());
            errors.add(path, &entry.position, message);
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

fn reference(node: &Node, defined: &Defined<'_>) -> Result<ComponentId, String> {
    let Value::Text(text) = &node.value else {
        return Err(format!("expected a component's id, found {}", node.value.kind()));
    };
    let id = ComponentId::parse(text)?;
    let components = || defined.0.iter().flat_map(|list| list.iter());
    if components().any(|component| component.id == id) {
        return Ok(id);
    }
    let names: Vec<String> = components().map(|component| component.id.to_string()).collect();
    let hint = suggestion(text, names.iter().map(String::as_str));
    Err(format!("\"{id}\" is not defined{hint}"))
}
