use crate::support::{Extent, alone, judge, sample, snapshot, snapshots};
use collector_config::Node;
use controllers_core::destinations::{self, Category, Definition, Input, RenderError, Support, dangling, render};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;

/// What is known of the destinations that existing manifests name.
fn facts() -> Vec<Value> {
    serde_json::from_str(include_str!("../destinations.json")).unwrap()
}

fn is_rendered(definition: &Definition) -> bool {
    matches!(definition.support, Support::Rendered { .. })
}

#[test]
fn every_file_can_be_read() {
    let broken: Vec<String> = destinations::broken()
        .map(|(name, errors)| format!("{name}: {errors}"))
        .collect();
    assert_eq!(broken, Vec::<String>::new());
    assert!(destinations::all().count() >= 64);
}

#[test]
fn a_file_is_named_after_its_type_and_refers_only_to_its_fields() {
    for definition in destinations::all() {
        let path = format!("{}/destinations/{}.yaml", env!("CARGO_MANIFEST_DIR"), definition.kind);
        assert!(fs::exists(&path).unwrap(), "{path}");
        assert_eq!(dangling(definition), Vec::<String>::new(), "{}", definition.kind);
        let names: BTreeSet<&str> = definition.fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(
            names.len(),
            definition.fields.len(),
            "{} has a field twice",
            definition.kind
        );
        // The collector's variables are told apart by two underscores.
        assert!(names.iter().all(|name| !name.contains("__") && !name.starts_with('_')));
    }
}

#[test]
fn every_destination_that_manifests_name_is_there_with_its_fields() {
    for fact in facts() {
        let kind = fact["type"].as_str().unwrap();
        let definition = destinations::find(kind).unwrap_or_else(|| panic!("{kind} is missing"));
        assert_eq!(definition.display_name, fact["display_name"].as_str().unwrap());
        let category = if definition.category == Category::Managed {
            "managed"
        } else {
            "self hosted"
        };
        assert_eq!(category, fact["category"], "{kind}");
        let signals: Vec<String> = definition.signals.iter().map(ToString::to_string).collect();
        assert_eq!(Value::from(signals), fact["signals"], "{kind}");
        let fields = fact["fields"].as_array().unwrap();
        assert_eq!(definition.fields.len(), fields.len(), "{kind}");
        for fact in fields {
            check_field(definition, fact);
        }
    }
}

fn check_field(definition: &Definition, fact: &Value) {
    let name = fact["name"].as_str().unwrap();
    let field = definition
        .field(name)
        .unwrap_or_else(|| panic!("{} has no {name}", definition.kind));
    let input = match field.input {
        Input::Line => "input",
        Input::Lines => "textarea",
        Input::Dropdown => "dropdown",
        Input::Checkbox => "checkbox",
        Input::KeyValuePairs => "keyValuePairs",
        Input::List => "multiInput",
    };
    assert_eq!(fact["input"], input, "{name}");
    assert_eq!(fact["required"], field.required, "{name}");
    assert_eq!(fact["secret"], field.secret, "{name}");
    assert_eq!(
        fact.get("initial").and_then(Value::as_str),
        field.initial.as_deref(),
        "{name}"
    );
    if let Some(values) = fact.get("values") {
        assert_eq!(*values, Value::from(field.values.clone()), "{name}");
    }
    assert_eq!(fact.get("shown_if").is_some(), field.shown_if.is_some(), "{name}");
    assert_eq!(fact.get("shown_for").is_some(), !field.shown_for.is_empty(), "{name}");
}

#[test]
fn every_destination_renders_as_before_and_the_collector_accepts_it() {
    for definition in destinations::all() {
        let mut text = String::new();
        for extent in [Extent::Required, Extent::Everything] {
            let rendered = match render(&sample(definition, extent)) {
                Ok(rendered) => rendered,
                Err(RenderError::NotSupported { around, .. }) if !is_rendered(definition) => {
                    assert!(around.len() > 40, "{}: no way around", definition.kind);
                    text = format!("not supported: {around}\n");
                    break;
                }
                Err(error) => panic!("{} ({extent:?}): {error}", definition.kind),
            };
            let configuration = alone(&rendered);
            judge(&configuration).unwrap_or_else(|errors| {
                panic!(
                    "{} ({extent:?}): {errors}\n{}",
                    definition.kind,
                    configuration.to_yaml()
                )
            });
            let mut configuration = configuration.to_yaml();
            for (signal, around) in &rendered.without {
                let _ = writeln!(configuration, "# without {signal}: {around}");
            }
            for secret in &rendered.secrets {
                let _ = writeln!(
                    configuration,
                    "# {} = {}[{}]",
                    secret.variable, secret.secret, secret.key
                );
            }
            let _ = writeln!(text, "# {extent:?}\n{configuration}");
        }
        snapshot(&format!("destinations/{}.yaml", definition.kind), &text);
    }
}

#[test]
fn there_is_no_snapshot_without_a_destination() {
    for entry in fs::read_dir(snapshots().join("destinations")).unwrap() {
        let path = entry.unwrap().path();
        let kind = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(destinations::find(&kind).is_some(), "{}", path.display());
    }
}

#[test]
fn what_is_rendered_survives_being_written_and_read() {
    for definition in destinations::all().filter(|definition| is_rendered(definition)) {
        let written = alone(&render(&sample(definition, Extent::Everything)).unwrap()).to_yaml();
        let read = Node::parse(&written, "").unwrap();
        assert_eq!(read.to_yaml(), written, "{}", definition.kind);
    }
}
