//! From a configuration to components that are configured and joined, before anything starts.

use crate::component::{Components, Connector, Exporter, Factory, ProcessorFactory, ProcessorRecipe, Receiver};
use crate::extension::Extension;
use crate::host::{Host, Offer};
use crate::{BoxError, Engine, run};
use collector_config::{
    Component, ComponentId, Config, ConfigError, Errors, Node, PipelineId, Reference, Section, Value, closest,
};
use collector_pdata::Signal;
use std::collections::HashMap;
use std::os::fd::OwnedFd;

/// Descriptors that the embedding program hands to receivers, by the receiver's id.
pub type Descriptors = HashMap<String, OwnedFd>;

/// All that is needed to start, or to go over to.
pub struct Plan {
    pub(crate) receivers: Vec<Planned<dyn Receiver>>,
    pub(crate) processors: HashMap<ComponentId, PlannedProcessor>,
    pub(crate) exporters: Vec<Planned<dyn Exporter>>,
    pub(crate) connectors: Vec<Planned<dyn Connector>>,
    pub(crate) extensions: Vec<Planned<dyn Extension>>,
    pub(crate) telemetry: Option<Planned<dyn Extension>>,
    pub(crate) pipelines: Vec<PlannedPipeline>,
    warnings: Vec<ConfigError>,
}

/// A component that is configured and not open yet.
pub(crate) struct Planned<C: ?Sized> {
    pub(crate) id: ComponentId,
    pub(crate) settings: Node,
    pub(crate) component: Box<C>,
    /// It runs already with these settings, so this one is not needed.
    pub(crate) kept: bool,
}

pub(crate) struct PlannedProcessor {
    pub(crate) settings: Node,
    pub(crate) recipe: ProcessorRecipe,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlannedPipeline {
    pub(crate) id: PipelineId,
    pub(crate) signal: Signal,
    pub(crate) receivers: Vec<ComponentId>,
    pub(crate) processors: Vec<ComponentId>,
    pub(crate) exporters: Vec<ComponentId>,
}

/// A plan of which everything new is open.
pub(crate) struct Opened {
    pub(crate) plan: Plan,
    /// What the new extensions offer.
    pub(crate) offers: HashMap<ComponentId, Offer>,
}

/// Why the engine could not start, or not go over to another plan.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A component could not get what it needs.
    #[error("{role} {id} cannot start")]
    Open {
        /// `receiver`, `exporter` or `extension`.
        role: &'static str,
        /// Which one.
        id: String,
        /// Why.
        source: BoxError,
    },
    /// The threads or their runtimes could not be made.
    #[error("cannot start the collector's threads")]
    Thread(#[source] std::io::Error),
    /// The engine is ending, or has ended.
    #[error("the collector is ending")]
    Ending,
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plan")
            .field("pipelines", &self.pipelines)
            .finish_non_exhaustive()
    }
}

impl Plan {
    /// Reads the whole configuration, or finds all that is wrong with it.
    pub fn new(root: &Node, components: &Components, mut descriptors: Descriptors) -> Result<Plan, Errors> {
        let mut errors = Errors::default();
        let config = Config::read_with(root, &|id, from, to| connects(components, id, from, to), &mut errors);
        let mut plan = Plan {
            receivers: Vec::new(),
            processors: HashMap::new(),
            exporters: Vec::new(),
            connectors: Vec::new(),
            extensions: Vec::new(),
            telemetry: telemetry(&config, components, root),
            pipelines: config.pipelines.iter().map(PlannedPipeline::new).collect(),
            warnings: Vec::new(),
        };
        plan.configure_receivers(&config, components, &mut descriptors, &mut errors);
        plan.configure_processors(&config, components, &mut errors);
        plan.exporters = planned(&config.exporters, components.exporters, &mut errors, |f, s| {
            (f.configure)(s)
        });
        plan.connectors = planned(&config.connectors, components.connectors, &mut errors, |f, s| {
            (f.configure)(s)
        });
        plan.extensions = planned(&config.extensions, components.extensions, &mut errors, |f, s| {
            (f.configure)(s)
        });
        plan.leave_out_unused(&config);
        plan.check_needs(&config, &mut errors);
        plan.check_refusals(&config, &mut errors);
        check_signals(&config, components, &mut errors);
        plan.warnings = errors.take_warnings();
        errors.unless_any(plan)
    }

    /// What the user should know although nothing is wrong.
    pub fn warnings(&self) -> &[ConfigError] {
        &self.warnings
    }

    /// Opens all components and runs them on so many workers. If one cannot be opened, nothing has run.
    pub fn start(self, workers: usize) -> Result<Engine, StartError> {
        run::start(self, workers.max(1))
    }

