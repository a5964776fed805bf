//! For any template, any plan and any edit in between: what was put in comes out again, and nothing else.

use controllers_core::injection::{Agent, Merge, Mount, Plan, Variable, Workload, inject, preload, remove};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use proptest::prelude::*;
use proptest::{collection::vec, option, sample::select};
use serde_json::{Value, json};

const CONTAINERS: [&str; 3] = ["app", "sidecar", "third"];
const NAMES: [&str; 8] = [
    "JAVA_TOOL_OPTIONS",
    "PYTHONPATH",
    "LD_PRELOAD",
    "OTEL_SERVICE_NAME",
    "OTEL_RESOURCE_ATTRIBUTES",
    "NODE_IP",
    "ODIGOS_ORIGINAL_PYTHONPATH",
    "PATH",
];

fn variable() -> impl Strategy<Value = Value> {
    let name = select(&NAMES[..]);
    let value = prop_oneof![
        select(vec!["", "x", "-a -b", "$(PATH):/y", "/var/odigos/p"]).prop_map(|value| json!({"value": value})),
        (any::<bool>()).prop_map(|optional| json!({
            "valueFrom": {"configMapKeyRef": {"name": "m", "key": "k", "optional": optional}}
        })),
    ];
    (name, value).prop_map(|(name, mut value)| {
        value["name"] = name.into();
        value
    })
}

fn container(name: &'static str) -> impl Strategy<Value = Value> {
    let env = option::of(vec(variable(), 0..5));
    let resources = option::of(select(vec![
        json!({}),
        json!({"limits": {}}),
        json!({"limits": {"cpu": "1"}}),
        json!({"requests": {"cpu": "1"}, "limits": {"instrumentation.odigos.io/x": "1"}}),
    ]));
    let mounts = option::of(select(vec![
        json!([]),
        json!([{"name": "data", "mountPath": "/data"}]),
        json!([{"name": "data", "mountPath": "/var/odigos"}]),
    ]));
    (env, resources, mounts).prop_map(move |(env, resources, mounts)| {
        json!({"name": name, "env": env, "resources": resources, "volumeMounts": mounts})
    })
}

fn template() -> impl Strategy<Value = PodTemplateSpec> {
    let metadata = option::of(select(vec![
        json!({}),
        json!({"labels": {}}),
        json!({"labels": {"app": "x"}, "annotations": {"a": "b"}}),
        json!({"labels": {"odigos.io/agents-meta-hash": "copied"}}),
    ]));
    let volumes = option::of(select(vec![
        json!([]),
        json!([{"name": "data", "emptyDir": {}}]),
        json!([{"name": "odigos-agents", "emptyDir": {}}]),
    ]));
    let init = option::of(select(vec![json!([]), json!([{"name": "first", "image": "i"}])]));
    let containers = CONTAINERS.map(container);
    (metadata, volumes, init, containers).prop_map(|(metadata, volumes, init, containers)| {
        let template = json!({
            "metadata": metadata,
            "spec": {"volumes": volumes, "initContainers": init, "containers": containers},
        });
        serde_json::from_value(template).unwrap()
    })
}

fn agent_variable() -> impl Strategy<Value = Variable> {
    let merge = prop_oneof![
        Just(Merge::Keep),
        (select(vec![" ", ":"]), any::<bool>()).prop_map(|(separator, separator_when_alone)| Merge::Append {
            separator: separator.to_owned(),
            separator_when_alone,
        }),
        Just(Merge::Prepend {
            separator: ":".to_owned()
        }),
    ];
    let named = (
        select(&NAMES[..2]),
        select(vec!["/var/odigos/p", "-javaagent:/a.jar"]),
        merge,
    )
        .prop_map(|(name, value, merge)| Variable {
            name: name.to_owned(),
            value: value.to_owned(),
            merge,
        });
    prop_oneof![3 => named, 1 => Just(preload())]
}

fn agent() -> impl Strategy<Value = Agent> {
    let device = option::of(select(vec![
        "instrumentation.odigos.io/x",
        "instrumentation.odigos.io/y",
    ]));
    let inherited = option::of(select(&NAMES[..5]));
    (device, vec(agent_variable(), 0..4), inherited).prop_map(|(device, environment, inherited)| Agent {
        distribution: "x".to_owned(),
        device: device.map(str::to_owned),
        environment,
        inherited: inherited
            .map(|name| (name.to_owned(), "of $image".to_owned()))
            .into_iter()
            .collect(),
        ..Agent::default()
    })
}

