//! The instrumentor on the real apiserver: which InstrumentationConfigs there are, what they say, and that nothing is left.
//!
//! There is no node. Workloads want no pods, and what a node would report is written here.

use odigos_tests::component::{Component, wait};
use odigos_tests::kubetest::ControlPlane;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const NAMESPACE: &str = "odigos-system";
/// Longer than a killed holder's lease, on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// Kinds that come and go, or change, by themselves.
const TRANSIENT: [&str; 6] = [
    "nodes",
    "events",
    "events.events.k8s.io",
    "leases.coordination.k8s.io",
    "componentstatuses",
    "endpointslices.discovery.k8s.io",
];

/// A cluster, and the rights of the instrumentor in it.
struct Cluster {
    plane: ControlPlane,
    kubeconfig: PathBuf,
    folder: TempDir,
}

/// Everything in a cluster that lasts, by kind, namespace and name.
type Everything = BTreeMap<String, Value>;

impl Cluster {
    fn start() -> Self {
        let plane = ControlPlane::start().unwrap();
        plane.install(NAMESPACE, &["instrumentor-rbac.yaml"]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = plane
            .kubeconfig_of(NAMESPACE, "odigos-instrumentor", folder.path())
            .unwrap();
        Self {
            plane,
            kubeconfig,
            folder,
        }
    }

    /// With no more rights than its own role.
    fn instrumentor(&self) -> Component {
        let mut component = Component::start("instrumentor", NAMESPACE, &self.kubeconfig, self.folder.path()).unwrap();
        component.leads(SOON).unwrap();
        component
    }

    #[track_caller]
    fn apply(&self, objects: &[Value]) {
        self.plane
            .apply(&json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string())
            .unwrap();
    }

    #[track_caller]
    fn prints(&self, arguments: &[&str]) -> String {
        self.plane.kubectl_prints(arguments).unwrap()
    }

    #[track_caller]
    fn get(&self, arguments: &[&str]) -> Value {
        self.plane.get(arguments).unwrap()
    }

    /// Everything that lasts, without what every write changes.
    fn everything(&self) -> Everything {
        let kinds = self.prints(&["api-resources", "--verbs=list", "--output=name"]);
        let kinds: Vec<&str> = kinds.lines().filter(|kind| !TRANSIENT.contains(kind)).collect();
        let list = self.get(&[&kinds.join(","), "--all-namespaces"]);
        let items = list["items"].as_array().unwrap().iter().cloned();
        items.map(lasting).collect()
    }

    /// The same once Kubernetes' own controllers have made what belongs to the workloads.
    fn settled(&self) -> Everything {
        let mut before = self.everything();
        until("what belongs to the workloads is there", || {
            let now = self.everything();
            let made = |kind: &str| now.keys().filter(|name| name.starts_with(kind)).count();
            let settled = made("ReplicaSet shop") == 3 && made("ControllerRevision shop") == 2 && now == before;
            before.clone_from(&now);
            settled.then_some(now)
        })
    }

    /// Waits until everything is as it was, and otherwise fails with the differences.
    #[track_caller]
    fn is_as_before(&self, before: &Everything) {
        let mut found = Vec::new();
        let same = wait(SOON, || {
            found = differences(before, &self.everything());
            Ok(found.is_empty())
        });
        assert!(same.is_ok(), "{}", found.join("\n"));
    }
}

/// The name of an object, and the object without what every write changes.
fn lasting(mut object: Value) -> (String, Value) {
    let metadata = object["metadata"].as_object_mut().unwrap();
    for field in ["resourceVersion", "managedFields", "generation"] {
        metadata.remove(field);
    }
    object.as_object_mut().map(|object| object.remove("status"));
    let part = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let metadata = &object["metadata"];
    let name = [&object["kind"], &metadata["namespace"], &metadata["name"]]
        .map(part)
        .join(" ");
    (name, object)
}

fn differences(before: &Everything, after: &Everything) -> Vec<String> {
    let names = before
        .keys()
        .chain(after.keys())
        .filter(|name| before.get(*name) != after.get(*name));
    let mut found: Vec<String> = names
        .map(|name| format!("{name}: {:?} became {:?}", before.get(name), after.get(name)))
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Tries until `attempt` gives something, and fails with `what` when the time is up.
#[track_caller]
fn until<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let mut found = None;
    let waited = wait(SOON, || {
        found = attempt();
        Ok(found.is_some())
    });
    assert!(waited.is_ok(), "{what}: {waited:?}");
    found.unwrap()
}

/// Waits until it has nothing to do, and has looked at nothing for a while.
fn is_idle(instrumentor: &Component) {
    let (mut seen, mut since) = (0.0, Instant::now());
    until("the instrumentor has nothing to do", || {
        let looks = instrumentor
            .metric("odigos_controller_reconcile_duration_seconds_count")
            .ok()?;
        let queue = instrumentor.metric("odigos_controller_queue_length").ok()?;
        if looks > seen || queue > 0.0 {
            (seen, since) = (looks, Instant::now());
        }
        (seen > 0.0 && since.elapsed() > Duration::from_secs(1)).then_some(())
    });
}

/// The writes of objects; those of its Lease are not counted there.
fn writes(instrumentor: &Component) -> f64 {
    instrumentor.metric("odigos_controller_writes_total").unwrap()
}

/// A workload of each kind that every cluster has, none of which makes pods.
fn workloads() -> Vec<Value> {
    let template = json!({"metadata": {"labels": {"app": "x"}}, "spec": {"restartPolicy": "Never", "containers": [
        {"name": "app", "image": "example/app:1"}, {"name": "istio-proxy", "image": "example/proxy:1"},
    ]}});
    let mut always = template.clone();
    always["spec"]["restartPolicy"] = "Always".into();
    let mut nowhere = always.clone();
    nowhere["spec"]["nodeSelector"] = json!({"nowhere": "yes"});
    let selector = json!({"matchLabels": {"app": "x"}});
    let object = |api: &str, kind: &str, name: &str, spec: Value| json!({"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": "shop"}, "spec": spec});
    let replicas = || json!({"replicas": 0, "selector": selector, "template": always});
    let mut stateful = replicas();
    stateful["serviceName"] = "x".into();
    let mut mirror = object("v1", "Pod", "proxy-node-1", template["spec"].clone());
    mirror["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "x"});
    mirror["spec"]["nodeName"] = "node-1".into();
    let job = json!({"suspend": true, "template": template});
    vec![
        object("apps/v1", "Deployment", "cart", replicas()),
        object("apps/v1", "Deployment", "card", replicas()),
        object("apps/v1", "Deployment", "pay", replicas()),
        object("apps/v1", "StatefulSet", "db", stateful),
        object(
            "apps/v1",
            "DaemonSet",
            "agent",
            json!({"selector": selector, "template": nowhere}),
        ),
        object("batch/v1", "Job", "once", job.clone()),
        object(
            "batch/v1",
            "CronJob",
            "nightly",
            json!({"schedule": "0 0 1 1 *", "suspend": true, "jobTemplate": {"spec": job}}),
        ),
        mirror,
    ]
}

/// The kinds that only some clusters have, without a schema.
fn optional_kinds() -> Vec<Value> {
    let definition = |group: &str, version: &str, kind: &str, plural: &str| {
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.{group}")},
            "spec": {"group": group, "scope": "Namespaced",
                "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase(), "listKind": format!("{kind}List")},
                "versions": [{"name": version, "served": true, "storage": true, "schema": {"openAPIV3Schema":
                    {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}})
    };
    vec![
        definition("argoproj.io", "v1alpha1", "Rollout", "rollouts"),
        definition("apps.openshift.io", "v1", "DeploymentConfig", "deploymentconfigs"),
    ]
}

fn of_optional_kind(api: &str, kind: &str) -> Value {
    json!({"apiVersion": api, "kind": kind, "metadata": {"name": "edge", "namespace": "shop"},
        "spec": {"template": {"spec": {"containers": [{"name": "app", "image": "example/app:1"}]}}}})
}

fn source(name: &str, kind: &str, workload: &str, more: &Value) -> Value {
    let mut spec = json!({"workload": {"kind": kind, "name": workload, "namespace": "shop"}});
    for (key, value) in more.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    json!({"apiVersion": "odigos.io/v1alpha1", "kind": "Source", "metadata": {"name": name, "namespace": "shop"}, "spec": spec})
}

/// The names of the InstrumentationConfigs in the namespace.
fn configs(cluster: &Cluster) -> Vec<String> {
    let list = cluster.get(&["instrumentationconfigs", "--namespace=shop"]);
    let items = list["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["metadata"]["name"].as_str().unwrap().to_owned())
        .collect()
}

#[track_caller]
fn expect_configs(cluster: &Cluster, expected: &[&str]) {
    let mut seen = Vec::new();
    let same = wait(SOON, || {
        seen = configs(cluster);
        Ok(seen == expected)
    });
    assert!(same.is_ok(), "expected {expected:?}, there are {seen:?}");
}

fn config(cluster: &Cluster, name: &str) -> Value {
    cluster.get(&["instrumentationconfig", "--namespace=shop", name])
}

/// Status, reason and message of a condition; empty where there is none.
fn condition(object: &Value, kind: &str) -> [String; 3] {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let found = conditions
        .clone()
        .find(|it| it["type"] == kind)
        .cloned()
        .unwrap_or_default();
    ["status", "reason", "message"].map(|field| found[field].as_str().unwrap_or_default().to_owned())
}

#[track_caller]
fn expect_condition(cluster: &Cluster, what: &[&str], kind: &str, reason: &str) -> [String; 3] {
    let arguments = [&["--namespace=shop"], what].concat();
    let mut found = Default::default();
    let same = wait(SOON, || {
        found = condition(&cluster.get(&arguments), kind);
        Ok(found[1] == reason)
    });
    assert!(same.is_ok(), "{what:?} {kind}: {reason} is not there, but {found:?}");
    found
}

/// What the agent on a node would write of a workload's container `app`.
fn report(cluster: &Cluster, name: &str, details: Value) {
    let mut details = details;
    details["containerName"] = "app".into();
    let patch = json!({"status": {"runtimeDetailsByContainer": [details]}}).to_string();
    let arguments = [
        "patch",
        "instrumentationconfig",
        "--namespace=shop",
        name,
        "--subresource=status",
        "--type=merge",
        "-p",
        &patch,
    ];
    cluster.prints(&arguments);
}

fn node_collectors(cluster: &Cluster, signals: &[&str]) {
    let resources = [
        "cpuLimitMillicores",
        "cpuRequestMillicores",
        "gomemlimitMiB",
        "memoryLimitMiB",
        "memoryLimiterLimitMiB",
        "memoryLimiterSpikeLimitMiB",
        "memoryRequestMiB",
    ];
    let resources: serde_json::Map<String, Value> =
        resources.iter().map(|name| ((*name).to_owned(), 1.into())).collect();
    cluster.apply(&[json!({"apiVersion": "odigos.io/v1alpha1", "kind": "CollectorsGroup",
        "metadata": {"name": "odigos-data-collection", "namespace": "odigos-system"},
        "spec": {"role": "NODE_COLLECTOR", "collectorOwnMetricsPort": 1, "resourcesSettings": resources}})]);
    let patch = json!({"status": {"ready": true, "receiverSignals": signals}}).to_string();
    let group = "collectorsgroup/odigos-data-collection";
    cluster.prints(&[
        "patch",
        group,
        "--namespace=odigos-system",
        "--subresource=status",
        "--type=merge",
        "-p",
        &patch,
    ]);
}

fn configuration(cluster: &Cluster, text: &str) {
    cluster.apply(&[json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "effective-config", "namespace": "odigos-system"}, "data": {"config.yaml": text}})]);
}

/// The part of a test that every one begins with: definitions, namespaces, workloads.
fn prepared() -> Cluster {
    let cluster = Cluster::start();
    cluster.apply(&[json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})]);
    configuration(&cluster, "ignoredContainers: [istio-proxy]\n");
    // Nothing runs on it, but pods that name a node which does not exist are taken away.
    cluster.apply(&[json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}})]);
    cluster.apply(&workloads());
    cluster
}

