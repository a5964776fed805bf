//! The webhook's view: what a pod gets that is being made.

use super::observe::Observations;
use controllers_core::injection::{Admission, admit};
use k8s_openapi::api::core::v1::Pod;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Knows what the pods of each instrumented workload get. Every replica has one, whether it leads or not. Clones share it.
#[derive(Clone)]
pub struct Injector(Arc<Observations>);

impl Injector {
    pub(super) const fn new(observations: Arc<Observations>) -> Self {
        Self(observations)
    }

    /// The answer to a pod that is made in `namespace`.
    pub fn admit(&self, namespace: &str, pod: &Pod) -> Admission {
        admit(namespace, pod, |id| self.0.plan(id))
    }

    /// The namespaces of workloads that somebody asks for: the webhook must be told of before the first of their pods is
    /// replaced, so it is not waited for what is found out of them.
    pub fn namespaces(&self) -> BTreeSet<String> {
        let configs = self.0.configs.all().into_iter();
        configs.map(|(key, _)| key.namespace).collect()
    }

    /// Calls `listener` whenever the namespaces may have changed. It must be quick.
    pub fn on_change(&self, listener: impl Fn() + Send + Sync + 'static) {
        self.0.configs.on_change(move |change| {
            if change.before.is_none() || change.after.is_none() {
                listener();
            }
        });
    }
}

impl std::fmt::Debug for Injector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Injector").finish_non_exhaustive()
    }
}
