//! Takes away what rollouts leave behind when they are over: revisions of a workload that no pod has any more, and that
//! still say for which hash they were made. Somebody who goes back to an earlier revision would otherwise get agents that are
//! not there any more.

use super::observe::Observations;
use super::step;
use crate::rim::{Context, Controller, Metrics, ObjectKey, Outcome, Program, Queue, Reconcile, Store, Watched};
use anyhow::Result;
use controllers_api::labels;
use controllers_core::instrumentor::{WorkloadId, WorkloadKind};
use kube_client::Api;
use kube_client::api::DynamicObject;
use kube_client::core::{ApiResource, GroupVersionKind, Resource};
use kube_runtime::watcher;
use std::sync::Arc;
use std::time::Duration;

/// Workloads' controllers may still need a revision for a moment after its last pod is gone.
const AFTER_THE_LAST_POD: Duration = Duration::from_secs(2);

/// A revision with something of ours in it.
#[derive(Clone, Debug, PartialEq)]
struct Trace {
    uid: String,
    owner: WorkloadId,
    /// Whether there are pods of it, or may be.
    in_use: bool,
}

/// A kind of revision, and an object of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct TraceKey {
    kind: &'static str,
    object: ObjectKey,
}

struct History {
    context: Context,
    observations: Arc<Observations>,
    sets: Store<DynamicObject, Trace>,
    revisions: Store<DynamicObject, Trace>,
    metrics: Metrics,
}

const REPLICA_SET: &str = "ReplicaSet";
const CONTROLLER_REVISION: &str = "ControllerRevision";

pub(super) fn assemble(program: &mut Program, observations: Arc<Observations>) {
    let queue = Queue::default();
    let sets = watch(program, &queue, REPLICA_SET);
    let revisions = watch(program, &queue, CONTROLLER_REVISION);
    let context = program.context().clone();
    let (again, traces) = (
        queue.clone(),
        [(REPLICA_SET, sets.clone()), (CONTROLLER_REVISION, revisions.clone())],
    );
    observations.on_change(move |id| {
        for (kind, store) in &traces {
            let there = store.in_namespace(&id.namespace).into_iter();
            for (object, _) in there.filter(|(_, trace)| trace.owner == id) {
                again.add_after(TraceKey { kind, object }, AFTER_THE_LAST_POD);
            }
        }
    });
    program.controller(Controller {
        name: "rollout-history",
        concurrency: 1,
        queue,
        reconciler: Arc::new(History {
            metrics: context.metrics.clone(),
            context,
            observations,
            sets,
            revisions,
        }),
    });
}

fn watch(program: &mut Program, queue: &Queue<TraceKey>, kind: &'static str) -> Store<DynamicObject, Trace> {
    let api = Api::all_with(program.context().client.clone(), &resource(kind));
    let watched = Watched { kind, optional: false };
    let store = program.watch(watched, api, watcher::Config::default(), |object| Trace::of(&object));
    let queue = queue.clone();
    store.on_change(move |change| {
        queue.add(TraceKey {
            kind,
            object: change.key.clone(),
        });
    });
    store
}

fn resource(kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("apps", "v1", kind))
}

impl Trace {
    /// Nothing for a revision that has nothing of ours.
    fn of(object: &DynamicObject) -> Option<Self> {
        // A ReplicaSet has the template in its spec, a ControllerRevision in its data.
        let spec = object
            .data
            .get("spec")
            .or_else(|| object.data.get("data")?.get("spec"))?;
        let annotations = &spec["template"]["metadata"]["annotations"];
        let ours = [labels::ROLLED_OUT_FOR, labels::INJECTED];
        if !ours.iter().any(|name| annotations.get(name).is_some()) {
            return None;
        }
        let metadata = object.meta();
        let owner = metadata
            .owner_references
            .iter()
            .flatten()
            .find(|it| it.controller == Some(true))?;
        let count = |pointer: &str| {
            object
                .data
                .pointer(pointer)
                .and_then(serde_json::Value::as_i64)
                .unwrap_or(0)
        };
        Some(Self {
            uid: metadata.uid.clone()?,
            owner: WorkloadId {
                namespace: metadata.namespace.clone()?,
                kind: WorkloadKind::parse(&owner.kind)?,
                name: owner.name.clone(),
            },
            in_use: count("/spec/replicas") > 0 || count("/status/replicas") > 0,
        })
    }
}

impl Reconcile for History {
    type Key = TraceKey;

    async fn reconcile(&self, key: &TraceKey) -> Result<Outcome> {
        let store = if key.kind == REPLICA_SET {
            &self.sets
        } else {
            &self.revisions
        };
        let Some(trace) = store.get(&key.object) else {
            return Ok(Outcome::Settled);
        };
        if trace.in_use || !self.observations.is_restored(&trace.owner) {
            return Ok(Outcome::Settled);
        }
        let api = Api::namespaced_with(self.context.client.clone(), &key.object.namespace, &resource(key.kind));
        if step::delete(&api, &key.object.name, &trace.uid).await? {
            self.metrics.wrote(key.kind, "delete");
            tracing::info!(revision = %key.object, workload = %trace.owner, "a revision with agents was taken away");
        }
        Ok(Outcome::Settled)
    }
}
