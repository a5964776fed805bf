//! What several InstrumentationRules make together.

use super::*;
use crate::instrumentor::rules::{Merged, Rules, applies, distribution, merged, without_effect};
use controllers_api::instrumentation_config::AgentEnabledReason;
use controllers_api::instrumentation_rule::InstrumentationRuleSpec;
use controllers_api::workload::ProgrammingLanguage;
use proptest::prelude::*;
use serde_json::Value;

fn rule(json: Value) -> InstrumentationRuleSpec {
    serde_json::from_value(json).unwrap()
}

fn of(rules: &[Value], language: ProgrammingLanguage) -> Merged {
    merged(&numbered(rules), &id("cart"), language)
}

fn numbered(rules: &[Value]) -> Rules {
    let rules = rules.iter().enumerate();
    rules
        .map(|(number, json)| (format!("odigos-system/{number}"), rule(json.clone())))
        .collect()
}

#[test]
fn groups_of_scopes_must_all_hold_and_one_entry_of_each_suffices() {
    let holds = |scopes: Value, language| applies(&rule(json!({"scopes": scopes})), &id("cart"), language);
    let java = Some(ProgrammingLanguage::Java);
    let cart = json!({"kind": "Deployment", "name": "cart", "namespace": "shop"});
    let pay = json!({"kind": "Deployment", "name": "pay", "namespace": "shop"});
    assert!(holds(json!({}), java));
    assert!(holds(json!({"languages": ["python", "java"]}), java) && !holds(json!({"languages": ["python"]}), java));
    assert!(holds(json!({"languages": ["*"]}), java) && holds(json!({"languages": ["python"]}), None));
    assert!(holds(json!({"namespaces": ["a", "shop"]}), java) && !holds(json!({"namespaces": ["a"]}), java));
    assert!(holds(json!({"sources": [pay, cart]}), java) && !holds(json!({"sources": [pay]}), java));
    assert!(!holds(json!({"sources": [cart], "languages": ["python"]}), java));
    assert!(!applies(&rule(json!({"disabled": true})), &id("cart"), java));
}

#[test]
fn what_limits_is_the_smallest_and_what_is_asked_for_is_done() {
    let merged = of(
        &[
            json!({"payloadCollection": {"httpRequest": {"maxPayloadLength": 10, "mimeTypes": ["text/plain"]},
                "dbQuery": {"sanitizationPolicy": "full"}}, "codeAttributes": {"column": false, "function": true},
                "headersCollection": {"headerKeys": ["X-A", "x-b"]}}),
            json!({"payloadCollection": {"httpRequest": {"maxPayloadLength": 5, "mimeTypes": ["application/json"],
                "dropPartialPayloads": true}, "dbQuery": {"sanitizationPolicy": "sanitized"}},
                "codeAttributes": {"column": true}, "headersCollection": {"headerKeys": ["x-a"]},
                "headSamplingFallbackFraction": {"fractionToKeep": 0.5}, "agentDiagnostics": {"odigosLogLevel": "debug"}}),
            json!({"headSamplingFallbackFraction": {"fractionToKeep": 0.75}, "agentDiagnostics": {"odigosLogLevel": "error"}}),
        ],
        ProgrammingLanguage::Java,
    );
    let traces = serde_json::to_value(&merged.traces).unwrap();
    assert_eq!(
        traces,
        json!({
            "codeAttributes": {"column": true, "function": true},
            "headSampling": {"fallbackFraction": 0.5},
            "headersCollection": {"headerKeys": ["X-A", "x-b"]},
            "payloadCollection": {
                "dbQuery": {"sanitizationPolicy": "sanitized"},
                "httpRequest": {"dropPartialPayloads": true, "maxPayloadLength": 5, "mimeTypes": ["application/json", "text/plain"]},
            },
        })
    );
    assert_eq!(
        serde_json::to_value(merged.agent_diagnostics).unwrap(),
        json!({"odigosLogLevel": "debug"})
    );
}

