//! Writes InstrumentationConfigs, and deletes those that nobody asks for any more.

use super::observe::Observed;
use super::status::Conditions;
use crate::rim::{Controller, ObjectKey, Outcome, Program, Reconcile};
use anyhow::Context as _;
use controllers_api::instrumentation_config::InstrumentationConfig;
use controllers_core::instrumentor::{Decision, Desired, WorkloadId};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube_client::Api;
use kube_client::api::ObjectMeta;
use std::sync::Arc;

/// Writes of different workloads have nothing to do with each other; the apiserver takes so many at a time from one client
/// without making others wait.
const CONCURRENCY: usize = 16;

/// Has every workload looked at that an event concerns.
pub fn assemble(program: &mut Program, observed: &Observed) {
    program.controller(Controller {
        name: "instrumentationconfig",
        concurrency: CONCURRENCY,
        queue: observed.workload_queue.clone(),
        reconciler: Arc::new(Configs(observed.clone())),
    });
}

struct Configs(Observed);

impl Reconcile for Configs {
    type Key = WorkloadId;

    async fn reconcile(&self, id: &WorkloadId) -> anyhow::Result<Outcome> {
        let live = self.0.configs.get(&ObjectKey::new(&id.namespace, id.config_name()));
        let decision = self.0.index().decide(id);
        match (decision, live.as_deref()) {
            // What is on its way out has to be gone before another one can be there.
            (_, Some(live)) if live.metadata.deletion_timestamp.is_some() => {}
            (Decision::Leave, _) | (Decision::None(_), None) => {}
            (Decision::Want(desired), live) => self.write(*desired, live).await.with_context(|| id.to_string())?,
            (Decision::None(reason), Some(live)) => {
                tracing::info!(workload = %id, reason, "no longer instrumented");
                let writer = &self.0.context.writer;
                writer
                    .delete(&self.api(&id.namespace), live)
                    .await
                    .with_context(|| id.to_string())?;
            }
        }
        Ok(Outcome::Settled)
    }
}

impl Configs {
    fn api(&self, namespace: &str) -> Api<InstrumentationConfig> {
        Api::namespaced(self.0.context.client.clone(), namespace)
    }

    async fn write(&self, desired: Desired, live: Option<&InstrumentationConfig>) -> kube_client::Result<()> {
        let api = self.api(&desired.namespace);
        let writer = &self.0.context.writer;
        let (object, findings) = object(desired);
        let written = writer.apply(&api, &object, live).await?;
        if let Some(written) = written.clone() {
            self.0.configs.written(written);
        }
        let Some(live) = written.as_ref().or(live) else {
            return Ok(());
        };
        let before = live
            .status
            .as_ref()
            .map(|status| status.conditions.as_slice())
            .unwrap_or_default();
        let status = Conditions::new(&findings, before, &Time(Timestamp::now()));
        if let Some(written) = writer.apply_status(&api, live, &status).await? {
            self.0.configs.written(written);
        }
        Ok(())
    }
}

/// The object to apply, and what is said of it.
fn object(desired: Desired) -> (InstrumentationConfig, Vec<controllers_core::instrumentor::Finding>) {
    let object = InstrumentationConfig {
        metadata: ObjectMeta {
            name: Some(desired.name),
            namespace: Some(desired.namespace),
            labels: (!desired.labels.is_empty()).then_some(desired.labels),
            owner_references: Some(vec![desired.owner]),
            ..ObjectMeta::default()
        },
        spec: desired.spec,
        status: None,
    };
    (object, desired.conditions)
}
