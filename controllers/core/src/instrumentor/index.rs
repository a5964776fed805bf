//! All that was observed, and which workloads an event concerns.
//!
//! Events may come in any order: what is decided depends on the last state of each object and on nothing else. The one
//! exception is said in [`NodeCollector::Starting`].

use super::config::{self, Desired, Situation};
use super::effect::Effect;
use super::rules::{self, Rules};
use super::settings::{NodeCollector, Settings};
use super::source::{Source, SourceKey, Target};
use super::sources::{Marking, Sources};
use super::workload::{Workload, WorkloadId};
use crate::rollout::{RolledBack, rolled_back};
use controllers_api::instrumentation_config::{ContainerAgentConfig, InstrumentationConfig};
use controllers_api::instrumentation_rule::InstrumentationRuleSpec;
use controllers_api::source::Source as SourceObject;
use controllers_api::workload::RuntimeDetails;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// All that was observed.
#[derive(Debug, Default)]
pub struct Index {
    sources: Sources,
    /// Sources that have no effect, and why.
    invalid: HashMap<SourceKey, String>,
    /// Sources that are being deleted, as what they were.
    leaving: HashMap<SourceKey, Option<Source>>,
    workloads: HashMap<String, BTreeMap<WorkloadId, Workload>>,
    configs: BTreeMap<WorkloadId, Config>,
    rules: Rules,
    settings: Settings,
    collector: NodeCollector,
    terminating: BTreeSet<String>,
}

/// What is kept of an InstrumentationConfig that exists.
#[derive(Debug, Clone, Default, PartialEq)]
struct Config {
    seen: Vec<RuntimeDetails>,
    before: Vec<ContainerAgentConfig>,
    rolled_back: BTreeMap<String, RolledBack>,
}

/// Whether a workload has an InstrumentationConfig.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// It shall have this one.
    Want(Box<Desired>),
    /// It shall have none, for this reason.
    None(String),
    /// Whatever there is stays: its namespace is being deleted, and with it everything in it.
    Leave,
}

/// The workloads that an event concerns.
pub type Concerned = BTreeSet<WorkloadId>;

impl Index {
    /// A Source was created or changed, or is being deleted: from then on it has no effect.
    pub fn apply_source(&mut self, object: &SourceObject) -> Concerned {
        let key = SourceKey {
            namespace: object.metadata.namespace.clone().unwrap_or_default(),
            name: object.metadata.name.clone().unwrap_or_default(),
        };
        let read = Source::read(object);
        let unchanged = read.as_ref().is_ok_and(|source| self.sources.get(&key) == Some(source));
        if unchanged && object.metadata.deletion_timestamp.is_none() {
            return Concerned::new();
        }
        let mut concerned = self.delete_source(&key);
        if object.metadata.deletion_timestamp.is_some() {
            self.leaving.insert(key, read.ok());
            return concerned;
        }
        match read {
            Ok(source) => {
                concerned.extend(self.about(&source));
                self.sources.insert(source);
            }
            Err(error) => {
                self.invalid.insert(key, error.to_string());
            }
        }
        concerned
    }

    /// A Source is gone.
    pub fn delete_source(&mut self, key: &SourceKey) -> Concerned {
        self.invalid.remove(key);
        self.leaving.remove(key);
        let previous = self.sources.remove(key);
        previous.map(|source| self.about(&source)).unwrap_or_default()
    }

    /// A workload was created or changed.
    pub fn apply_workload(&mut self, workload: Workload) -> Concerned {
        let id = workload.id.clone();
        let in_namespace = self.workloads.entry(id.namespace.clone()).or_default();
        match in_namespace.insert(id.clone(), workload) {
            Some(previous) if in_namespace.get(&id) == Some(&previous) => Concerned::new(),
            _ => Concerned::from([id]),
        }
    }

    /// A workload is gone.
    pub fn delete_workload(&mut self, id: &WorkloadId) -> Concerned {
        let Some(in_namespace) = self.workloads.get_mut(&id.namespace) else {
            return Concerned::new();
        };
        let removed = in_namespace.remove(id);
        if in_namespace.is_empty() {
            self.workloads.remove(&id.namespace);
        }
        removed.map(|_| Concerned::from([id.clone()])).unwrap_or_default()
    }

    /// An InstrumentationConfig was created or changed, also by us.
    pub fn apply_config(&mut self, object: &InstrumentationConfig) -> Concerned {
        let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
        let name = object.metadata.name.as_deref().unwrap_or_default();
        let Some(id) = WorkloadId::of_config(namespace, name) else {
            return Concerned::new();
        };
        self.configs.insert(id.clone(), Config::of(object));
        Concerned::from([id])
    }

    /// An InstrumentationConfig is gone.
    pub fn delete_config(&mut self, id: &WorkloadId) -> Concerned {
        let removed = self.configs.remove(id);
        removed.map(|_| Concerned::from([id.clone()])).unwrap_or_default()
    }

    /// A rule was created, changed (`Some`), or is gone; `name` is `namespace/name`.
    pub fn set_rule(&mut self, name: &str, rule: Option<InstrumentationRuleSpec>) -> Concerned {
        let previous = match rule.clone() {
            Some(rule) => self.rules.insert(name.to_owned(), rule),
            None => self.rules.remove(name),
        };
        if previous == rule {
            return Concerned::new();
        }
        let mut changed = self.marked();
        let either = |id: &WorkloadId| {
            [&previous, &rule]
                .into_iter()
                .flatten()
                .any(|rule| rules::applies(rule, id, None))
        };
        changed.retain(either);
        changed
    }

