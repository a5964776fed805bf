//! A node with the product's definitions and the instrumentor, and what tests do with it.

use odigos_tests::kubetest::ControlPlane;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Where the apiserver reaches processes of the machine.
const HOST: &str = "10.97.0.1";
/// How long anything may take; far more than it does, since the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// A cluster with the instrumentor.
pub struct Cluster {
    plane: ControlPlane,
    instrumentor: Child,
    admin: String,
}

impl Cluster {
    pub fn start() -> Self {
        let plane = ControlPlane::start_with_node().unwrap();
        plane.install("odigos-system", &[]).unwrap();
        let role = [
            "create",
            "clusterrole",
            "odigos-instrumentor",
            "--verb=get",
            "--resource=pods",
        ];
        plane.kubectl_prints(&role).unwrap();
        apply(&plane, &configuration("rollout: {canaryStabilityTime: 2s}"));
        apply(&plane, &node_collector());
        let status = json!({"status": {"ready": true, "receiverSignals": ["TRACES", "METRICS", "LOGS"]}}).to_string();
        let group = [
            "patch",
            "collectorsgroup",
            "-n",
            "odigos-system",
            "odigos-data-collection",
        ];
        let patch = ["--subresource=status", "--type=merge", "-p", &status];
        plane.kubectl_prints(&[&group[..], &patch].concat()).unwrap();
        let admin = format!("127.0.0.1:{}", free_port("127.0.0.1"));
        let instrumentor = instrumentor(&plane, &admin);
        let cluster = Self {
            plane,
            instrumentor,
            admin,
        };
        cluster.until("the webhooks are there", || {
            let get = [
                "get",
                "mutatingwebhookconfiguration",
                "odigos-instrumentor",
                "--ignore-not-found",
                "-o",
                "json",
            ];
            let webhooks = cluster.kubectl(&get);
            webhooks.contains("caBundle")
        });
        cluster
    }

    pub fn kubectl(&self, arguments: &[&str]) -> String {
        self.plane.kubectl_prints(arguments).unwrap()
    }

    pub fn get(&self, namespace: &str, kind: &str, name: &str) -> Value {
        serde_json::from_str(&self.kubectl(&["get", kind, "-n", namespace, name, "-o", "json"])).unwrap()
    }

    /// The effective configuration is this, beside what makes tests quick.
    pub fn configure(&self, yaml: &str) {
        apply(&self.plane, &configuration(yaml));
    }

