//! Merging what rules say, part by part. Every operation gives the same in whatever order and however often it is applied.

use controllers_api::instrumentation::{
    AgentDiagnostics, CodeAttributes, CppProbe, CustomInstrumentations, DbQueryPayload, EbpfLogCapture, GolangProbe,
    HeadersCollection, HttpPayload, JavaProbe, LibraryOfLanguage, LogLevel, MessagingPayload, NetworkMetrics,
    PayloadCollection, PhpProbe, TraceVerbosity,
};
use controllers_api::instrumentation_config::HeadSampling;
use serde_json::Value;

/// Something of which there may be several, that become one.
pub(super) trait Merge: Clone {
    /// Takes in another one.
    fn merge(&mut self, other: &Self);

    /// Brings what stands alone into the form that merging would give it.
    fn normalize(&mut self) {
        let same = self.clone();
        self.merge(&same);
    }
}

impl<T: Merge> Merge for Option<T> {
    fn merge(&mut self, other: &Self) {
        match (self.as_mut(), other) {
            (_, None) => {}
            (Some(mine), Some(other)) => mine.merge(other),
            (None, Some(other)) => {
                let mut other = other.clone();
                other.normalize();
                *self = Some(other);
            }
        }
    }
}

/// One rule that asks for it suffices.
fn any(mine: &mut Option<bool>, other: Option<bool>) {
    *mine = match (*mine, other) {
        (Some(mine), Some(other)) => Some(mine || other),
        (mine, other) => mine.or(other),
    };
}

/// The smaller of two limits; none is no limit.
fn smaller(mine: &mut Option<i64>, other: Option<i64>) {
    *mine = match (*mine, other) {
        (Some(mine), Some(other)) => Some(mine.min(other)),
        (mine, other) => mine.or(other),
    };
}

/// Sorted, each once.
fn union<T: Clone + Keyed>(mine: &mut Vec<T>, other: &[T]) {
    mine.extend_from_slice(other);
    sort(mine);
}

/// Sorts by what tells entries apart, and keeps each once.
pub(super) fn sort<T: Keyed>(list: &mut Vec<T>) {
    list.sort_by_cached_key(Keyed::key);
    list.dedup_by(|a, b| a.key() == b.key());
}

/// What tells entries of a list apart.
pub(super) trait Keyed {
    fn key(&self) -> Vec<String>;
}

impl Keyed for String {
    fn key(&self) -> Vec<String> {
        vec![self.clone()]
    }
}

impl Keyed for LibraryOfLanguage {
    fn key(&self) -> Vec<String> {
        let language = serde_json::to_value(self.language).unwrap_or(Value::Null);
        vec![language.to_string(), self.library_name.clone()]
    }
}

impl Keyed for CppProbe {
    fn key(&self) -> Vec<String> {
        vec![self.signature.clone()]
    }
}

impl Keyed for JavaProbe {
    fn key(&self) -> Vec<String> {
        let parts = [&self.class_name, &self.method_name];
        parts.map(|part| format!("{part:?}")).to_vec()
    }
}

impl Keyed for PhpProbe {
    fn key(&self) -> Vec<String> {
        vec![format!("{:?}", self.class_name), self.function_name.clone()]
    }
}

impl Keyed for GolangProbe {
    fn key(&self) -> Vec<String> {
        let parts = [&self.receiver_name, &self.receiver_method_name, &self.function_name];
        let parts = parts.map(|part| format!("{part:?}"));
        [self.package_name.clone()].into_iter().chain(parts).collect()
    }
}

impl Merge for CodeAttributes {
    fn merge(&mut self, other: &Self) {
        any(&mut self.column, other.column);
        any(&mut self.file_path, other.file_path);
        any(&mut self.function, other.function);
        any(&mut self.line_number, other.line_number);
        any(&mut self.namespace, other.namespace);
        any(&mut self.stack_trace, other.stack_trace);
    }
}

impl Merge for HeadersCollection {
    /// Case does not tell names of headers apart; of several spellings the first in order stays.
    fn merge(&mut self, other: &Self) {
        union(&mut self.header_keys, &other.header_keys);
        self.header_keys
            .sort_by_cached_key(|name| (name.to_ascii_lowercase(), name.clone()));
        self.header_keys.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
    }
}

impl Merge for CustomInstrumentations {
    fn merge(&mut self, other: &Self) {
        union(&mut self.cpp, &other.cpp);
        union(&mut self.golang, &other.golang);
        union(&mut self.java, &other.java);
        union(&mut self.php, &other.php);
    }
}

impl Merge for TraceVerbosity {
    fn merge(&mut self, other: &Self) {
        union(&mut self.disabled_libraries, &other.disabled_libraries);
        union(&mut self.enabled_libraries, &other.enabled_libraries);
    }
}

impl Merge for PayloadCollection {
    fn merge(&mut self, other: &Self) {
        self.db_query.merge(&other.db_query);
        self.http_request.merge(&other.http_request);
        self.http_response.merge(&other.http_response);
        self.messaging.merge(&other.messaging);
    }
}

impl Merge for HttpPayload {
    /// No media types means all of them.
    fn merge(&mut self, other: &Self) {
        if self.mime_types.is_empty() || other.mime_types.is_empty() {
            self.mime_types.clear();
        } else {
            union(&mut self.mime_types, &other.mime_types);
        }
        smaller(&mut self.max_payload_length, other.max_payload_length);
        any(&mut self.drop_partial_payloads, other.drop_partial_payloads);
    }
}

impl Merge for MessagingPayload {
    fn merge(&mut self, other: &Self) {
        smaller(&mut self.max_payload_length, other.max_payload_length);
        any(&mut self.drop_partial_payloads, other.drop_partial_payloads);
    }
}

impl Merge for DbQueryPayload {
    fn merge(&mut self, other: &Self) {
        smaller(&mut self.max_payload_length, other.max_payload_length);
        any(&mut self.drop_partial_payloads, other.drop_partial_payloads);
        let mine = self.sanitization_policy.take();
        let policies = mine.into_iter().chain(other.sanitization_policy.clone());
        self.sanitization_policy = policies.max_by_key(|policy| (strictness(policy), policy.clone()));
    }
}

/// How strict a policy for the literals of statements is.
fn strictness(policy: &str) -> u8 {
    match policy {
        "sanitized" => 3,
        "sanitized-or-full" => 2,
        "full" => 1,
        _ => 0,
    }
}

impl Merge for AgentDiagnostics {
    /// The most talkative level: somebody is looking for something.
    fn merge(&mut self, other: &Self) {
        let louder = |mine: &mut Option<LogLevel>, other: Option<LogLevel>| {
            // Levels are ordered from errors to everything.
            *mine = (*mine).max(other);
        };
        louder(&mut self.odigos_log_level, other.odigos_log_level);
        louder(
            &mut self.open_telemetry_components_log_level,
            other.open_telemetry_components_log_level,
        );
    }
}

impl Merge for EbpfLogCapture {
    fn merge(&mut self, other: &Self) {
        any(&mut self.enabled, other.enabled);
    }
}

impl Merge for NetworkMetrics {
    fn merge(&mut self, _: &Self) {}
}

impl Merge for HeadSampling {
    /// Only the fraction comes from rules.
    fn merge(&mut self, other: &Self) {
        self.fallback_fraction = self.fallback_fraction.min(other.fallback_fraction);
    }
}
