//! A large cluster: workloads, pods and Sources that nobody runs, made as fast as the apiserver takes them.

use anyhow::{Context, Result, bail};
use futures_util::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use kube_client::api::{
    ApiResource, DynamicObject, GroupVersionKind, ListParams, PartialObjectMeta, Patch, PatchParams, PostParams,
};
use kube_client::config::{KubeConfigOptions, Kubeconfig};
use kube_client::{Api, Client, Config, Resource, ResourceExt};
use kube_runtime::watcher::{self, Event};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::Debug;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

pub const NAMESPACES: usize = 50;
const WORKLOADS_EACH: usize = 40;
const PODS_EACH: usize = 5;
pub const WORKLOADS: usize = NAMESPACES * WORKLOADS_EACH;
pub const PODS: usize = WORKLOADS * PODS_EACH;
/// In each namespace, the first workloads have a Source of their own.
const WITH_SOURCE: usize = 9;
/// Sources with a regular expression, one in each of the first namespaces.
const WITH_PATTERN: usize = 30;
/// Sources that exclude a workload, one in each of the first namespaces.
const EXCLUDED: usize = 20;
pub const SOURCES: usize = NAMESPACES * WITH_SOURCE + WITH_PATTERN + EXCLUDED;
/// Where the workloads begin that have no Source before it is measured.
const FIRST_UNMARKED: usize = 20;
/// Requests at once.
const AT_ONCE: usize = 32;

/// A connection to it, and where its first unmarked workloads are.
pub struct Cluster {
    client: Client,
}

impl Cluster {
    /// Makes everything; the definitions must be there.
    pub async fn fill(kubeconfig: &Path) -> Result<Self> {
        let config = Kubeconfig::read_from(kubeconfig)?;
        let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await?;
        let cluster = Self {
            client: Client::try_from(config)?,
        };
        cluster.namespaces().await?;
        each(0..WORKLOADS, |number| cluster.workload(number)).await?;
        each(0..SOURCES, |number| cluster.source(number)).await?;
        Ok(cluster)
    }

    /// Each has the service account that Kubernetes' own controllers would make, without which no pod is taken.
    async fn namespaces(&self) -> Result<()> {
        let all = Api::<Namespace>::all(self.client.clone());
        each(0..NAMESPACES, |number| {
            let all = all.clone();
            async move {
                let name = namespace(number);
                create(&all, json!({"metadata": {"name": name}})).await?;
                let accounts = Api::<ServiceAccount>::namespaced(self.client.clone(), &name);
                create(&accounts, json!({"metadata": {"name": "default"}}))
                    .await
                    .map(drop)
            }
        })
        .await
    }

    /// A Deployment, its ReplicaSet and their running pods.
    async fn workload(&self, number: usize) -> Result<()> {
        let (namespace, name) = place(number);
        let labels = json!({"app": name});
        let template = json!({
            "metadata": {"labels": labels},
            "spec": {"containers": [{
                "name": "app",
                "image": "registry.example/shop/app:1.2.3",
                "env": [{"name": "LEVEL", "value": "info"}, {"name": "REGION", "value": "north"}],
                "ports": [{"containerPort": 8080}],
                "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
            }]},
        });
        let spec = json!({"replicas": PODS_EACH, "selector": {"matchLabels": labels}, "template": template});
        let deployments = Api::<Deployment>::namespaced(self.client.clone(), &namespace);
        let deployment = create(&deployments, json!({"metadata": {"name": name}, "spec": spec})).await?;
        let owner = owner("Deployment", &deployment);
        let sets = Api::<ReplicaSet>::namespaced(self.client.clone(), &namespace);
        let set = json!({"metadata": {"name": format!("{name}-5d9c7b"), "ownerReferences": [owner]}, "spec": spec});
        let set = create(&sets, set).await?;
        let pods = Api::<Pod>::namespaced(self.client.clone(), &namespace);
        for number in 0..PODS_EACH {
            self.pod(&pods, &set, number, &template).await?;
        }
        Ok(())
    }

    async fn pod(&self, pods: &Api<Pod>, set: &ReplicaSet, number: usize, template: &Value) -> Result<()> {
        let name = format!("{}-{number}", set.name_any());
        let mut spec = template["spec"].clone();
        spec["nodeName"] = json!(format!("node-{}", number % 20));
        let metadata = json!({
            "name": name,
            "labels": template["metadata"]["labels"],
            "ownerReferences": [owner("ReplicaSet", set)],
        });
        create(pods, json!({"metadata": metadata, "spec": spec})).await?;
        let status = json!({"status": {
            "phase": "Running",
            "podIP": "10.1.2.3",
            "conditions": [{"type": "Ready", "status": "True"}, {"type": "ContainersReady", "status": "True"}],
            "containerStatuses": [{
                "name": "app", "ready": true, "started": true, "restartCount": 0,
                "image": "registry.example/shop/app:1.2.3", "imageID": "sha256:0",
                "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
            }],
        }});
        pods.patch_status(&name, &PatchParams::default(), &Patch::Merge(status))
            .await?;
        Ok(())
    }

