//! What is looked at: caches of workloads, pods, InstrumentationConfigs, budgets and the configuration.

use super::MANAGER;
use super::kinds::{WATCHED, resource};
use super::settings::reader;
use crate::rim::{Change, ObjectKey, Program, Store, Watched, trim};
use controllers_api::instrumentation_config::InstrumentationConfig;
use controllers_core::configuration::EFFECTIVE;
use controllers_core::injection::{self, Plan, identity, owner::owners};
use controllers_core::instrumentor::{Container, Workload, WorkloadId, WorkloadKind};
use controllers_core::rollout::{
    Configuration, Desired, Observed, PodState, Progress, WorkloadState, allowed, is_under_way,
};
use k8s_openapi::api::core::v1::{ConfigMap, Container as PodContainer, Pod};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::jiff::Timestamp;
use kube_client::api::DynamicObject;
use kube_client::{Api, ResourceExt};
use kube_runtime::watcher;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// All caches.
pub struct Observations {
    workloads: BTreeMap<WorkloadKind, Store<DynamicObject, KnownWorkload>>,
    pods: Store<Pod, KnownPod>,
    pub(super) configs: Store<InstrumentationConfig>,
    budgets: Store<PodDisruptionBudget>,
    effective: Store<ConfigMap, Configuration>,
    /// Which pods may belong to a workload.
    pods_of: Arc<Mutex<HashMap<WorkloadId, BTreeSet<ObjectKey>>>>,
}

/// What is kept of a workload.
#[derive(Clone, Debug, PartialEq)]
struct KnownWorkload {
    state: WorkloadState,
    containers: Vec<Container>,
}

/// What is kept of a pod.
#[derive(Clone, Debug, PartialEq)]
struct KnownPod {
    state: PodState,
    owners: Vec<WorkloadId>,
}

/// A workload at one moment.
pub(super) struct Seen {
    pub(super) id: WorkloadId,
    pub(super) config: Option<Arc<InstrumentationConfig>>,
    pub(super) plan: Option<Plan>,
    pub(super) settings: Configuration,
    workload: WorkloadState,
    pods: Vec<PodState>,
    disruptions: Option<u32>,
}

impl Seen {
    /// What is to be decided on.
    pub(super) fn observed(&self, others_under_way: usize, now: Timestamp) -> Observed<'_> {
        let hash = self.plan.as_ref().and_then(Plan::hash);
        let spec = self.config.as_ref().map(|config| &config.spec);
        let spec = spec.filter(|spec| spec.agents_meta_hash == hash);
        let since = spec.and_then(|spec| spec.agents_meta_hash_changed_time.as_ref());
        Observed {
            kind: self.id.kind,
            desired: hash.map(|hash| Desired {
                hash,
                since: since.map(|it| it.0),
                agents: self.agents(),
            }),
            workload: self.workload.clone(),
            pods: &self.pods,
            disruptions: self.disruptions,
            others_under_way,
            overhead: None,
            settings: self.settings.rollout,
            now,
        }
    }

    /// For which hash the workload's pods were last replaced.
    pub(super) fn rolled_out_for(&self) -> Option<&str> {
        self.workload.template(self.settings.rollout.method)
    }

    fn agents(&self) -> BTreeMap<String, String> {
        let containers = self.config.iter().flat_map(|config| &config.spec.containers);
        let injected = containers.filter(|it| {
            let plan = self.plan.as_ref();
            plan.is_some_and(|plan| plan.containers.contains_key(&it.container_name))
        });
        injected
            .filter_map(|it| Some((it.container_name.clone(), identity(it)?)))
            .collect()
    }
}

impl Observations {
    /// Watches everything.
    pub(super) fn watch(program: &mut Program) -> Self {
        let client = program.context().client.clone();
        let namespace = program.context().namespace.clone();
        let workloads = WATCHED.map(|(kind, optional)| (kind, watch_workloads(program, kind, optional)));
        let any = watcher::Config::default();
        let watched = |kind| Watched { kind, optional: false };
        let pods = program.watch(watched("Pod"), Api::all(client.clone()), any.clone(), known_pod);
        let configs = program.watch(
            watched("InstrumentationConfig"),
            Api::all(client.clone()),
            any.clone(),
            |config| Some(trim(config, MANAGER)),
        );
        let budgets = program.watch(
            watched("PodDisruptionBudget"),
            Api::all(client.clone()),
            any.clone(),
            |budget: PodDisruptionBudget| Some(trim(budget, "")),
        );
        let effective = program.watch(
            watched("ConfigMap"),
            Api::namespaced(client, &namespace),
            any.fields(&format!("metadata.name={EFFECTIVE}")),
            reader(namespace),
        );
        let observations = Self {
            workloads: workloads.into(),
            pods,
            configs,
            budgets,
            effective,
            pods_of: Arc::default(),
        };
        let pods_of = Arc::clone(&observations.pods_of);
        observations.pods.on_change(move |change| index(&pods_of, change));
        observations
    }

