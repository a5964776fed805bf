//! The scheduler on a real apiserver, with no more rights than its own role: the configuration in force, the collectors' groups,
//! what profiles bring, hand-over, crashes, and no write without a change.

use odigos_tests::component::{Component, wait};
use odigos_tests::kubetest::ControlPlane;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

const NAMESPACE: &str = "odigos-system";
/// Longer than a killed holder's lease.
const SOON: Duration = Duration::from_secs(40);

struct Bench {
    plane: ControlPlane,
    kubeconfig: PathBuf,
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let plane = ControlPlane::start().unwrap();
        plane.install(NAMESPACE, &["scheduler-rbac.yaml"]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = plane
            .kubeconfig_of(NAMESPACE, "odigos-scheduler", folder.path())
            .unwrap();
        Self {
            plane,
            kubeconfig,
            folder,
        }
    }

    fn scheduler(&self) -> Component {
        Component::start("scheduler", NAMESPACE, &self.kubeconfig, self.folder.path()).unwrap()
    }

    fn source(&self, name: &str, document: &str) {
        let data = serde_json::json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": NAMESPACE}, "data": {"config.yaml": document},
        });
        self.plane.apply(&data.to_string()).unwrap();
    }

    /// A key of the ConfigMap that is in force, without quotation marks.
    fn effective(&self, key: &str) -> String {
        let map = self.plane.get(&["configmap", "effective-config", "-n", NAMESPACE]);
        map.ok()
            .and_then(|map| Some(map["data"][key].as_str()?.replace('"', "")))
            .unwrap_or_default()
    }

    fn until_effective(&self, key: &str, part: &str) {
        wait(SOON, || Ok(self.effective(key).contains(part)))
            .unwrap_or_else(|_| panic!("{part} is not in {key}:\n{}", self.effective(key)));
    }

    fn exists(&self, kind: &str, name: &str) -> bool {
        self.plane.get(&[kind, name, "-n", NAMESPACE]).is_ok()
    }

    fn until(&self, what: &str, condition: impl Fn() -> bool) {
        wait(SOON, || Ok(condition())).unwrap_or_else(|error| panic!("{what}: {error}"));
    }

    /// The reason of a condition of a CollectorsGroup.
    fn reason(&self, group: &str, condition: &str) -> String {
        let group = self
            .plane
            .get(&["collectorsgroup", group, "-n", NAMESPACE])
            .unwrap_or_default();
        let conditions = group["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let found = conditions.into_iter().find(|it| it["type"] == condition);
        found.map_or_else(String::new, |it| it["reason"].as_str().unwrap_or_default().to_owned())
    }

    fn delete(&self, arguments: &[&str]) {
        self.plane.kubectl_prints(&[&["delete"], arguments].concat()).unwrap();
    }

    /// Every object of the scheduler's with its resource version.
    fn versions(&self) -> Vec<String> {
        let kinds = "configmaps,collectorsgroups,processors,instrumentationrules,actions,events";
        let list = self.plane.get(&[kinds, "-n", NAMESPACE]).unwrap();
        let version = |it: &Value| {
            format!(
                "{} {} {}",
                it["kind"], it["metadata"]["name"], it["metadata"]["resourceVersion"]
            )
        };
        list["items"].as_array().unwrap().iter().map(version).collect()
    }
}

/// One control plane for all, since each costs seconds.
#[test]
fn the_scheduler_does_all_of_its_work_with_its_own_role() {
    let bench = Bench::new();
    let mut scheduler = bench.scheduler();
    scheduler.leads(SOON).unwrap();
    there_is_a_configuration_without_any_source(&bench);
    sources_win_in_their_order(&bench);
    a_bad_source_keeps_its_last_good_document(&bench);
    profiles_bring_objects_and_take_them_away(&bench);
    collectors_come_in_their_order_and_go(&bench);
    nothing_is_written_without_a_change(&bench, &scheduler);
    let refused = scheduler
        .log()
        .lines()
        .filter(|line| line.contains("forbidden"))
        .count();
    assert_eq!(refused, 0, "{}", scheduler.log());
    a_killed_scheduler_converges(&bench, &mut scheduler);
    a_replica_takes_over_at_once(&bench, scheduler);
}

