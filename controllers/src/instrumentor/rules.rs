//! What InstrumentationRules say of themselves: what of them has no effect.

use super::observe::Observed;
use super::status::Conditions;
use crate::rim::{Controller, ObjectKey, Outcome, Program, Reconcile};
use anyhow::Context as _;
use controllers_api::instrumentation_rule::InstrumentationRule;
use controllers_core::instrumentor::of_rule;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube_client::Api;
use std::sync::Arc;

/// Has every rule looked at that was changed.
pub fn assemble(program: &mut Program, observed: &Observed) {
    program.controller(Controller {
        name: "instrumentationrule",
        concurrency: 1,
        queue: observed.rule_queue.clone(),
        reconciler: Arc::new(Rules(observed.clone())),
    });
}

struct Rules(Observed);

impl Reconcile for Rules {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> anyhow::Result<Outcome> {
        let rule = self.0.rules.get(key);
        let Some(rule) = rule.filter(|rule| rule.metadata.deletion_timestamp.is_none()) else {
            return Ok(Outcome::Settled);
        };
        let api = Api::<InstrumentationRule>::namespaced(self.0.context.client.clone(), &key.namespace);
        let before = rule
            .status
            .as_ref()
            .map(|status| status.conditions.as_slice())
            .unwrap_or_default();
        let status = Conditions::new(&[of_rule(&rule.spec)], before, &Time(Timestamp::now()));
        let written = self.0.context.writer.apply_status(&api, &*rule, &status).await;
        if let Some(written) = written.with_context(|| format!("InstrumentationRule {key}"))? {
            self.0.rules.written(written);
        }
        Ok(Outcome::Settled)
    }
}
