//! Writes, by server-side apply under one field manager, and only where something would change.

use super::fields::is_applied;
use super::metrics::Metrics;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube_client::api::{DeleteParams, Patch, PatchParams, Preconditions, Resource};
use kube_client::{Api, Client};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::Debug;

/// Writes as one component. Clones share the client.
#[derive(Clone)]
pub struct Writer {
    client: Client,
    manager: &'static str,
    metrics: Metrics,
}

/// A kind of Kubernetes or of ours.
pub trait Kind: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned + Send + Sync {}

impl<K: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned + Send + Sync> Kind for K {}

impl Writer {
    /// Under the field manager `manager`, such as `odigos-scheduler`.
    pub fn new(client: Client, manager: &'static str, metrics: Metrics) -> Self {
        Self {
            client,
            manager,
            metrics,
        }
    }

    /// The apiserver's client, for what is no apply.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The field manager.
    pub fn manager(&self) -> &'static str {
        self.manager
    }

    /// Makes the object be as `desired` in all that `desired` says; what was applied before and is not in it any more is taken
    /// out. `live` is the object as it is cached (its managed fields must not have been trimmed away: see
    /// [`trim`](super::store::trim)). Nothing is written, and nothing returned, where nothing would change.
    ///
    /// `desired` has a name, no status, and quantities as Kubernetes writes them.
    pub async fn apply<K: Kind>(&self, api: &Api<K>, desired: &K, live: Option<&K>) -> kube_client::Result<Option<K>> {
        let value = self.named(serialized(desired)?);
        if self.is_as_desired(&value, live, None)? {
            return Ok(None);
        }
        let name = desired.meta().name.clone().unwrap_or_default();
        let written = api.patch(&name, &self.parameters(), &Patch::Apply(&value)).await?;
        self.metrics.wrote(&K::kind(&()), "apply");
        Ok(Some(written))
    }

    /// The same for the status, of which `status` is all that this component says.
    pub async fn apply_status<K: Kind, S: Serialize>(
        &self,
        api: &Api<K>,
        live: &K,
        status: &S,
    ) -> kube_client::Result<Option<K>> {
        let name = live.meta().name.clone().unwrap_or_default();
        let metadata = json!({"name": name, "namespace": live.meta().namespace});
        let value = json!({
            "apiVersion": K::api_version(&()), "kind": K::kind(&()),
            "metadata": metadata, "status": serialized(status)?,
        });
        if self.is_as_desired(&value, Some(live), Some("status"))? {
            return Ok(None);
        }
        let parameters = self.parameters();
        let written = api.patch_status(&name, &parameters, &Patch::Apply(&value)).await?;
        self.metrics.wrote(&K::kind(&()), "status");
        Ok(Some(written))
    }

    /// Deletes exactly the object that was seen, not another of the same name. That it is gone already is fine.
    pub async fn delete<K: Kind>(&self, api: &Api<K>, live: &K) -> kube_client::Result<()> {
        let preconditions = Preconditions {
            uid: live.meta().uid.clone(),
            resource_version: None,
        };
        let parameters = DeleteParams::background().preconditions(preconditions);
        let name = live.meta().name.clone().unwrap_or_default();
        match api.delete(&name, &parameters).await {
            Ok(_) => {
                self.metrics.wrote(&K::kind(&()), "delete");
                Ok(())
            }
            Err(kube_client::Error::Api(status)) if status.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Counts a write that went another way.
    pub fn count(&self, kind: &str, verb: &str) {
        self.metrics.wrote(kind, verb);
    }

    fn is_as_desired<K: Kind>(
        &self,
        desired: &Value,
        live: Option<&K>,
        part: Option<&str>,
    ) -> kube_client::Result<bool> {
        let Some(live) = live else {
            return Ok(false);
        };
        let entries = live.meta().managed_fields.as_deref().unwrap_or_default();
        let Some(owned) = entries.iter().find(|entry| self.is_ours(entry, part)) else {
            return Ok(false);
        };
        let owned = owned.fields_v1.as_ref().map_or(&Value::Null, |fields| &fields.0);
        let is = is_applied(&serialized(live)?, owned, desired);
        if is {
            self.metrics.left_unchanged(&K::kind(&()));
        }
        Ok(is)
    }

    fn is_ours(&self, entry: &ManagedFieldsEntry, part: Option<&str>) -> bool {
        let subresource = entry.subresource.as_deref().filter(|name| !name.is_empty());
        entry.manager.as_deref() == Some(self.manager)
            && entry.operation.as_deref() == Some("Apply")
            && subresource == part
    }

    /// What is applied by one component is its alone: others' changes of it are overwritten.
    fn parameters(&self) -> PatchParams {
        PatchParams::apply(self.manager).force()
    }

    /// Without what only the apiserver says of an object, which an apply may not contain.
    fn named(&self, mut value: Value) -> Value {
        if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
            for name in [
                "managedFields",
                "resourceVersion",
                "uid",
                "generation",
                "creationTimestamp",
            ] {
                metadata.remove(name);
            }
        }
        value
    }
}

fn serialized<T: Serialize>(value: &T) -> kube_client::Result<Value> {
    serde_json::to_value(value).map_err(kube_client::Error::SerdeError)
}

impl Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("manager", &self.manager)
            .finish_non_exhaustive()
    }
}