fn there_is_a_configuration_without_any_source(bench: &Bench) {
    bench.until_effective("config.yaml", "rollbackGraceTime: 5m");
    bench.until_effective("provenance.yaml", "collectorGateway.maxReplicas: profile size_m");
    bench.until_effective("sources.yaml", "Absent");
}

fn sources_win_in_their_order(bench: &Bench) {
    bench.source(
        "odigos-configuration",
        "clusterName: from-chart\nresourceSizePreset: size_s\n",
    );
    bench.source("odigos-local-ui-config", "clusterName: from-ui\n");
    bench.until_effective("config.yaml", "clusterName: from-ui");
    bench.until_effective("provenance.yaml", "clusterName: odigos-local-ui-config:1");
    bench.until_effective("provenance.yaml", "collectorGateway.maxReplicas: profile size_s");
    bench.delete(&["configmap", "odigos-local-ui-config", "-n", NAMESPACE]);
    bench.until_effective("config.yaml", "clusterName: from-chart");
}

fn a_bad_source_keeps_its_last_good_document(bench: &Bench) {
    bench.source("odigos-configuration", "clusterNam: typo\nuiMode: [\n");
    bench.until_effective("sources.yaml", "LastGood");
    bench.source("odigos-configuration", "clusterNam: typo\nuiMode: sometimes\n");
    bench.until_effective("sources.yaml", "line 2: uiMode");
    bench.until_effective("sources.yaml", "line 1: clusterNam");
    assert!(bench.effective("config.yaml").contains("clusterName: from-chart"));
    bench.source("odigos-remote-config", "imagePrefix: mirror.example\n");
    bench.until_effective("config.yaml", "imagePrefix: mirror.example");
    bench.until("the refusal is an Event on its source", || {
        let events = bench.plane.get(&["events.events.k8s.io", "-n", NAMESPACE]).unwrap();
        let events = events["items"].as_array().unwrap().clone();
        events.iter().any(|it| {
            it["regarding"]["name"] == "odigos-configuration"
                && it["reason"] == "ConfigurationRefused"
                && it["note"]
                    .as_str()
                    .is_some_and(|note| note.contains("did you mean \"clusterName\"?"))
        })
    });
    bench.source("odigos-configuration", "clusterName: right-again\n");
    bench.until_effective("config.yaml", "clusterName: right-again");
}

fn profiles_bring_objects_and_take_them_away(bench: &Bench) {
    bench.source("odigos-configuration", "profiles: [kratos]\n");
    bench.until("the processor of a dependency", || {
        bench.exists("processor", "profile-semconv")
    });
    bench.until("the rule of a dependency", || {
        bench.exists("instrumentationrule", "profile-code-attributes")
    });
    bench.until("the action of a dependency", || {
        bench.exists("action", "profile-query-operation-detector")
    });
    bench.source("odigos-configuration", "profiles: [semconv]\n");
    bench.until("what no profile brings is gone", || {
        !bench.exists("instrumentationrule", "profile-code-attributes")
            && !bench.exists("action", "profile-query-operation-detector")
    });
    assert!(bench.exists("processor", "profile-semconv"));
}

