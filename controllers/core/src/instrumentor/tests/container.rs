//! Which agent a container gets, or what stands against it.

use super::*;
use crate::instrumentor::{Injection, Status};
use controllers_api::instrumentation_config::AgentEnabledReason as Reason;
use controllers_api::instrumentation_config::EnvInjectionMethod;
use serde_json::Value;

/// What is decided for a process of `details`, which are of the container `app`.
fn with(details: Value) -> ContainerAgentConfig {
    app(&cart(of_app(details)))
}

fn of_app(mut details: Value) -> Value {
    details["containerName"] = "app".into();
    json!([details])
}

/// The same where the Source says something of the container.
fn said(details: Value, mut said: Value) -> ContainerAgentConfig {
    let mut index = cart(if details.is_null() { json!([]) } else { of_app(details) });
    said["containerName"] = "app".into();
    let mut source = source("cart", "cart");
    source.spec.container_overrides = vec![serde_json::from_value(said).unwrap()];
    index.apply_source(&source);
    app(&index)
}

#[track_caller]
fn gets(container: &ContainerAgentConfig, distribution: &str) {
    assert_eq!(
        container.otel_distro_name.as_deref(),
        Some(distribution),
        "{container:?}"
    );
    assert!(container.agent_enabled, "{container:?}");
}

#[track_caller]
fn refused(container: &ContainerAgentConfig, reason: Reason, says: &str) {
    assert_eq!(container.agent_enabled_reason, Some(reason), "{container:?}");
    assert!(!container.agent_enabled);
    let message = container.agent_enabled_message.as_deref().unwrap();
    assert!(message.contains(says), "{message}");
}

#[test]
fn a_language_gets_its_distribution_and_an_old_version_the_fallback() {
    let cases = [
        ("java", "17.0.9", "java-community"),
        ("java", "1.8.0_372", "java-community"),
        ("javascript", "20.1.0", "nodejs-community"),
        ("javascript", "v16.20.0", "nodejs-community-14"),
        ("python", "3.12.1", "python-community"),
        ("python", "3.8.19", "python-community3.8"),
        ("ruby", "3.3.0", "ruby-community"),
        ("php", "8.3.2", "php-community"),
        ("go", "1.22.3", "golang-community"),
        ("rust", "", "opentelemetry-ebpf-instrumentation"),
        ("cplusplus", "", "opentelemetry-ebpf-instrumentation"),
    ];
    for (language, version, distribution) in cases {
        gets(
            &with(json!({"language": language, "runtimeVersion": version})),
            distribution,
        );
    }
    let dotnet = with(json!({"language": "dotnet", "runtimeVersion": "8.0", "libCType": "musl"}));
    gets(&dotnet, "dotnet-community");
    assert_eq!(dotnet.distro_params["LIBC_TYPE"], "musl");
    let php = with(json!({"language": "php", "runtimeVersion": "8.3.2"}));
    assert_eq!(php.distro_params["RUNTIME_VERSION_MAJOR_MINOR"], "8.3");
}

#[test]
fn what_runs_in_the_kernel_leaves_the_pods_as_they_are() {
    let mut index = cart(json!([{"containerName": "app", "language": "go"}]));
    assert_eq!(app(&index).pod_manifest_injection_optional, Some(true));
    assert_eq!(app(&index).env_injection_method, None);
    assert_eq!(wanted(&index, "cart").spec.pod_manifest_injection_optional, Some(true));
    index.apply_config(&seen("cart", json!([{"containerName": "app", "language": "java"}])));
    assert_eq!(wanted(&index, "cart").spec.pod_manifest_injection_optional, None);
}

