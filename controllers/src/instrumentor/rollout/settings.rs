//! The configuration, from the ConfigMap that the scheduler writes.

use controllers_core::configuration::{KEY, OdigosConfiguration};
use controllers_core::rollout::Configuration;
use k8s_openapi::api::core::v1::ConfigMap;
use std::sync::{Mutex, PoisonError};

/// Reads the configuration; of one that cannot be read it says so, and goes on with the last one that could. Without any, pods
/// stay as they are: what is not known must not replace every pod of the cluster.
pub(super) fn reader(namespace: String) -> impl Fn(ConfigMap) -> Option<Configuration> + Send + Sync {
    let last = Mutex::new(None);
    move |map| {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        let text = map
            .data
            .as_ref()
            .and_then(|data| data.get(KEY))
            .map_or("", String::as_str);
        match OdigosConfiguration::parse(text) {
            Ok(whole) => *last = Some(Configuration::of(&whole, &namespace, env!("CARGO_PKG_VERSION"))),
            Err(errors) => {
                let error = errors.to_string();
                tracing::warn!(
                    error,
                    "the effective configuration cannot be read: the last one stays in force"
                );
            }
        }
        last.clone()
    }
}
