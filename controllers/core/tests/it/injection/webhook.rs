//! The webhook's answer.

use super::{java, plan, template};
use controllers_core::injection::{Admission, Mount, Operation, Plan, Refusal, admit};
use controllers_core::instrumentor::WorkloadId;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

fn pod(labels: &Value, env: &Value) -> Pod {
    let spec = serde_json::to_value(template(env).spec).unwrap();
    let owner =
        json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "cart-5f", "uid": "1", "controller": true});
    let pod = json!({
        "metadata": {"generateName": "cart-5f-", "labels": labels, "ownerReferences": [owner]},
        "spec": spec,
    });
    serde_json::from_value(pod).unwrap()
}

fn of_cart(plan: Plan) -> impl Fn(&WorkloadId) -> Option<Plan> {
    move |owner| (owner.config_name() == "deployment-cart").then(|| plan.clone())
}

fn skipped(pod: &Pod, plan_of: impl Fn(&WorkloadId) -> Option<Plan>) -> &'static str {
    match admit("shop", pod, plan_of) {
        Admission::Unchanged(skipped) => skipped.reason(),
        Admission::Changed { patch, .. } => panic!("changed: {patch:?}"),
    }
}

#[test]
fn a_pod_of_an_instrumented_workload_is_changed_only_where_it_must() {
    let pod = pod(
        &json!({"pod-template-hash": "5f"}),
        &json!([{"name": "A", "value": "1"}]),
    );
    let Admission::Changed { patch, refused } = admit("shop", &pod, of_cart(plan(Mount::VirtualDevice, vec![java()])))
    else {
        panic!("unchanged");
    };
    assert_eq!(refused, [].into());
    let touched = |path: &str| {
        let allowed = ["/spec/containers/0/env/", "/spec/containers/0/resources/", "/metadata/"];
        allowed.iter().any(|it| path.starts_with(it))
    };
    for operation in &patch {
        let Operation::Add { path, value } = operation else {
            panic!("{operation:?}");
        };
        assert!(touched(path), "{path}");
        assert!(!value.to_string().contains("odigos.io/injected"));
    }
    let json = serde_json::to_value(&patch).unwrap();
    let label = json!({"op": "add", "path": "/metadata/labels/odigos.io~1agents-meta-hash",
        "value": plan(Mount::VirtualDevice, vec![java()]).hash()});
    assert!(json.as_array().unwrap().contains(&label), "{json}");
}

#[test]
fn every_other_pod_is_let_in_as_it_is_with_a_reason() {
    let full = plan(Mount::VirtualDevice, vec![java()]);
    let mut empty = full.clone();
    empty.containers.clear();
    let hash = json!({"pod-template-hash": "5f"});
    assert_eq!(skipped(&Pod::default(), of_cart(full.clone())), "no_workload");
    assert_eq!(skipped(&pod(&hash, &json!([])), |_| None), "not_instrumented");
    assert_eq!(skipped(&pod(&hash, &json!([])), of_cart(empty)), "nothing_to_inject");
    let labels = json!({"pod-template-hash": "5f", "odigos.io/agents-meta-hash": full.hash()});
    assert_eq!(
        skipped(&pod(&labels, &json!([])), of_cart(full.clone())),
        "already_injected"
    );
    let mut damaged = pod(&hash, &json!([]));
    damaged.metadata.annotations = Some([("odigos.io/injected".to_owned(), "?".to_owned())].into());
    assert_eq!(skipped(&damaged, of_cart(full)), "bad_record");
}

#[test]
fn a_container_that_cannot_have_the_agent_costs_only_itself() {
    let mut two = plan(Mount::VirtualDevice, vec![java()]);
    let agent = two.containers["app"].clone();
    two.containers.insert("sidecar".to_owned(), agent);
    let pod = pod(&json!({"pod-template-hash": "5f"}), &json!([]));
    let Admission::Changed { patch, refused } = admit("shop", &pod, of_cart(two)) else {
        panic!("unchanged");
    };
    assert_eq!(refused, [("sidecar".to_owned(), Refusal::NoSuchContainer)].into());
    assert!(!patch.is_empty());
}