fn collectors_come_in_their_order_and_go(bench: &Bench) {
    assert!(!bench.exists("collectorsgroup", "odigos-gateway"));
    let source = "{apiVersion: odigos.io/v1alpha1, kind: Source, metadata: {name: cart, namespace: default}, \
         spec: {workload: {name: cart, namespace: default, kind: Deployment}}}";
    bench.plane.apply(source).unwrap();
    bench.until("a Source asks", || {
        bench.reason("odigos-gateway", "Scheduled") == "AskedForBySources"
    });
    assert_eq!(
        bench.reason("odigos-gateway", "NodeCollectorsScheduled"),
        "NoInstrumentedWorkloads"
    );
    let config = "{apiVersion: odigos.io/v1alpha1, kind: InstrumentationConfig, \
         metadata: {name: deployment-cart, namespace: default}, spec: {agentInjectionEnabled: false}}";
    bench.plane.apply(config).unwrap();
    bench.until("the gateway is waited for", || {
        bench.reason("odigos-gateway", "NodeCollectorsScheduled") == "WaitingForGateway"
    });
    assert!(!bench.exists("collectorsgroup", "odigos-data-collection"));
    let ready = [
        "patch",
        "collectorsgroup",
        "odigos-gateway",
        "-n",
        NAMESPACE,
        "--subresource=status",
    ];
    let ready = [&ready[..], &["--type=merge", "-p", r#"{"status":{"ready":true}}"#]].concat();
    bench.plane.kubectl_prints(&ready).unwrap();
    bench.until("the node collectors", || {
        bench.reason("odigos-data-collection", "Scheduled") == "WorkloadsInstrumented"
    });
    bench.delete(&["instrumentationconfig", "deployment-cart", "-n", "default"]);
    bench.until("no workload, no node collectors", || {
        !bench.exists("collectorsgroup", "odigos-data-collection")
    });
    assert!(bench.exists("collectorsgroup", "odigos-gateway"));
    bench.delete(&["source", "cart", "-n", "default"]);
    bench.until("nothing asks, no gateway", || {
        !bench.exists("collectorsgroup", "odigos-gateway")
    });
    bench.plane.apply(source).unwrap();
    bench.until("asked for again", || {
        bench.reason("odigos-gateway", "NodeCollectorsScheduled") == "NoInstrumentedWorkloads"
    });
}

/// What wakes the scheduler and changes nothing, changes nothing.
fn nothing_is_written_without_a_change(bench: &Bench, scheduler: &Component) {
    let (versions, writes) = (
        bench.versions(),
        scheduler.metric("odigos_controller_writes_total").unwrap(),
    );
    let looks = || {
        scheduler
            .metric("odigos_controller_reconcile_duration_seconds_count")
            .unwrap()
    };
    let before = looks();
    let label = [
        "label",
        "configmap",
        "odigos-configuration",
        "-n",
        NAMESPACE,
        "--overwrite",
    ];
    bench
        .plane
        .kubectl_prints(&[&label[..], &["touched=once"]].concat())
        .unwrap();
    bench.until("it has looked at every part", || looks() >= before + 3.0);
    bench
        .plane
        .kubectl_prints(&[&label[..], &["touched-"]].concat())
        .unwrap();
    bench.until("and once more", || looks() >= before + 6.0);
    assert_eq!(scheduler.metric("odigos_controller_writes_total").unwrap(), writes);
    let touched = |versions: Vec<String>| {
        let others = versions.into_iter();
        others
            .filter(|it| !it.contains("odigos-configuration"))
            .collect::<Vec<_>>()
    };
    assert_eq!(touched(bench.versions()), touched(versions));
}

fn a_killed_scheduler_converges(bench: &Bench, scheduler: &mut Component) {
    bench.source("odigos-configuration", "profiles: [kratos]\nclusterName: before\n");
    // In the middle: the first of the profiles' objects is there, or not.
    bench.until_effective("config.yaml", "clusterName: before");
    scheduler.kill().unwrap();
    bench.source("odigos-configuration", "profiles: [copy-scope]\nclusterName: after\n");
    bench.delete(&["source", "cart", "-n", "default"]);
    *scheduler = bench.scheduler();
    bench.until_effective("config.yaml", "clusterName: after");
    bench.until("the profiles' objects are those of now", || {
        let kinds = "processors,instrumentationrules,actions";
        let list = bench.plane.get(&[kinds, "-n", NAMESPACE]).unwrap();
        let items = list["items"].as_array().unwrap();
        items.len() == 1 && items[0]["metadata"]["name"] == "profile-copy-scope"
    });
    bench.until("the gateway is gone", || {
        !bench.exists("collectorsgroup", "odigos-gateway")
    });
}

/// A lease lasts 15 s; who is asked to end gives it back.
fn a_replica_takes_over_at_once(bench: &Bench, mut first: Component) {
    first.leads(SOON).unwrap();
    let mut second = bench.scheduler();
    let ready = || {
        second
            .request("/readyz")
            .is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
    };
    bench.until("its caches are filled", ready);
    assert_eq!(second.metric("odigos_controller_leader").unwrap(), 0.0);
    assert!(first.terminate().unwrap().success(), "{}", first.log());
    let took = second.leads(SOON).unwrap();
    assert!(took < Duration::from_secs(5), "{took:?}");
    bench.source("odigos-configuration", "clusterName: of-the-second\n");
    bench.until_effective("config.yaml", "clusterName: of-the-second");
}
