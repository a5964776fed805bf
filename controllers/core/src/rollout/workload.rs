//! How far a workload's own controller is with its pods.

use super::Method;
use crate::instrumentor::WorkloadKind;
use controllers_api::labels;
use serde_json::Value;
use std::collections::BTreeMap;

/// What is looked at of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadState {
    /// For which hash its pods were last replaced, as the annotation in the template says.
    pub rolled_out_for: Option<String>,
    /// For which hash the template itself carries agents.
    pub injected: Option<String>,
    /// Whether its controller is replacing pods.
    pub progress: Progress,
    /// Whether pods are only replaced when somebody deletes them.
    pub on_delete: bool,
    /// How many pods it wants.
    pub replicas: u32,
    /// How many of them its controller takes down at once.
    pub max_unavailable: u32,
    /// The labels of its pods.
    pub labels: BTreeMap<String, String>,
}

/// How far a workload's controller is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// All pods are as the template says, and serve.
    Settled,
    /// Pods are being replaced, or do not serve yet.
    UnderWay(String),
    /// Somebody has told the controller to replace nothing.
    Paused,
}

impl WorkloadState {
    /// Of a workload as the apiserver has it: its generation, and the rest with `spec` and `status`.
    pub fn of(kind: WorkloadKind, generation: Option<i64>, object: &Value) -> Self {
        let template = match kind {
            WorkloadKind::CronJob => &object["spec"]["jobTemplate"]["spec"]["template"],
            WorkloadKind::StaticPod => object,
            WorkloadKind::Deployment
            | WorkloadKind::DaemonSet
            | WorkloadKind::StatefulSet
            | WorkloadKind::Job
            | WorkloadKind::DeploymentConfig
            | WorkloadKind::Rollout => &object["spec"]["template"],
        };
        let metadata = &template["metadata"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let is_injected = metadata["annotations"].get(labels::INJECTED).is_some();
        let injected = is_injected
            .then(|| text(&metadata["labels"][labels::AGENTS_META_HASH]))
            .flatten();
        let replicas = replicas(kind, object);
        Self {
            rolled_out_for: text(&metadata["annotations"][labels::ROLLED_OUT_FOR]),
            injected,
            progress: progress(kind, generation, object),
            on_delete: strategy(kind, object)["type"] == "OnDelete",
            replicas,
            max_unavailable: max_unavailable(kind, object, replicas),
            labels: serde_json::from_value(metadata["labels"].clone()).unwrap_or_default(),
        }
    }

    /// For which hash the template stands. What another method has left there stands for none, and has to go.
    pub fn template(&self, method: Method) -> Option<&str> {
        let (own, other) = match method {
            Method::Webhook => (&self.rolled_out_for, &self.injected),
            Method::Template => (&self.injected, &self.rolled_out_for),
        };
        if other.is_some() {
            Some(OTHER_METHOD)
        } else {
            own.as_deref()
        }
    }

    /// Whether anything of ours is in the template.
    pub fn is_marked(&self) -> bool {
        self.rolled_out_for.is_some() || self.injected.is_some()
    }
}

/// No hash is like this.
const OTHER_METHOD: &str = "another method";

fn replicas(kind: WorkloadKind, object: &Value) -> u32 {
    match kind {
        WorkloadKind::DaemonSet => number(&object["status"]["desiredNumberScheduled"]),
        _ => object["spec"].get("replicas").map_or(1, number),
    }
}

fn strategy(kind: WorkloadKind, object: &Value) -> &Value {
    match kind {
        WorkloadKind::StatefulSet | WorkloadKind::DaemonSet => &object["spec"]["updateStrategy"],
        _ => &object["spec"]["strategy"],
    }
}

fn progress(kind: WorkloadKind, generation: Option<i64>, object: &Value) -> Progress {
    let (spec, status) = (&object["spec"], &object["status"]);
    if spec["paused"] == true {
        return Progress::Paused;
    }
    if is_behind(kind, generation, object) {
        return Progress::UnderWay("its controller has not looked at the last change yet".to_owned());
    }
    let wanted = replicas(kind, object);
    let count = |name: &str| number(&status[name]);
    let (updated, serving, all) = match kind {
        WorkloadKind::Job | WorkloadKind::CronJob | WorkloadKind::StaticPod => return Progress::Settled,
        WorkloadKind::DaemonSet => (count("updatedNumberScheduled"), count("numberAvailable"), wanted),
        WorkloadKind::StatefulSet => (updated_of_set(spec, status, wanted), count("readyReplicas"), wanted),
        WorkloadKind::Deployment | WorkloadKind::DeploymentConfig | WorkloadKind::Rollout => {
            (count("updatedReplicas"), count("availableReplicas"), count("replicas"))
        }
    };
    if kind == WorkloadKind::Rollout && status["phase"] == "Paused" {
        return Progress::UnderWay("a step of the Rollout waits for somebody".to_owned());
    }
    if updated < wanted {
        return Progress::UnderWay(format!("{updated} of {wanted} pods are as the template says"));
    }
    if all > updated {
        return Progress::UnderWay(format!("{} earlier pods are still there", all - updated));
    }
    if serving < wanted {
        return Progress::UnderWay(format!("{serving} of {wanted} pods serve"));
    }
    Progress::Settled
}

/// With a strategy `OnDelete`, or below its partition, a StatefulSet replaces nothing by itself.
fn updated_of_set(spec: &Value, status: &Value, wanted: u32) -> u32 {
    let strategy = &spec["updateStrategy"];
    let partition = number(&strategy["rollingUpdate"]["partition"]);
    let is_one_revision = status["updateRevision"] == status["currentRevision"];
    if is_one_revision || strategy["type"] == "OnDelete" {
        return wanted;
    }
    (number(&status["updatedReplicas"]) + partition).min(wanted)
}

fn is_behind(kind: WorkloadKind, generation: Option<i64>, object: &Value) -> bool {
    let observed = &object["status"]["observedGeneration"];
    match kind {
        WorkloadKind::Job | WorkloadKind::CronJob | WorkloadKind::StaticPod => false,
        // Argo writes the number as text.
        WorkloadKind::Rollout => observed.as_str().map(str::to_owned) != generation.map(|it| it.to_string()),
        _ => observed.as_i64() < generation,
    }
}

/// As the controllers resolve it: parts of `maxUnavailable` are rounded down, of `maxSurge` up, and both zero means one.
fn max_unavailable(kind: WorkloadKind, object: &Value, replicas: u32) -> u32 {
    let rolling = match kind {
        WorkloadKind::DeploymentConfig => &object["spec"]["strategy"]["rollingParams"],
        WorkloadKind::Rollout => &object["spec"]["strategy"]["canary"],
        _ => &strategy(kind, object)["rollingUpdate"],
    };
    let recreates = strategy(kind, object)["type"] == "Recreate";
    let part = |name: &str, default: &str, up: bool| {
        let value = rolling.get(name).filter(|value| !value.is_null());
        resolve(value.unwrap_or(&Value::from(default)), replicas, up)
    };
    match kind {
        _ if recreates => replicas,
        WorkloadKind::Deployment | WorkloadKind::DeploymentConfig | WorkloadKind::Rollout => {
            match (part("maxUnavailable", "25%", false), part("maxSurge", "25%", true)) {
                (0, 0) => 1,
                (down, _) => down,
            }
        }
        WorkloadKind::DaemonSet if part("maxSurge", "0", true) > 0 => 0,
        WorkloadKind::DaemonSet | WorkloadKind::StatefulSet => part("maxUnavailable", "1", true).max(1),
        WorkloadKind::Job | WorkloadKind::CronJob | WorkloadKind::StaticPod => 0,
    }
}

/// A number of pods, or a part of them in per cent.
fn resolve(value: &Value, replicas: u32, up: bool) -> u32 {
    let Some(text) = value.as_str() else {
        return number(value);
    };
    let Some(percent) = text.strip_suffix('%') else {
        return text.parse().unwrap_or_default();
    };
    let pods = u64::from(replicas) * percent.parse::<u64>().unwrap_or_default();
    let pods = if up { pods.div_ceil(100) } else { pods / 100 };
    u32::try_from(pods).unwrap_or(u32::MAX)
}

fn number(value: &Value) -> u32 {
    value.as_u64().and_then(|it| u32::try_from(it).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(kind: WorkloadKind, spec: &Value, status: &Value, expected: &str) {
        let object = json!({"spec": spec, "status": status});
        let progress = match WorkloadState::of(kind, Some(2), &object).progress {
            Progress::Settled => "settled".to_owned(),
            Progress::Paused => "paused".to_owned(),
            Progress::UnderWay(how) => how,
        };
        assert_eq!(progress, expected, "{kind} {spec} {status}");
    }

    #[test]
    fn a_deployment_is_settled_when_every_pod_is_new_and_serves() {
        let status = |observed, updated, all, available| {
            json!({"observedGeneration": observed, "updatedReplicas": updated, "replicas": all,
                "availableReplicas": available})
        };
        let three = json!({"replicas": 3});
        let behind = "its controller has not looked at the last change yet";
        check(WorkloadKind::Deployment, &three, &status(1, 3, 3, 3), behind);
        check(
            WorkloadKind::Deployment,
            &three,
            &status(2, 1, 4, 3),
            "1 of 3 pods are as the template says",
        );
        check(
            WorkloadKind::Deployment,
            &three,
            &status(2, 3, 4, 3),
            "1 earlier pods are still there",
        );
        check(
            WorkloadKind::Deployment,
            &three,
            &status(2, 3, 3, 2),
            "2 of 3 pods serve",
        );
        check(WorkloadKind::Deployment, &three, &status(2, 3, 3, 3), "settled");
        check(
            WorkloadKind::Deployment,
            &json!({"replicas": 3, "paused": true}),
            &status(2, 3, 3, 3),
            "paused",
        );
        check(
            WorkloadKind::Deployment,
            &json!({"replicas": 0}),
            &json!({"observedGeneration": 2}),
            "settled",
        );
    }

    #[test]
    fn other_kinds_say_it_in_other_words() {
        let set = |current, updated| {
            json!({"observedGeneration": 2, "updateRevision": "b", "currentRevision": current,
                "updatedReplicas": updated, "readyReplicas": 3})
        };
        check(
            WorkloadKind::StatefulSet,
            &json!({"replicas": 3}),
            &set("a", 1),
            "1 of 3 pods are as the template says",
        );
        check(
            WorkloadKind::StatefulSet,
            &json!({"replicas": 3}),
            &set("b", 0),
            "settled",
        );
        let partition = json!({"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}});
        check(WorkloadKind::StatefulSet, &partition, &set("a", 1), "settled");
        let daemons = json!({"observedGeneration": 2, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2,
            "numberAvailable": 1});
        check(WorkloadKind::DaemonSet, &json!({}), &daemons, "1 of 2 pods serve");
        let rollout = json!({"observedGeneration": "2", "phase": "Paused", "updatedReplicas": 1});
        check(
            WorkloadKind::Rollout,
            &json!({"replicas": 1}),
            &rollout,
            "a step of the Rollout waits for somebody",
        );
        check(WorkloadKind::CronJob, &json!({}), &json!({}), "settled");
    }

    #[test]
    fn what_a_strategy_takes_down_is_counted_as_the_controllers_do() {
        let taken = |kind, strategy: &Value, replicas: u32| {
            let name = if kind == WorkloadKind::Deployment {
                "strategy"
            } else {
                "updateStrategy"
            };
            let object = json!({"spec": {name: strategy, "replicas": replicas},
                "status": {"desiredNumberScheduled": replicas}});
            WorkloadState::of(kind, None, &object).max_unavailable
        };
        let deployment = |strategy: Value, replicas| taken(WorkloadKind::Deployment, &strategy, replicas);
        assert_eq!(deployment(json!({}), 1), 0);
        assert_eq!(deployment(json!({}), 10), 2);
        assert_eq!(deployment(json!({"type": "Recreate"}), 4), 4);
        assert_eq!(
            deployment(json!({"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}), 4),
            0
        );
        assert_eq!(
            deployment(json!({"rollingUpdate": {"maxUnavailable": "10%", "maxSurge": 0}}), 4),
            1
        );
        assert_eq!(taken(WorkloadKind::DaemonSet, &json!({}), 5), 1);
        assert_eq!(
            taken(WorkloadKind::DaemonSet, &json!({"rollingUpdate": {"maxSurge": 1}}), 5),
            0
        );
        assert_eq!(taken(WorkloadKind::StatefulSet, &json!({}), 5), 1);
    }
}
