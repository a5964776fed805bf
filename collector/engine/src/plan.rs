//! From a configuration to components that are configured and joined, before anything starts.

use crate::component::{Components, Exporter, ExporterFactory, ProcessorRecipe, Receiver};
use crate::{BoxError, Engine, run};
use collector_config::{Component, ComponentId, Config, Errors, Node, Pipeline, Reference, Section, closest};
use collector_pdata::Signal;
use std::collections::HashMap;
use std::os::fd::OwnedFd;

/// Descriptors that the embedding program hands to receivers, by the receiver's id.
pub type Descriptors = HashMap<String, OwnedFd>;

/// All that is needed to start.
pub struct Plan {
    pub(crate) receivers: Vec<(ComponentId, Box<dyn Receiver>)>,
    pub(crate) processors: HashMap<ComponentId, ProcessorRecipe>,
    pub(crate) exporters: Vec<PlannedExporter>,
    pub(crate) pipelines: Vec<Pipeline>,
}

pub(crate) struct PlannedExporter {
    pub(crate) id: ComponentId,
    pub(crate) exporter: Box<dyn Exporter>,
    pub(crate) factory: &'static ExporterFactory,
}

/// Why the engine could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A component could not get what it needs.
    #[error("{role} {id} cannot start")]
    Open {
        /// `receiver` or `exporter`.
        role: &'static str,
        /// Which one.
        id: String,
        /// Why.
        source: BoxError,
    },
    /// The thread or its runtime could not be made.
    #[error("cannot start the collector's thread")]
    Thread(#[source] std::io::Error),
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
        let config = Config::read(root, &mut errors);
        let mut plan = Plan {
            receivers: Vec::new(),
            processors: HashMap::new(),
            exporters: Vec::new(),
            pipelines: config.pipelines.clone(),
        };
        plan.configure_receivers(&config, components, &mut descriptors, &mut errors);
        plan.configure_processors(&config, components, &mut errors);
        plan.configure_exporters(&config, components, &mut errors);
        check_signals(&config, components, &mut errors);
        plan.leave_out_unused();
        errors.unless_any(plan)
    }

    /// Opens all components and runs them. If one cannot be opened, nothing has run.
    pub fn start(mut self) -> Result<Engine, StartError> {
        for planned in &mut self.exporters {
            planned.exporter.open().map_err(|source| StartError::Open {
                role: "exporter",
                id: planned.id.to_string(),
                source,
            })?;
        }
        for (id, receiver) in &mut self.receivers {
            receiver.open().map_err(|source| StartError::Open {
                role: "receiver",
                id: id.to_string(),
                source,
            })?;
        }
        run::start(self).map_err(StartError::Thread)
    }

    fn configure_receivers(
        &mut self,
        config: &Config,
        components: &Components,
        descriptors: &mut Descriptors,
        errors: &mut Errors,
    ) {
        for component in &config.receivers {
            let table = components.receivers;
            let Some(factory) = known("receivers", component, table, |factory| factory.kind, errors) else {
                continue;
            };
            let descriptor = descriptors.remove(&component.id.to_string());
            let receiver = configure("receivers", component, errors, |s| (factory.configure)(s, descriptor));
            self.receivers.push((component.id.clone(), receiver));
        }
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
            let table = components.processors;
            if let Some(factory) = known("processors", component, table, |factory| factory.kind, errors) {
                let recipe = configure("processors", component, errors, factory.configure);
                self.processors.insert(component.id.clone(), recipe);
            }
        }
    }

    fn configure_exporters(&mut self, config: &Config, components: &Components, errors: &mut Errors) {
        for component in &config.exporters {
            let table = components.exporters;
            if let Some(factory) = known("exporters", component, table, |factory| factory.kind, errors) {
                self.exporters.push(PlannedExporter {
                    id: component.id.clone(),
                    exporter: configure("exporters", component, errors, factory.configure),
                    factory,
                });
            }
        }
    }

    /// A component that no pipeline names is checked, but not started.
    fn leave_out_unused(&mut self) {
        let pipelines = &self.pipelines;
        let names = |list: fn(&Pipeline) -> &Vec<Reference>, id: &ComponentId| {
            pipelines
                .iter()
                .any(|pipeline| list(pipeline).iter().any(|reference| reference.id == *id))
        };
        self.receivers
            .retain(|(id, _)| names(|pipeline| &pipeline.receivers, id));
        self.exporters
            .retain(|planned| names(|pipeline| &pipeline.exporters, &planned.id));
    }
}

fn known<F>(
    role: &str,
    component: &Component,
    table: &'static [F],
    kind: fn(&F) -> &'static str,
    errors: &mut Errors,
) -> Option<&'static F> {
    let wanted = component.id.kind();
    let found = table.iter().find(|factory| kind(factory) == wanted);
    if found.is_none() {
        let hint = closest(wanted, table.iter().map(kind)).map(|word| format!("; did you mean \"{word}\"?"));
        let known: Vec<&str> = table.iter().map(kind).collect();
        let message = format!(
            "unknown component type \"{wanted}\"{} (known are: {})",
            hint.unwrap_or_default(),
            known.join(", ")
        );
        errors.add(format!("{role}::{}", component.id), &component.position, message);
    }
    found
}

fn configure<T>(
    role: &str,
    component: &Component,
    errors: &mut Errors,
    read: impl FnOnce(&mut Section<'_, '_>) -> T,
) -> T {
    let mut section = Section::open(format!("{role}::{}", component.id), &component.settings, errors);
    let configured = read(&mut section);
    section.finish();
    configured
}

fn check_signals(config: &Config, components: &Components, errors: &mut Errors) {
    for pipeline in &config.pipelines {
        let signal = signal_of(pipeline);
        let path = format!("service::pipelines::{}", pipeline.id);
        let mut check = |reference: &Reference, signals: Option<&[Signal]>| {
            if signals.is_some_and(|signals| !signals.contains(&signal)) {
                let message = format!("\"{}\" does not carry {}", reference.id, pipeline.id.signal().name());
                errors.add(path.clone(), &reference.position, message);
            }
        };
        for reference in &pipeline.receivers {
            let kind = reference.id.kind();
            check(
                reference,
                components.receivers.iter().find(|f| f.kind == kind).map(|f| f.signals),
            );
        }
        for reference in &pipeline.processors {
            let kind = reference.id.kind();
            check(
                reference,
                components.processors.iter().find(|f| f.kind == kind).map(|f| f.signals),
            );
        }
        for reference in &pipeline.exporters {
            let kind = reference.id.kind();
            check(
                reference,
                components.exporters.iter().find(|f| f.kind == kind).map(|f| f.signals),
            );
        }
    }
}

fn signal_of(pipeline: &Pipeline) -> Signal {
    match pipeline.id.signal() {
        collector_config::Signal::Traces => Signal::Traces,
        collector_config::Signal::Metrics => Signal::Metrics,
        collector_config::Signal::Logs => Signal::Logs,
    }
}
