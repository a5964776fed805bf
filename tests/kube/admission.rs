//! Admission on the real apiserver: the instrumentor as a process of its own, which the apiserver asks at an address of the
//! machine instead of through a Service.

mod process;

use odigos_tests::kubetest::ControlPlane;
use process::{Instrumentor, Lifetime};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const SOURCE: &str = "apiVersion: odigos.io/v1alpha1\nkind: Source\nmetadata: {name: NAME, namespace: default}\nspec:\n  \
                      workload: {name: NAME, namespace: default, kind: Deployment}\n";

/// What the first lines of each manifest in a folder say, and its text.
fn manifests(folder: &str) -> Vec<(Vec<String>, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("kube/admission")
        .join(folder);
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        let said = text.lines().map_while(|line| line.strip_prefix("# "));
        (said.map(str::to_owned).collect(), text)
    };
    paths.iter().map(read).collect()
}

/// What kubectl says on standard error, and whether it succeeded.
fn apply(plane: &ControlPlane, arguments: &[&str], manifest: &str) -> (bool, String) {
    let output = plane.kubectl(arguments, manifest).unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

fn get(plane: &ControlPlane, what: &[&str]) -> Value {
    plane.get(what).unwrap()
}

fn version(plane: &ControlPlane, what: &[&str]) -> String {
    get(plane, what)["metadata"]["resourceVersion"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// The certificates that the apiserver trusts, as PEM.
fn bundle(plane: &ControlPlane) -> String {
    let path = "jsonpath={.webhooks[0].clientConfig.caBundle}";
    let get = [
        "get",
        "validatingwebhookconfiguration",
        "odigos-instrumentor",
        "-o",
        path,
    ];
    let encoded = plane.kubectl_prints(&get).unwrap();
    let mut decoder = Command::new("base64")
        .arg("-d")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    decoder.stdin.take().unwrap().write_all(encoded.as_bytes()).unwrap();
    String::from_utf8(decoder.wait_with_output().unwrap().stdout).unwrap()
}

const SECRET: [&str; 4] = ["-n", "odigos-system", "secret", "odigos-webhook-certificates"];
const VALIDATING: [&str; 2] = ["validatingwebhookconfiguration", "odigos-instrumentor"];

fn prepared() -> ControlPlane {
    let plane = ControlPlane::start().unwrap();
    plane.install("odigos-system", &[]).unwrap();
    let role = [
        "create",
        "clusterrole",
        "odigos-instrumentor",
        "--verb=get",
        "--resource=pods",
    ];
    plane.kubectl_prints(&role).unwrap();
    plane
}

/// One control plane for all, since each costs seconds.
#[test]
fn the_apiserver_asks_the_instrumentor() {
    let plane = prepared();
    let instrumentor = Instrumentor::start(&plane, Lifetime::Days);
    instrumentor.until_it_refuses(&plane);
    labels_are_filled_in(&plane);
    every_refusal_is_said_with_its_whole_message(&plane);
    what_is_odd_is_taken_with_a_warning(&plane);
    nothing_is_written_without_a_change(&plane, &instrumentor);
    what_slipped_in_can_be_touched_and_deleted(&plane, instrumentor);
    let instrumentor = Instrumentor::start(&plane, Lifetime::Days);
    instrumentor.until_it_refuses(&plane);
    a_damaged_secret_is_written_anew(&plane, instrumentor);
    everything_goes_away_with_the_cluster_role(&plane);
}

fn labels_are_filled_in(plane: &ControlPlane) {
    let first = SOURCE.replace("NAME", "first");
    let pattern = SOURCE.replace("NAME, namespace: default, kind", "first-.*, namespace: default, kind");
    let pattern = pattern.replace("NAME", "first-pattern") + "  matchWorkloadNameAsRegex: true\n";
    for manifest in [first, pattern] {
        let (is_taken, error) = apply(plane, &["create", "-f", "-"], &manifest);
        assert!(is_taken && error.is_empty(), "{error}");
    }
    let labels = get(plane, &["source", "first"])["metadata"]["labels"].clone();
    let expected = serde_json::json!({
        "odigos.io/workload-name": "first", "odigos.io/workload-namespace": "default", "odigos.io/workload-kind": "Deployment",
    });
    assert_eq!(labels, expected);
    let labels = get(plane, &["source", "first-pattern"])["metadata"]["labels"].clone();
    let expected = serde_json::json!({
        "odigos.io/workload-namespace": "default", "odigos.io/workload-kind": "Deployment",
    });
    assert_eq!(labels, expected);
    // A label that is taken away comes back.
    plane
        .kubectl_prints(&["label", "source", "first", "odigos.io/workload-name-"])
        .unwrap();
    let labels = get(plane, &["source", "first"])["metadata"]["labels"].clone();
    assert_eq!(labels["odigos.io/workload-name"], "first");
}

fn every_refusal_is_said_with_its_whole_message(plane: &ControlPlane) {
    for (problems, manifest) in manifests("refused") {
        let kind = manifest.lines().find_map(|line| line.strip_prefix("kind: ")).unwrap();
        let name = manifest
            .split("metadata: {name: ")
            .nth(1)
            .unwrap()
            .split([',', '}'])
            .next()
            .unwrap();
        let said = match problems.as_slice() {
            [problem] => format!("The {kind} \"{name}\" is invalid: {problem}\n"),
            problems => format!("The {kind} \"{name}\" is invalid: \n* {}\n", problems.join("\n* ")),
        };
        let (is_taken, error) = apply(plane, &["create", "-f", "-"], &manifest);
        assert!(!is_taken && error == said, "expected: {said}\nfound: {error}");
    }
    let change = ["label", "--overwrite", "source", "first", "odigos.io/workload-kind=Job"];
    let (is_taken, error) = apply(plane, &change, "");
    let said = "metadata.labels[\"odigos.io/workload-kind\"]: is \"Job\", but spec.workload says \"Deployment\": leave the \
                label out, it is filled in\n";
    assert!(!is_taken && error.ends_with(said), "{error}");
}

fn what_is_odd_is_taken_with_a_warning(plane: &ControlPlane) {
    for (warnings, manifest) in manifests("warned") {
        let said: String = warnings.iter().map(|warning| format!("Warning: {warning}\n")).collect();
        let (is_taken, error) = apply(plane, &["create", "-f", "-"], &manifest);
        assert!(is_taken && error == said, "{error}");
    }
}

fn nothing_is_written_without_a_change(plane: &ControlPlane, instrumentor: &Instrumentor) {
    let before = (version(plane, &SECRET), version(plane, &VALIDATING));
    let written = instrumentor.figure("odigos_controller_writes_total");
    let looks = || instrumentor.figure("odigos_controller_reconcile_duration_seconds_count");
    let looked = looks();
    // A change that matters to nothing makes it look all the same.
    let touch = [
        "annotate",
        "secret",
        "-n",
        "odigos-system",
        "odigos-webhook-certificates",
        "a=b",
    ];
    plane.kubectl_prints(&touch).unwrap();
    let touched = version(plane, &SECRET);
    assert_ne!(touched, before.0);
    instrumentor.until("it has looked", || looks() > looked);
    assert_eq!(
        (version(plane, &SECRET), version(plane, &VALIDATING)),
        (touched, before.1)
    );
    assert_eq!(instrumentor.figure("odigos_controller_writes_total"), written);
}

/// While nobody answers, objects pass; later they are not in anybody's way. A restart changes no certificate.
fn what_slipped_in_can_be_touched_and_deleted(plane: &ControlPlane, instrumentor: Instrumentor) {
    let before = (version(plane, &SECRET), bundle(plane));
    instrumentor.kill();
    let slipped = SOURCE
        .replace("NAME, namespace: default, kind", "slipped, namespace: shop, kind")
        .replace("NAME", "slipped");
    let start = Instant::now();
    let (is_taken, error) = apply(plane, &["create", "-f", "-"], &slipped);
    assert!(is_taken, "{error}");
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    let instrumentor = Instrumentor::start(plane, Lifetime::Days);
    instrumentor.until_it_refuses(plane);
    assert_eq!((version(plane, &SECRET), bundle(plane)), before);
    plane.kubectl_prints(&["annotate", "source", "slipped", "a=b"]).unwrap();
    let change = r#"{"spec":{"disableInstrumentation":true}}"#;
    let (is_taken, error) = apply(plane, &["patch", "source", "slipped", "--type=merge", "-p", change], "");
    assert!(
        !is_taken && error.contains("spec.workload.namespace: is \"shop\""),
        "{error}"
    );
    let finalizers = |finalizers: &str| {
        let change = format!(r#"{{"metadata":{{"finalizers":{finalizers}}}}}"#);
        plane
            .kubectl_prints(&["patch", "source", "slipped", "--type=merge", "-p", &change])
            .unwrap();
    };
    finalizers(r#"["example.com/held"]"#);
    plane
        .kubectl_prints(&["delete", "source", "slipped", "--wait=false"])
        .unwrap();
    finalizers("null");
    let gone = plane.kubectl(&["get", "source", "slipped"], "").unwrap();
    assert!(String::from_utf8_lossy(&gone.stderr).contains("NotFound"));
    instrumentor.kill();
}

fn a_damaged_secret_is_written_anew(plane: &ControlPlane, instrumentor: Instrumentor) {
    let damage = r#"{"data":{"ca.key":"Z2FyYmFnZQ==","tls.crt":null}}"#;
    let damage = [
        "patch",
        "-n",
        "odigos-system",
        "secret",
        "odigos-webhook-certificates",
        "-p",
        damage,
    ];
    let before = (get(plane, &SECRET)["data"].clone(), bundle(plane));
    plane.kubectl_prints(&damage).unwrap();
    // Whoever serves still has what was there.
    instrumentor.until("the Secret is restored", || get(plane, &SECRET)["data"] == before.0);
    plane
        .kubectl_prints(&["delete", "-n", "odigos-system", "secret", "odigos-webhook-certificates"])
        .unwrap();
    instrumentor.until("the Secret is made again", || {
        let found = plane.kubectl(
            &["get", "-n", "odigos-system", "secret", "odigos-webhook-certificates"],
            "",
        );
        found.unwrap().status.success()
    });
    assert_eq!(get(plane, &SECRET)["data"], before.0);
    instrumentor.until_it_refuses(plane);
    instrumentor.kill();
    plane.kubectl_prints(&damage).unwrap();
    let successor = Instrumentor::start(plane, Lifetime::Days);
    successor.until("the Secret is written anew", || {
        get(plane, &SECRET)["data"]["tls.crt"].is_string()
    });
    successor.until_it_refuses(plane);
    assert_ne!(bundle(plane), before.1);
    successor.kill();
}

fn everything_goes_away_with_the_cluster_role(plane: &ControlPlane) {
    plane
        .kubectl_prints(&["delete", "clusterrole", "odigos-instrumentor"])
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let left = [
            "get",
            "validatingwebhookconfigurations,mutatingwebhookconfigurations",
            "-o",
            "name",
        ];
        let secrets = ["get", "secrets", "-n", "odigos-system", "-o", "name"];
        let left = plane.kubectl_prints(&left).unwrap() + &plane.kubectl_prints(&secrets).unwrap();
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "left behind: {left}");
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

/// While certificates and authorities are exchanged, each wrong object is refused: the apiserver would let it pass if it did
/// not trust the answer. And whatever it trusted a moment ago verifies what is served now.
#[test]
fn certificates_rotate_without_a_gap() {
    let plane = prepared();
    let instrumentor = Instrumentor::start(&plane, Lifetime::Seconds(12));
    instrumentor.until_it_refuses(&plane);
    let first = bundle(&plane);
    let wrong = SOURCE
        .replace("workload: {name: NAME", "workload: {name: Wrong")
        .replace("NAME", "wrong");
    let wrong = vec![wrong; 5].join("---\n");
    let mut bundles = vec![first.clone()];
    let mut leaves = std::collections::BTreeSet::new();
    let (mut refused, mut shaken) = (0, 0);
    let deadline = Instant::now() + Duration::from_secs(240);
    // Until nothing is left of what the apiserver trusted at first.
    while bundles.last().unwrap().contains(&first) {
        assert!(Instant::now() < deadline, "no rotation: {} bundles", bundles.len());
        let trusted = bundle(&plane);
        leaves.insert(handshake(instrumentor.address(), &trusted));
        shaken += 1;
        let (is_taken, error) = apply(&plane, &["create", "--dry-run=server", "-f", "-"], &wrong);
        assert!(!is_taken);
        let times = error.matches("cannot be the name of a workload").count();
        assert_eq!(times, 5, "{error}");
        refused += times;
        if bundles.last() != Some(&trusted) {
            bundles.push(trusted);
        }
    }
    assert!(bundles.len() >= 3, "staged, promoted, forgotten: {}", bundles.len());
    assert!(leaves.len() >= 4, "{} certificates", leaves.len());
    println!(
        "{refused} refused, {shaken} handshakes, {} certificates, {} bundles",
        leaves.len(),
        bundles.len()
    );
    instrumentor.kill();
}

/// The certificate that is served at an address, verified by a bundle.
fn handshake(address: &str, bundle: &str) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bundle).unwrap();
    let output = Command::new("openssl")
        .args(["s_client", "-connect", address, "-verify_return_error", "-verify_ip"])
        .arg(address.split(':').next().unwrap())
        .arg("-CAfile")
        .arg(file.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && text.contains("Verify return code: 0 (ok)"),
        "{text}"
    );
    let begin = text.find("-----BEGIN CERTIFICATE-----").unwrap();
    text[begin..text.find("-----END CERTIFICATE-----").unwrap()].to_owned()
}
