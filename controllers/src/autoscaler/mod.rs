//! The autoscaler: deploys the gateway and the node collectors, with their configurations, and tells users what became of
//! what they asked for. What should be is decided in [`controllers_core::autoscaler`].

mod caches;
mod legacy;
mod secrets;
mod status;

use crate::rim::{Context, Controller, ObjectKey, Outcome, Program, Queue, Reconcile, Store, Writer};
use anyhow::{Result, anyhow};
use caches::{Cached, Caches};
use controllers_core::autoscaler::{
    Decision, GATEWAY, GatewayObjects, Image, NODE_COLLECTOR, NodeObjects, Observed, Rollout, decide,
};
use controllers_core::collectors::Facts;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube_client::Api;
use std::sync::{Arc, OnceLock};

/// Names the collector's image, with its tag or digest.
const IMAGE: &str = "ODIGOS_COLLECTOR_IMAGE";
/// Names the Secrets by which it may be pulled, with commas between.
const PULL_SECRETS: &str = "ODIGOS_IMAGE_PULL_SECRETS";
/// The namespace whose uid tells clusters apart.
const CLUSTER: &str = "kube-system";

/// Puts the component together.
pub fn assemble(program: &mut Program) {
    let context = program.context().clone();
    let queue = Queue::default();
    let caches = Caches::watch(program, &context, &queue);
    // With nothing there, nothing would wake it; and what is there already is looked at once.
    queue.add(());
    let reconciler = Arc::new(Autoscaler {
        context,
        caches,
        image: image(),
        cluster: OnceLock::new(),
    });
    program.controller(Controller {
        name: "autoscaler",
        // Everything is looked at together.
        concurrency: 1,
        queue,
        reconciler,
    });
}

fn image() -> Image {
    let name = std::env::var(IMAGE).ok().filter(|name| !name.is_empty());
    let secrets = std::env::var(PULL_SECRETS).unwrap_or_default();
    let secrets = secrets.split(',').map(str::trim).filter(|name| !name.is_empty());
    Image {
        name: name.unwrap_or_else(|| format!("odigos-collector:{}", env!("CARGO_PKG_VERSION"))),
        pull_secrets: secrets.map(str::to_owned).collect(),
    }
}

struct Autoscaler {
    context: Context,
    caches: Caches,
    image: Image,
    /// The cluster's uid, once it is known.
    cluster: OnceLock<String>,
}

impl Reconcile for Autoscaler {
    type Key = ();

    async fn reconcile(&self, (): &()) -> Result<Outcome> {
        self.learn_cluster().await;
        let decision = decide(&self.observed());
        // One that cannot be written keeps none of the others from it.
        let mut failures = Vec::new();
        if let Some(objects) = &decision.gateway {
            self.gateway(objects, &mut failures).await;
        }
        if let Some(objects) = &decision.node {
            self.node(objects, &mut failures).await;
        }
        self.tell(&decision, &mut failures).await;
        let mut failures = failures.into_iter();
        let Some(first) = failures.next() else {
            return Ok(Outcome::Settled);
        };
        for other in failures {
            tracing::warn!(error = format!("{other:#}"), "another write has failed too");
        }
        Err(first)
    }
}

impl Autoscaler {
    /// The uid never changes. Without it only what asks for it is not done.
    async fn learn_cluster(&self) {
        if self.cluster.get().is_some() {
            return;
        }
        let namespaces: Api<Namespace> = Api::all(self.context.client.clone());
        match namespaces.get(CLUSTER).await {
            Ok(namespace) => {
                // Nobody else sets it.
                let _ = self.cluster.set(namespace.metadata.uid.unwrap_or_default());
            }
            Err(error) => {
                let error = kit::logging::chain(&error);
                tracing::warn!(error, "the cluster's uid is not known yet");
            }
        }
    }

