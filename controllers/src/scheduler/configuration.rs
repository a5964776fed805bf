//! The sources of the configuration to the ConfigMap that is in force; what is refused is said in Events on its source.

use super::Scheduler;
use crate::rim::{ObjectKey, Outcome, Severity};
use controllers_core::configuration::layers::Effective;
use controllers_core::scheduler::effective_config::effective_config;
use kube_client::Resource;

impl Scheduler {
    pub(super) async fn configuration(&self) -> anyhow::Result<Outcome> {
        let effective = self.effective();
        let namespace = &self.context.namespace;
        let desired = effective_config(namespace, self.owner(), &self.written(), &effective);
        let live = self.live();
        let written = self
            .context
            .writer
            .apply(&super::own(&self.context), &desired, live.as_deref())
            .await?;
        if let Some(map) = written {
            tracing::info!("the configuration in force has changed");
            self.caches.maps.written(map);
        }
        self.tell(&effective).await;
        Ok(Outcome::Settled)
    }

    async fn tell(&self, effective: &Effective) {
        for finding in &effective.findings {
            let key = ObjectKey::new(&self.context.namespace, finding.source.as_str());
            let Some(map) = self.caches.maps.get(&key) else {
                continue;
            };
            let (severity, reason) = match finding.refused {
                true => (Severity::Warning, "ConfigurationRefused"),
                false => (Severity::Normal, "ConfigurationNote"),
            };
            let about = map.object_ref(&());
            self.context
                .events
                .say(&about, severity, reason, "Validate", &finding.message)
                .await;
        }
    }
}