#[test]
fn a_container_gets_only_what_is_for_its_language() {
    let custom = json!({"customInstrumentations": {"java": [{"className": "a.B", "methodName": "c"}], "golang": [{"packageName": "p"}]},
        "traceVerbosity": {"disabledLibraries": [{"Language": "java", "libraryName": "jdbc"}, {"Language": "go", "libraryName": "sql"}]}});
    let java = serde_json::to_value(of(std::slice::from_ref(&custom), ProgrammingLanguage::Java).traces).unwrap();
    assert_eq!(
        java,
        json!({"customInstrumentations": {"java": [{"className": "a.B", "methodName": "c"}]},
            "traceVerbosity": {"disabledLibraries": [{"Language": "java", "libraryName": "jdbc"}]}})
    );
    let ruby = of(&[custom], ProgrammingLanguage::Ruby);
    assert_eq!(ruby, Merged::default());
}

#[test]
fn a_rule_for_libraries_switches_their_spans_and_off_beats_on() {
    let library = |name: &str| json!([{"language": "java", "name": name}]);
    let off = json!({"instrumentationLibraries": library("jdbc"), "traceConfig": {"disabled": true}});
    let on = json!({"instrumentationLibraries": library("jdbc"), "traceConfig": {"disabled": false}});
    let other = json!({"instrumentationLibraries": library("jms"), "traceConfig": {"disabled": false}});
    let merged = of(&[on, off, other], ProgrammingLanguage::Java);
    assert_eq!(
        serde_json::to_value(merged.traces).unwrap(),
        json!({"traceVerbosity": {"disabledLibraries": [{"Language": "java", "libraryName": "jdbc"}],
            "enabledLibraries": [{"Language": "java", "libraryName": "jms"}]}})
    );
    assert_eq!(merged.without_traces, None);
    let payloads = rule(
        json!({"instrumentationLibraries": [{"language": "java", "name": "jdbc", "spanKind": "client"}],
        "payloadCollection": {}, "otelDistros": {"otelDistroNames": ["java-deluxe"]}}),
    );
    let found = without_effect(&payloads);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].starts_with("otelDistros: there is no distribution java-deluxe"));
}

#[test]
fn traces_that_a_rule_switches_off_are_not_made() {
    let mut index = cart(json!([{"containerName": "app", "language": "java"}]));
    index.set_rule(
        "odigos-system/quiet",
        Some(rule(json!({"traceConfig": {"disabled": true}}))),
    );
    assert!(app(&index).traces.is_none() && app(&index).metrics.is_some());
    index.set_collector(NodeCollector::Ready(BTreeSet::from([Signal::Traces])));
    let app = app(&index);
    assert_eq!(app.agent_enabled_reason, Some(AgentEnabledReason::NoCollectedSignals));
    assert!(
        app.agent_enabled_message
            .unwrap()
            .contains("odigos-system/quiet switches traces off")
    );
}

#[test]
fn logs_are_captured_where_a_rule_asks_and_somebody_takes_them() {
    let mut index = cart(json!([{"containerName": "app", "language": "go"}]));
    assert!(app(&index).logs.is_none());
    index.set_rule(
        "odigos-system/logs",
        Some(rule(json!({"ebpfLogCapture": {"enabled": true}, "networkMetrics": {}}))),
    );
    let app = app(&index);
    assert!(app.logs.unwrap().ebpf_log_capture.is_some() && app.metrics.unwrap().network_metrics.is_some());
}

