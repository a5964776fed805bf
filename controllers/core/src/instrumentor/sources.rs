//! All Sources, indexed by what they are about, and what they say together about a workload.
//!
//! The nearest Source decides: one for the workload itself, else one whose expression matches its name, else one for its
//! namespace. Where several are equally near (only expressions can be, while a webhook judges Sources), one that excludes
//! comes before one that includes, and then the first by name, so that neither age nor order of arrival matters; the
//! others are named.

use super::source::{Source, SourceKey, Target};
use super::workload::{WorkloadId, WorkloadKind};
use controllers_api::conditions::MarkedForInstrumentation;
use controllers_api::workload::ContainerOverride;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;

/// All Sources that can be read.
#[derive(Debug, Default)]
pub struct Sources {
    all: HashMap<SourceKey, Source>,
    by_workload: HashMap<WorkloadId, BTreeSet<SourceKey>>,
    matching: HashMap<(String, WorkloadKind), BTreeSet<SourceKey>>,
    by_namespace: HashMap<String, BTreeSet<SourceKey>>,
}

/// What the Sources say about a workload.
#[derive(Debug, Clone, PartialEq)]
pub enum Marking {
    /// It is instrumented.
    Marked(Marked),
    /// It is left alone.
    Unmarked {
        /// `WorkloadSourceDisabled` or `NoSource`.
        reason: MarkedForInstrumentation,
        /// The Source that excludes it, if one does.
        source: Option<SourceKey>,
        /// The same for a person.
        message: String,
    },
}

/// How a workload is instrumented, as far as Sources say.
#[derive(Debug, Clone, PartialEq)]
pub struct Marked {
    /// `WorkloadSource` or `NamespaceSource`.
    pub reason: MarkedForInstrumentation,
    /// The same for a person.
    pub message: String,
    /// The Source that decides.
    pub source: SourceKey,
    /// `service.name`, if it is not the workload's own name.
    pub service_name: Option<String>,
    /// Decisions for single containers.
    pub overrides: Vec<ContainerOverride>,
    /// The data streams that the workload is in.
    pub streams: BTreeSet<String>,
}

impl Sources {
    /// Adds a Source, or exchanges it for the one of the same name, which is given back.
    pub fn insert(&mut self, source: Source) -> Option<Source> {
        let previous = self.remove(&source.key);
        let key = source.key.clone();
        let bucket = match &source.target {
            Target::Workload(id) => self.by_workload.entry(id.clone()).or_default(),
            Target::Matching(kind, _) => self.matching.entry((key.namespace.clone(), *kind)).or_default(),
            Target::Namespace => self.by_namespace.entry(key.namespace.clone()).or_default(),
        };
        bucket.insert(key.clone());
        self.all.insert(key, source);
        previous
    }

    /// Takes a Source away.
    pub fn remove(&mut self, key: &SourceKey) -> Option<Source> {
        let source = self.all.remove(key)?;
        match &source.target {
            Target::Workload(id) => take(&mut self.by_workload, id, key),
            Target::Matching(kind, _) => take(&mut self.matching, &(key.namespace.clone(), *kind), key),
            Target::Namespace => take(&mut self.by_namespace, &key.namespace, key),
        }
        Some(source)
    }

