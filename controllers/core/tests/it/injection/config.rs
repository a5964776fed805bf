//! From an InstrumentationConfig to what pods get.

use controllers_api::instrumentation_config::InstrumentationConfigSpec;
use controllers_api::workload::RuntimeDetails;
use controllers_core::injection::{Mount, Plan, Settings, identity, plan, with_hash};
use controllers_core::instrumentor::{Container, Workload, WorkloadId, WorkloadKind};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

fn workload(container: &Value) -> Workload {
    Workload {
        id: WorkloadId {
            namespace: "shop".to_owned(),
            kind: WorkloadKind::Deployment,
            name: "cart".to_owned(),
        },
        owner: OwnerReference::default(),
        containers: vec![Container::of(&serde_json::from_value(container.clone()).unwrap())],
        running: true,
    }
}

fn spec(container: &Value) -> InstrumentationConfigSpec {
    let mut container = container.clone();
    container["containerName"] = "app".into();
    serde_json::from_value(json!({"agentInjectionEnabled": true, "containers": [container]})).unwrap()
}

fn settings() -> Settings {
    Settings {
        mount: Mount::VirtualDevice,
        endpoint: "http://collector:4318".to_owned(),
        environment: [("java".to_owned(), [("OTEL_EXTRA".to_owned(), "1".to_owned())].into())].into(),
    }
}

fn made(manifest: &Value, config: &Value, seen: &Value) -> Plan {
    let seen: Vec<RuntimeDetails> = serde_json::from_value(seen.clone()).unwrap();
    plan(&workload(manifest), &spec(config), &seen, &settings())
}

/// The names of the variables, with the values of those that the loader or the agent is loaded by.
fn names(plan: &Plan) -> Vec<String> {
    plan.containers["app"]
        .environment
        .iter()
        .map(|it| it.name.clone())
        .collect()
}

fn java(method: &str) -> Value {
    json!({"agentEnabled": true, "otelDistroName": "java-community", "envInjectionMethod": method, "traces": {}})
}

const BARE: &str = r#"{"name": "app"}"#;

fn bare() -> Value {
    serde_json::from_str(BARE).unwrap()
}

#[test]
fn the_loader_stands_for_what_would_have_to_be_merged() {
    let by_manifest = made(&bare(), &java("pod-manifest"), &json!([]));
    assert_eq!(
        names(&by_manifest),
        ["JAVA_TOOL_OPTIONS", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXTRA"]
    );
    let by_loader = made(&bare(), &java("loader"), &json!([]));
    assert_eq!(
        names(&by_loader),
        ["LD_PRELOAD", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXTRA"]
    );
    assert_ne!(by_manifest.hash(), by_loader.hash());
}

#[test]
fn what_the_kernel_sees_and_what_is_switched_off_has_no_hash() {
    let go = json!({"agentEnabled": true, "otelDistroName": "golang-community", "traces": {}});
    assert_eq!(made(&bare(), &go, &json!([])).hash(), None);
    let mut off = java("loader");
    off["agentEnabled"] = false.into();
    assert_eq!(made(&bare(), &off, &json!([])).hash(), None);
    assert_eq!(identity(&spec(&off).containers[0]), None);
}

#[test]
fn the_images_value_is_known_and_neither_the_manifests_nor_ours_is_taken_for_it() {
    let seen = |values: Value| json!([{"containerName": "app", "language": "java", "envFromContainerRuntime": values}]);
    let options = |value: &str| json!({"name": "JAVA_TOOL_OPTIONS", "value": value});
    let inherited = |manifest: &Value, values: Value| {
        let plan = made(manifest, &java("pod-manifest"), &seen(values));
        plan.containers["app"].inherited.get("JAVA_TOOL_OPTIONS").cloned()
    };
    assert_eq!(
        inherited(&bare(), json!([options("-Xmx1g")])).as_deref(),
        Some("-Xmx1g")
    );
    let own = json!({"name": "app", "env": [options("-Xmx2g")]});
    assert_eq!(inherited(&own, json!([options("-Xmx2g")])), None);
    let ours = "-Xmx1g -javaagent:/var/odigos/java-community/javaagent.jar";
    let injected = json!([options(ours), {"name": "ODIGOS_DISTRO_NAME", "value": "java-community"}]);
    assert_eq!(inherited(&bare(), injected).as_deref(), Some("-Xmx1g"));
}

#[test]
fn the_hash_has_the_time_of_its_last_change() {
    let (early, late) = (Timestamp::from_second(1).unwrap(), Timestamp::from_second(2).unwrap());
    let made = made(&bare(), &java("loader"), &json!([]));
    let first = with_hash(spec(&java("loader")), &made, None, early);
    assert_eq!(first.agents_meta_hash, made.hash());
    let again = with_hash(first.clone(), &made, Some(&first), late);
    assert_eq!(again, first);
    let mut other = made;
    other.endpoint = "http://other:4318".to_owned();
    let changed = with_hash(first.clone(), &other, Some(&first), late);
    assert_eq!(changed.agents_meta_hash_changed_time.unwrap().0, late);
}