#[test]
fn every_refusal_says_what_to_do() {
    refused(
        &with(json!({"language": "unknown"})),
        Reason::UnsupportedProgrammingLanguage,
        "was not recognised",
    );
    refused(
        &with(json!({"language": "ignored"})),
        Reason::IgnoredContainer,
        "the Source ignores",
    );
    let nginx = with(json!({"language": "nginx"}));
    refused(
        &nginx,
        Reason::NoAvailableAgent,
        "set otelDistroName to opentelemetry-ebpf-instrumentation",
    );
    let old = with(json!({"language": "java", "runtimeVersion": "7.0.1"}));
    refused(
        &old,
        Reason::UnsupportedRuntimeVersion,
        "version 7.0.1 is not supported (java-community >= 8)",
    );
    let old = with(json!({"language": "javascript", "runtimeVersion": "12.0.0"}));
    refused(
        &old,
        Reason::UnsupportedRuntimeVersion,
        "nodejs-community >= 18, nodejs-community-14 >= 14",
    );
    let odd = with(json!({"language": "java", "runtimeVersion": "latest"}));
    refused(
        &odd,
        Reason::UnsupportedRuntimeVersion,
        "containerOverrides.runtimeInfo.runtimeVersion",
    );
    let dotnet = with(json!({"language": "dotnet", "runtimeVersion": "8.0"}));
    refused(&dotnet, Reason::MissingDistroParameter, "runtimeInfo.libCType");
    refused(
        &with(json!({"language": "php"})),
        Reason::MissingDistroParameter,
        "RUNTIME_VERSION_MAJOR_MINOR",
    );
    let other = json!({"language": "java", "otherAgents": [{"name": "Datadog"}]});
    refused(
        &with(other),
        Reason::OtherAgentDetected,
        "the agent of Datadog is in the process",
    );
    let secure = json!({"language": "java", "secureExecutionMode": true});
    refused(&with(secure), Reason::InjectionConflict, "gains privileges");
}

#[test]
fn containers_that_nobody_has_seen_are_waited_for_or_named() {
    refused(
        &app(&cart(json!([]))),
        Reason::WaitingForRuntimeInspection,
        "waiting until",
    );
    let other = cart(json!([{"containerName": "other", "language": "java"}]));
    refused(
        &app(&other),
        Reason::RuntimeDetailsUnavailable,
        "this one was not running",
    );
    let several = cart(json!([
        {"containerName": "app", "language": "java"}, {"containerName": "app", "language": "python"},
    ]));
    refused(
        &app(&several),
        Reason::UnsupportedProgrammingLanguage,
        "several languages run in it (java, python)",
    );
    assert_eq!(
        wanted(&several, "cart").conditions[1].reason,
        "UnresolvedMultipleLanguages"
    );
    let one = cart(json!([
        {"containerName": "app", "language": "java"}, {"containerName": "app", "language": "nginx"},
    ]));
    gets(&app(&one), "java-community");
    assert_eq!(
        wanted(&one, "cart").conditions[1].reason,
        "ResolvedFromMultipleLanguages"
    );
    assert_eq!(wanted(&one, "cart").conditions[1].message, "app: java, beside nginx");
}

#[test]
fn an_ignored_container_is_ignored_whatever_runs_in_it() {
    let index = cart(json!([{"containerName": "proxy", "language": "java"}]));
    let proxy = wanted(&index, "cart").spec.containers.remove(1);
    refused(&proxy, Reason::IgnoredContainer, "ignores containers named proxy");
}

#[test]
fn what_the_source_says_of_a_container_comes_first() {
    let java = || json!({"language": "java", "runtimeVersion": "17"});
    let ebpf = json!({"otelDistroName": "opentelemetry-ebpf-instrumentation"});
    gets(&said(java(), ebpf.clone()), "opentelemetry-ebpf-instrumentation");
    gets(&said(Value::Null, ebpf), "opentelemetry-ebpf-instrumentation");
    let node = |version: &str| json!({"language": "javascript", "runtimeVersion": version});
    gets(
        &said(node("20"), json!({"otelDistroName": "nodejs-community-14"})),
        "nodejs-community-14",
    );
    let exact = said(node("16"), json!({"otelDistroName": "nodejs-community"}));
    refused(&exact, Reason::UnsupportedRuntimeVersion, "(nodejs-community >= 18)");
    let wrong = said(java(), json!({"otelDistroName": "python-community"}));
    refused(
        &wrong,
        Reason::UnsupportedProgrammingLanguage,
        "python-community is for python, and java runs",
    );
    let nothing = said(java(), json!({"otelDistroName": "java-deluxe"}));
    refused(
        &nothing,
        Reason::NoAvailableAgent,
        "there is no distribution java-deluxe; there are dotnet-community",
    );
    let told = json!({"runtimeInfo": {"containerName": "app", "language": "python", "runtimeVersion": "3.11"}});
    gets(&said(Value::Null, told.clone()), "python-community");
    gets(&said(java(), told), "python-community");
    let beside = json!({"language": "java", "otherAgents": [{"name": "Datadog"}]});
    let both = said(beside, json!({"allowConcurrentAgents": true}));
    gets(&both, "java-community");
    assert_eq!(both.agent_enabled_reason, Some(Reason::EnabledWithOtherAgents));
}