    /// A Deployment of busybox whose containers run these commands; `more` is added to each container.
    pub fn deployment(&self, namespace: &str, name: &str, replicas: u32, containers: &[(&str, &str)], more: &Value) {
        let containers = containers.iter().map(|(name, command)| {
            let mut container = json!({
                "name": name, "image": "busybox:1", "command": ["sh", "-c", command],
                "readinessProbe": {"exec": {"command": ["true"]}, "periodSeconds": 1},
            });
            container
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            container
        });
        let containers: Vec<Value> = containers.collect();
        let labels = json!({"app": name});
        apply(
            &self.plane,
            &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}),
        );
        apply(
            &self.plane,
            &json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": namespace},
                "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": {
                    "metadata": {"labels": labels},
                    "spec": {"terminationGracePeriodSeconds": 0, "containers": containers},
                }},
            }),
        );
    }

    /// A Source that says what runs in the containers, so that nobody has to find it out.
    pub fn source(&self, namespace: &str, name: &str, containers: &[&str], language: &str) {
        let version = if language == "go" { "1.22" } else { "21" };
        let overrides = containers.iter().map(|container| {
            let info = json!({"containerName": container, "language": language, "runtimeVersion": version,
                "secureExecutionMode": false});
            json!({"containerName": container, "runtimeInfo": info})
        });
        apply(
            &self.plane,
            &json!({
                "apiVersion": "odigos.io/v1alpha1", "kind": "Source", "metadata": {"name": name, "namespace": namespace},
                "spec": {
                    "workload": {"kind": "Deployment", "name": name, "namespace": namespace},
                    "containerOverrides": overrides.collect::<Vec<_>>(),
                },
            }),
        );
    }

    /// Waits until all pods of a Deployment are as its template says, and serve.
    pub fn settled(&self, namespace: &str, name: &str) {
        self.until(&format!("{name} serves"), || {
            let deployment = self.get(namespace, "deployment", name);
            let (wanted, status) = (&deployment["spec"]["replicas"], &deployment["status"]);
            let counts = ["replicas", "updatedReplicas", "availableReplicas"];
            let counted = counts.iter().all(|it| status[it] == *wanted);
            let leaving = self
                .pods(namespace, name)
                .iter()
                .any(|pod| !pod["metadata"]["deletionTimestamp"].is_null());
            counted && !leaving && status["observedGeneration"] == deployment["metadata"]["generation"]
        });
    }

    pub fn pods(&self, namespace: &str, name: &str) -> Vec<Value> {
        let label = format!("app={name}");
        let list = self.kubectl(&["get", "pods", "-n", namespace, "-l", &label, "-o", "json"]);
        let list: Value = serde_json::from_str(&list).unwrap();
        list["items"].as_array().unwrap().clone()
    }

    /// The InstrumentationConfig of a Deployment, or nothing.
    pub fn config(&self, namespace: &str, name: &str) -> Value {
        let name = format!("deployment-{name}");
        let get = [
            "get",
            "instrumentationconfig",
            "-n",
            namespace,
            &name,
            "--ignore-not-found",
            "-o",
            "json",
        ];
        serde_json::from_str(&self.kubectl(&get)).unwrap_or(Value::Null)
    }

    /// The reason of the condition `WorkloadRollout`, or nothing.
    pub fn reason(&self, namespace: &str, name: &str) -> String {
        let config = self.config(namespace, name);
        let conditions = config["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let rollout = conditions.iter().find(|it| it["type"] == "WorkloadRollout");
        rollout
            .map(|it| it["reason"].as_str().unwrap_or_default().to_owned())
            .unwrap_or_default()
    }

    pub fn rollout_is(&self, namespace: &str, name: &str, reason: &str) {
        self.until(&format!("the rollout of {name} is {reason}"), || {
            self.reason(namespace, name) == reason
        });
    }

    /// Waits until the instrumentor has looked at everything in the namespace once more, and has written nothing for it.
    pub fn nothing_happens(&self, namespace: &str) {
        let start = Instant::now();
        let looks = self.figure("odigos_controller_reconcile_duration_seconds_count");
        let before = self.versions(namespace);
        self.until("the instrumentor has looked", || {
            let nudge = format!("nudged={}", Instant::now().duration_since(start).as_millis());
            self.kubectl(&[
                "annotate",
                "instrumentationconfigs",
                "-n",
                namespace,
                "--all",
                "--overwrite",
                &nudge,
            ]);
            self.figure("odigos_controller_reconcile_duration_seconds_count") > looks
        });
        assert_eq!(self.versions(namespace), before, "something was written for nothing");
    }

    /// The workloads' resource versions.
    fn versions(&self, namespace: &str) -> String {
        let path = "jsonpath={range .items[*]}{.metadata.name}={.metadata.generation} {end}";
        self.kubectl(&["get", "deployments", "-n", namespace, "-o", path])
    }

    /// The sum of a figure of the instrumentor over all its labels.
    fn figure(&self, name: &str) -> f64 {
        let mut stream = TcpStream::connect(&self.admin).unwrap();
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let lines = text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
        lines
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum()
    }

    pub fn until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition() {
            assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.instrumentor.kill();
        let _ = self.instrumentor.wait();
    }
}

/// The instrumentor, as a process of the machine.
fn instrumentor(plane: &ControlPlane, admin: &str) -> Child {
    let own = std::env::current_exe().unwrap();
    let address = format!("{HOST}:{}", free_port(HOST));
    Command::new(own.parent().unwrap().with_file_name("odigos-controllers"))
        .args(["instrumentor", "--metrics-listen", admin, "--webhook-listen", &address])
        .args(["--webhook-url", &format!("https://{address}")])
        .env("KUBECONFIG", plane.kubeconfig())
        .stdin(Stdio::null())
        .spawn()
        .expect("odigos-controllers is built beside the tests")
}

fn free_port(host: &str) -> u16 {
    TcpListener::bind((host, 0)).unwrap().local_addr().unwrap().port()
}

/// The name of an object.
pub fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap().to_owned()
}

/// What makes tests quick, and what a test asks for beside it.
fn configuration(yaml: &str) -> Value {
    let text = format!("mountMethod: k8s-host-path\nrollbackGraceTime: 5s\n{yaml}");
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "effective-config", "namespace": "odigos-system"},
        "data": {"config.yaml": text},
    })
}

/// The node collectors, as the scheduler asks for them; they are not run here.
fn node_collector() -> Value {
    json!({
        "apiVersion": "odigos.io/v1alpha1", "kind": "CollectorsGroup",
        "metadata": {"name": "odigos-data-collection", "namespace": "odigos-system"},
        "spec": {"role": "NODE_COLLECTOR", "collectorOwnMetricsPort": 44318, "resourcesSettings": {
            "cpuLimitMillicores": 1, "cpuRequestMillicores": 1, "gomemlimitMiB": 1, "memoryLimitMiB": 1,
            "memoryLimiterLimitMiB": 1, "memoryLimiterSpikeLimitMiB": 1, "memoryRequestMiB": 1}},
    })
}

fn apply(plane: &ControlPlane, object: &Value) {
    let output = plane.kubectl(&["apply", "-f", "-"], &object.to_string()).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
