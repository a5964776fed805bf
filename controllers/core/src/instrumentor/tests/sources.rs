//! Which workloads are instrumented, and why.

use super::*;
use crate::instrumentor::{Decision, Effect, Source as Read, SourceKey, Sources};
use controllers_api::conditions::MarkedForInstrumentation;

fn sources(objects: &[Source]) -> Sources {
    let mut sources = Sources::default();
    for object in objects {
        sources.insert(Read::read(object).unwrap());
    }
    sources
}

/// The reason and the name of the Source that decides.
fn decides(objects: &[Source], workload: &str) -> (MarkedForInstrumentation, Option<String>) {
    let marking = sources(objects).mark(&id(workload));
    let by = marking.decided_by().map(|key| key.name.clone());
    let reason = match marking {
        Marking::Marked(marked) => marked.reason,
        Marking::Unmarked { reason, .. } => reason,
    };
    (reason, by)
}

fn key(name: &str) -> SourceKey {
    SourceKey {
        namespace: "shop".to_owned(),
        name: name.to_owned(),
    }
}

#[test]
fn the_nearest_source_decides() {
    use MarkedForInstrumentation::{NamespaceSource, NoSource, WorkloadSource, WorkloadSourceDisabled};
    let namespace = || of_namespace("all");
    let check = |objects: &[Source], reason, by: Option<&str>| {
        assert_eq!(decides(objects, "cart"), (reason, by.map(str::to_owned)));
    };
    check(&[], NoSource, None);
    check(&[namespace()], NamespaceSource, Some("all"));
    check(&[excluding(namespace())], NoSource, Some("all"));
    check(&[source("s", "cart")], WorkloadSource, Some("s"));
    check(&[source("s", "other")], NoSource, None);
    check(&[of_kind("s", "StatefulSet", "cart")], NoSource, None);
    check(&[namespace(), source("s", "cart")], WorkloadSource, Some("s"));
    check(
        &[namespace(), excluding(source("s", "cart"))],
        WorkloadSourceDisabled,
        Some("s"),
    );
    check(
        &[excluding(namespace()), source("s", "cart")],
        WorkloadSource,
        Some("s"),
    );
    check(&[regex("r", "ca.*")], WorkloadSource, Some("r"));
    check(&[regex("r", "ca")], NoSource, None);
    check(
        &[regex("r", "ca.*"), excluding(source("s", "cart"))],
        WorkloadSourceDisabled,
        Some("s"),
    );
    check(
        &[excluding(regex("r", "ca.*")), source("s", "cart")],
        WorkloadSource,
        Some("s"),
    );
    check(
        &[namespace(), excluding(regex("r", "ca.*"))],
        WorkloadSourceDisabled,
        Some("r"),
    );
}

#[test]
fn of_equally_near_sources_one_that_excludes_decides_then_the_first_by_name_and_the_others_are_named() {
    let objects = [regex("b", "c.*"), regex("a", ".*t"), regex("c", ".*")];
    let Marking::Marked(marked) = sources(&objects).mark(&id("cart")) else {
        panic!();
    };
    assert_eq!(marked.source, key("a"));
    assert_eq!(
        marked.message,
        "Source a with the expression .*t asks for it; also about it and passed over: b, c (one that excludes comes first, \
         then the first by name)"
    );
    let objects = [regex("a", ".*t"), excluding(regex("z", "cart"))];
    let marking = sources(&objects).mark(&id("cart"));
    assert!(
        is_unmarked(&marking) && marking.decided_by() == Some(&key("z")),
        "{marking:?}"
    );
}

