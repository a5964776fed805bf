//! What the instrumentor watches, and how it gets into the index.

use super::kinds::{IntoWorkload, OPTIONAL, Optional};
use crate::rim::{Change, Context, ObjectKey, Program, Queue, Store, Watched, trim};
use controllers_api::collectors_group::CollectorsGroup;
use controllers_api::instrumentation_config::InstrumentationConfig;
use controllers_api::instrumentation_rule::InstrumentationRule;
use controllers_api::source::Source;
use controllers_core::instrumentor::{
    Concerned, Index, NodeCollector, Settings, SourceKey, Workload, WorkloadId, WorkloadKind,
};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use kube_client::api::DynamicObject;
use kube_client::{Api, Resource};
use kube_runtime::watcher::Config;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The ConfigMap that the scheduler puts together, and the key in it.
const EFFECTIVE: (&str, &str) = ("effective-config", "config.yaml");
/// The CollectorsGroup of the node collectors.
const NODE_GROUP: &str = "odigos-data-collection";

/// All that is observed, and what is to be looked at because of it. Clones share everything.
#[derive(Clone)]
pub struct Observed {
    /// What reconcilers need.
    pub context: Context,
    index: Arc<Mutex<Index>>,
    /// The Sources.
    pub sources: Store<Source>,
    /// The InstrumentationConfigs.
    pub configs: Store<InstrumentationConfig>,
    /// The rules.
    pub rules: Store<InstrumentationRule>,
    /// Workloads to be looked at.
    pub workload_queue: Queue<WorkloadId>,
    /// Sources to be looked at.
    pub source_queue: Queue<ObjectKey>,
    /// Rules to be looked at.
    pub rule_queue: Queue<ObjectKey>,
}

impl Observed {
    /// Watches everything.
    pub fn watch(program: &mut Program) -> Self {
        let context = program.context().clone();
        let observed = Self {
            index: Arc::default(),
            sources: own(program, "Source"),
            configs: own(program, "InstrumentationConfig"),
            rules: own(program, "InstrumentationRule"),
            workload_queue: Queue::default(),
            source_queue: Queue::default(),
            rule_queue: Queue::default(),
            context,
        };
        observed
            .index()
            .set_settings(Settings::before_any(&observed.context.namespace));
        observed.follow_own();
        observed.follow_workloads(program);
        observed.follow_namespaces(program);
        observed.follow_configuration(program);
        observed.follow_collectors(program);
        observed
    }

    /// The index, for a moment: nothing may be awaited meanwhile.
    pub fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the workloads again that an event concerns, and at the Sources that are about them.
    fn wake(&self, event: impl FnOnce(&mut Index) -> Concerned) {
        let mut index = self.index();
        for id in event(&mut index) {
            for source in index.sources_about(&id) {
                self.source_queue.add(key_of(&source));
            }
            self.workload_queue.add(id);
        }
    }

    fn follow_own(&self) {
        let observed = self.clone();
        self.sources.on_change(move |change| {
            observed.wake(|index| match change.after {
                Some(source) => index.apply_source(source),
                None => index.delete_source(&SourceKey {
                    namespace: change.key.namespace.clone(),
                    name: change.key.name.clone(),
                }),
            });
            observed.source_queue.add(change.key.clone());
        });
        let observed = self.clone();
        self.configs.on_change(move |change| observed.config_changed(change));
        let observed = self.clone();
        self.rules.on_change(move |change| {
            let rule = change.after.map(|rule| rule.spec.clone());
            observed.wake(|index| index.set_rule(&change.key.to_string(), rule));
            observed.rule_queue.add(change.key.clone());
        });
    }

    /// A configuration that is gone may be what a Source that is being deleted waits for.
    fn config_changed(&self, change: &Change<'_, InstrumentationConfig>) {
        self.wake(|index| match change.after {
            Some(config) => index.apply_config(config),
            None => {
                let id = WorkloadId::of_config(&change.key.namespace, &change.key.name);
                id.map(|id| index.delete_config(&id)).unwrap_or_default()
            }
        });
        if change.after.is_none() {
            for source in self.index().finished() {
                self.source_queue.add(key_of(&source));
            }
        }
    }

    fn follow_workloads(&self, program: &mut Program) {
        self.follow::<Deployment>(program, WorkloadKind::Deployment);
        self.follow::<DaemonSet>(program, WorkloadKind::DaemonSet);
        self.follow::<StatefulSet>(program, WorkloadKind::StatefulSet);
        self.follow::<CronJob>(program, WorkloadKind::CronJob);
        self.follow::<Job>(program, WorkloadKind::Job);
        self.follow::<Pod>(program, WorkloadKind::StaticPod);
        for optional in OPTIONAL {
            self.follow_optional(program, optional);
        }
    }

