//! InstrumentationRules: why one is refused.

use super::source::KINDS;
use super::{Findings, names};
use controllers_api::instrumentation::{CustomInstrumentations, LibraryOfLanguage, PayloadCollection, TraceVerbosity};
use controllers_api::instrumentation_rule::{InstrumentationRule, InstrumentationRuleSpec, OtelDistros};
use controllers_api::workload::SourceScopes;
use std::collections::BTreeSet;

/// What is to be said of a rule. A change that leaves the spec as it is (`before`) is not looked at, nor is an object that is
/// being deleted.
pub fn findings(rule: &InstrumentationRule, before: Option<&InstrumentationRule>) -> Findings {
    let mut findings = Findings::default();
    let is_untouched = before.is_some_and(|before| before.spec == rule.spec);
    if is_untouched || rule.metadata.deletion_timestamp.is_some() {
        return findings;
    }
    let spec = &rule.spec;
    if says_nothing(spec) {
        findings.warn("spec", "asks for nothing, so the rule has no effect");
    }
    if let Some(rule) = &spec.payload_collection {
        payloads(rule, &mut findings);
    }
    if let Some(rule) = &spec.headers_collection {
        headers(&rule.header_keys, &mut findings);
    }
    if let Some(rule) = &spec.custom_instrumentations {
        functions(rule, &mut findings);
    }
    if let Some(rule) = &spec.otel_distros {
        distributions(rule, &mut findings);
    }
    if let Some(rule) = &spec.head_sampling_fallback_fraction
        && !(0.0..=1.0).contains(&rule.fraction_to_keep)
    {
        findings.refuse(
            "spec.headSamplingFallbackFraction.fractionToKeep",
            "must be a number from 0 to 1",
        );
    }
    if let Some(rule) = &spec.trace_verbosity {
        verbosity(rule, &mut findings);
    }
    for (index, library) in spec.instrumentation_libraries.iter().enumerate() {
        let path = format!("spec.instrumentationLibraries[{index}].name");
        required(&library.name, &path, "the name of a library", &mut findings);
    }
    if let Some(rule) = &spec.scopes {
        scopes(rule, &mut findings);
    }
    findings
}

fn says_nothing(spec: &InstrumentationRuleSpec) -> bool {
    let InstrumentationRuleSpec {
        agent_diagnostics,
        code_attributes,
        custom_instrumentations,
        disabled: _,
        ebpf_log_capture,
        head_sampling_fallback_fraction,
        headers_collection,
        instrumentation_libraries: _,
        network_metrics,
        notes: _,
        otel_distros,
        payload_collection,
        rule_name: _,
        scopes: _,
        trace_config,
        trace_verbosity,
    } = spec;
    let asks = [
        agent_diagnostics.is_some(),
        code_attributes.is_some(),
        custom_instrumentations.is_some(),
        ebpf_log_capture.is_some(),
        head_sampling_fallback_fraction.is_some(),
        headers_collection.is_some(),
        network_metrics.is_some(),
        otel_distros.is_some(),
        payload_collection.is_some(),
        trace_config.is_some(),
        trace_verbosity.is_some(),
    ];
    !asks.contains(&true)
}

fn payloads(rule: &PayloadCollection, findings: &mut Findings) {
    let base = "spec.payloadCollection";
    let lengths = [
        (
            "httpRequest",
            rule.http_request.as_ref().and_then(|it| it.max_payload_length),
        ),
        (
            "httpResponse",
            rule.http_response.as_ref().and_then(|it| it.max_payload_length),
        ),
        ("dbQuery", rule.db_query.as_ref().and_then(|it| it.max_payload_length)),
        (
            "messaging",
            rule.messaging.as_ref().and_then(|it| it.max_payload_length),
        ),
    ];
    for (part, length) in lengths {
        if length.is_some_and(|length| length < 1) {
            findings.refuse(
                format!("{base}.{part}.maxPayloadLength"),
                "must be a number of bytes from 1: leave it out for the default",
            );
        }
    }
    for (part, payload) in [
        ("httpRequest", &rule.http_request),
        ("httpResponse", &rule.http_response),
    ] {
        let types = payload.iter().flat_map(|payload| &payload.mime_types).enumerate();
        for (index, media) in types {
            let is_media_type = media
                .split_once('/')
                .is_some_and(|(kind, rest)| !kind.trim().is_empty() && !rest.trim().is_empty());
            if !is_media_type {
                findings.refuse(
                    format!("{base}.{part}.mimeTypes[{index}]"),
                    format!("\"{media}\" is no media type: write one such as application/json"),
                );
            }
        }
    }
}