#[test]
fn rules_choose_the_distribution_by_their_names_and_one_for_the_language_comes_first() {
    let distros = |names: &[&str]| json!({"otelDistros": {"otelDistroNames": names}});
    let any = "opentelemetry-ebpf-instrumentation";
    let chosen = |rules: &[Value]| {
        let found = distribution(&numbered(rules), &id("cart"), ProgrammingLanguage::JavaScript);
        found.map(|asked| asked.distribution)
    };
    assert_eq!(chosen(&[distros(&["java-community"])]), None);
    assert_eq!(chosen(&[distros(&[any])]).as_deref(), Some(any));
    let both = [
        distros(&[any]),
        distros(&["nodejs-community-14"]),
        distros(&["nodejs-community"]),
    ];
    assert_eq!(chosen(&both).as_deref(), Some("nodejs-community-14"));
    let mut index = cart(json!([{"containerName": "app", "language": "java", "runtimeVersion": "17"}]));
    let concerned = index.set_rule("odigos-system/kernel", Some(rule(distros(&[any]))));
    assert_eq!(concerned, BTreeSet::from([id("cart")]));
    assert_eq!(app(&index).otel_distro_name.as_deref(), Some(any));
}

/// Any part of a rule that is merged.
fn any_rule() -> impl Strategy<Value = Value> {
    let flag = prop::option::of(any::<bool>());
    let length = prop::option::of(1..4_i64);
    let words = prop::collection::vec(prop::sample::select(vec!["a", "A", "b", "c"]), 0..3);
    let policy = prop::option::of(prop::sample::select(vec![
        "full",
        "sanitized",
        "sanitized-or-full",
        "other",
    ]));
    let level = prop::option::of(prop::sample::select(vec!["error", "warn", "info", "debug"]));
    let language = prop::sample::select(vec!["java", "go", "*"]);
    (flag, length, words, policy, level, language, prop::option::of(0..3_u32)).prop_map(
        |(flag, length, words, policy, level, language, fraction)| {
            let libraries = |words: &[&str]| {
                words
                    .iter()
                    .map(|it| json!({"Language": language, "libraryName": it}))
                    .collect::<Vec<_>>()
            };
            let (first, rest) = words.split_at(words.len() / 2);
            let mut rule = json!({
                "scopes": {"languages": [language]},
                "payloadCollection": {"httpRequest": {"mimeTypes": words}, "dbQuery": {}},
                "headersCollection": {"headerKeys": words},
                "traceVerbosity": {"disabledLibraries": libraries(first), "enabledLibraries": libraries(rest)},
                "customInstrumentations": {"java": words.iter().map(|it| json!({"className": it})).collect::<Vec<_>>()},
                "codeAttributes": {}, "agentDiagnostics": {},
            });
            if let Some(flag) = flag {
                rule["codeAttributes"]["column"] = flag.into();
                rule["payloadCollection"]["httpRequest"]["dropPartialPayloads"] = flag.into();
            }
            if let Some(length) = length {
                rule["payloadCollection"]["dbQuery"]["maxPayloadLength"] = length.into();
            }
            if let Some(policy) = policy {
                rule["payloadCollection"]["dbQuery"]["sanitizationPolicy"] = policy.into();
            }
            if let Some(level) = level {
                rule["agentDiagnostics"]["odigosLogLevel"] = level.into();
            }
            if let Some(fraction) = fraction {
                rule["headSamplingFallbackFraction"] = json!({"fractionToKeep": f64::from(fraction) / 4.0});
            }
            rule
        },
    )
}

proptest! {
    #[test]
    fn the_order_of_rules_does_not_matter_nor_does_a_rule_that_is_there_twice(
        (rules, shuffled) in prop::collection::vec(any_rule(), 1..6)
            .prop_flat_map(|rules| (Just(rules.clone()), Just(rules).prop_shuffle())),
    ) {
        let merged = of(&rules, ProgrammingLanguage::Java);
        prop_assert_eq!(&merged, &of(&shuffled, ProgrammingLanguage::Java));
        let twice: Vec<Value> = rules.iter().chain(&shuffled).cloned().collect();
        prop_assert_eq!(&merged, &of(&twice, ProgrammingLanguage::Java));
    }
}
