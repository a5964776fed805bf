//! Agents in pod templates: what is put in, that exactly that comes out again, and what the webhook answers.

mod config;
mod generated;
mod webhook;

use controllers_api::labels;
use controllers_api::signals::Signal;
use controllers_core::injection::{
    Agent, Injected, Merge, Mount, Plan, Refusal, Variable, Workload, inject, preload, remove,
};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::{Value, json};

/// The plan of a Deployment with one container `app`.
pub fn plan(mount: Mount, environment: Vec<Variable>) -> Plan {
    let agent = Agent {
        distribution: "java-community".to_owned(),
        version: "1".to_owned(),
        device: Some("instrumentation.odigos.io/java-community".to_owned()),
        environment,
        signals: [Signal::Traces].into(),
        ..Agent::default()
    };
    Plan {
        workload: Workload {
            kind: "Deployment".to_owned(),
            namespace: "shop".to_owned(),
            name: "cart".to_owned(),
            service_name: "cart".to_owned(),
        },
        mount,
        endpoint: "http://odigos-data-collection-local-traffic.odigos-system:4318".to_owned(),
        containers: [("app".to_owned(), agent)].into(),
    }
}

/// `JAVA_TOOL_OPTIONS`, behind what is there.
pub fn java() -> Variable {
    Variable {
        name: "JAVA_TOOL_OPTIONS".to_owned(),
        value: "-javaagent:/var/odigos/java-community/javaagent.jar".to_owned(),
        merge: Merge::Append {
            separator: " ".to_owned(),
            separator_when_alone: false,
        },
    }
}

/// A template with one container `app`, which has `env`.
pub fn template(env: &Value) -> PodTemplateSpec {
    let template = json!({
        "metadata": {"labels": {"app": "cart"}},
        "spec": {"containers": [{"name": "app", "image": "cart:1", "env": env, "resources": {"limits": {"cpu": "1"}}}]},
    });
    serde_json::from_value(template).unwrap()
}

/// What `app` has for a variable after the injection.
fn variable(injected: &Injected, name: &str) -> Value {
    let spec = injected.template.spec.as_ref().unwrap();
    let env = spec.containers[0].env.as_ref().unwrap();
    let found: Vec<_> = env.iter().filter(|it| it.name == name).collect();
    assert!(found.len() <= 1, "{name} stands there {} times", found.len());
    found
        .first()
        .map_or(Value::Null, |it| serde_json::to_value(it).unwrap())
}

/// Injects, and shows that all of it comes out again.
fn there_and_back(template: &PodTemplateSpec, plan: &Plan) -> Injected {
    let injected = inject(template, plan).unwrap();
    assert_eq!(&remove(&injected.template).unwrap(), template);
    assert_eq!(inject(&injected.template, plan).unwrap(), injected);
    injected
}

#[test]
fn a_container_gets_the_device_and_what_the_agent_reports_with() {
    let injected = there_and_back(&template(&json!([])), &plan(Mount::VirtualDevice, vec![java()]));
    let container = serde_json::to_value(&injected.template.spec.as_ref().unwrap().containers[0]).unwrap();
    let device = json!({"instrumentation.odigos.io/java-community": "1"});
    assert_eq!(container["resources"]["requests"], device);
    assert_eq!(container["resources"]["limits"]["cpu"], "1");
    let field = |path: &str| json!({"fieldRef": {"apiVersion": "v1", "fieldPath": path}});
    let expected = json!([
        {"name": "ODIGOS_CONTAINER_NAME", "value": "app"},
        {"name": "ODIGOS_DISTRO_NAME", "value": "java-community"},
        {"name": "ODIGOS_POD_NAME", "valueFrom": field("metadata.name")},
        {"name": "ODIGOS_WORKLOAD_NAMESPACE", "value": "shop"},
        {"name": "NODE_IP", "valueFrom": field("status.hostIP")},
        {"name": "OTEL_SERVICE_NAME", "value": "cart"},
        {"name": "OTEL_RESOURCE_ATTRIBUTES", "value":
            "k8s.pod.name=$(ODIGOS_POD_NAME),k8s.container.name=app,k8s.namespace.name=shop,k8s.deployment.name=cart"},
        {"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://odigos-data-collection-local-traffic.odigos-system:4318"},
        {"name": "OTEL_TRACES_EXPORTER", "value": "otlp"},
        {"name": "OTEL_METRICS_EXPORTER", "value": "none"},
        {"name": "OTEL_LOGS_EXPORTER", "value": "none"},
        {"name": "JAVA_TOOL_OPTIONS", "value": "-javaagent:/var/odigos/java-community/javaagent.jar"},
    ]);
    assert_eq!(container["env"], expected);
}