    /// Calls `listener` with each workload about which something has changed.
    pub(super) fn on_change(&self, listener: impl Fn(WorkloadId) + Clone + Send + Sync + 'static) {
        for (kind, store) in &self.workloads {
            let (kind, tell) = (*kind, listener.clone());
            store.on_change(move |change| {
                tell(WorkloadId {
                    namespace: change.key.namespace.clone(),
                    kind,
                    name: change.key.name.clone(),
                });
            });
        }
        let tell = listener.clone();
        self.pods.on_change(move |change| {
            let known = change.after.or(change.before);
            known.into_iter().flat_map(|it| it.owners.clone()).for_each(&tell);
        });
        let tell = listener.clone();
        self.configs
            .on_change(move |change| of_config(change.key).into_iter().for_each(&tell));
        let (tell, configs) = (listener.clone(), self.configs.clone());
        self.budgets.on_change(move |change| {
            let there = configs.in_namespace(&change.key.namespace);
            there.iter().filter_map(|(key, _)| of_config(key)).for_each(&tell);
        });
        let (tell, configs) = (listener, self.configs.clone());
        self.effective.on_change(move |_| {
            configs
                .all()
                .iter()
                .filter_map(|(key, _)| of_config(key))
                .for_each(&tell);
        });
    }

    /// The configuration, once there is one.
    fn settings(&self) -> Option<Configuration> {
        let (_, settings) = self.effective.all().into_iter().next()?;
        Some((*settings).clone())
    }

    /// Everything about a workload; nothing where there is nothing to do about it, nor was.
    pub(super) fn look(&self, id: &WorkloadId, evicted: &BTreeSet<String>) -> Option<Seen> {
        let config = self.configs.get(&ObjectKey::new(&id.namespace, id.config_name()));
        let known = self.workload(id)?;
        if !self.concerns_us(id, &known) {
            return None;
        }
        let mut pods = self.pods_of(id);
        for pod in &mut pods {
            pod.leaving |= evicted.contains(&pod.name);
        }
        let settings = self.settings()?;
        let plan = config.as_ref().map(|config| planned(id, &known, config, &settings));
        let budgets = self.budgets.in_namespace(&id.namespace);
        Some(Seen {
            id: id.clone(),
            disruptions: allowed(budgets.iter().map(|(_, budget)| &**budget), &known.state.labels),
            config,
            plan,
            settings,
            workload: known.state.clone(),
            pods,
        })
    }

    /// How many workloads but this one are being rolled.
    pub(super) fn under_way(&self, but: &WorkloadId) -> usize {
        let configs = self.configs.all();
        let ids = configs.iter().filter_map(|(key, _)| of_config(key));
        let now = Timestamp::now();
        let others = ids
            .filter(|id| id != but)
            .filter_map(|id| self.look(&id, &BTreeSet::new()));
        others.filter(|seen| is_under_way(&seen.observed(0, now))).count()
    }

    /// What the pods of a workload get, if it is instrumented.
    pub(super) fn plan(&self, id: &WorkloadId) -> Option<Plan> {
        let config = self.configs.get(&ObjectKey::new(&id.namespace, id.config_name()))?;
        let known = self.workload(id)?;
        Some(planned(id, &known, &config, &self.settings()?))
    }

    /// Whether a pod is there and not on its way out, as far as the cache knows.
    pub(super) fn is_serving(&self, namespace: &str, pod: &str) -> bool {
        let pod = self.pods.get(&ObjectKey::new(namespace, pod));
        pod.is_some_and(|pod| !pod.state.leaving)
    }

    /// Whether nobody asks for the workload any more, and nothing of ours is left in it nor in its pods.
    pub(super) fn is_restored(&self, id: &WorkloadId) -> bool {
        let Some(known) = self.workload(id) else {
            return false;
        };
        let is_settled = known.state.progress == Progress::Settled;
        is_settled && !self.concerns_us(id, &known)
    }

