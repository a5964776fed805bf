//! The CollectorsGroups: applied with what they wait for, deleted when nothing asks for them.

use super::{Scheduler, own};
use crate::rim::{ObjectKey, Outcome};
use controllers_api::collectors_group::CollectorsGroup;
use controllers_core::conditions::{Statement, conditions};
use controllers_core::scheduler::groups::{GATEWAY, NODE, Observed, groups};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube_client::Api;
use serde_json::json;
use std::sync::Arc;

impl Scheduler {
    pub(super) async fn groups(&self) -> anyhow::Result<Outcome> {
        let configuration = self.effective().configuration;
        let owner = self.owner();
        let desired = groups(&self.context.namespace, owner.as_ref(), &configuration, self.observed());
        // The node collectors end before the gateway that they send to.
        self.group(NODE, desired.node).await?;
        self.group(GATEWAY, desired.gateway).await?;
        Ok(Outcome::Settled)
    }

    fn observed(&self) -> Observed {
        let caches = &self.caches;
        let asking = |all: Vec<(ObjectKey, Arc<bool>)>| all.iter().filter(|(_, asks)| **asks).count();
        let ready = |group: Arc<CollectorsGroup>| group.status.as_ref().and_then(|status| status.ready) == Some(true);
        Observed {
            destinations: asking(caches.destinations.all()),
            sources: asking(caches.sources.all()),
            instrumentation_configs: caches.configs.len(),
            gateway_ready: self.live_group(GATEWAY).is_some_and(ready),
            node_exists: self.live_group(NODE).is_some(),
        }
    }

    fn live_group(&self, name: &str) -> Option<Arc<CollectorsGroup>> {
        self.caches.groups.get(&ObjectKey::new(&self.context.namespace, name))
    }

    async fn group(&self, name: &str, desired: Option<(CollectorsGroup, Vec<Statement>)>) -> anyhow::Result<()> {
        let api: Api<CollectorsGroup> = own(&self.context);
        let live = self.live_group(name);
        let Some((desired, says)) = desired else {
            // What is going already is not deleted again.
            if let Some(live) = live.filter(|live| live.metadata.deletion_timestamp.is_none()) {
                self.context.writer.delete(&api, live.as_ref()).await?;
                tracing::info!(group = name, "nothing asks for these collectors any more");
            }
            return Ok(());
        };
        let writer = &self.context.writer;
        if let Some(written) = writer.apply(&api, &desired, live.as_deref()).await? {
            tracing::info!(group = name, "these collectors are wanted");
            self.caches.groups.written(written);
        }
        let Some(live) = self.live_group(name) else {
            return Ok(());
        };
        let before = live.status.as_ref().map(|status| status.conditions.as_slice());
        let now = Time(Timestamp::now());
        let conditions = conditions(&says, before.unwrap_or_default(), live.metadata.generation, &now);
        let status = json!({ "conditions": conditions });
        if let Some(written) = writer.apply_status(&api, live.as_ref(), &status).await? {
            self.caches.groups.written(written);
        }
        Ok(())
    }
}