#[test]
fn what_is_waited_for_comes_after_what_only_a_change_can_lift() {
    let mut index = cart(of_app(json!({"language": "java"})));
    index.set_collector(NodeCollector::Absent);
    refused(
        &app(&index),
        Reason::WaitingForNodeCollector,
        "once there is a Destination",
    );
    assert_eq!(wanted(&index, "cart").conditions[2].status, Status::Unknown);
    index.set_collector(NodeCollector::Starting(BTreeSet::new()));
    refused(&app(&index), Reason::WaitingForNodeCollector, "to become ready");
    index.apply_config(&seen("cart", of_app(json!({"language": "unknown"}))));
    refused(&app(&index), Reason::UnsupportedProgrammingLanguage, "");
}

#[test]
fn a_container_gets_the_signals_that_somebody_takes() {
    let mut index = cart(of_app(json!({"language": "java"})));
    let has = |index: &Index| {
        let app = app(index);
        (app.traces.is_some(), app.metrics.is_some(), app.logs.is_some())
    };
    assert_eq!(has(&index), (true, true, true));
    index.set_collector(NodeCollector::Ready(BTreeSet::from([Signal::Metrics])));
    assert_eq!(has(&index), (false, true, false));
    index.set_collector(NodeCollector::Ready(BTreeSet::new()));
    refused(
        &app(&index),
        Reason::NoCollectedSignals,
        "no destination takes what java-community makes",
    );
    index.apply_config(&seen("cart", of_app(json!({"language": "go"}))));
    index.set_collector(NodeCollector::Ready(BTreeSet::from([Signal::Metrics, Signal::Logs])));
    refused(&app(&index), Reason::NoCollectedSignals, "golang-community");
}

#[test]
fn a_rolling_update_of_the_collectors_takes_no_agent_away() {
    let mut index = cart(of_app(json!({"language": "java"})));
    index.set_collector(NodeCollector::Ready(BTreeSet::from([Signal::Traces])));
    let mut config = seen("cart", of_app(json!({"language": "java"})));
    config.spec = wanted(&index, "cart").spec;
    index.apply_config(&config);
    let before = app(&index);
    index.set_collector(NodeCollector::Starting(BTreeSet::new()));
    assert_eq!(app(&index), before);
    index.set_collector(NodeCollector::Starting(BTreeSet::from([Signal::Logs])));
    assert!(app(&index).logs.is_some() && app(&index).traces.is_none());
}

#[test]
fn the_environment_comes_by_the_loader_where_that_can_work() {
    let method = |injection: Injection, details: Value, preload: Option<Option<&str>>| {
        let mut index = cart(of_app(details));
        index.set_settings(Settings {
            injection,
            ..Settings::default()
        });
        let mut workload = workload("cart", &["app"]);
        if let Some(value) = preload {
            let environment = &mut workload.containers[0].environment;
            environment.insert("LD_PRELOAD".to_owned(), value.map(str::to_owned));
        }
        index.apply_workload(workload);
        let app = app(&index);
        app.env_injection_method
            .ok_or(app.agent_enabled_message.unwrap_or_default())
    };
    let plain = || json!({"language": "java", "secureExecutionMode": false});
    use EnvInjectionMethod::{Loader, PodManifest};
    use Injection::LoaderFallbackToPodManifest as Fallback;
    assert_eq!(method(Fallback, plain(), None), Ok(Loader));
    assert_eq!(
        method(Fallback, plain(), Some(Some("/var/odigos/loader.so"))),
        Ok(Loader)
    );
    assert_eq!(
        method(Fallback, plain(), Some(Some("/lib/jemalloc.so"))),
        Ok(PodManifest)
    );
    assert_eq!(method(Fallback, plain(), Some(None)), Ok(PodManifest));
    assert_eq!(method(Fallback, json!({"language": "java"}), None), Ok(PodManifest));
    assert_eq!(method(Injection::PodManifest, plain(), None), Ok(PodManifest));
    let ruby = json!({"language": "ruby", "runtimeVersion": "3.3", "secureExecutionMode": false});
    assert_eq!(method(Injection::Loader, ruby, None), Ok(PodManifest));
    let conflict = method(Injection::Loader, plain(), Some(Some("/lib/jemalloc.so"))).unwrap_err();
    assert!(
        conflict.contains("sets LD_PRELOAD itself: set agentEnvVarsInjectionMethod"),
        "{conflict}"
    );
    let mut image = plain();
    image["envFromContainerRuntime"] = json!([{"name": "LD_PRELOAD", "value": "/lib/x.so"}]);
    assert_eq!(method(Fallback, image, None), Ok(PodManifest));
}