#[test]
fn what_the_user_has_set_stays() {
    let env = json!([
        {"name": "OTEL_SERVICE_NAME", "value": "mine"},
        {"name": "OTEL_RESOURCE_ATTRIBUTES", "value": "team=a"},
        {"name": "JAVA_TOOL_OPTIONS", "value": "-Xmx1g"},
        {"name": "LD_PRELOAD", "value": "/opt/theirs.so"},
    ]);
    let injected = there_and_back(&template(&env), &plan(Mount::VirtualDevice, vec![java(), preload()]));
    assert_eq!(variable(&injected, "OTEL_SERVICE_NAME")["value"], "mine");
    assert_eq!(variable(&injected, "OTEL_RESOURCE_ATTRIBUTES")["value"], "team=a");
    let ours = variable(&injected, "ODIGOS_RESOURCE_ATTRIBUTES");
    assert!(
        ours["value"].as_str().unwrap().contains("k8s.deployment.name=cart"),
        "{ours}"
    );
    let merged = "-Xmx1g -javaagent:/var/odigos/java-community/javaagent.jar";
    assert_eq!(variable(&injected, "JAVA_TOOL_OPTIONS")["value"], merged);
    assert_eq!(
        variable(&injected, "LD_PRELOAD")["value"],
        "/opt/theirs.so:/var/odigos/loader/loader.so"
    );
}

#[test]
fn what_the_image_sets_is_not_hidden() {
    let mut plan = plan(Mount::VirtualDevice, vec![java()]);
    let agent = plan.containers.get_mut("app").unwrap();
    agent.inherited = [
        ("JAVA_TOOL_OPTIONS".to_owned(), "-Dprice=$(5)".to_owned()),
        ("OTEL_SERVICE_NAME".to_owned(), "of-image".to_owned()),
    ]
    .into();
    let injected = there_and_back(&template(&json!(null)), &plan);
    let merged = "-Dprice=$$(5) -javaagent:/var/odigos/java-community/javaagent.jar";
    assert_eq!(variable(&injected, "JAVA_TOOL_OPTIONS")["value"], merged);
    assert_eq!(variable(&injected, "OTEL_SERVICE_NAME"), Value::Null);
}

#[test]
fn a_value_by_reference_stays_a_reference() {
    let reference = json!({"configMapKeyRef": {"name": "jvm", "key": "options"}});
    let env = json!([{"name": "JAVA_TOOL_OPTIONS", "valueFrom": reference}]);
    let injected = there_and_back(&template(&env), &plan(Mount::VirtualDevice, vec![java()]));
    assert_eq!(
        variable(&injected, "ODIGOS_ORIGINAL_JAVA_TOOL_OPTIONS")["valueFrom"],
        reference
    );
    let merged = "$(ODIGOS_ORIGINAL_JAVA_TOOL_OPTIONS) -javaagent:/var/odigos/java-community/javaagent.jar";
    assert_eq!(variable(&injected, "JAVA_TOOL_OPTIONS")["value"], merged);
}

#[test]
fn a_reference_that_may_lead_nowhere_leaves_the_container_alone() {
    let reference = json!({"secretKeyRef": {"name": "jvm", "key": "options", "optional": true}});
    let env = json!([{"name": "JAVA_TOOL_OPTIONS", "valueFrom": reference}]);
    let injected = there_and_back(&template(&env), &plan(Mount::VirtualDevice, vec![java()]));
    let refusal = Refusal::ReferenceCannotBeMerged {
        variable: "JAVA_TOOL_OPTIONS".to_owned(),
    };
    assert_eq!(injected.refused, [("app".to_owned(), refusal)].into());
    assert_eq!(injected.template.spec, template(&env).spec);
}

#[test]
fn a_preload_of_a_distribution_must_lie_among_the_agents() {
    let foreign = Variable {
        value: "/tmp/x.so".to_owned(),
        ..preload()
    };
    let injected = there_and_back(&template(&json!([])), &plan(Mount::VirtualDevice, vec![foreign]));
    assert_eq!(injected.refused["app"], Refusal::PreloadOutsideOfAgents);
}

#[test]
fn files_come_by_a_folder_of_the_node_or_by_an_init_container() {
    let injected = there_and_back(&template(&json!([])), &plan(Mount::HostPath, vec![java()]));
    let spec = serde_json::to_value(injected.template.spec).unwrap();
    assert_eq!(spec["volumes"][0]["hostPath"]["path"], "/var/odigos");
    let mount = json!([{"name": "odigos-agents", "mountPath": "/var/odigos", "readOnly": true}]);
    assert_eq!(spec["containers"][0]["volumeMounts"], mount);
    assert_eq!(spec["containers"][0]["resources"], json!({"limits": {"cpu": "1"}}));

    let image = "registry.example/agents:1".to_owned();
    let injected = there_and_back(
        &template(&json!([])),
        &plan(Mount::InitContainer { image }, vec![java()]),
    );
    let spec = serde_json::to_value(injected.template.spec).unwrap();
    assert_eq!(spec["initContainers"][0]["image"], "registry.example/agents:1");
    assert_eq!(spec["volumes"][0]["emptyDir"], json!({}));
}

