//! Whatever the order of events, the end is the same.

use super::*;
use crate::instrumentor::{Decision, SourceKey};
use controllers_api::instrumentation_rule::InstrumentationRuleSpec;
use proptest::prelude::*;

/// Something that happens to an object; the last event of each object says what it is in the end.
#[derive(Debug, Clone)]
enum Event {
    Source(&'static str, Option<Box<Source>>),
    Workload(&'static str, Option<&'static str>),
    Seen(&'static str, &'static str),
    Rule(&'static str, Option<Box<InstrumentationRuleSpec>>),
    Collector(bool),
    Ignored(Option<&'static str>),
    Terminating(bool),
}

impl Event {
    /// Which object it happens to.
    fn object(&self) -> String {
        match self {
            Self::Source(name, _) => format!("source {name}"),
            Self::Workload(name, _) => format!("workload {name}"),
            Self::Seen(name, _) => format!("seen {name}"),
            Self::Rule(name, _) => format!("rule {name}"),
            Self::Collector(_) => "collector".to_owned(),
            Self::Ignored(_) => "settings".to_owned(),
            Self::Terminating(_) => "namespace".to_owned(),
        }
    }

    fn happen(&self, index: &mut Index) -> BTreeSet<WorkloadId> {
        match self {
            Self::Source(_, Some(source)) => index.apply_source(source),
            Self::Source(name, None) => index.delete_source(&SourceKey {
                namespace: "shop".to_owned(),
                name: (*name).to_owned(),
            }),
            Self::Workload(name, Some(container)) => index.apply_workload(workload(name, &[container])),
            Self::Workload(name, None) => index.delete_workload(&id(name)),
            Self::Seen(name, language) => {
                index.apply_config(&seen(name, json!([{"containerName": "app", "language": language}])))
            }
            Self::Rule(name, rule) => index.set_rule(name, rule.clone().map(|rule| *rule)),
            Self::Collector(true) => index.set_collector(all_signals()),
            Self::Collector(false) => index.set_collector(NodeCollector::Absent),
            Self::Ignored(namespace) => index.set_settings(Settings {
                ignored_namespaces: namespace.iter().map(|it| (*it).to_owned()).collect(),
                ..Settings::default()
            }),
            Self::Terminating(terminating) => index.set_terminating("shop", *terminating),
        }
    }
}

const WORKLOADS: [&str; 3] = ["cart", "card", "pay"];

fn any_source(name: &'static str) -> impl Strategy<Value = Source> {
    let target = prop_oneof![
        prop::sample::select(WORKLOADS.to_vec()).prop_map(move |workload| source(name, workload)),
        prop::sample::select(vec!["ca.*", ".*", "p.y", "("]).prop_map(move |pattern| regex(name, pattern)),
        Just(of_namespace(name)),
    ];
    (target, any::<bool>(), prop::option::of(any::<bool>())).prop_map(|(source, excludes, stream)| {
        let source = if excludes { excluding(source) } else { source };
        stream.map_or(source.clone(), |is_in| in_stream(source, "s", is_in))
    })
}

fn any_event() -> impl Strategy<Value = Event> {
    let workloads = || prop::sample::select(WORKLOADS.to_vec());
    prop_oneof![
        4 => prop::sample::select(vec!["a", "b", "c"]).prop_flat_map(|name| {
            prop::option::of(any_source(name)).prop_map(move |source| Event::Source(name, source.map(Box::new)))
        }),
        3 => (workloads(), prop::option::of(prop::sample::select(vec!["app", "web"])))
            .prop_map(|(name, container)| Event::Workload(name, container)),
        2 => (workloads(), prop::sample::select(vec!["java", "go", "unknown"])).prop_map(|(name, it)| Event::Seen(name, it)),
        1 => (prop::sample::select(vec!["o/x", "o/y"]), prop::option::of(Just(json!({"codeAttributes": {"column": true}}))))
            .prop_map(|(name, rule)| Event::Rule(name, rule.map(|rule| serde_json::from_value(rule).unwrap()))),
        1 => any::<bool>().prop_map(Event::Collector),
        1 => prop::option::of(Just("shop")).prop_map(Event::Ignored),
        1 => any::<bool>().prop_map(Event::Terminating),
    ]
}

/// The last event of each object, in another order.
fn last_of_each(events: &[Event]) -> Vec<Event> {
    let last: BTreeMap<String, Event> = events.iter().map(|event| (event.object(), event.clone())).collect();
    last.into_values().rev().collect()
}

fn decisions(index: &Index) -> Vec<Decision> {
    WORKLOADS.iter().map(|name| index.decide(&id(name))).collect()
}

proptest! {
    #[test]
    fn any_order_of_events_ends_in_the_same_configurations(events in prop::collection::vec(any_event(), 0..40)) {
        let mut index = Index::default();
        // What a program would have written that looks only at the workloads that events concern.
        let mut written: BTreeMap<WorkloadId, Decision> = BTreeMap::new();
        for event in &events {
            for id in event.happen(&mut index) {
                let decision = index.decide(&id);
                written.insert(id, decision);
            }
        }
        let mut other = Index::default();
        for event in last_of_each(&events) {
            event.happen(&mut other);
        }
        prop_assert_eq!(decisions(&index), decisions(&other));
        for name in WORKLOADS {
            let now = index.decide(&id(name));
            let written = written.get(&id(name));
            let nothing = matches!(now, Decision::None(_) | Decision::Leave);
            match written {
                Some(written) if !nothing => prop_assert_eq!(written, &now, "{} was not looked at", name),
                Some(written) => prop_assert!(!matches!((written, &now), (Decision::Want(_), Decision::None(_))), "{} stays", name),
                None => prop_assert!(nothing, "{} was never looked at", name),
            }
        }
    }
}