#[test]
fn an_image_whose_environment_is_not_known_loses_nothing() {
    let details = || json!({"language": "java", "criErrorMessage": "no such container"});
    let lost = with(details());
    refused(
        &lost,
        Reason::MissingDistroParameter,
        "the image's value of JAVA_TOOL_OPTIONS could not be read",
    );
    let mut index = cart(of_app(details()));
    let mut workload = workload("cart", &["app"]);
    let environment = &mut workload.containers[0].environment;
    environment.insert("JAVA_TOOL_OPTIONS".to_owned(), Some("-Xmx1g".to_owned()));
    index.apply_workload(workload);
    gets(&app(&index), "java-community");
}

#[test]
fn a_workload_speaks_with_the_reason_that_says_most() {
    let mut index = cart(json!([
        {"containerName": "app", "language": "java"}, {"containerName": "web", "language": "unknown"},
    ]));
    index.apply_workload(workload("cart", &["web", "app", "proxy"]));
    let condition = wanted(&index, "cart").conditions.remove(2);
    assert_eq!(
        (condition.status, condition.reason.as_str()),
        (Status::True, "EnabledSuccessfully")
    );
    assert!(
        condition.message.starts_with("web: the language was not recognised"),
        "{}",
        condition.message
    );
    assert!(
        condition.message.contains("app: java-community, which needs a restart"),
        "{}",
        condition.message
    );
}

#[test]
fn no_running_pod_is_said_so() {
    let mut index = cart(json!([]));
    let mut still = workload("cart", &["app"]);
    still.running = false;
    index.apply_workload(still);
    let condition = wanted(&index, "cart").conditions.remove(1);
    assert_eq!(
        (condition.reason.as_str(), condition.message.as_str()),
        ("NoRunningPods", "no pod runs: waiting for a pod that runs")
    );
}

#[test]
fn reasons_are_written_as_the_schema_names_them() {
    for reason in [
        Reason::EnabledSuccessfully,
        Reason::CrashLoopBackOff,
        Reason::WaitingForNodeCollector,
    ] {
        assert_eq!(serde_json::to_value(reason).unwrap(), format!("{reason:?}"));
    }
}

#[test]
fn an_agent_that_was_rolled_back_stays_out_and_another_one_is_tried() {
    let java = |version: &str| of_app(json!({"language": "java", "runtimeVersion": version}));
    let mut index = cart(java("21"));
    let entry = json!({"app": {
        "agent": crate::injection::identity(&app(&index)).unwrap(),
        "reason": "CrashLoopBackOff", "message": "it failed", "at": "2026-01-01T00:00:00Z",
    }});
    let mut config = seen("cart", java("21"));
    let annotations = config.metadata.annotations.get_or_insert_default();
    annotations.insert(controllers_api::labels::ROLLED_BACK.to_owned(), entry.to_string());
    index.apply_config(&config);
    refused(&app(&index), Reason::CrashLoopBackOff, "it failed");
    let mut python = seen("cart", of_app(json!({"language": "python", "runtimeVersion": "3.12"})));
    python.metadata.annotations = config.metadata.annotations;
    index.apply_config(&python);
    gets(&app(&index), "python-community");
}
