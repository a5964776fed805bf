//! The definitions beside what they must agree with: the files that the chart installs, and the facts that manifests rely on.

#![allow(clippy::unwrap_used)]

#[path = "definitions/facts.rs"]
mod facts;

use controllers_api::definitions::{all, file_name};
use std::{collections::BTreeMap, env, fs, path::PathBuf};

/// Where the chart has its definitions.
fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../helm/odigos/crds")
}

fn generated() -> BTreeMap<String, String> {
    let begin = "# Generated from controllers/api by `cargo xtask crds`.\n";
    let text = |definition| format!("{begin}{}", serde_saphyr::to_string(definition).unwrap());
    all()
        .iter()
        .map(|definition| (file_name(definition), text(definition)))
        .collect()
}

#[test]
fn the_chart_holds_the_definitions_of_the_types_and_no_others() {
    let generated = generated();
    if env::var_os("UPDATE_CRDS").is_some() {
        let _ = fs::remove_dir_all(folder());
        fs::create_dir_all(folder()).unwrap();
        for (name, text) in &generated {
            fs::write(folder().join(name), text).unwrap();
        }
    }
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let there: BTreeMap<String, String> = files
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    let names = |of: &BTreeMap<String, String>| of.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&there), names(&generated), "run `cargo xtask crds`");
    for (name, text) in &generated {
        assert!(
            there[name] == *text,
            "helm/odigos/crds/{name} is not up to date: run `cargo xtask crds`"
        );
    }
}

#[test]
fn every_kind_is_named_and_shown_as_the_facts_say() {
    let facts = facts::read();
    let definitions = all();
    assert_eq!(facts.len(), definitions.len());
    for kind in facts {
        let found = definitions
            .iter()
            .find(|definition| definition.spec.group == kind.group && definition.spec.names.kind == kind.kind);
        let definition = found.unwrap_or_else(|| panic!("no definition of {} {}", kind.group, kind.kind));
        let names = &definition.spec.names;
        assert_eq!(names.plural, kind.plural);
        assert_eq!(names.singular.as_deref(), Some(&*kind.singular));
        let short = names.short_names.clone().unwrap_or_default();
        assert!(
            kind.short.iter().all(|name| short.contains(name)),
            "{}: {short:?}",
            kind.kind
        );
        let labels = definition.metadata.labels.clone().unwrap_or_default();
        assert_eq!(labels.get("odigos.io/system-object").map(String::as_str), Some("true"));
        assert_eq!(definition.spec.scope, "Namespaced");
        let [version] = &definition.spec.versions[..] else {
            panic!("{} has several versions", kind.kind)
        };
        assert_eq!(
            (&*version.name, version.served, version.storage),
            ("v1alpha1", true, true)
        );
        assert!(version.subresources.as_ref().unwrap().status.is_some(), "{}", kind.kind);
        let columns = version.additional_printer_columns.iter().flatten();
        let columns: Vec<_> = columns
            .map(|column| (column.name.clone(), column.json_path.clone()))
            .collect();
        assert!(columns.starts_with(&kind.columns), "{}: {columns:?}", kind.kind);
    }
}

#[test]
fn the_fields_are_those_of_the_facts() {
    let definitions = all();
    let mut differences = Vec::new();
    for kind in facts::read() {
        let found = definitions
            .iter()
            .find(|definition| definition.spec.group == kind.group && definition.spec.names.kind == kind.kind)
            .unwrap();
        let schema = found.spec.versions[0].schema.as_ref().unwrap();
        let root = serde_json::to_value(schema.open_api_v3_schema.as_ref().unwrap()).unwrap();
        let ours = facts::of_schema(&root);
        for (path, fact) in &kind.fields {
            match ours.get(path) {
                None => differences.push(format!("{} {path}: missing", kind.kind)),
                Some(our) if our != fact => {
                    differences.push(format!("{} {path}: is {our:?}, should be {fact:?}", kind.kind));
                }
                Some(_) => {}
            }
        }
        let more = ours.keys().filter(|path| !kind.fields.contains_key(*path));
        differences.extend(more.map(|path| format!("{} {path}: unknown to the facts", kind.kind)));
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