const EVERY: [&str; 8] = [
    "cronjob-nightly",
    "daemonset-agent",
    "deployment-card",
    "deployment-cart",
    "deployment-pay",
    "job-once",
    "statefulset-db",
    "staticpod-proxy-node-1",
];

#[test]
fn what_sources_ask_for_is_configured_and_nothing_is_left_when_they_are_gone() {
    let cluster = prepared();
    let instrumentor = cluster.instrumentor();
    let before = cluster.settled();
    every_kind_is_configured_by_a_source_of_its_namespace(&cluster);
    kinds_that_come_later_are_configured_too(&cluster);
    what_is_nearer_decides(&cluster);
    a_container_gets_its_agent_and_says_what_it_waits_for(&cluster);
    what_was_written_stays_as_it_is(&cluster, &instrumentor);
    killed_in_the_middle_its_successor_ends_it(&cluster, instrumentor);
    cluster.prints(&[
        "delete",
        "customresourcedefinitions",
        "rollouts.argoproj.io",
        "deploymentconfigs.apps.openshift.io",
    ]);
    cluster.prints(&[
        "delete",
        "collectorsgroup/odigos-data-collection",
        "--namespace=odigos-system",
    ]);
    cluster.is_as_before(&before);
}

fn every_kind_is_configured_by_a_source_of_its_namespace(cluster: &Cluster) {
    cluster.apply(&[source("all", "Namespace", "shop", &json!({}))]);
    expect_configs(cluster, &EVERY);
    for name in EVERY {
        let config = config(cluster, name);
        let [owner] = config["metadata"]["ownerReferences"].as_array().unwrap().as_slice() else {
            panic!("{config}");
        };
        let kind = owner["kind"].as_str().unwrap();
        let workload = owner["name"].as_str().unwrap();
        let live = cluster.get(&[kind, "--namespace=shop", workload]);
        assert_eq!(owner["uid"], live["metadata"]["uid"], "{name}");
        assert_eq!(config["spec"]["serviceName"], workload);
        let marked = expect_condition(
            cluster,
            &["instrumentationconfig", name],
            "MarkedForInstrumentation",
            "NamespaceSource",
        );
        assert_eq!(marked[2], "Source all of the namespace asks for it");
        expect_condition(
            cluster,
            &["instrumentationconfig", name],
            "RuntimeDetection",
            "NoRunningPods",
        );
    }
    expect_condition(cluster, &["source", "all"], "Accepted", "Instruments");
}

