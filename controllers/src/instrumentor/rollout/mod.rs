//! Replaces the pods of workloads, one step at a time, as `controllers_core::rollout` says.
//!
//! It writes as a field manager of its own: into an InstrumentationConfig the hash, two conditions and what was rolled back,
//! into a workload's pod template one annotation, or with the method `template` the agents. What it keeps between two looks is
//! only which pods it has just evicted, until the cache says so too.

mod history;
mod kinds;
mod observe;
mod pods;
mod settings;
mod step;

pub use pods::Injector;

use observe::{Observations, Seen};

use crate::rim::{Context, Controller, Outcome, Program, Queue, Reconcile, Writer};
use anyhow::Result;
use controllers_core::instrumentor::{WorkloadId, WorkloadKind};
use controllers_core::rollout::{Step, decide};
use k8s_openapi::jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The field manager of what is written here.
const MANAGER: &str = "odigos-instrumentor-rollout";

/// How long to wait after an eviction that a budget has forbidden.
const AFTER_REFUSAL: Duration = Duration::from_secs(10);

/// Puts the controller into the instrumentor. The answer knows what the webhook on pods must know.
pub fn assemble(program: &mut Program) -> Injector {
    let queue = Queue::default();
    let observations = Arc::new(Observations::watch(program));
    let to = queue.clone();
    observations.on_change(move |id| to.add(id));
    let context = program.context().clone();
    history::assemble(program, Arc::clone(&observations));
    let reconciler = Arc::new(Rollouts {
        writer: Writer::new(context.client.clone(), MANAGER, context.metrics.clone()),
        context,
        observations: Arc::clone(&observations),
        evicted: Mutex::default(),
    });
    // One at a time: how many workloads are being rolled is known before the next one begins.
    program.controller(Controller {
        name: "rollout",
        concurrency: 1,
        queue,
        reconciler,
    });
    Injector::new(observations)
}

struct Rollouts {
    context: Context,
    writer: Writer,
    observations: Arc<Observations>,
    /// Pods that are gone although the cache does not know yet: namespace and name.
    evicted: Mutex<BTreeSet<(String, String)>>,
}

impl Reconcile for Rollouts {
    type Key = WorkloadId;

    async fn reconcile(&self, id: &WorkloadId) -> Result<Outcome> {
        let Some(mut seen) = self.observations.look(id, &self.forget_evicted(id)) else {
            return Ok(Outcome::Settled);
        };
        let now = Timestamp::now();
        self.write_hash(&mut seen, now).await?;
        let decision = decide(&seen.observed(self.others_under_way(&seen), now));
        let again = self.act(&seen, &decision.step).await?;
        self.write_status(&seen, &decision, now).await?;
        Ok(match again.into_iter().chain(decision.again).min() {
            Some(wait) => Outcome::Again(wait.max(Duration::from_secs(1))),
            None => Outcome::Settled,
        })
    }
}

impl Rollouts {
    async fn act(&self, seen: &Seen, step: &Step) -> Result<Option<Duration>> {
        match step {
            Step::Nothing => {}
            Step::Template(hash) => step::change_template(self, seen, hash.as_deref()).await?,
            Step::Replace { pod } => {
                let evicted = step::evict(self, seen, pod).await?;
                return Ok((!evicted).then_some(AFTER_REFUSAL));
            }
            Step::RollBack(containers) => step::roll_back(self, seen, containers).await?,
        }
        Ok(None)
    }

    /// Counted only where a number is set, since everything must be looked at for it.
    fn others_under_way(&self, seen: &Seen) -> usize {
        match seen.settings.rollout.max_concurrent {
            Some(_) => self.observations.under_way(&seen.id),
            None => 0,
        }
    }

    /// The evicted pods of a namespace of which the cache does not know yet; the others are forgotten.
    fn forget_evicted(&self, id: &WorkloadId) -> BTreeSet<String> {
        let mut evicted = self.evicted.lock().unwrap_or_else(PoisonError::into_inner);
        evicted.retain(|(namespace, pod)| *namespace != id.namespace || self.observations.is_serving(namespace, pod));
        let here = evicted.iter().filter(|(namespace, _)| *namespace == id.namespace);
        here.map(|(_, pod)| pod.clone()).collect()
    }

    fn remember_evicted(&self, namespace: &str, pod: &str) {
        let mut evicted = self.evicted.lock().unwrap_or_else(PoisonError::into_inner);
        evicted.insert((namespace.to_owned(), pod.to_owned()));
    }
}

/// Whether a kind has a template that can be changed.
const fn has_template(kind: WorkloadKind) -> bool {
    match kind {
        WorkloadKind::Deployment
        | WorkloadKind::DaemonSet
        | WorkloadKind::StatefulSet
        | WorkloadKind::CronJob
        | WorkloadKind::DeploymentConfig
        | WorkloadKind::Rollout => true,
        WorkloadKind::Job | WorkloadKind::StaticPod => false,
    }
}