    /// A Source by its name.
    pub fn get(&self, key: &SourceKey) -> Option<&Source> {
        self.all.get(key)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The name of each.
    pub fn keys(&self) -> impl Iterator<Item = &SourceKey> {
        self.all.keys()
    }

    /// Those that say something about a workload, whether or not they decide.
    pub fn about(&self, id: &WorkloadId) -> impl Iterator<Item = &Source> {
        let buckets = [
            self.by_workload.get(id),
            self.matching.get(&(id.namespace.clone(), id.kind)),
            self.by_namespace.get(&id.namespace),
        ];
        let keys = buckets.into_iter().flatten().flatten();
        let sources = keys.filter_map(|key| self.all.get(key));
        sources.filter(|source| source.is_about(id))
    }

    /// What they say about a workload.
    pub fn mark(&self, id: &WorkloadId) -> Marking {
        let of_namespace = self.nearest(self.by_namespace.get(&id.namespace), id);
        let nearest = self
            .nearest(self.by_workload.get(id), id)
            .or_else(|| self.nearest(self.matching.get(&(id.namespace.clone(), id.kind)), id));
        match (nearest, of_namespace) {
            (Some((source, others)), _) if source.excludes => Marking::Unmarked {
                reason: MarkedForInstrumentation::WorkloadSourceDisabled,
                source: Some(source.key.clone()),
                message: format!("{} excludes the workload{}", describe(source), passed_over(&others)),
            },
            (Some((source, others)), of_namespace) => {
                let of_namespace = of_namespace.map(|(source, _)| source);
                let reason = MarkedForInstrumentation::WorkloadSource;
                Marking::Marked(marked(reason, source, &others, of_namespace))
            }
            (None, Some((source, others))) if !source.excludes => {
                let reason = MarkedForInstrumentation::NamespaceSource;
                Marking::Marked(marked(reason, source, &others, None))
            }
            (None, Some((source, _))) => Marking::Unmarked {
                reason: MarkedForInstrumentation::NoSource,
                source: Some(source.key.clone()),
                message: format!("{} excludes the namespace", describe(source)),
            },
            (None, None) => Marking::Unmarked {
                reason: MarkedForInstrumentation::NoSource,
                source: None,
                message: "there is no Source for the workload or its namespace".to_owned(),
            },
        }
    }

    /// Of these, the one that decides, and the others that are as near.
    fn nearest(&self, keys: Option<&BTreeSet<SourceKey>>, id: &WorkloadId) -> Option<(&Source, Vec<&Source>)> {
        let sources = keys.into_iter().flatten().filter_map(|key| self.all.get(key));
        let mut near: Vec<&Source> = sources.filter(|source| source.is_about(id)).collect();
        // Stable: by name among those that exclude, then among those that do not.
        near.sort_by_key(|source| !source.excludes);
        let first = (!near.is_empty()).then(|| near.remove(0))?;
        Some((first, near))
    }
}

impl Marking {
    /// The Source that decides, if one does.
    pub fn decided_by(&self) -> Option<&SourceKey> {
        match self {
            Self::Marked(marked) => Some(&marked.source),
            Self::Unmarked { source, .. } => source.as_ref(),
        }
    }
}

impl Source {
    /// Whether it says something about a workload.
    pub fn is_about(&self, id: &WorkloadId) -> bool {
        self.key.namespace == id.namespace
            && match &self.target {
                Target::Workload(target) => target == id,
                Target::Matching(kind, regex) => *kind == id.kind && regex.is_match(&id.name),
                Target::Namespace => true,
            }
    }
}

/// Takes a key out of its bucket, and an empty bucket out of the map.
fn take<K: Eq + Hash>(buckets: &mut HashMap<K, BTreeSet<SourceKey>>, bucket: &K, key: &SourceKey) {
    if let Some(keys) = buckets.get_mut(bucket) {
        keys.remove(key);
        if keys.is_empty() {
            buckets.remove(bucket);
        }
    }
}

fn marked(
    reason: MarkedForInstrumentation,
    source: &Source,
    others: &[&Source],
    of_namespace: Option<&Source>,
) -> Marked {
    Marked {
        reason,
        message: format!("{} asks for it{}", describe(source), passed_over(others)),
        source: source.key.clone(),
        service_name: source.service_name.clone(),
        overrides: source.overrides.clone(),
        streams: streams(source, of_namespace),
    }
}

/// The streams of the deciding Source and those of its namespace's, out of which the deciding one may take it.
fn streams(source: &Source, of_namespace: Option<&Source>) -> BTreeSet<String> {
    let of_namespace = of_namespace.filter(|source| !source.excludes);
    let mut all: BTreeMap<&String, bool> = of_namespace
        .into_iter()
        .flat_map(|source| &source.streams)
        .map(|(name, is_in)| (name, *is_in))
        .collect();
    all.extend(source.streams.iter().map(|(name, is_in)| (name, *is_in)));
    all.into_iter()
        .filter(|(_, is_in)| *is_in)
        .map(|(name, _)| name.clone())
        .collect()
}

fn describe(source: &Source) -> String {
    let name = &source.key.name;
    match &source.target {
        Target::Workload(_) => format!("Source {name}"),
        Target::Matching(_, regex) => {
            let pattern = regex.as_str();
            let written = pattern.strip_prefix("^(?:").and_then(|rest| rest.strip_suffix(")$"));
            format!("Source {name} with the expression {}", written.unwrap_or(pattern))
        }
        Target::Namespace => format!("Source {name} of the namespace"),
    }
}

fn passed_over(others: &[&Source]) -> String {
    if others.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = others.iter().map(|source| source.key.name.as_str()).collect();
    format!(
        "; also about it and passed over: {} (one that excludes comes first, then the first by name)",
        names.join(", ")
    )
}
