//! Rollouts on a real node: Kubernetes' own controllers, its scheduler and a kubelet, and the instrumentor as a process.
//!
//! The agents are not there: a container that notices that it should have one fails, or goes on, as each test wants it.

mod cluster;
mod snapshot;

use cluster::Cluster;
use serde_json::{Value, json};

/// One node for all, since it costs half a minute; each part has a namespace of its own.
#[test]
fn workloads_are_rolled_once_and_restored_on_a_real_node() {
    let cluster = Cluster::start();
    a_removed_source_leaves_nothing(&cluster);
    what_ebpf_sees_is_not_rolled(&cluster);
    one_container_is_rolled_back(&cluster);
    one_workload_at_a_time(&cluster);
    templates_are_restored_as_well(&cluster);
}

/// The pod that comes first needs to be ready only so long.
const QUICK: &str = "rollout: {canaryStabilityTime: 2s}";
/// Runs with an agent and without.
const RUNS: &str = "exec sleep 1000000";
/// Fails with an agent.
const FAILS: &str = "[ -z \"$ODIGOS_DISTRO_NAME\" ] || exit 1; exec sleep 1000000";

fn a_removed_source_leaves_nothing(cluster: &Cluster) {
    let space = "restored";
    cluster.deployment(space, "cart", 3, &[("app", RUNS)], &json!({}));
    cluster.deployment(space, "single", 1, &[("app", RUNS)], &json!({}));
    cluster.settled(space, "cart");
    cluster.settled(space, "single");
    let before = snapshot::of(cluster);

    cluster.source(space, "cart", &["app"], "java");
    cluster.source(space, "single", &["app"], "java");
    for name in ["cart", "single"] {
        cluster.rollout_is(space, name, "RolloutFinished");
        let pods = cluster.pods(space, name);
        let config = cluster.config(space, name);
        let hash = &config["spec"]["agentsMetaHash"];
        for pod in &pods {
            assert_eq!(&pod["metadata"]["labels"]["odigos.io/agents-meta-hash"], hash, "{pod}");
            let env = pod["spec"]["containers"][0]["env"].to_string();
            assert!(env.contains("JAVA_TOOL_OPTIONS") || env.contains("LD_PRELOAD"), "{env}");
        }
        // Rolled once: the manifest has been changed once.
        assert_eq!(cluster.get(space, "deployment", name)["metadata"]["generation"], 2);
    }
    cluster.nothing_happens(space);
    assert_eq!(cluster.get(space, "deployment", "cart")["metadata"]["generation"], 2);

    cluster.kubectl(&["delete", "source", "-n", space, "--all"]);
    cluster.until("the workloads are restored", || {
        let pods = ["cart", "single"].map(|name| cluster.pods(space, name));
        pods.iter()
            .flatten()
            .all(|pod| pod["metadata"]["labels"]["odigos.io/agents-meta-hash"].is_null())
    });
    cluster.settled(space, "cart");
    cluster.settled(space, "single");
    cluster.until("nothing of it is left", || {
        !snapshot::everything(cluster).contains("odigos.io/rolled-out-for")
    });
    let after = snapshot::of(cluster);
    for (name, object) in &before {
        assert_eq!(after.get(name), Some(object), "{name}");
    }
    let added: Vec<_> = after.keys().filter(|name| !before.contains_key(*name)).collect();
    assert_eq!(added, Vec::<&String>::new());
}

fn what_ebpf_sees_is_not_rolled(cluster: &Cluster) {
    let space = "kernel";
    cluster.deployment(space, "cart", 2, &[("app", RUNS)], &json!({}));
    cluster.settled(space, "cart");
    cluster.source(space, "cart", &["app"], "go");
    cluster.rollout_is(space, "cart", "NotRequired");
    let config = cluster.config(space, "cart");
    assert_eq!(config["spec"]["containers"][0]["agentEnabled"], true, "{config}");
    assert_eq!(config["spec"]["agentsMetaHash"], Value::Null);
    cluster.nothing_happens(space);
    let deployment = cluster.get(space, "deployment", "cart");
    assert_eq!(deployment["metadata"]["generation"], 1);
}