fn kinds_that_come_later_are_configured_too(cluster: &Cluster) {
    cluster.apply(&optional_kinds());
    cluster.prints(&[
        "wait",
        "--for=condition=Established",
        "--timeout=60s",
        "crd/rollouts.argoproj.io",
        "crd/deploymentconfigs.apps.openshift.io",
    ]);
    cluster.apply(&[
        of_optional_kind("argoproj.io/v1alpha1", "Rollout"),
        of_optional_kind("apps.openshift.io/v1", "DeploymentConfig"),
    ]);
    let mut expected = EVERY.to_vec();
    expected.extend(["deploymentconfig-edge", "rollout-edge"]);
    expected.sort_unstable();
    expect_configs(cluster, &expected);
    cluster.prints(&["delete", "rollout/edge", "deploymentconfig/edge", "--namespace=shop"]);
    expect_configs(cluster, &EVERY);
}

fn what_is_nearer_decides(cluster: &Cluster) {
    cluster.apply(&[source(
        "not-db",
        "StatefulSet",
        "db",
        &json!({"disableInstrumentation": true}),
    )]);
    let without: Vec<&str> = EVERY.into_iter().filter(|name| *name != "statefulset-db").collect();
    expect_configs(cluster, &without);
    expect_condition(cluster, &["source", "not-db"], "Accepted", "Excludes");
    let pattern = json!({"matchWorkloadNameAsRegex": true});
    let mut named = source("cards", "Deployment", "ca.*", &pattern);
    named["metadata"]["labels"] = json!({"odigos.io/data-stream-money": "true"});
    named["spec"]["otelServiceName"] = "cards".into();
    cluster.apply(&[
        named,
        source("pay", "Deployment", "pay", &json!({"otelServiceName": "till"})),
    ]);
    for (name, service, by) in [
        ("cart", "cards", "Source cards with the expression ca.*"),
        ("pay", "till", "Source pay"),
    ] {
        let name = format!("deployment-{name}");
        let marked = expect_condition(
            cluster,
            &["instrumentationconfig", &name],
            "MarkedForInstrumentation",
            "WorkloadSource",
        );
        assert_eq!(marked[2], format!("{by} asks for it"));
        assert_eq!(config(cluster, &name)["spec"]["serviceName"], service);
    }
    let labels = &config(cluster, "deployment-cart")["metadata"]["labels"];
    assert_eq!(labels["odigos.io/data-stream-money"], "true");
    cluster.prints(&["delete", "source/all", "--namespace=shop"]);
    expect_configs(cluster, &["deployment-card", "deployment-cart", "deployment-pay"]);
    cluster.apply(&[source(
        "other",
        "Deployment",
        "c.rd",
        &json!({"matchWorkloadNameAsRegex": true, "disableInstrumentation": true}),
    )]);
    expect_configs(cluster, &["deployment-cart", "deployment-pay"]);
    configuration(cluster, "ignoredContainers: [istio-proxy]\nignoredNamespaces: [shop]\n");
    expect_configs(cluster, &[]);
    expect_condition(cluster, &["source", "pay"], "Accepted", "NamespaceIgnored");
    configuration(cluster, "ignoredContainers: [istio-proxy]\n");
    expect_configs(cluster, &["deployment-cart", "deployment-pay"]);
}