fn plan() -> impl Strategy<Value = Plan> {
    let mount = select(vec![
        Mount::VirtualDevice,
        Mount::HostPath,
        Mount::InitContainer {
            image: "agents".to_owned(),
        },
    ]);
    let names = select(vec!["app", "sidecar", "third", "absent"]);
    let containers = proptest::collection::btree_map(names.prop_map(str::to_owned), agent(), 0..4);
    (mount, containers).prop_map(|(mount, containers)| Plan {
        workload: Workload {
            kind: "Deployment".to_owned(),
            namespace: "shop".to_owned(),
            name: "cart".to_owned(),
            service_name: "cart".to_owned(),
        },
        mount,
        endpoint: "http://$(NODE_IP):4318".to_owned(),
        containers,
    })
}

/// What a user does to a workload, in a place that is not ours.
#[derive(Debug, Clone, Copy)]
enum Edit {
    Image,
    Annotate,
    AddVariable,
    AddVolume,
    Limit,
    Reorder,
    DropContainer,
}

fn edit(template: &PodTemplateSpec, edit: Edit) -> PodTemplateSpec {
    let mut template = template.clone();
    let spec = template.spec.get_or_insert_default();
    match edit {
        Edit::Image => spec.containers[0].image = Some("cart:2".to_owned()),
        Edit::Annotate => {
            let annotations = template
                .metadata
                .get_or_insert_default()
                .annotations
                .get_or_insert_default();
            annotations.insert("team".to_owned(), "a".to_owned());
        }
        Edit::AddVariable => {
            let added = serde_json::from_value(json!({"name": "NEW", "value": "1"})).unwrap();
            spec.containers[0].env.get_or_insert_default().push(added);
        }
        Edit::AddVolume => {
            let added = serde_json::from_value(json!({"name": "scratch", "emptyDir": {}})).unwrap();
            spec.volumes.get_or_insert_default().push(added);
        }
        Edit::Limit => {
            let limits = spec.containers[0]
                .resources
                .get_or_insert_default()
                .limits
                .get_or_insert_default();
            limits.insert("memory".to_owned(), serde_json::from_value(json!("1Gi")).unwrap());
        }
        Edit::Reorder => spec.containers.swap(0, 2),
        Edit::DropContainer => drop(spec.containers.remove(1)),
    }
    template
}

fn edits() -> impl Strategy<Value = Edit> {
    select(vec![
        Edit::Image,
        Edit::Annotate,
        Edit::AddVariable,
        Edit::AddVolume,
        Edit::Limit,
        Edit::Reorder,
        Edit::DropContainer,
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_was_put_in_comes_out_again_and_is_put_in_once(template in template(), plan in plan()) {
        let injected = inject(&template, &plan).unwrap();
        prop_assert_eq!(&remove(&injected.template).unwrap(), &template);
        prop_assert_eq!(&inject(&injected.template, &plan).unwrap(), &injected);
    }

    #[test]
    fn a_plan_replaces_another_without_a_trace(template in template(), first in plan(), second in plan()) {
        let over = inject(&inject(&template, &first).unwrap().template, &second).unwrap();
        prop_assert_eq!(over, inject(&template, &second).unwrap());
    }

    #[test]
    fn what_a_user_edits_meanwhile_stays(template in template(), plan in plan(), change in edits()) {
        let injected = inject(&template, &plan).unwrap();
        let restored = remove(&edit(&injected.template, change)).unwrap();
        prop_assert_eq!(restored, edit(&template, change));
    }

    #[test]
    fn a_container_without_an_agent_is_not_touched(template in template(), plan in plan()) {
        let injected = inject(&template, &plan).unwrap();
        let spec = injected.template.spec.unwrap();
        for (before, after) in template.spec.unwrap().containers.iter().zip(&spec.containers) {
            if !plan.containers.contains_key(&after.name) || injected.refused.contains_key(&after.name) {
                prop_assert_eq!(before, after);
            }
        }
    }
}