    /// Opens what does not run already. `host` is what the extensions that go on offer.
    pub(crate) fn open(mut self, mut host: Host) -> Result<Opened, StartError> {
        let mut offers = HashMap::new();
        for extension in self.extensions.iter_mut().filter(|extension| !extension.kept) {
            open("extension", &extension.id, &mut host, |host| {
                extension.component.open(host)
            })?;
            let offer = Offer {
                storage: extension.component.storage(),
                authenticator: extension.component.authenticator(),
            };
            host.offers.insert(extension.id.clone(), offer.clone());
            offers.insert(extension.id.clone(), offer);
        }
        for telemetry in self.telemetry.iter_mut().filter(|telemetry| !telemetry.kept) {
            open("extension", &telemetry.id, &mut host, |host| {
                telemetry.component.open(host)
            })?;
        }
        for exporter in self.exporters.iter_mut().filter(|exporter| !exporter.kept) {
            open("exporter", &exporter.id, &mut host, |host| {
                exporter.component.open(host)
            })?;
        }
        for receiver in self.receivers.iter_mut().filter(|receiver| !receiver.kept) {
            open("receiver", &receiver.id, &mut host, |host| {
                receiver.component.open(host)
            })?;
        }
        Ok(Opened { plan: self, offers })
    }

    fn configure_receivers(
        &mut self,
        config: &Config,
        components: &Components,
        descriptors: &mut Descriptors,
        errors: &mut Errors,
    ) {
        self.receivers = planned(&config.receivers, components.receivers, errors, |factory, section| {
            let id = section.path().trim_start_matches("receivers::").to_owned();
            (factory.configure)(section, descriptors.remove(&id))
        });
        for id in descriptors.keys() {
            errors.add(
                format!("receivers::{id}"),
                &Default::default(),
                "is not defined, but was given a descriptor",
            );
        }
    }

    fn configure_processors(&mut self, config: &Config, components: &Components, errors: &mut Errors) {
        for component in &config.processors {
            if let Some(factory) = known(component, components.processors, errors) {
                let planned = PlannedProcessor {
                    recipe: configure(ProcessorFactory::SECTION, component, errors, factory.configure),
                    settings: component.settings.clone(),
                };
                self.processors.insert(component.id.clone(), planned);
            }
        }
    }

    /// A component that nothing names is checked, but not started.
    fn leave_out_unused(&mut self, config: &Config) {
        let pipelines = &self.pipelines;
        let receives = |id: &ComponentId| pipelines.iter().any(|pipeline| pipeline.receivers.contains(id));
        let exports = |id: &ComponentId| pipelines.iter().any(|pipeline| pipeline.exporters.contains(id));
        self.receivers.retain(|planned| receives(&planned.id));
        self.exporters.retain(|planned| exports(&planned.id));
        self.connectors.retain(|planned| exports(&planned.id));
        let is_named = |id: &ComponentId| config.service_extensions.iter().any(|reference| reference.id == *id);
        self.extensions.retain(|planned| is_named(&planned.id));
    }

    /// A processor may be configured for some signals only.
    fn check_refusals(&self, config: &Config, errors: &mut Errors) {
        for pipeline in &config.pipelines {
            let signal = signal_of(pipeline);
            for reference in &pipeline.processors {
                let refuses = self
                    .processors
                    .get(&reference.id)
                    .map(|planned| &planned.recipe.refuses);
                let refusals = refuses.into_iter().flatten().filter(|(refused, _)| *refused == signal);
                for (_, reason) in refusals {
                    let path = format!("service::pipelines::{}", pipeline.id);
                    let (id, name) = (&reference.id, pipeline.id.signal().name());
                    let message = format!("\"{id}\" is not configured for {name}: {reason}");
                    errors.add(path, &reference.position, message);
                }
            }
        }
    }

    /// What an exporter needs of extensions must be started.
    fn check_needs(&self, config: &Config, errors: &mut Errors) {
        for exporter in &self.exporters {
            for id in exporter.component.needs() {
                if !self.extensions.iter().any(|extension| extension.id == id) {
                    let position = config.exporters.iter().find(|component| component.id == exporter.id);
                    let names = config.extensions.iter().map(|extension| extension.id.to_string());
                    let names: Vec<String> = names.collect();
                    let wanted = id.to_string();
                    let hint = closest(&wanted, names.iter().map(String::as_str))
                        .map(|word| format!("; did you mean \"{word}\"?"))
                        .unwrap_or_default();
                    errors.add(
                        format!("exporters::{}", exporter.id),
                        position.map_or(&Default::default(), |component| &component.position),
                        format!("needs the extension \"{wanted}\", which service::extensions does not start{hint}"),
                    );
                }
            }
        }
    }
}

impl PlannedPipeline {
    fn new(pipeline: &collector_config::Pipeline) -> Self {
        let ids = |references: &[Reference]| references.iter().map(|reference| reference.id.clone()).collect();
        PlannedPipeline {
            id: pipeline.id.clone(),
            signal: signal_of(pipeline),
            receivers: ids(&pipeline.receivers),
            processors: ids(&pipeline.processors),
            exporters: ids(&pipeline.exporters),
        }
    }
}

fn open(
    role: &'static str,
    id: &ComponentId,
    host: &mut Host,
    open: impl FnOnce(&Host) -> Result<(), BoxError>,
) -> Result<(), StartError> {
    host.opening = format!("{role} {id}");
    open(host).map_err(|source| StartError::Open {
        role,
        id: id.to_string(),
        source,
    })
}