#[test]
fn what_a_user_has_in_the_way_is_said_and_stays() {
    let mut taken = template(&json!([]));
    let container = &mut taken.spec.as_mut().unwrap().containers[0];
    let mount = json!([{"name": "data", "mountPath": "/var/odigos/"}]);
    container.volume_mounts = serde_json::from_value(mount).unwrap();
    let injected = there_and_back(&taken, &plan(Mount::HostPath, vec![]));
    assert_eq!(injected.refused["app"], Refusal::MountPathTaken);

    let mut taken = template(&json!([]));
    taken.spec.as_mut().unwrap().volumes = serde_json::from_value(json!([{"name": "odigos-agents"}])).unwrap();
    let injected = there_and_back(&taken, &plan(Mount::HostPath, vec![]));
    assert_eq!(injected.refused["app"], Refusal::NameTaken);
}

#[test]
fn what_a_user_changes_meanwhile_is_kept() {
    let before = template(&json!([{"name": "JAVA_TOOL_OPTIONS", "value": "-Xmx1g"}]));
    let mut edited = inject(&before, &plan(Mount::HostPath, vec![java()])).unwrap().template;
    let container = &mut edited.spec.as_mut().unwrap().containers[0];
    for it in container.env.as_mut().unwrap() {
        match it.name.as_str() {
            "JAVA_TOOL_OPTIONS" => it.value = it.value.as_ref().map(|value| value.replace("1g", "2g")),
            "OTEL_SERVICE_NAME" => it.value = Some("renamed".to_owned()),
            _ => {}
        }
    }
    container.name = "server".to_owned();
    let restored = remove(&edited).unwrap();
    let mut expected = template(&json!([
        {"name": "JAVA_TOOL_OPTIONS", "value": "-Xmx2g"},
        {"name": "OTEL_SERVICE_NAME", "value": "renamed"},
    ]));
    expected.spec.as_mut().unwrap().containers[0].name = "server".to_owned();
    assert_eq!(restored, expected);
}

#[test]
fn a_record_that_was_damaged_is_an_error_and_changes_nothing() {
    let mut damaged = inject(&template(&json!([])), &plan(Mount::HostPath, vec![]))
        .unwrap()
        .template;
    let annotations = damaged.metadata.as_mut().unwrap().annotations.as_mut().unwrap();
    annotations.insert(labels::INJECTED.to_owned(), "{".to_owned());
    assert!(remove(&damaged).is_err());
}

#[test]
fn the_hash_tells_what_pods_depend_on_and_only_that() {
    let original = plan(Mount::VirtualDevice, vec![java()]);
    let changed = |change: &dyn Fn(&mut Plan, &mut Agent)| {
        let mut plan = original.clone();
        let mut agent = plan.containers.remove("app").unwrap();
        change(&mut plan, &mut agent);
        plan.containers.insert("app".to_owned(), agent);
        plan.hash()
    };
    assert_eq!(changed(&|_, _| {}), original.hash());
    type Change = dyn Fn(&mut Plan, &mut Agent);
    let changes: [&Change; 7] = [
        &|_, agent| agent.signals.extend([Signal::Logs]),
        &|_, agent| agent.version = "2".to_owned(),
        &|_, agent| agent.environment.push(preload()),
        &|_, agent| agent.distribution = "other".to_owned(),
        &|plan, _| plan.mount = Mount::HostPath,
        &|plan, _| plan.endpoint = "http://$(NODE_IP):4318".to_owned(),
        &|plan, _| plan.workload.service_name = "basket".to_owned(),
    ];
    let mut hashes: Vec<_> = changes.iter().map(|change| changed(*change)).collect();
    hashes.push(original.hash());
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), changes.len() + 1);
    assert!(hashes.iter().all(|hash| hash.as_ref().is_some_and(|it| it.len() == 16)));
}

#[test]
fn nothing_is_injected_for_ebpf_alone() {
    let mut plan = plan(Mount::VirtualDevice, vec![]);
    plan.containers.clear();
    assert_eq!(plan.hash(), None);
    let before = template(&json!([]));
    assert_eq!(inject(&before, &plan).unwrap().template, before);
}