fn one_container_is_rolled_back(cluster: &Cluster) {
    let space = "failing";
    cluster.deployment(space, "cart", 2, &[("app", FAILS), ("sidecar", RUNS)], &json!({}));
    cluster.settled(space, "cart");
    let first: Vec<String> = cluster.pods(space, "cart").iter().map(cluster::name).collect();
    cluster.source(space, "cart", &["app", "sidecar"], "java");
    cluster.until("the failing container is rolled back", || {
        let config = cluster.config(space, "cart");
        config["metadata"]["annotations"]["odigos.io/rolled-back"]
            .as_str()
            .is_some_and(|text| text.contains("app"))
    });
    let serving = cluster
        .pods(space, "cart")
        .iter()
        .map(cluster::name)
        .filter(|name| first.contains(name))
        .count();
    assert!(serving >= 1, "the others had to stay as they were");
    cluster.rollout_is(space, "cart", "RolloutFinished");
    let config = cluster.config(space, "cart");
    let reasons: Vec<_> = config["spec"]["containers"].as_array().unwrap().iter().collect();
    assert_eq!(reasons[0]["agentEnabledReason"], "CrashLoopBackOff", "{config}");
    assert_eq!(reasons[1]["agentEnabled"], true, "{config}");
    for pod in cluster.pods(space, "cart") {
        let env = |at: usize| pod["spec"]["containers"][at]["env"].to_string();
        assert!(
            !env(0).contains("ODIGOS_DISTRO_NAME") && env(1).contains("ODIGOS_DISTRO_NAME"),
            "{pod}"
        );
    }
}

fn one_workload_at_a_time(cluster: &Cluster) {
    let space = "queue";
    cluster.configure("rollout: {maxConcurrentRollouts: 1, canaryStabilityTime: 2s}");
    let names = ["one", "two", "three"];
    for name in names {
        cluster.deployment(space, name, 1, &[("app", RUNS)], &json!({}));
    }
    for name in names {
        cluster.settled(space, name);
    }
    for name in names {
        cluster.source(space, name, &["app"], "java");
    }
    let mut most = 0;
    cluster.until("all are rolled", || {
        let deployments = names.map(|name| cluster.get(space, "deployment", name));
        let under_way = deployments.iter().filter(|it| is_being_rolled(it)).count();
        most = most.max(under_way);
        names
            .iter()
            .all(|name| cluster.reason(space, name) == "RolloutFinished")
    });
    assert_eq!(most, 1);
    cluster.configure(QUICK);
}

/// Marked, and not all of its pods are new.
fn is_being_rolled(deployment: &Value) -> bool {
    let marked = &deployment["spec"]["template"]["metadata"]["annotations"]["odigos.io/rolled-out-for"];
    let status = &deployment["status"];
    let is_done = status["observedGeneration"] == deployment["metadata"]["generation"]
        && status["updatedReplicas"] == 1
        && status["replicas"] == 1
        && status["availableReplicas"] == 1;
    !marked.is_null() && !is_done
}

fn templates_are_restored_as_well(cluster: &Cluster) {
    let space = "template";
    cluster.configure("rollout: {canaryStabilityTime: 2s}\npodInjectionMethod: template");
    let env = json!({"env": [{"name": "JAVA_TOOL_OPTIONS", "value": "-Xmx64m"}]});
    cluster.deployment(space, "cart", 1, &[("app", RUNS)], &env);
    cluster.settled(space, "cart");
    let before = cluster.get(space, "deployment", "cart")["spec"].clone();
    cluster.source(space, "cart", &["app"], "java");
    cluster.rollout_is(space, "cart", "RolloutFinished");
    let during = cluster.get(space, "deployment", "cart");
    let template = &during["spec"]["template"];
    assert_eq!(
        template["spec"]["volumes"][0]["hostPath"]["path"], "/var/odigos",
        "{template}"
    );
    cluster.nothing_happens(space);
    assert_eq!(
        cluster.get(space, "deployment", "cart")["metadata"]["generation"],
        during["metadata"]["generation"]
    );
    // Somebody edits the workload meanwhile.
    let edit = json!({"spec": {"template": {"metadata": {"annotations": {"team": "a"}}}}}).to_string();
    cluster.kubectl(&["patch", "deployment", "-n", space, "cart", "-p", &edit]);
    cluster.kubectl(&["delete", "source", "-n", space, "--all"]);
    let mut expected = before;
    expected["template"]["metadata"]["annotations"] = json!({"team": "a"});
    cluster.until("the template is restored", || {
        cluster.get(space, "deployment", "cart")["spec"] == expected
    });
    cluster.configure(QUICK);
}