    async fn source(&self, number: usize) -> Result<()> {
        let own = NAMESPACES * WITH_SOURCE;
        if number < own {
            let (namespace, workload) = place((number / WITH_SOURCE) * WORKLOADS_EACH + number % WITH_SOURCE);
            return self.mark(&namespace, &workload, json!({})).await;
        }
        let (position, more) = match number - own {
            pattern if pattern < WITH_PATTERN => (pattern, json!({"matchWorkloadNameAsRegex": true})),
            excluded => (excluded - WITH_PATTERN, json!({"disableInstrumentation": true})),
        };
        let is_pattern = more.get("matchWorkloadNameAsRegex").is_some();
        let (namespace, workload) = place(position * WORKLOADS_EACH + WITH_SOURCE + usize::from(!is_pattern));
        let name = if is_pattern { format!("^{workload}$") } else { workload };
        self.mark(&namespace, &name, more).await
    }

    /// Makes a Source of a Deployment.
    async fn mark(&self, namespace: &str, workload: &str, more: Value) -> Result<()> {
        let mut spec = json!({"workload": {"kind": "Deployment", "namespace": namespace, "name": workload}});
        if let (Some(spec), Some(more)) = (spec.as_object_mut(), more.as_object()) {
            spec.extend(more.clone());
        }
        let sources = self.ours::<DynamicObject>("Source", "sources", Some(namespace));
        let name: String = workload.chars().filter(|letter| !"^$".contains(*letter)).collect();
        let source =
            json!({"apiVersion": "odigos.io/v1alpha1", "kind": "Source", "metadata": {"name": name}, "spec": spec});
        create(&sources, source).await.map(drop)
    }

    fn ours<K>(&self, kind: &str, plural: &str, namespace: Option<&str>) -> Api<K>
    where
        K: Resource<DynamicType = ApiResource>,
        K: Resource<Scope = kube_client::core::DynamicResourceScope>,
    {
        let kind = GroupVersionKind::gvk("odigos.io", "v1alpha1", kind);
        let resource = ApiResource::from_gvk_with_plural(&kind, plural);
        match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }

    /// Waits until every workload that is marked from the beginning has its InstrumentationConfig.
    pub async fn wait_for_configs(&self, within: Duration) -> Result<()> {
        let configs = self.ours::<DynamicObject>("InstrumentationConfig", "instrumentationconfigs", None);
        let deadline = Instant::now() + within;
        loop {
            let found = configs.list_metadata(&ListParams::default()).await?.items.len();
            match found.cmp(&(SOURCES - EXCLUDED)) {
                std::cmp::Ordering::Equal => return Ok(()),
                std::cmp::Ordering::Greater => bail!("{found} InstrumentationConfigs, more than marked workloads"),
                std::cmp::Ordering::Less if Instant::now() > deadline => {
                    bail!(
                        "{found} of {} InstrumentationConfigs within {within:?}",
                        SOURCES - EXCLUDED
                    )
                }
                std::cmp::Ordering::Less => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Makes so many Sources, each when the one before has taken effect; returns how long each took from the request to the
    /// InstrumentationConfig, as a watch sees it.
    pub async fn follow(&self, count: usize) -> Result<Vec<Duration>> {
        let mut seen = self.watch_configs();
        let mut times = Vec::with_capacity(count);
        for number in 0..count {
            let workload = (number % NAMESPACES) * WORKLOADS_EACH + FIRST_UNMARKED + number / NAMESPACES;
            let (namespace, workload) = place(workload);
            let awaited = (namespace.clone(), format!("deployment-{workload}"));
            let begin = Instant::now();
            self.mark(&namespace, &workload, json!({})).await?;
            loop {
                let next = tokio::time::timeout(Duration::from_secs(30), seen.recv()).await;
                let config = next
                    .with_context(|| format!("no {awaited:?} in time"))?
                    .context("the watch has ended")?;
                if config == awaited {
                    break;
                }
            }
            times.push(begin.elapsed());
        }
        Ok(times)
    }

    /// Namespace and name of each InstrumentationConfig that there is or that comes.
    fn watch_configs(&self) -> mpsc::UnboundedReceiver<(String, String)> {
        let configs =
            self.ours::<PartialObjectMeta<DynamicObject>>("InstrumentationConfig", "instrumentationconfigs", None);
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut events = std::pin::pin!(kube_runtime::watcher(configs, watcher::Config::default()));
            while let Some(event) = events.next().await {
                let Ok(Event::Apply(config) | Event::InitApply(config)) = event else {
                    continue;
                };
                if sender.send(identity(&config)).is_err() {
                    return;
                }
            }
        });
        receiver
    }
}

fn identity(config: &PartialObjectMeta<DynamicObject>) -> (String, String) {
    (config.namespace().unwrap_or_default(), config.name_any())
}

fn namespace(number: usize) -> String {
    format!("team-{number:02}")
}

/// Namespace and name of a workload.
fn place(number: usize) -> (String, String) {
    (
        namespace(number / WORKLOADS_EACH),
        format!("shop-{:02}", number % WORKLOADS_EACH),
    )
}

fn owner<K: Resource<DynamicType = ()>>(kind: &str, object: &K) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": kind,
        "name": object.name_any(),
        "uid": object.uid(),
        "controller": true,
    })
}

async fn create<K>(api: &Api<K>, object: Value) -> Result<K>
where
    K: Clone + DeserializeOwned + Debug + serde::Serialize,
{
    let object: K = serde_json::from_value(object)?;
    Ok(api.create(&PostParams::default(), &object).await?)
}

/// Does it for each number, several at once; the first error ends it.
async fn each<F>(numbers: std::ops::Range<usize>, make: impl Fn(usize) -> F) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    stream::iter(numbers.map(make))
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<()>>()
        .await
        .map(drop)
}