    /// The configuration.
    pub fn set_settings(&mut self, settings: Settings) -> Concerned {
        if self.settings == settings {
            return Concerned::new();
        }
        let mut concerned = self.marked();
        self.settings = settings;
        concerned.extend(self.marked());
        concerned
    }

    /// What the node collectors take.
    pub fn set_collector(&mut self, collector: NodeCollector) -> Concerned {
        if self.collector == collector {
            return Concerned::new();
        }
        self.collector = collector;
        self.marked()
    }

    /// Whether a namespace is being deleted.
    pub fn set_terminating(&mut self, namespace: &str, terminating: bool) -> Concerned {
        let changed = if terminating {
            self.terminating.insert(namespace.to_owned())
        } else {
            self.terminating.remove(namespace)
        };
        let workloads = self.workloads.get(namespace).filter(|_| changed);
        workloads.into_iter().flat_map(BTreeMap::keys).cloned().collect()
    }

    /// What a workload shall have, whether it exists or not.
    pub fn decide(&self, id: &WorkloadId) -> Decision {
        let Some(workload) = self.workload(id) else {
            return Decision::None(format!("{id} does not exist"));
        };
        if self.terminating.contains(&id.namespace) {
            return Decision::Leave;
        }
        if self.settings.ignored_namespaces.contains(&id.namespace) {
            return Decision::None(format!("the configuration ignores the namespace {}", id.namespace));
        }
        let marked = match self.sources.mark(id) {
            Marking::Marked(marked) => marked,
            Marking::Unmarked { message, .. } => return Decision::None(message),
        };
        let nothing = Config::default();
        let config = self.configs.get(id).unwrap_or(&nothing);
        Decision::Want(Box::new(config::desired(&Situation {
            workload,
            marked: &marked,
            seen: &config.seen,
            before: &config.before,
            rolled_back: &config.rolled_back,
            rules: &self.rules,
            settings: &self.settings,
            collector: &self.collector,
        })))
    }

    /// What a Source brings about; none if there is no such Source, or it is being deleted.
    pub fn effect(&self, key: &SourceKey) -> Option<Effect> {
        if let Some(error) = self.invalid.get(key) {
            return Some(Effect::Invalid(error.clone()));
        }
        let source = self.sources.get(key)?;
        if self.settings.ignored_namespaces.contains(&key.namespace) {
            return Some(Effect::NamespaceIgnored);
        }
        let about = self.about(source);
        if about.is_empty() {
            return Some(Effect::NoWorkload);
        }
        let mut instead = BTreeSet::new();
        for id in &about {
            match self.sources.mark(id).decided_by() {
                Some(by) if by == key => {
                    let does = if source.excludes {
                        Effect::Excludes
                    } else {
                        Effect::Instruments
                    };
                    return Some(does);
                }
                Some(by) => instead.insert(by.name.clone()),
                None => false,
            };
        }
        let names: Vec<_> = instead.into_iter().collect();
        Some(Effect::PassedOver(names.join(", ")))
    }

    /// The Sources that say something about a workload: their effect may be another one when the workload comes or goes.
    pub fn sources_about(&self, id: &WorkloadId) -> Vec<SourceKey> {
        self.sources.about(id).map(|source| source.key.clone()).collect()
    }

    /// The Sources that are being deleted and of which nothing is left: every InstrumentationConfig of theirs is gone, or
    /// is there for another Source's sake.
    pub fn finished(&self) -> Vec<SourceKey> {
        let done = |(_, source): &(&SourceKey, &Option<Source>)| {
            let Some(source) = source else {
                return true;
            };
            let mut left = self.configs.keys().filter(|id| source.is_about(id));
            left.all(|id| matches!(self.decide(id), Decision::Want(_)))
        };
        self.leaving.iter().filter(done).map(|(key, _)| key.clone()).collect()
    }

    /// Every Source that is there, valid or not, and not being deleted.
    pub fn source_keys(&self) -> Vec<SourceKey> {
        self.sources.keys().chain(self.invalid.keys()).cloned().collect()
    }

    /// A workload by its id.
    pub fn workload(&self, id: &WorkloadId) -> Option<&Workload> {
        self.workloads.get(&id.namespace)?.get(id)
    }

    /// Every workload, and every one that has an InstrumentationConfig.
    pub fn all(&self) -> Concerned {
        let workloads = self.workloads.values().flat_map(BTreeMap::keys);
        workloads.chain(self.configs.keys()).cloned().collect()
    }

    /// The workloads that a Source is about.
    fn about(&self, source: &Source) -> Concerned {
        if let Target::Workload(id) = &source.target {
            return Concerned::from([id.clone()]);
        }
        let workloads = self.workloads.get(&source.key.namespace).into_iter().flatten();
        let about = workloads.filter(|(id, _)| source.is_about(id));
        about.map(|(id, _)| id.clone()).collect()
    }

    /// The workloads that Sources mark, or that have an InstrumentationConfig.
    fn marked(&self) -> Concerned {
        let workloads = self.workloads.values().flat_map(BTreeMap::keys);
        let marked = workloads.filter(|id| matches!(self.sources.mark(id), Marking::Marked(_)));
        marked.chain(self.configs.keys()).cloned().collect()
    }
}

impl Config {
    fn of(object: &InstrumentationConfig) -> Self {
        let status = object.status.clone().unwrap_or_default();
        Self {
            seen: status.runtime_details_by_container,
            before: object.spec.containers.clone(),
            rolled_back: rolled_back(object),
        }
    }
}