fn headers(keys: &[String], findings: &mut Findings) {
    let base = "spec.headersCollection.headerKeys";
    if keys.is_empty() {
        findings.warn(base, "is empty, so no header is collected");
    }
    for (index, key) in keys.iter().enumerate() {
        if !names::is_header_name(key) {
            findings.refuse(
                format!("{base}[{index}]"),
                format!("\"{key}\" cannot be the name of an HTTP header: write it without its value and colon"),
            );
        }
    }
}

fn functions(rule: &CustomInstrumentations, findings: &mut Findings) {
    let base = "spec.customInstrumentations";
    for (index, probe) in rule.golang.iter().enumerate() {
        let path = format!("{base}.golang[{index}]");
        required(
            &probe.package_name,
            &format!("{path}.packageName"),
            "the path of a package",
            findings,
        );
        let given = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
        let (function, receiver) = (given(&probe.function_name), given(&probe.receiver_name));
        let method = given(&probe.receiver_method_name);
        if !matches!((function, receiver, method), (true, false, false) | (false, true, true)) {
            findings.refuse(
                path,
                "must have either functionName, or receiverName and receiverMethodName",
            );
        }
    }
    for (index, probe) in rule.java.iter().enumerate() {
        let path = format!("{base}.java[{index}]");
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        required(
            &text(&probe.class_name),
            &format!("{path}.className"),
            "the class with its package",
            findings,
        );
        required(
            &text(&probe.method_name),
            &format!("{path}.methodName"),
            "the name of a method",
            findings,
        );
    }
    for (index, probe) in rule.php.iter().enumerate() {
        let path = format!("{base}.php[{index}].functionName");
        required(&probe.function_name, &path, "the name of a function", findings);
    }
    for (index, probe) in rule.cpp.iter().enumerate() {
        let path = format!("{base}.cpp[{index}].signature");
        required(&probe.signature, &path, "the signature of a function", findings);
    }
}

fn distributions(rule: &OtelDistros, findings: &mut Findings) {
    let base = "spec.otelDistros.otelDistroNames";
    if rule.otel_distro_names.is_empty() {
        findings.refuse(base, "is empty: give the names of distributions");
    }
    let mut seen = BTreeSet::new();
    for (index, name) in rule.otel_distro_names.iter().enumerate() {
        let path = format!("{base}[{index}]");
        if required(name, &path, "the name of a distribution", findings) && !seen.insert(name) {
            findings.refuse(path, format!("\"{name}\" is there already: leave one of them"));
        }
    }
}

fn verbosity(rule: &TraceVerbosity, findings: &mut Findings) {
    let base = "spec.traceVerbosity";
    let lists = [
        ("disabledLibraries", &rule.disabled_libraries),
        ("enabledLibraries", &rule.enabled_libraries),
    ];
    for (list, libraries) in lists {
        for (index, library) in libraries.iter().enumerate() {
            let path = format!("{base}.{list}[{index}].libraryName");
            required(&library.library_name, &path, "the name of a library", findings);
        }
    }
    let same = |one: &LibraryOfLanguage, other: &LibraryOfLanguage| one == other;
    for (index, library) in rule.enabled_libraries.iter().enumerate() {
        if rule.disabled_libraries.iter().any(|other| same(library, other)) {
            findings.refuse(
                format!("{base}.enabledLibraries[{index}]"),
                format!(
                    "\"{}\" is in disabledLibraries too: leave one of them",
                    library.library_name
                ),
            );
        }
    }
}