fn a_container_gets_its_agent_and_says_what_it_waits_for(cluster: &Cluster) {
    let cart = ["instrumentationconfig", "deployment-cart"];
    expect_condition(cluster, &cart, "AgentEnabled", "WaitingForRuntimeInspection");
    report(
        cluster,
        "deployment-cart",
        json!({"language": "java", "runtimeVersion": "17.0.9"}),
    );
    let waits = expect_condition(cluster, &cart, "AgentEnabled", "WaitingForNodeCollector");
    assert_eq!(waits[0], "Unknown");
    expect_condition(cluster, &cart, "RuntimeDetection", "DetectedSuccessfully");
    node_collectors(cluster, &["TRACES"]);
    let enabled = expect_condition(cluster, &cart, "AgentEnabled", "EnabledSuccessfully");
    assert!(
        enabled[2].contains("istio-proxy: the configuration ignores"),
        "{}",
        enabled[2]
    );
    let container = &config(cluster, "deployment-cart")["spec"]["containers"][0];
    assert_eq!(container["otelDistroName"], "java-community");
    assert!(container["traces"].is_object() && container["metrics"].is_null());
    cluster.apply(&[
        json!({"apiVersion": "odigos.io/v1alpha1", "kind": "InstrumentationRule",
        "metadata": {"name": "headers", "namespace": "odigos-system"},
        "spec": {"headersCollection": {"headerKeys": ["X-B", "x-a"]}, "scopes": {"languages": ["java"]}}}),
    ]);
    until("the rule's headers in the configuration", || {
        let config = config(cluster, "deployment-cart");
        let headers = &config["spec"]["containers"][0]["traces"]["headersCollection"]["headerKeys"];
        (*headers == json!(["x-a", "X-B"])).then_some(())
    });
    report(
        cluster,
        "deployment-cart",
        json!({"language": "java", "runtimeVersion": "7"}),
    );
    let refused = expect_condition(cluster, &cart, "AgentEnabled", "UnsupportedRuntimeVersion");
    assert_eq!(refused[0], "False");
    cluster.prints(&["delete", "instrumentationrule/headers", "--namespace=odigos-system"]);
}