#[test]
fn what_the_deciding_source_says_is_taken_and_streams_of_the_namespace_are_added() {
    let mut exact = in_stream(in_stream(source("s", "cart"), "own", true), "out", false);
    exact.spec.otel_service_name = Some("basket".to_owned());
    let all = in_stream(in_stream(of_namespace("all"), "out", true), "shared", true);
    let mut index = Index::default();
    index.apply_workload(workload("cart", &["app"]));
    index.apply_workload(workload("pay", &["app"]));
    index.apply_source(&exact);
    index.apply_source(&all);
    let streams = |name: &str| wanted(&index, name).labels.into_keys().collect::<Vec<_>>();
    let labels = |names: &[&str]| {
        names
            .iter()
            .map(|name| format!("{DATA_STREAM_PREFIX}{name}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(streams("cart"), labels(&["own", "shared"]));
    assert_eq!(streams("pay"), labels(&["out", "shared"]));
    assert_eq!(wanted(&index, "cart").spec.service_name.as_deref(), Some("basket"));
    assert_eq!(wanted(&index, "pay").spec.service_name.as_deref(), Some("pay"));
}

#[test]
fn a_configuration_is_named_owned_and_explained() {
    let index = cart(json!([]));
    let desired = wanted(&index, "cart");
    assert_eq!(
        (desired.namespace.as_str(), desired.name.as_str()),
        ("shop", "deployment-cart")
    );
    assert_eq!(desired.owner.uid, "uid-cart");
    let reasons: Vec<_> = desired.conditions.iter().map(|it| it.reason.as_str()).collect();
    assert_eq!(
        reasons,
        ["WorkloadSource", "WaitingForDetection", "WaitingForRuntimeInspection"]
    );
}

#[test]
fn an_event_concerns_only_the_workloads_that_it_can_change() {
    let mut index = Index::default();
    for name in ["cart", "card", "pay"] {
        index.apply_workload(workload(name, &["app"]));
    }
    let names = |concerned: BTreeSet<WorkloadId>| concerned.into_iter().map(|id| id.name).collect::<Vec<_>>();
    assert_eq!(names(index.apply_source(&source("s", "pay"))), ["pay"]);
    assert_eq!(names(index.apply_source(&source("s", "pay"))), Vec::<String>::new());
    assert_eq!(names(index.apply_source(&excluding(source("s", "pay")))), ["pay"]);
    assert_eq!(names(index.apply_source(&regex("r", "ca.*"))), ["card", "cart"]);
    assert_eq!(names(index.apply_source(&of_namespace("n"))), ["card", "cart", "pay"]);
    assert_eq!(
        names(index.apply_workload(workload("pay", &["app"]))),
        Vec::<String>::new()
    );
    assert_eq!(names(index.apply_workload(workload("pay", &["web"]))), ["pay"]);
    assert_eq!(names(index.delete_source(&key("r"))), ["card", "cart"]);
    assert_eq!(names(index.set_settings(Settings::default())), Vec::<String>::new());
}

#[test]
fn what_was_instrumented_loses_its_configuration_and_only_then_the_source_may_go() {
    let mut index = cart(json!([]));
    assert_eq!(index.finished(), []);
    index.apply_source(&leaving(source("cart", "cart")));
    assert!(matches!(index.decide(&id("cart")), Decision::None(_)));
    assert_eq!(index.finished(), []);
    index.delete_config(&id("cart"));
    assert_eq!(index.finished(), [key("cart")]);
}

#[test]
fn a_source_may_go_at_once_where_another_one_takes_over() {
    let mut index = cart(json!([]));
    index.apply_source(&of_namespace("all"));
    index.apply_source(&leaving(source("cart", "cart")));
    assert_eq!(wanted(&index, "cart").conditions[0].reason, "NamespaceSource");
    assert_eq!(index.finished(), [key("cart")]);
}

#[test]
fn ignored_and_vanishing_namespaces_are_left_alone() {
    let mut index = cart(json!([]));
    index.set_terminating("shop", true);
    assert_eq!(index.decide(&id("cart")), Decision::Leave);
    index.set_terminating("shop", false);
    let ignored = Settings {
        ignored_namespaces: BTreeSet::from(["shop".to_owned()]),
        ..Settings::default()
    };
    assert_eq!(index.set_settings(ignored).len(), 1);
    let Decision::None(reason) = index.decide(&id("cart")) else {
        panic!();
    };
    assert_eq!(reason, "the configuration ignores the namespace shop");
    assert_eq!(index.effect(&key("cart")), Some(Effect::NamespaceIgnored));
}

#[test]
fn a_source_says_what_it_brings_about() {
    let mut index = Index::default();
    index.apply_source(&regex("r", "ca.*"));
    assert_eq!(index.effect(&key("r")), Some(Effect::NoWorkload));
    index.apply_workload(workload("cart", &["app"]));
    assert_eq!(index.effect(&key("r")), Some(Effect::Instruments));
    index.apply_source(&excluding(source("x", "cart")));
    assert_eq!(index.effect(&key("x")), Some(Effect::Excludes));
    assert_eq!(index.effect(&key("r")), Some(Effect::PassedOver("x".to_owned())));
    index.apply_source(&regex("bad", "("));
    assert!(matches!(index.effect(&key("bad")), Some(Effect::Invalid(_))));
    assert_eq!(index.effect(&key("none")), None);
    assert_eq!(index.sources_about(&id("cart")), [key("x"), key("r")]);
}
