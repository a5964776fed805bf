//! The scheduler: the configuration in force, the collectors that there should be, and the objects that profiles bring.
//!
//! All of it follows from the cluster as a whole, so a part is looked at as a whole, whatever has changed.

mod configuration;
mod groups;
mod owner;
mod profiles;

use crate::rim::{Context, Controller, Outcome, Program, Queue, Reconcile, Store, Watched, trim};
use controllers_api::action::Action;
use controllers_api::collectors_group::CollectorsGroup;
use controllers_api::destination::Destination;
use controllers_api::instrumentation_config::InstrumentationConfig;
use controllers_api::instrumentation_rule::InstrumentationRule;
use controllers_api::processor::Processor;
use controllers_api::source::Source;
use controllers_core::configuration::layers::{self, Documents, Effective, SOURCES};
use controllers_core::configuration::{EFFECTIVE, KEY};
use controllers_core::scheduler::{effective_config, profile_objects};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube_client::{Api, Resource};
use kube_runtime::watcher;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::sync::Arc;

/// What is looked at as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    Configuration,
    Groups,
    Profiles,
}

/// The caches that the scheduler decides on.
struct Caches {
    maps: Store<ConfigMap>,
    /// Whether each asks for a gateway.
    destinations: Store<Destination, bool>,
    sources: Store<Source, bool>,
    configs: Store<InstrumentationConfig, ()>,
    groups: Store<CollectorsGroup>,
    processors: Store<Processor>,
    rules: Store<InstrumentationRule>,
    actions: Store<Action>,
    deployment: Store<Deployment, OwnerReference>,
}

struct Scheduler {
    context: Context,
    caches: Caches,
}

/// Puts the scheduler together.
pub fn assemble(program: &mut Program) {
    let queue = Queue::default();
    let caches = caches(program);
    wake(&caches, &queue);
    // Also where there is no object at all, there is a configuration in force.
    queue.add(Part::Configuration);
    let context = program.context().clone();
    program.controller(Controller {
        name: "scheduler",
        concurrency: 1,
        queue,
        reconciler: Arc::new(Scheduler { context, caches }),
    });
}

fn caches(program: &mut Program) -> Caches {
    let context = program.context().clone();
    let (client, namespace) = (context.client.clone(), context.namespace.clone());
    let manager = context.component;
    let everything = watcher::Config::default;
    let by_profiles = || watcher::Config::default().labels(profile_objects::PROFILE);
    let of_scheduler = watcher::Config::default().fields("metadata.name=odigos-scheduler");
    Caches {
        maps: program.watch(kind("ConfigMap"), own(&context), everything(), move |map: ConfigMap| {
            let name = map.metadata.name.as_deref().unwrap_or_default();
            (name == EFFECTIVE || SOURCES.contains(&name)).then(|| trim(map, manager))
        }),
        destinations: program.watch(
            kind("Destination"),
            Api::namespaced(client.clone(), &namespace),
            everything(),
            |it: Destination| Some(it.spec.disabled != Some(true)),
        ),
        sources: program.watch(kind("Source"), Api::all(client.clone()), everything(), |it: Source| {
            Some(it.spec.disable_instrumentation != Some(true))
        }),
        configs: program.watch(
            kind("InstrumentationConfig"),
            Api::all(client),
            everything(),
            |_: InstrumentationConfig| Some(()),
        ),
        groups: program.watch(kind("CollectorsGroup"), own(&context), everything(), move |it| {
            Some(trim(it, manager))
        }),
        processors: program.watch(kind("Processor"), own(&context), by_profiles(), move |it| {
            Some(trim(it, manager))
        }),
        rules: program.watch(kind("InstrumentationRule"), own(&context), by_profiles(), move |it| {
            Some(trim(it, manager))
        }),
        actions: program.watch(kind("Action"), own(&context), by_profiles(), move |it| {
            Some(trim(it, manager))
        }),
        deployment: program.watch(kind("Deployment"), own(&context), of_scheduler, |it: Deployment| {
            owner::reference(&it)
        }),
    }
}

/// Objects of the product's own namespace.
fn own<K>(context: &Context) -> Api<K>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    Api::namespaced(context.client.clone(), &context.namespace)
}

fn kind(kind: &'static str) -> Watched {
    Watched { kind, optional: false }
}

/// What each cache's changes concern.
fn wake(caches: &Caches, queue: &Queue<Part>) {
    let add = |parts: &'static [Part]| {
        let queue = queue.clone();
        move || parts.iter().for_each(|part| queue.add(*part))
    };
    let all = add(&[Part::Configuration, Part::Groups, Part::Profiles]);
    let groups = add(&[Part::Groups]);
    let profiles = add(&[Part::Profiles]);
    let wake = all.clone();
    caches.maps.on_change(move |_| wake());
    caches.deployment.on_change(move |_| all());
    let wake = groups.clone();
    caches.destinations.on_change(move |_| wake());
    let wake = groups.clone();
    caches.sources.on_change(move |_| wake());
    let wake = groups.clone();
    caches.configs.on_change(move |_| wake());
    caches.groups.on_change(move |_| groups());
    let wake = profiles.clone();
    caches.processors.on_change(move |_| wake());
    let wake = profiles.clone();
    caches.rules.on_change(move |_| wake());
    caches.actions.on_change(move |_| profiles());
}

impl Reconcile for Scheduler {
    type Key = Part;

    async fn reconcile(&self, part: &Part) -> anyhow::Result<Outcome> {
        match part {
            Part::Configuration => self.configuration().await,
            Part::Groups => self.groups().await,
            Part::Profiles => self.profiles().await,
        }
    }
}

impl Scheduler {
    /// The sources as they are written now.
    fn written(&self) -> Documents {
        let namespace = &self.context.namespace;
        let maps = SOURCES.iter().filter_map(|source| {
            let map = self.caches.maps.get(&crate::rim::ObjectKey::new(namespace, *source))?;
            let document = map.data.as_ref()?.get(KEY)?;
            Some(((*source).to_owned(), document.clone()))
        });
        maps.collect()
    }

    /// `effective-config` as it is.
    fn live(&self) -> Option<Arc<ConfigMap>> {
        let key = crate::rim::ObjectKey::new(&self.context.namespace, EFFECTIVE);
        self.caches.maps.get(&key)
    }

    fn effective(&self) -> Effective {
        let accepted = self.live().map(|map| effective_config::accepted(&map));
        layers::effective(&self.written(), &accepted.unwrap_or_default())
    }

    /// What everything is owned by, so that it goes with the installation.
    fn owner(&self) -> Option<OwnerReference> {
        let found = self.caches.deployment.all().into_iter().next();
        found.map(|(_, owner)| OwnerReference::clone(&owner))
    }
}