    /// Takes in what the apiserver has answered to a change of a workload.
    pub(super) fn changed(&self, id: &WorkloadId, object: DynamicObject) {
        if let Some(store) = self.workloads.get(&id.kind) {
            store.written(object);
        }
    }

    /// Whether somebody asks for the workload, or something of ours is left in it or in its pods.
    fn concerns_us(&self, id: &WorkloadId, known: &KnownWorkload) -> bool {
        let config = self.configs.get(&ObjectKey::new(&id.namespace, id.config_name()));
        let is_injected = || self.pods_of(id).iter().any(|pod| pod.hash.is_some());
        config.is_some() || known.state.is_marked() || is_injected()
    }

    fn workload(&self, id: &WorkloadId) -> Option<Arc<KnownWorkload>> {
        match self.workloads.get(&id.kind) {
            Some(store) => store.get(&ObjectKey::new(&id.namespace, &id.name)),
            // The pod is all that there is of it.
            None => Some(Arc::new(KnownWorkload {
                state: WorkloadState::of(id.kind, None, &Value::Null),
                containers: Vec::new(),
            })),
        }
    }

    fn pods_of(&self, id: &WorkloadId) -> Vec<PodState> {
        let pods_of = self.pods_of.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = pods_of.get(id).into_iter().flatten();
        let there = keys.filter_map(|key| self.pods.get(key));
        // Where several workloads come into question, it is the first that there is.
        let own = there.filter(|pod| pod.owners.iter().find(|owner| self.exists(owner)) == Some(id));
        own.map(|pod| pod.state.clone()).collect()
    }

    fn exists(&self, id: &WorkloadId) -> bool {
        let store = self.workloads.get(&id.kind);
        store.is_none_or(|store| store.get(&ObjectKey::new(&id.namespace, &id.name)).is_some())
    }
}

fn watch_workloads(program: &mut Program, kind: WorkloadKind, optional: bool) -> Store<DynamicObject, KnownWorkload> {
    let api = Api::all_with(program.context().client.clone(), &resource(kind));
    let watched = Watched {
        kind: kind.as_str(),
        optional,
    };
    program.watch(watched, api, watcher::Config::default(), move |object| {
        Some(KnownWorkload::of(kind, &object))
    })
}

fn of_config(key: &ObjectKey) -> Option<WorkloadId> {
    WorkloadId::of_config(&key.namespace, &key.name)
}

impl KnownWorkload {
    fn of(kind: WorkloadKind, object: &DynamicObject) -> Self {
        let spec = &object.data["spec"];
        let template = match kind {
            WorkloadKind::CronJob => &spec["jobTemplate"]["spec"]["template"],
            _ => &spec["template"],
        };
        let containers = template["spec"]["containers"].as_array().into_iter().flatten();
        let containers = containers.filter_map(|it| serde_json::from_value::<PodContainer>(it.clone()).ok());
        Self {
            state: WorkloadState::of(kind, object.metadata.generation, &object.data),
            containers: containers.map(|it| Container::of(&it)).collect(),
        }
    }
}

fn known_pod(pod: Pod) -> Option<KnownPod> {
    let namespace = pod.namespace()?;
    let owners = owners(&namespace, &pod.metadata);
    if owners.is_empty() {
        return None;
    }
    let state = PodState::of(&pod)?;
    Some(KnownPod { state, owners })
}

fn index(pods_of: &Mutex<HashMap<WorkloadId, BTreeSet<ObjectKey>>>, change: &Change<'_, KnownPod>) {
    let mut pods_of = pods_of.lock().unwrap_or_else(PoisonError::into_inner);
    for owner in change.before.into_iter().flat_map(|it| &it.owners) {
        if let Some(pods) = pods_of.get_mut(owner) {
            pods.remove(change.key);
            if pods.is_empty() {
                pods_of.remove(owner);
            }
        }
    }
    for owner in change.after.into_iter().flat_map(|it| &it.owners) {
        pods_of.entry(owner.clone()).or_default().insert(change.key.clone());
    }
}

fn planned(id: &WorkloadId, known: &KnownWorkload, config: &InstrumentationConfig, settings: &Configuration) -> Plan {
    let workload = Workload {
        id: id.clone(),
        owner: OwnerReference::default(),
        containers: known.containers.clone(),
        running: true,
    };
    let seen = config
        .status
        .as_ref()
        .map(|it| it.runtime_details_by_container.as_slice());
    injection::plan(&workload, &config.spec, seen.unwrap_or_default(), &settings.injection)
}
