use crate::connectors::{self, Connects};
use crate::pipelines::{self, Defined};
use crate::{ComponentId, Entry, Errors, Node, Pipeline, Position, Reference, Section, Telemetry, Value};

/// The structure of a configuration: which components there are, and how pipelines join them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    /// In the order in which they were written; no id is twice.
    pub receivers: Vec<Component>,
    /// As the receivers.
    pub processors: Vec<Component>,
    /// As the receivers.
    pub exporters: Vec<Component>,
    /// As the receivers. No connector has the id of a receiver or of an exporter.
    pub connectors: Vec<Component>,
    /// As the receivers. Only those in `service_extensions` are started.
    pub extensions: Vec<Component>,
    /// The extensions to start, in this order. All are defined.
    pub service_extensions: Vec<Reference>,
    /// At least one.
    pub pipelines: Vec<Pipeline>,
    /// What the collector tells about itself.
    pub telemetry: Telemetry,
}

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

impl Config {
    /// Finds the structure in what was written. What is wrong is added to `errors`, and left out of the result. Any
    /// connector is taken to join any two signals; whoever knows better calls [`Config::read_with`].
    pub fn read(root: &Node, errors: &mut Errors) -> Config {
        Config::read_with(root, &|_, _, _| true, errors)
    }

    /// As [`Config::read`], where `connects(id, from, to)` says whether the connector takes the signal `from` and gives
    /// the signal `to`.
    pub fn read_with(root: &Node, connects: Connects<'_>, errors: &mut Errors) -> Config {
        let mut section = Section::open("", root, errors);
        let roles = ["receivers", "processors", "exporters", "connectors", "extensions"];
        let entries = roles.map(|role| section.entry(role));
        let service = section.entry("service");
        section.finish();
        let mut roles = roles.into_iter().zip(entries);
        let mut next = || {
            roles
                .next()
                .map_or_else(Vec::new, |(role, entry)| components(role, entry, errors))
        };
        let mut config = Config {
            receivers: next(),
            processors: next(),
            exporters: next(),
            connectors: next(),
            extensions: next(),
            ..Config::default()
        };
        config.refuse_shared_ids(errors);
        match service {
            Some(entry) => config.read_service(&entry.node, errors),
            None => errors.add("service", &root.position, "is required"),
        }
        connectors::check(&config, connects, errors);
        config
    }

    /// Whether a pipeline's receiver or exporter of this id is a connector.
    pub fn is_connector(&self, id: &ComponentId) -> bool {
        self.connectors.iter().any(|component| component.id == *id)
    }

    fn read_service(&mut self, service: &Node, errors: &mut Errors) {
        let mut section = Section::open("service", service, errors);
        let pipelines = section.entry("pipelines");
        let extensions = section.entry("extensions");
        let telemetry = section.entry("telemetry");
        if pipelines.is_none() {
            section.error("pipelines", "is required");
        }
        section.finish();
        self.service_extensions = pipelines::references("service", extensions, &Defined(&[&self.extensions]), errors);
        self.telemetry = Telemetry::read(telemetry.map(|entry| &entry.node), errors);
        if let Some(entry) = pipelines {
            self.pipelines = pipelines::read(entry, self, errors);
        }
    }

    /// A pipeline names receivers and connectors in one list, so that an id must not be both.
    fn refuse_shared_ids(&self, errors: &mut Errors) {
        for connector in &self.connectors {
            for (role, others) in [("receivers", &self.receivers), ("exporters", &self.exporters)] {
                if others.iter().any(|other| other.id == connector.id) {
                    let id = &connector.id;
                    let message =
                        format!("is also the id of {role}::{id}; rename one of them, such as \"{id}/connector\"");
                    errors.add(format!("connectors::{id}"), &connector.position, message);
                }
            }
        }
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
                    ..entry.node.clone()
                },
            }),
            Err(message) => errors.add(path, &entry.position, message),
        }
    }
    found
}

pub(crate) fn map_entries<'a>(path: &str, node: &'a Node, errors: &mut Errors) -> &'a [Entry] {
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