    fn follow<K>(&self, program: &mut Program, kind: WorkloadKind)
    where
        K: Resource<DynamicType = ()> + IntoWorkload + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let watched = Watched {
            kind: kind.as_str(),
            optional: false,
        };
        let api = Api::<K>::all(self.context.client.clone());
        let store = program.watch(watched, api, Config::default(), K::into_workload);
        self.hear(&store, kind);
    }

    fn follow_optional(&self, program: &mut Program, optional: Optional) {
        let watched = Watched {
            kind: optional.kind.as_str(),
            optional: true,
        };
        let api = Api::<DynamicObject>::all_with(self.context.client.clone(), &optional.resource());
        let store = program.watch(watched, api, Config::default(), move |object| {
            optional.workload(&object)
        });
        self.hear(&store, optional.kind);
    }

    fn hear<K>(&self, store: &Store<K, Workload>, kind: WorkloadKind)
    where
        K: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let observed = self.clone();
        store.on_change(move |change| {
            observed.wake(|index| match change.after {
                Some(workload) => index.apply_workload(Workload::clone(workload)),
                None => index.delete_workload(&WorkloadId {
                    namespace: change.key.namespace.clone(),
                    kind,
                    name: change.key.name.clone(),
                }),
            });
        });
    }

    /// Of a namespace only that it is being deleted.
    fn follow_namespaces(&self, program: &mut Program) {
        let watched = Watched {
            kind: "Namespace",
            optional: false,
        };
        let api = Api::<Namespace>::all(self.context.client.clone());
        let leaving = |namespace: Namespace| namespace.metadata.deletion_timestamp.map(|_| ());
        let store = program.watch(watched, api, Config::default(), leaving);
        let observed = self.clone();
        store.on_change(move |change| {
            observed.wake(|index| index.set_terminating(&change.key.name, change.after.is_some()));
        });
    }

    fn follow_configuration(&self, program: &mut Program) {
        let watched = Watched {
            kind: "ConfigMap",
            optional: false,
        };
        let (name, key) = EFFECTIVE;
        let api = Api::<ConfigMap>::namespaced(self.context.client.clone(), &self.context.namespace);
        let config = Config::default().fields(&format!("metadata.name={name}"));
        let store = program.watch(watched, api, config, move |map: ConfigMap| map.data?.remove(key));
        let observed = self.clone();
        store.on_change(move |change| {
            let own = &observed.context.namespace;
            let read = change.after.map(|text| Settings::read(text, own));
            match read.transpose() {
                Ok(settings) => {
                    let settings = settings.unwrap_or_else(|| Settings::before_any(own));
                    observed.wake(|index| index.set_settings(settings));
                    // What a Source brings about may change with the ignored namespaces.
                    for source in observed.index().source_keys() {
                        observed.source_queue.add(key_of(&source));
                    }
                }
                Err(errors) => tracing::error!(%errors, "the configuration cannot be read; the last one stays"),
            }
        });
    }

    fn follow_collectors(&self, program: &mut Program) {
        let watched = Watched {
            kind: "CollectorsGroup",
            optional: false,
        };
        let api = Api::<CollectorsGroup>::namespaced(self.context.client.clone(), &self.context.namespace);
        let config = Config::default().fields(&format!("metadata.name={NODE_GROUP}"));
        let store = program.watch(watched, api, config, |group| Some(NodeCollector::of(Some(&group))));
        let observed = self.clone();
        store.on_change(move |change| {
            let collector = change.after.map(|collector| NodeCollector::clone(collector));
            observed.wake(|index| index.set_collector(collector.unwrap_or_default()));
        });
    }
}

/// A cache of one of our own kinds in all namespaces, with what this component has applied.
fn own<K>(program: &mut Program, kind: &'static str) -> Store<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + PartialEq + Send + Sync + 'static,
{
    let watched = Watched { kind, optional: false };
    let (client, component) = (program.context().client.clone(), program.context().component);
    program.watch(watched, Api::<K>::all(client), Config::default(), move |object| {
        Some(trim(object, component))
    })
}

/// The same name as a key of the caches.
pub fn key_of(source: &SourceKey) -> ObjectKey {
    ObjectKey::new(&source.namespace, &source.name)
}