    fn observed(&self) -> Observed {
        let caches = &self.caches;
        let namespace = &self.context.namespace;
        let mine = |name: &str| ObjectKey::new(namespace, name);
        let files = |name: &str| {
            let map = caches.config_maps.get(&mine(name));
            map.and_then(|map: Arc<ConfigMap>| map.data.clone()).unwrap_or_default()
        };
        Observed {
            namespace: namespace.clone(),
            image: self.image.clone(),
            facts: Facts {
                cluster_uid: self.cluster.get().cloned(),
            },
            gateway_group: caches.groups.get(&mine(GATEWAY)),
            node_group: caches.groups.get(&mine(NODE_COLLECTOR)),
            destinations: values(&caches.destinations),
            secrets: caches
                .secrets
                .all()
                .into_iter()
                .map(|(key, facts)| (key.name, facts.as_ref().clone()))
                .collect(),
            actions: values(&caches.actions),
            processors: values(&caches.processors),
            samplings: values(&caches.samplings),
            legacy: caches.legacy.all(),
            sources: values(&caches.sources),
            gateway: caches
                .deployments
                .get(&mine(GATEWAY))
                .map(|live| Rollout::of_deployment(&live)),
            node: caches
                .daemon_sets
                .get(&mine(NODE_COLLECTOR))
                .map(|live| Rollout::of_daemon_set(&live)),
            gateway_files: files(GATEWAY),
            node_files: files(NODE_COLLECTOR),
        }
    }

    /// The configuration first, so that every pod finds its file.
    async fn gateway(&self, objects: &GatewayObjects, failures: &mut Vec<anyhow::Error>) {
        let caches = &self.caches;
        failures.extend(self.put(&caches.config_maps, &objects.config_map).await.err());
        failures.extend(self.put(&caches.services, &objects.service).await.err());
        failures.extend(self.put(&caches.services, &objects.headless).await.err());
        failures.extend(self.put(&caches.deployments, &objects.deployment).await.err());
        failures.extend(self.put(&caches.autoscalers, &objects.autoscaler).await.err());
        failures.extend(self.put(&caches.budgets, &objects.disruption_budget).await.err());
    }

    async fn node(&self, objects: &NodeObjects, failures: &mut Vec<anyhow::Error>) {
        let caches = &self.caches;
        failures.extend(self.put(&caches.config_maps, &objects.config_map).await.err());
        failures.extend(self.put(&caches.services, &objects.service).await.err());
        failures.extend(self.put(&caches.daemon_sets, &objects.daemon_set).await.err());
    }

    async fn put<K: Cached>(&self, store: &Store<K>, desired: &K) -> Result<()> {
        let api: Api<K> = Api::namespaced(self.context.client.clone(), &self.context.namespace);
        put(&self.context.writer, &api, store, desired).await
    }

    async fn tell(&self, decision: &Decision, failures: &mut Vec<anyhow::Error>) {
        for (name, state) in &decision.groups {
            let key = ObjectKey::new(&self.context.namespace, *name);
            if let Some(live) = self.caches.groups.get(&key) {
                let told = status::group(&self.context, &self.caches, &live, state).await;
                failures.extend(told.err());
            }
        }
        for verdict in &decision.verdicts {
            let told = status::object(&self.context, &self.caches, verdict).await;
            failures.extend(told.err());
        }
    }
}

/// Makes an object be as it should, as far as it is not.
async fn put<K: Cached>(writer: &Writer, api: &Api<K>, store: &Store<K>, desired: &K) -> Result<()> {
    let key = ObjectKey::of(desired.meta());
    let live = store.get(&key);
    let written = writer.apply(api, desired, live.as_deref()).await;
    let written = written.map_err(|error| anyhow!(error).context(format!("{} {key}", K::kind(&()))))?;
    if let Some(written) = written {
        tracing::info!(kind = %K::kind(&()), name = key.name, "written");
        store.written(written);
    }
    Ok(())
}

fn values<K, T>(store: &Store<K, T>) -> Vec<Arc<T>>
where
    K: kube_client::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + Sync + 'static,
    T: PartialEq + Send + Sync + 'static,
{
    store.all().into_iter().map(|(_, value)| value).collect()
}
