//! The objects of the profiles that are in force, and none of those that were.

use super::{Scheduler, own};
use crate::rim::{Kind, ObjectKey, Outcome, Store};
use controllers_core::scheduler::profile_objects::profile_objects;
use k8s_openapi::NamespaceResourceScope;
use kube_client::Api;
use std::collections::BTreeSet;

impl Scheduler {
    pub(super) async fn profiles(&self) -> anyhow::Result<Outcome> {
        let effective = self.effective();
        let owner = self.owner();
        let desired = profile_objects(&self.context.namespace, owner.as_ref(), &effective.profiles)?;
        self.kind(&self.caches.processors, &desired.processors).await?;
        self.kind(&self.caches.rules, &desired.rules).await?;
        self.kind(&self.caches.actions, &desired.actions).await?;
        Ok(Outcome::Settled)
    }

    async fn kind<K>(&self, cache: &Store<K>, desired: &[K]) -> anyhow::Result<()>
    where
        K: Kind + PartialEq + kube_client::Resource<Scope = NamespaceResourceScope> + 'static,
    {
        let api: Api<K> = own(&self.context);
        let mut wanted = BTreeSet::new();
        for object in desired {
            let key = ObjectKey::of(object.meta());
            let live = cache.get(&key);
            if let Some(written) = self.context.writer.apply(&api, object, live.as_deref()).await? {
                cache.written(written);
            }
            wanted.insert(key);
        }
        for (key, live) in cache.all() {
            if !wanted.contains(&key) && live.meta().deletion_timestamp.is_none() {
                self.context.writer.delete(&api, live.as_ref()).await?;
            }
        }
        Ok(())
    }
}