/// Whatever wakes the instrumentor, nothing is written that is as it should be.
fn what_was_written_stays_as_it_is(cluster: &Cluster, instrumentor: &Component) {
    let versions = || {
        let list = cluster.get(&["instrumentationconfigs,sources", "--namespace=shop"]);
        let items = list["items"].as_array().unwrap().iter();
        items
            .map(|item| item["metadata"]["resourceVersion"].clone())
            .collect::<Vec<_>>()
    };
    is_idle(instrumentor);
    let (seen, written) = (versions(), writes(instrumentor));
    cluster.prints(&[
        "label",
        "deployment/cart",
        "deployment/pay",
        "source/pay",
        "--namespace=shop",
        "touched=yes",
    ]);
    cluster.prints(&[
        "label",
        "deployment/cart",
        "deployment/pay",
        "source/pay",
        "--namespace=shop",
        "touched-",
    ]);
    is_idle(instrumentor);
    assert_eq!(writes(instrumentor), written);
    let now = versions();
    // The Source was labelled; the configurations are as they were.
    let configs = configs(cluster).len();
    assert_eq!(now[..configs], seen[..configs]);
}

/// Sources come and go while the instrumentor is killed; its successor finds everything.
fn killed_in_the_middle_its_successor_ends_it(cluster: &Cluster, mut instrumentor: Component) {
    cluster.apply(&[source("all", "Namespace", "shop", &json!({}))]);
    instrumentor.kill().unwrap();
    cluster.prints(&["delete", "source/cards", "--namespace=shop", "--wait=false"]);
    let mut instrumentor = cluster.instrumentor();
    let without: Vec<&str> = EVERY
        .into_iter()
        .filter(|name| *name != "statefulset-db" && *name != "deployment-card")
        .collect();
    expect_configs(cluster, &without);
    cluster.prints(&["delete", "sources", "--all", "--namespace=shop", "--wait=false"]);
    instrumentor.kill().unwrap();
    let mut instrumentor = cluster.instrumentor();
    expect_configs(cluster, &[]);
    until("the Sources are gone", || {
        let sources = cluster.get(&["sources", "--namespace=shop"]);
        sources["items"].as_array().unwrap().is_empty().then_some(())
    });
    assert!(instrumentor.terminate().unwrap().success());
}