fn telemetry(config: &Config, components: &Components, root: &Node) -> Option<Planned<dyn Extension>> {
    let component = components.telemetry?(&config.telemetry)?;
    Some(Planned {
        id: ComponentId::parse("telemetry").ok()?,
        settings: at(root, &["service", "telemetry"])
            .cloned()
            .unwrap_or_else(|| Node::map([])),
        component,
        kept: false,
    })
}

fn at<'a>(node: &'a Node, path: &[&str]) -> Option<&'a Node> {
    path.iter().try_fold(node, |node, key| match &node.value {
        Value::Map(entries) => entries.iter().find(|entry| entry.key == *key).map(|entry| &entry.node),
        _ => None,
    })
}

/// Whether two settings say the same, wherever they were written.
pub(crate) fn same(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (Value::List(ones), Value::List(others)) => {
            ones.len() == others.len() && ones.iter().zip(others).all(|(one, other)| same(one, other))
        }
        (Value::Map(ones), Value::Map(others)) => {
            ones.len() == others.len()
                && ones.iter().all(|one| {
                    let mut entries = others.iter();
                    entries.any(|other| other.key == one.key && same(&one.node, &other.node))
                })
        }
        (one, other) => one == other,
    }
}

fn planned<F: Factory, C: ?Sized>(
    written: &[Component],
    table: &'static [F],
    errors: &mut Errors,
    mut read: impl FnMut(&F, &mut Section<'_, '_>) -> Box<C>,
) -> Vec<Planned<C>> {
    let mut all = Vec::new();
    for component in written {
        if let Some(factory) = known(component, table, errors) {
            all.push(Planned {
                id: component.id.clone(),
                component: configure(F::SECTION, component, errors, |section| read(factory, section)),
                settings: component.settings.clone(),
                kept: false,
            });
        }
    }
    all
}

fn known<F: Factory>(component: &Component, table: &'static [F], errors: &mut Errors) -> Option<&'static F> {
    let wanted = component.id.kind();
    let found = table.iter().find(|factory| factory.kind() == wanted);
    if found.is_none() {
        let kinds: Vec<&str> = table.iter().map(Factory::kind).collect();
        let hint = closest(wanted, kinds.iter().copied()).map(|word| format!("; did you mean \"{word}\"?"));
        let message = format!(
            "unknown component type \"{wanted}\"{} (known are: {})",
            hint.unwrap_or_default(),
            kinds.join(", ")
        );
        errors.add(
            format!("{}::{}", F::SECTION, component.id),
            &component.position,
            message,
        );
    }
    found
}

fn configure<T>(
    section: &str,
    component: &Component,
    errors: &mut Errors,
    read: impl FnOnce(&mut Section<'_, '_>) -> T,
) -> T {
    let mut section = Section::open(format!("{section}::{}", component.id), &component.settings, errors);
    let configured = read(&mut section);
    section.finish();
    configured
}

fn check_signals(config: &Config, components: &Components, errors: &mut Errors) {
    let kind = |id: &ComponentId| id.kind().to_owned();
    for pipeline in &config.pipelines {
        let signal = signal_of(pipeline);
        let mut check = |reference: &Reference, carries: Option<bool>| {
            if carries == Some(false) {
                let path = format!("service::pipelines::{}", pipeline.id);
                let message = format!("\"{}\" does not carry {}", reference.id, pipeline.id.signal().name());
                errors.add(path, &reference.position, message);
            }
        };
        for reference in &pipeline.receivers {
            let receiver = components.receivers.iter().find(|f| f.kind == kind(&reference.id));
            let connector = components.connectors.iter().find(|f| f.kind == kind(&reference.id));
            let gives = connector.map(|f| f.signals.iter().any(|(_, given)| *given == signal));
            check(reference, receiver.map(|f| f.signals.contains(&signal)).or(gives));
        }
        for reference in &pipeline.processors {
            let processor = components.processors.iter().find(|f| f.kind == kind(&reference.id));
            check(reference, processor.map(|f| f.signals.contains(&signal)));
        }
        for reference in &pipeline.exporters {
            let exporter = components.exporters.iter().find(|f| f.kind == kind(&reference.id));
            let connector = components.connectors.iter().find(|f| f.kind == kind(&reference.id));
            let takes = connector.map(|f| f.signals.iter().any(|(taken, _)| *taken == signal));
            check(reference, exporter.map(|f| f.signals.contains(&signal)).or(takes));
        }
    }
}

/// Whether the connector takes one signal and gives the other; one of an unknown type is an error of its own.
fn connects(
    components: &Components,
    id: &ComponentId,
    from: collector_config::Signal,
    to: collector_config::Signal,
) -> bool {
    let connector = components.connectors.iter().find(|factory| factory.kind == id.kind());
    connector.is_none_or(|factory| factory.signals.contains(&(signal(from), signal(to))))
}

fn signal_of(pipeline: &collector_config::Pipeline) -> Signal {
    signal(pipeline.id.signal())
}

fn signal(signal: collector_config::Signal) -> Signal {
    match signal {
        collector_config::Signal::Traces => Signal::Traces,
        collector_config::Signal::Metrics => Signal::Metrics,
        collector_config::Signal::Logs => Signal::Logs,
    }
}
