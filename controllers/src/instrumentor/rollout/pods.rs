//! The webhook's view: what a pod gets that is being made.

use super::observe::Observations;
use controllers_core::injection::{Admission, admit};
use k8s_openapi::api::core::v1::Pod;
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
}

impl std::fmt::Debug for Injector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Injector").finish_non_exhaustive()
    }
}
