//! The definitions of the custom resources, given to the apiserver, and manifests as users write them.

use odigos_tests::kubetest::ControlPlane;
use serde_json::Value;
use std::{fs, path::PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The names and texts of the manifests in a folder of `controllers/api/tests/manifests`.
fn manifests(folder: &str) -> Vec<(String, String)> {
    let folder = root().join("controllers/api/tests/manifests").join(folder);
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = entries
        .map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap()))
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

/// One control plane for all, since each costs seconds; the parts look at different objects.
#[test]
fn the_apiserver_takes_the_definitions_and_judges_manifests_by_them() {
    let plane = ControlPlane::start().unwrap();
    definitions_are_established(&plane);
    every_manifest_is_kept_as_it_was_written(&plane);
    what_is_wrong_is_refused_with_its_reason(&plane);
    a_workload_cannot_be_exchanged(&plane);
    people_are_told_what_fields_mean(&plane);
}

fn definitions_are_established(plane: &ControlPlane) {
    let folder = root().join("helm/odigos/crds");
    let folder = folder.to_str().unwrap();
    plane.kubectl_prints(&["apply", "--server-side", "-f", folder]).unwrap();
    let wait = ["wait", "--for=condition=Established", "--timeout=60s", "-f", folder];
    plane.kubectl_prints(&wait).unwrap();
    let definitions = plane.kubectl_prints(&["get", "crd", "-o", "json"]).unwrap();
    let definitions: Value = serde_json::from_str(&definitions).unwrap();
    let definitions = definitions["items"].as_array().unwrap();
    assert_eq!(definitions.len(), fs::read_dir(folder).unwrap().count());
    for definition in definitions {
        let conditions = definition["status"]["conditions"].as_array().unwrap();
        let faults = conditions.iter().find(|it| it["type"] == "NonStructuralSchema");
        assert_eq!(faults, None, "{}", definition["metadata"]["name"]);
    }
}

fn every_manifest_is_kept_as_it_was_written(plane: &ControlPlane) {
    for (name, text) in manifests("accepted") {
        let applied = plane
            .kubectl(&["apply", "--validate=strict", "-f", "-"], &text)
            .unwrap();
        let error = String::from_utf8_lossy(&applied.stderr);
        assert!(applied.status.success() && error.is_empty(), "{name}: {error}");
        let asked = plane.kubectl(&["create", "--dry-run=client", "-o", "json", "-f", "-"], &text);
        let asked: Vec<Value> = serde_json::Deserializer::from_slice(&asked.unwrap().stdout)
            .into_iter()
            .map(|it| it.unwrap())
            .collect();
        let kept = plane.kubectl(&["get", "-o", "json", "-f", "-"], &text).unwrap();
        let kept: Value = serde_json::from_slice(&kept.stdout).unwrap();
        let asked = asked.iter().flat_map(items).collect::<Vec<_>>();
        let kept = items(&kept);
        assert!(!asked.is_empty() && asked.len() == kept.len(), "{name}");
        for (asked, kept) in asked.iter().zip(kept) {
            assert!(holds(&kept["spec"], &asked["spec"]), "{name}: {asked} became {kept}");
        }
    }
    let rule = plane.kubectl_prints(&["get", "instrumentationrule", "payloads", "-o", "json"]);
    let rule: Value = serde_json::from_str(&rule.unwrap()).unwrap();
    assert_eq!(
        rule["spec"]["headSamplingFallbackFraction"]["fractionToKeep"].as_f64(),
        Some(1.0)
    );
}

/// The objects of a list, or the one that it is.
fn items(value: &Value) -> Vec<Value> {
    match value["items"].as_array() {
        Some(items) => items.clone(),
        None => vec![value.clone()],
    }
}

/// Whether all of `part` is in `whole`, which may have defaults beside it.
fn holds(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part
            .iter()
            .all(|(name, value)| whole.get(name).is_some_and(|whole| holds(whole, value))),
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(whole, part)| holds(whole, part))
        }
        _ => whole == part || (whole.is_number() && whole.as_f64() == part.as_f64()),
    }
}

/// The first line of each manifest says what the refusal must say.
fn what_is_wrong_is_refused_with_its_reason(plane: &ControlPlane) {
    for (name, text) in manifests("refused") {
        let reason = text.lines().next().unwrap().trim_start_matches("# ");
        let output = plane.kubectl(&["apply", "-f", "-"], &text).unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains(reason), "{name}: {error}");
    }
}

fn a_workload_cannot_be_exchanged(plane: &ControlPlane) {
    let refusals = [
        (
            r#"{"spec":{"workload":{"name":"other"}}}"#,
            "workload cannot be changed",
        ),
        (
            r#"{"spec":{"matchWorkloadNameAsRegex":true}}"#,
            "matchWorkloadNameAsRegex cannot be changed",
        ),
    ];
    for (patch, reason) in refusals {
        let patch = ["patch", "source", "cart", "--type=merge", "-p", patch];
        let output = plane.kubectl(&patch, "").unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains(reason), "{error}");
    }
    let allowed = r#"{"spec":{"disableInstrumentation":true}}"#;
    plane
        .kubectl_prints(&["patch", "source", "cart", "--type=merge", "-p", allowed])
        .unwrap();
}

fn people_are_told_what_fields_mean(plane: &ControlPlane) {
    let explained = plane.kubectl_prints(&["explain", "source.spec"]).unwrap();
    for words in [
        "The workload that is meant",
        "-required-",
        "True to leave the workload alone",
    ] {
        assert!(explained.contains(words), "{explained}");
    }
    let listed = plane.kubectl_prints(&["get", "src", "cart"]).unwrap();
    let lines: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["NAME", "WORKLOAD", "KIND", "NAMESPACE", "DISABLED"]);
    assert_eq!(lines[1], ["cart", "cart", "Deployment", "default", "true"]);
    let config = plane.kubectl_prints(&["explain", "instrumentationconfig", "--recursive"]);
    assert!(config.unwrap().contains("agentInjectionEnabled"));
}
