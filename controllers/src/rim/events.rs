//! Events on objects: what a person sees in `kubectl describe`.
//!
//! The same words about the same object are said once an hour at most, however often a reconciler comes by.

use super::metrics::Metrics;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube_client::api::PostParams;
use kube_client::{Api, Client};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// As long as the apiserver keeps an Event by default.
const SAID_FOR: Duration = Duration::from_secs(3600);
/// The apiserver's limit of a note, in bytes.
const LONGEST_NOTE: usize = 1024;
/// So many different words are remembered at most.
const REMEMBERED: usize = 4096;

/// Says things about objects, as one component. Clones share what was said.
#[derive(Clone)]
pub struct Events {
    client: Client,
    component: &'static str,
    instance: Arc<str>,
    metrics: Metrics,
    said: Arc<Mutex<HashMap<Words, Instant>>>,
}

/// About what, for which reason, and the note.
type Words = (String, &'static str, String);

/// How grave it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Something was done.
    Normal,
    /// Somebody should do something.
    Warning,
}

impl Events {
    /// For a component, such as `odigos-scheduler`; `instance` is this process.
    pub fn new(client: Client, component: &'static str, instance: &str, metrics: Metrics) -> Self {
        Self {
            client,
            component,
            instance: instance.into(),
            metrics,
            said: Arc::default(),
        }
    }

    /// Says it, unless it was said lately. `reason` and `action` are words in CamelCase, `note` is for people. That an Event
    /// could not be written is logged and stops nothing.
    pub async fn say(
        &self,
        about: &ObjectReference,
        severity: Severity,
        reason: &'static str,
        action: &str,
        note: &str,
    ) {
        if !self.is_new(about, reason, note) {
            return;
        }
        let event = self.event(about, severity, reason, action, note);
        let namespace = event.metadata.namespace.clone().unwrap_or_default();
        let events: Api<Event> = Api::namespaced(self.client.clone(), &namespace);
        match events.create(&PostParams::default(), &event).await {
            Ok(_) => self.metrics.wrote("Event", "create"),
            Err(error) => {
                let error = kit::logging::chain(&error);
                tracing::warn!(error, reason, note, "an Event could not be written");
            }
        }
    }

    fn is_new(&self, about: &ObjectReference, reason: &'static str, note: &str) -> bool {
        let about = format!(
            "{:?} {:?} {:?} {:?}",
            about.kind, about.namespace, about.name, about.uid
        );
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.retain(|_, at| at.elapsed() < SAID_FOR);
        if said.len() >= REMEMBERED {
            said.clear();
        }
        said.insert((about, reason, note.to_owned()), Instant::now()).is_none()
    }

    fn event(&self, about: &ObjectReference, severity: Severity, reason: &str, action: &str, note: &str) -> Event {
        let now = Timestamp::now();
        let mut event = Event {
            action: Some(action.to_owned()),
            event_time: Some(MicroTime(now)),
            note: Some(shortened(note, LONGEST_NOTE).to_owned()),
            reason: Some(reason.to_owned()),
            regarding: Some(about.clone()),
            reporting_controller: Some(self.component.to_owned()),
            reporting_instance: Some(self.instance.to_string()),
            type_: Some(format!("{severity:?}")),
            ..Event::default()
        };
        // An Event about something of the whole cluster lies in `default`.
        let namespace = about.namespace.clone().unwrap_or_else(|| "default".to_owned());
        let name = about.name.as_deref().unwrap_or(self.component);
        event.metadata.name = Some(format!("{name}.{:x}", now.as_nanosecond()));
        event.metadata.namespace = Some(namespace);
        event
    }
}

/// The beginning of a text, in whole characters.
fn shortened(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events")
            .field("component", &self.component)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_ends_at_a_character() {
        assert_eq!(shortened("größe", 3), "gr");
        assert_eq!(shortened("größe", 4), "grö");
        assert_eq!(shortened("ab", 9), "ab");
    }
}
