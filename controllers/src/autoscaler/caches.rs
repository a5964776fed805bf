//! What the autoscaler watches.

use super::legacy::LegacyCaches;
use super::secrets::Seen;
use crate::rim::{Context, Kind, Program, Queue, Store, Watched, trim};
use controllers_api::action::Action;
use controllers_api::collectors_group::CollectorsGroup;
use controllers_api::destination::Destination;
use controllers_api::processor::Processor;
use controllers_api::sampling::Sampling;
use controllers_api::source::Source;
use controllers_core::autoscaler::{GATEWAY, NODE_COLLECTOR, SecretFacts};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube_client::{Api, Resource};
use kube_runtime::watcher;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// A kind with namespaces that is cached whole, and written.
pub(super) trait Cached:
    Kind + PartialEq + Resource<Scope = NamespaceResourceScope, DynamicType = ()> + 'static
{
}

impl<K: Kind + PartialEq + Resource<Scope = NamespaceResourceScope, DynamicType = ()> + 'static> Cached for K {}

/// The objects that the decision depends on, and those that are made of it.
pub(super) struct Caches {
    pub(super) groups: Store<CollectorsGroup>,
    pub(super) destinations: Store<Destination>,
    pub(super) secrets: Store<Secret, SecretFacts>,
    pub(super) actions: Store<Action>,
    pub(super) processors: Store<Processor>,
    pub(super) samplings: Store<Sampling>,
    pub(super) legacy: LegacyCaches,
    pub(super) sources: Store<Source>,
    pub(super) config_maps: Store<ConfigMap>,
    pub(super) deployments: Store<Deployment>,
    pub(super) daemon_sets: Store<DaemonSet>,
    pub(super) services: Store<Service>,
    pub(super) autoscalers: Store<HorizontalPodAutoscaler>,
    pub(super) budgets: Store<PodDisruptionBudget>,
}

impl Caches {
    /// Every change of what is kept wakes the one reconciler.
    pub(super) fn watch(program: &mut Program, context: &Context, queue: &Queue<()>) -> Caches {
        let client = context.client.clone();
        let all_sources: Api<Source> = Api::all(client.clone());
        let secrets: Api<Secret> = Api::namespaced(client, &context.namespace);
        let seen = Seen::default();
        let mut watching = Watching {
            program,
            context,
            queue,
        };
        Caches {
            groups: watching.mine("CollectorsGroup"),
            destinations: watching.mine("Destination"),
            actions: watching.mine("Action"),
            processors: watching.mine("Processor"),
            samplings: watching.mine("Sampling"),
            legacy: LegacyCaches::watch(&mut watching),
            secrets: watching.all("Secret", secrets, watcher::Config::default(), move |secret: Secret| {
                Some(seen.facts(&secret))
            }),
            sources: watching.all("Source", all_sources, watcher::Config::default(), |source| {
                Some(only_what_streams_need(source))
            }),
            config_maps: watching.made("ConfigMap"),
            deployments: watching.made("Deployment"),
            daemon_sets: watching.made("DaemonSet"),
            services: watching.made("Service"),
            autoscalers: watching.made("HorizontalPodAutoscaler"),
            budgets: watching.made("PodDisruptionBudget"),
        }
    }
}

/// Workload and labels. What else changes of a Source wakes nobody here.
fn only_what_streams_need(mut source: Source) -> Source {
    source.metadata.managed_fields = None;
    source.metadata.annotations = None;
    source.metadata.resource_version = None;
    source.metadata.generation = None;
    source.spec.container_overrides = Vec::new();
    source.spec.otel_service_name = None;
    source.status = None;
    source
}

pub(super) struct Watching<'a> {
    program: &'a mut Program,
    context: &'a Context,
    queue: &'a Queue<()>,
}

impl Watching<'_> {
    fn all<K, T>(
        &mut self,
        kind: &'static str,
        api: Api<K>,
        config: watcher::Config,
        project: impl Fn(K) -> Option<T> + Send + Sync + 'static,
    ) -> Store<K, T>
    where
        K: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
        T: PartialEq + Send + Sync + 'static,
    {
        let optional = false;
        self.put(Watched { kind, optional }, api, config, project)
    }

    fn put<K, T>(
        &mut self,
        watched: Watched,
        api: Api<K>,
        config: watcher::Config,
        project: impl Fn(K) -> Option<T> + Send + Sync + 'static,
    ) -> Store<K, T>
    where
        K: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
        T: PartialEq + Send + Sync + 'static,
    {
        let store = self.program.watch(watched, api, config, project);
        let queue = self.queue.clone();
        store.on_change(move |_| queue.add(()));
        store
    }

    /// A kind of ours, in the product's namespace.
    fn mine<K: Cached>(&mut self, kind: &'static str) -> Store<K> {
        self.of_users(Watched { kind, optional: false })
    }

    /// The same for a kind that the cluster may do without.
    pub(super) fn optional<K: Cached>(&mut self, kind: &'static str) -> Store<K> {
        self.of_users(Watched { kind, optional: true })
    }

    fn of_users<K: Cached>(&mut self, watched: Watched) -> Store<K> {
        let api = Api::namespaced(self.context.client.clone(), &self.context.namespace);
        let manager = self.context.component;
        self.put(watched, api, watcher::Config::default(), move |object: K| {
            Some(without_version(trim(object, manager)))
        })
    }

    /// What the autoscaler makes: found by the label that all of it has.
    fn made<K: Cached>(&mut self, kind: &'static str) -> Store<K> {
        let api = Api::namespaced(self.context.client.clone(), &self.context.namespace);
        let labels = format!("app.kubernetes.io/name in ({GATEWAY},{NODE_COLLECTOR})");
        let manager = self.context.component;
        self.all(
            kind,
            api,
            watcher::Config::default().labels(&labels),
            move |object: K| Some(without_version(trim(object, manager))),
        )
    }
}

/// An event that changes nothing else wakes nobody.
fn without_version<K: Resource>(mut object: K) -> K {
    object.meta_mut().resource_version = None;
    object
}
