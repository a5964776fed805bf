//! What Sources say of themselves, and the finalizer that keeps one until nothing is left of it.

use super::observe::{Observed, key_of};
use super::status::Conditions;
use crate::rim::{Controller, ObjectKey, Outcome, Program, Reconcile};
use anyhow::Context as _;
use controllers_api::labels::SOURCE_FINALIZER;
use controllers_api::source::Source;
use controllers_core::instrumentor::SourceKey;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube_client::Api;
use kube_client::api::{Patch, PatchParams};
use serde_json::json;
use std::sync::Arc;

/// A Source is written twice in its life, mostly.
const CONCURRENCY: usize = 4;

/// Has every Source looked at that was changed, or whose effect may be another one.
pub fn assemble(program: &mut Program, observed: &Observed) {
    program.controller(Controller {
        name: "source",
        concurrency: CONCURRENCY,
        queue: observed.source_queue.clone(),
        reconciler: Arc::new(Sources(observed.clone())),
    });
}

struct Sources(Observed);

impl Reconcile for Sources {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> anyhow::Result<Outcome> {
        let Some(source) = self.0.sources.get(key) else {
            return Ok(Outcome::Settled);
        };
        let api = Api::namespaced(self.0.context.client.clone(), &key.namespace);
        let done = if source.metadata.deletion_timestamp.is_some() {
            self.release(&api, key, &source).await
        } else {
            self.hold(&api, key, &source).await
        };
        done.with_context(|| format!("Source {key}"))?;
        Ok(Outcome::Settled)
    }
}

impl Sources {
    /// Lets go of a Source of which nothing is left.
    async fn release(&self, api: &Api<Source>, key: &ObjectKey, source: &Source) -> kube_client::Result<()> {
        let finished = self
            .0
            .index()
            .finished()
            .iter()
            .any(|finished| key_of(finished) == *key);
        let mut finalizers = finalizers(source);
        if !finished || !finalizers.iter().any(|name| name == SOURCE_FINALIZER) {
            return Ok(());
        }
        finalizers.retain(|name| name != SOURCE_FINALIZER);
        self.set_finalizers(api, source, finalizers).await.map(drop)
    }

    /// Keeps a Source, and says what it brings about.
    async fn hold(&self, api: &Api<Source>, key: &ObjectKey, source: &Source) -> kube_client::Result<()> {
        let mut finalizers = finalizers(source);
        let mut changed = None;
        if !finalizers.iter().any(|name| name == SOURCE_FINALIZER) {
            finalizers.push(SOURCE_FINALIZER.to_owned());
            changed = Some(self.set_finalizers(api, source, finalizers).await?);
        }
        let source = changed.as_ref().unwrap_or(source);
        let effect = self.0.index().effect(&SourceKey {
            namespace: key.namespace.clone(),
            name: key.name.clone(),
        });
        let Some(effect) = effect else {
            return Ok(());
        };
        let before = source
            .status
            .as_ref()
            .map(|status| status.conditions.as_slice())
            .unwrap_or_default();
        let status = Conditions::new(&[effect.finding()], before, &Time(Timestamp::now()));
        if let Some(written) = self.0.context.writer.apply_status(api, source, &status).await? {
            self.0.sources.written(written);
        }
        Ok(())
    }

    /// Exchanges the finalizers of exactly the object that was seen: others have theirs in the same list.
    async fn set_finalizers(
        &self,
        api: &Api<Source>,
        source: &Source,
        finalizers: Vec<String>,
    ) -> kube_client::Result<Source> {
        let metadata = &source.metadata;
        let patch = json!({"metadata": {
            "uid": metadata.uid, "resourceVersion": metadata.resource_version, "finalizers": finalizers,
        }});
        let name = metadata.name.as_deref().unwrap_or_default();
        let parameters = PatchParams {
            field_manager: Some(self.0.context.component.to_owned()),
            ..PatchParams::default()
        };
        let written = api.patch(name, &parameters, &Patch::Merge(patch)).await?;
        self.0.context.writer.count("Source", "patch");
        self.0.sources.written(written.clone());
        Ok(written)
    }
}

fn finalizers(source: &Source) -> Vec<String> {
    source.metadata.finalizers.clone().unwrap_or_default()
}
