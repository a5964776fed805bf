use super::*;
use serde_json::{Value, json};

fn source(name: &str, spec: Value) -> Source {
    let object = json!({
        "apiVersion": "odigos.io/v1alpha1",
        "kind": "Source",
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    });
    serde_json::from_value(object).unwrap()
}

fn cart() -> Source {
    source(
        "cart",
        json!({"workload": {"name": "cart", "namespace": "default", "kind": "Deployment"}}),
    )
}

fn labelled(mut source: Source, labels: &[(&str, &str)]) -> Source {
    let labels = labels
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    source.metadata.labels = Some(labels.collect());
    source
}

/// The problems of a new Source.
fn refused(spec: Value) -> String {
    findings(&source("new", spec), None, &[]).sentence()
}

#[test]
fn labels_of_the_workload_are_filled_in_where_they_are_missing() {
    let expected = BTreeMap::from([
        (WORKLOAD_KIND, "Deployment"),
        (WORKLOAD_NAME, "cart"),
        (WORKLOAD_NAMESPACE, "default"),
    ]);
    assert_eq!(missing_labels(&cart()), expected);
    let half = labelled(cart(), &[(WORKLOAD_KIND, "Deployment"), (WORKLOAD_NAME, "wrong")]);
    assert_eq!(missing_labels(&half), BTreeMap::from([(WORKLOAD_NAMESPACE, "default")]));
    let pattern = json!({"workload": {"name": "cart-.*", "namespace": "default", "kind": "Deployment"},
        "matchWorkloadNameAsRegex": true});
    assert!(!missing_labels(&source("p", pattern)).contains_key(WORKLOAD_NAME));
    let long = json!({"workload": {"name": "a".repeat(64), "namespace": "default", "kind": "Deployment"}});
    let long = source("long", long);
    assert!(!missing_labels(&long).contains_key(WORKLOAD_NAME));
    assert_eq!(findings(&long, None, &[]), Findings::default());
}

#[test]
fn a_source_for_what_is_there_is_taken() {
    let all = labelled(
        cart(),
        &[
            (WORKLOAD_NAME, "cart"),
            (WORKLOAD_NAMESPACE, "default"),
            (WORKLOAD_KIND, "Deployment"),
            ("odigos.io/data-stream-shop", "true"),
        ],
    );
    assert_eq!(findings(&all, None, &[]), Findings::default());
    let namespace = json!({"workload": {"name": "default", "namespace": "default", "kind": "Namespace"}});
    assert_eq!(findings(&source("ns", namespace), None, &[]), Findings::default());
}

#[test]
fn another_namespace_is_refused() {
    let spec = json!({"workload": {"name": "cart", "namespace": "shop", "kind": "Deployment"}});
    assert_eq!(
        refused(spec),
        "spec.workload.namespace: is \"shop\", but the Source lies in \"default\": a Source lies in the namespace of its \
         workload, so make it in \"shop\" or change this field"
    );
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let spec = json!({
        "workload": {"name": "shop", "namespace": "default", "kind": "Namespace"},
        "otelServiceName": "shop", "matchWorkloadNameAsRegex": true,
        "containerOverrides": [{"containerName": "App"}, {"containerName": "a"}, {"containerName": "a"}],
    });
    assert_eq!(
        refused(spec),
        "spec.workload.name: is \"shop\", but the namespace is \"default\": for kind Namespace both are the name of the \
         namespace; spec.otelServiceName: must be empty for kind Namespace: set it in a Source for a single workload; \
         spec.matchWorkloadNameAsRegex: must not be set for kind Namespace: a Namespace Source is for all workloads; \
         spec.containerOverrides[0].containerName: \"App\" cannot be the name of a container; \
         spec.containerOverrides[2].containerName: \"a\" has an entry already: put both into one"
    );
}

#[test]
fn a_pattern_must_compile_and_a_name_must_be_one() {
    let named = |name: &str, is_pattern: bool| {
        refused(
            json!({"workload": {"name": name, "namespace": "default", "kind": "Deployment"},
            "matchWorkloadNameAsRegex": is_pattern}),
        )
    };
    assert_eq!(
        named("cart-(", true),
        "spec.workload.name: \"cart-(\" is not a regular expression: unclosed group"
    );
    assert_eq!(
        named("cart-.*", false),
        "spec.workload.name: \"cart-.*\" cannot be the name of a workload, which has small letters, digits, hyphens and \
         dots: for a pattern, set matchWorkloadNameAsRegex"
    );
    assert_eq!(named("cart-.*", true), "");
}