fn scopes(scopes: &SourceScopes, findings: &mut Findings) {
    for (index, namespace) in scopes.namespaces.iter().enumerate() {
        if !names::is_dns_label(namespace) {
            findings.refuse(
                format!("spec.scopes.namespaces[{index}]"),
                format!("\"{namespace}\" cannot be the name of a namespace"),
            );
        }
    }
    for (index, workload) in scopes.sources.iter().enumerate() {
        let path = |field: &str| format!("spec.scopes.sources[{index}].{field}");
        if !KINDS.contains(&workload.kind.as_str()) {
            let message = format!("is \"{}\": it must be one of {}", workload.kind, KINDS.join(", "));
            findings.refuse(path("kind"), message);
        }
        if !names::is_object_name(&workload.name) {
            let message = format!("\"{}\" cannot be the name of a workload", workload.name);
            findings.refuse(path("name"), message);
        }
        if !names::is_dns_label(&workload.namespace) {
            let message = format!("\"{}\" cannot be the name of a namespace", workload.namespace);
            findings.refuse(path("namespace"), message);
        }
    }
}

/// Whether there is a text; if not, that is said.
fn required(text: &str, path: &str, what: &str, findings: &mut Findings) -> bool {
    let is_there = !text.trim().is_empty();
    if !is_there {
        findings.refuse(path, format!("is empty: give {what}"));
    }
    is_there
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn rule(spec: Value) -> InstrumentationRule {
        let object = json!({
            "apiVersion": "odigos.io/v1alpha1",
            "kind": "InstrumentationRule",
            "metadata": {"name": "r", "namespace": "odigos-system"},
            "spec": spec,
        });
        serde_json::from_value(object).unwrap()
    }

    fn check(spec: Value, problems: &[&str]) {
        let found = findings(&rule(spec), None);
        let found: Vec<_> = found.problems.iter().map(ToString::to_string).collect();
        assert_eq!(found, problems);
    }

    #[test]
    fn what_agents_can_do_is_taken() {
        let spec = json!({
            "scopes": {"languages": ["go"], "namespaces": ["shop"],
                "sources": [{"kind": "Deployment", "name": "cart", "namespace": "shop"}]},
            "payloadCollection": {"httpRequest": {"mimeTypes": ["application/json"], "maxPayloadLength": 2048}},
            "headersCollection": {"headerKeys": ["X-Request-Id"]},
            "customInstrumentations": {
                "golang": [{"packageName": "main", "functionName": "f"},
                    {"packageName": "main", "receiverName": "*T", "receiverMethodName": "m"}],
                "java": [{"className": "a.B", "methodName": "c"}],
                "php": [{"functionName": "f"}],
            },
            "otelDistros": {"otelDistroNames": ["java-community"]},
            "headSamplingFallbackFraction": {"fractionToKeep": 0.5},
            "traceVerbosity": {"disabledLibraries": [{"Language": "javascript", "libraryName": "express"}]},
        });
        assert_eq!(findings(&rule(spec), None), Findings::default());
    }

    #[test]
    fn a_rule_without_effect_is_taken_with_a_warning() {
        let found = findings(&rule(json!({"ruleName": "r"})), None);
        assert_eq!(found.problems, []);
        assert_eq!(
            found.warnings[0].to_string(),
            "spec: asks for nothing, so the rule has no effect"
        );
    }

    #[test]
    fn payloads_have_a_length_and_types() {
        let spec = json!({"payloadCollection": {
            "httpRequest": {"maxPayloadLength": 0, "mimeTypes": ["json"]}, "dbQuery": {"maxPayloadLength": -1},
        }});
        check(
            spec,
            &[
                "spec.payloadCollection.httpRequest.maxPayloadLength: must be a number of bytes from 1: leave it out for the \
                 default",
                "spec.payloadCollection.dbQuery.maxPayloadLength: must be a number of bytes from 1: leave it out for the \
                 default",
                "spec.payloadCollection.httpRequest.mimeTypes[0]: \"json\" is no media type: write one such as \
                 application/json",
            ],
        );
    }

    #[test]
    fn headers_are_names() {
        check(
            json!({"headersCollection": {"headerKeys": ["a", "X-Id: 1"]}}),
            &[
                "spec.headersCollection.headerKeys[1]: \"X-Id: 1\" cannot be the name of an HTTP header: write it without its \
               value and colon",
            ],
        );
    }

    #[test]
    fn functions_are_named_completely() {
        let spec = json!({"customInstrumentations": {
            "golang": [{"packageName": "", "functionName": "f"}, {"packageName": "m", "receiverName": "T"}],
            "java": [{"className": "a.B"}],
            "php": [{"functionName": ""}],
            "cpp": [{"signature": ""}],
        }});
        check(
            spec,
            &[
                "spec.customInstrumentations.golang[0].packageName: is empty: give the path of a package",
                "spec.customInstrumentations.golang[1]: must have either functionName, or receiverName and \
                 receiverMethodName",
                "spec.customInstrumentations.java[0].methodName: is empty: give the name of a method",
                "spec.customInstrumentations.php[0].functionName: is empty: give the name of a function",
                "spec.customInstrumentations.cpp[0].signature: is empty: give the signature of a function",
            ],
        );
    }

    #[test]
    fn lists_name_each_thing_once() {
        let library = json!({"Language": "go", "libraryName": "net/http"});
        let spec = json!({
            "otelDistros": {"otelDistroNames": ["a", "a", ""]},
            "traceVerbosity": {"disabledLibraries": [library], "enabledLibraries": [library]},
            "instrumentationLibraries": [{"language": "go", "name": ""}],
        });
        check(
            spec,
            &[
                "spec.otelDistros.otelDistroNames[1]: \"a\" is there already: leave one of them",
                "spec.otelDistros.otelDistroNames[2]: is empty: give the name of a distribution",
                "spec.traceVerbosity.enabledLibraries[0]: \"net/http\" is in disabledLibraries too: leave one of them",
                "spec.instrumentationLibraries[0].name: is empty: give the name of a library",
            ],
        );
        check(
            json!({"otelDistros": {"otelDistroNames": []}}),
            &["spec.otelDistros.otelDistroNames: is empty: give the names of distributions"],
        );
    }

    #[test]
    fn scopes_name_what_can_be_there() {
        let spec = json!({
            "traceConfig": {"disabled": true},
            "scopes": {"namespaces": ["A"], "sources": [{"kind": "Pod", "name": "B", "namespace": "c.d"}]},
        });
        check(
            spec,
            &[
                "spec.scopes.namespaces[0]: \"A\" cannot be the name of a namespace",
                "spec.scopes.sources[0].kind: is \"Pod\": it must be one of Deployment, DaemonSet, StatefulSet, CronJob, Job, \
                 Namespace, StaticPod, DeploymentConfig, Rollout",
                "spec.scopes.sources[0].name: \"B\" cannot be the name of a workload",
                "spec.scopes.sources[0].namespace: \"c.d\" cannot be the name of a namespace",
            ],
        );
    }

    #[test]
    fn a_fraction_is_one() {
        check(
            json!({"headSamplingFallbackFraction": {"fractionToKeep": 1.5}}),
            &["spec.headSamplingFallbackFraction.fractionToKeep: must be a number from 0 to 1"],
        );
    }

    #[test]
    fn what_is_not_changed_is_not_judged_again() {
        let before = rule(json!({"otelDistros": {"otelDistroNames": []}}));
        assert_eq!(findings(&before, Some(&before)), Findings::default());
    }
}
