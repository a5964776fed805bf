//! Manifests as users write them, read into the types and written again: nothing may be lost or added but defaults.

#![allow(clippy::unwrap_used)]

use controllers_api::{
    action::Action, collectors_group::CollectorsGroup, destination::Destination,
    instrumentation_config::InstrumentationConfig, instrumentation_rule::InstrumentationRule, processor::Processor,
    sampling::Sampling, source::Source,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{fs, path::Path};

/// All documents of the given kind.
fn documents(kind: &str) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests/accepted");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let texts: Vec<String> = files.map(|path| fs::read_to_string(path).unwrap()).collect();
    let documents = texts.iter().flat_map(|text| text.split("---\n"));
    let documents = documents.map(|text| serde_saphyr::from_str::<Value>(text).unwrap());
    documents.filter(|document| document["kind"] == kind).collect()
}

fn check<T: DeserializeOwned + Serialize>(kind: &str) {
    let documents = documents(kind);
    assert!(!documents.is_empty(), "{kind}");
    for document in documents {
        let typed: T = serde_json::from_value(document.clone()).unwrap();
        let written = serde_json::to_value(&typed).unwrap();
        assert!(
            holds(&written["spec"], &document["spec"]),
            "{document} became {written}"
        );
        assert!(!written.to_string().contains(":null"), "{written}");
    }
}

/// Whether all of `part` is in `whole`. What is empty may be left out.
fn holds(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part
            .iter()
            .all(|(name, value)| whole.get(name).is_some_and(|whole| holds(whole, value))),
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(whole, part)| holds(whole, part))
        }
        _ => whole == part || (whole.is_number() && whole.as_f64() == part.as_f64()),
    }
}

#[test]
fn what_users_write_survives_the_types() {
    check::<Source>("Source");
    check::<Destination>("Destination");
    check::<Action>("Action");
    check::<InstrumentationRule>("InstrumentationRule");
    check::<InstrumentationConfig>("InstrumentationConfig");
    check::<Sampling>("Sampling");
    check::<Processor>("Processor");
    check::<CollectorsGroup>("CollectorsGroup");
}