#[test]
fn labels_that_contradict_the_workload_are_refused() {
    let wrong = labelled(cart(), &[(WORKLOAD_NAME, "shop"), ("odigos.io/data-stream-a", "yes")]);
    let found = findings(&wrong, None, &[]);
    assert_eq!(
        found.sentence(),
        "metadata.labels[\"odigos.io/workload-name\"]: is \"shop\", but spec.workload says \"cart\": leave the label out, it \
         is filled in"
    );
    assert_eq!(
        found.warnings[0].to_string(),
        "metadata.labels[\"odigos.io/data-stream-a\"]: has no effect with the value \"yes\": set it to \"true\""
    );
    let pattern =
        json!({"workload": {"name": "a.*", "namespace": "default", "kind": "Job"}, "matchWorkloadNameAsRegex": true});
    let pattern = labelled(source("p", pattern), &[(WORKLOAD_NAME, "a")]);
    assert_eq!(
        findings(&pattern, None, &[]).sentence(),
        "metadata.labels[\"odigos.io/workload-name\"]: must not be set where spec.workload.name is a pattern or does not fit \
         into a label: remove it"
    );
}

#[test]
fn what_a_source_is_for_cannot_be_changed() {
    let labels = [
        (WORKLOAD_NAME, "cart"),
        (WORKLOAD_NAMESPACE, "default"),
        (WORKLOAD_KIND, "Deployment"),
    ];
    let before = labelled(cart(), &labels);
    let mut after = labelled(cart(), &labels[1..]);
    assert_eq!(missing_labels(&after), BTreeMap::from([(WORKLOAD_NAME, "cart")]));
    after.spec.workload.kind = "StatefulSet".to_owned();
    after.spec.match_workload_name_as_regex = Some(true);
    let found = findings(&after, Some(&before), &[]);
    let paths: Vec<_> = found.problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "spec.workload",
            "spec.matchWorkloadNameAsRegex",
            "metadata.labels[\"odigos.io/workload-kind\"]",
        ]
    );
    let mut changed = before.clone();
    changed.spec.disable_instrumentation = Some(true);
    changed.spec.match_workload_name_as_regex = Some(false);
    assert_eq!(findings(&changed, Some(&before), &[]), Findings::default());
}

#[test]
fn what_was_taken_once_can_still_be_touched_and_deleted() {
    let spec = json!({"workload": {"name": "cart", "namespace": "shop", "kind": "Deployment"}});
    let before = source("old", spec);
    let mut annotated = before.clone();
    annotated.metadata.annotations = Some(BTreeMap::from([("a".to_owned(), "b".to_owned())]));
    assert_eq!(findings(&annotated, Some(&before), &[]), Findings::default());
    // The labels that are filled in on the way are no change.
    let labels = missing_labels(&before)
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    annotated.metadata.labels = Some(labels.collect());
    assert_eq!(findings(&annotated, Some(&before), &[]), Findings::default());
    let mut deleted: Value = serde_json::to_value(&before).unwrap();
    deleted["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let deleted: Source = serde_json::from_value(deleted).unwrap();
    assert_eq!(findings(&deleted, Some(&cart()), &[]), Findings::default());
}

#[test]
fn a_second_source_for_a_workload_is_refused() {
    let first = Neighbour::from(&cart());
    let mut second = cart();
    second.metadata.name = Some("other".to_owned());
    assert_eq!(
        findings(&second, None, std::slice::from_ref(&first)).sentence(),
        "spec.workload: Deployment \"cart\" has the Source \"cart\" already: change or delete that one"
    );
    let mut itself = cart();
    itself.spec.disable_instrumentation = Some(true);
    assert_eq!(
        findings(&itself, Some(&cart()), std::slice::from_ref(&first)),
        Findings::default()
    );
    second.spec.match_workload_name_as_regex = Some(true);
    assert_eq!(findings(&second, None, &[first]), Findings::default());
}
