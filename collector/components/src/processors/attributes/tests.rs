#![allow(clippy::unwrap_used)]

use super::*;
use crate::processors::testing::{Attributes, Sample, assert_same, configured, edited, int, pair, text, valid};
use collector_pdata::Payload;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use proptest::prelude::*;

fn items(yaml: &str, signal: Signal) -> Items {
    let read = |section: &mut Section<'_, '_>| (Matching::read(section), Actions::read(section, "actions"));
    let (matching, actions) = valid(yaml, read);
    Items {
        filter: matching.filter(signal),
        applier: actions.applier(),
    }
}

/// Checks what the actions make of attributes: those of items of each signal, and those of resources.
fn check(actions: &str, before: &[KeyValue], after: &[KeyValue]) {
    let item = |attributes: &[KeyValue]| Sample {
        attributes: attributes.to_vec(),
        resource: vec![text("other", "kept")],
        ..Sample::default()
    };
    for signal in Signal::ALL {
        let mut edit = items(&format!("{{actions: {actions}}}"), signal);
        let request = edited(&mut edit, signal, &item(before)).unwrap();
        assert_same(signal, &request, &item(after), actions);
    }
    let resource = |attributes: &[KeyValue]| Sample {
        resource: attributes.to_vec(),
        attributes: vec![text("other", "kept")],
        ..Sample::default()
    };
    for signal in Signal::ALL {
        let actions = valid(&format!("{{attributes: {actions}}}"), |section| {
            Actions::read(section, "attributes")
        });
        let mut edit = crate::processors::resource::edit(&actions);
        let request = edited(&mut edit, signal, &resource(before)).unwrap();
        assert_same(signal, &request, &resource(after), "a resource");
    }
}

fn flag(key: &str, value: bool) -> KeyValue {
    pair(key, Value::BoolValue(value))
}

fn double(key: &str, value: f64) -> KeyValue {
    pair(key, Value::DoubleValue(value))
}

fn list(key: &str, texts: &[&str]) -> KeyValue {
    let values = texts.iter().map(|text| AnyValue {
        value: Some(Value::StringValue((*text).to_owned())),
    });
    pair(
        key,
        Value::ArrayValue(ArrayValue {
            values: values.collect(),
        }),
    )
}

fn map(key: &str, values: Attributes) -> KeyValue {
    pair(key, Value::KvlistValue(KeyValueList { values }))
}

#[test]
fn values_of_every_type_are_inserted() {
    let actions = "[{key: t, value: eu, action: insert}, {key: i, value: 123, action: insert},
        {key: d, value: 1.5, action: INSERT}, {key: b, value: true, action: insert},
        {key: l, value: [x, y], action: insert}, {key: m, value: {k: v}, action: insert}]";
    let all = [
        text("t", "eu"),
        int("i", 123),
        double("d", 1.5),
        flag("b", true),
        list("l", &["x", "y"]),
        map("m", vec![text("k", "v")]),
    ];
    check(actions, &[], &all);
}

#[test]
fn insert_update_and_upsert_differ_in_whether_the_key_is_there() {
    let both = [text("a", "1"), text("b", "2")];
    let only_a = [text("a", "1")];
    check("[{key: a, value: n, action: insert}]", &both, &both);
    check(
        "[{key: b, value: n, action: insert}]",
        &only_a,
        &[text("a", "1"), text("b", "n")],
    );
    check(
        "[{key: a, value: n, action: update}]",
        &both,
        &[text("a", "n"), text("b", "2")],
    );
    check("[{key: b, value: n, action: update}]", &only_a, &only_a);
    check(
        "[{key: a, value: n, action: upsert}]",
        &both,
        &[text("a", "n"), text("b", "2")],
    );
    check(
        "[{key: b, value: n, action: upsert}]",
        &only_a,
        &[text("a", "1"), text("b", "n")],
    );
}

#[test]
fn values_come_from_other_attributes_or_their_default() {
    let from = |action: &str| format!("[{{key: a, from_attribute: b, action: {action}}}]");
    let found = [text("a", "1"), list("b", &["x"])];
    check(&from("insert"), &[int("b", 2)], &[int("b", 2), int("a", 2)]);
    check(&from("update"), &found, &[list("a", &["x"]), list("b", &["x"])]);
    check(&from("upsert"), &[int("b", 2)], &[int("b", 2), int("a", 2)]);
    check(&from("upsert"), &[text("a", "1")], &[text("a", "1")]);
    let with_default = "[{key: a, from_attribute: b, default_value: d, action: upsert}]";
    check(with_default, &[text("c", "1")], &[text("c", "1"), text("a", "d")]);
    check(with_default, &[int("b", 1)], &[int("b", 1), int("a", 1)]);
    check("[{key: a, default_value: d, action: insert}]", &[], &[text("a", "d")]);
}

#[test]
fn attributes_are_deleted_by_key_and_by_pattern() {
    let before = [
        text("card", "1"),
        text("user.id", "2"),
        text("user.name", "3"),
        text("x", "4"),
    ];
    check("[{key: card, action: delete}]", &before, &before[1..]);
    check("[{key: nothing, action: delete}]", &before, &before);
    check(
        "[{pattern: '^user\\.', action: delete}]",
        &before,
        &[before[0].clone(), before[3].clone()],
    );
    check("[{key: card, pattern: '^user', action: delete}]", &before, &before[3..]);
}

/// Computed with coreutils' sha256sum.
const HASH_OF_FOO: &str = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
const HASH_OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const HASH_OF_BYTE_1: &str = "4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a";
const HASH_OF_BYTE_0: &str = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";

#[test]
fn every_type_is_hashed_as_its_bytes() {
    let hash = "[{key: a, action: hash}]";
    for (value, expected) in [
        (text("a", "foo"), HASH_OF_FOO),
        (text("a", ""), HASH_OF_NOTHING),
        (flag("a", true), HASH_OF_BYTE_1),
        (flag("a", false), HASH_OF_BYTE_0),
        (int("a", 24), &digest(&24i64.to_le_bytes())),
        (double("a", 2.5), &digest(&2.5f64.to_le_bytes())),
        (pair("a", Value::BytesValue(vec![1])), ""),
        (list("a", &["x"]), ""),
        (map("a", vec![]), ""),
    ] {
        let other = text("b", "foo");
        check(hash, &[value, other.clone()], &[text("a", expected), other]);
    }
}

fn digest(bytes: &[u8]) -> String {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn keys_that_match_are_hashed_and_one_that_is_named_as_well_twice() {
    let before = [text("a", "foo"), text("user.a", "foo"), text("b", "foo")];
    let hashed = text("user.a", HASH_OF_FOO);
    let pattern = "[{pattern: '^user', action: hash}]";
    check(
        pattern,
        &before,
        &[before[0].clone(), hashed.clone(), before[2].clone()],
    );
    let twice = text("user.a", &digest(HASH_OF_FOO.as_bytes()));
    let both = "[{key: user.a, pattern: '^user', action: hash}]";
    check(both, &before, &[before[0].clone(), twice, before[2].clone()]);
}

#[test]
fn named_groups_become_attributes_and_replace_those_that_are_there() {
    let pattern = "'^(?P<http_protocol>.*):\\/\\/(?P<http_domain>.*)\\/(?P<http_path>.*)(?:\\?|\\&)(?P<http_query>.*)'";
    let actions = format!("[{{key: http.url, pattern: {pattern}, action: extract}}]");
    let url = text(
        "http.url",
        "http://example.com/path?queryParam1=value1,queryParam2=value2",
    );
    check(
        &actions,
        &[text("http_path", "old"), url.clone()],
        &[
            text("http_path", "path"),
            url,
            text("http_protocol", "http"),
            text("http_domain", "example.com"),
            text("http_query", "queryParam1=value1,queryParam2=value2"),
        ],
    );
    let other = [text("http.url", "no url"), int("x", 1)];
    check(&actions, &other, &other);
    let number = [int("http.url", 1)];
    check(&actions, &number, &number);
    // A group that has no part in the match is empty.
    let optional = "[{key: k, pattern: '^(?P<a>x)|(?P<b>y)', action: extract}]";
    check(
        optional,
        &[text("k", "y")],
        &[text("k", "y"), text("a", ""), text("b", "y")],
    );
}

#[test]
fn values_are_converted_or_stay() {
    let check_one = |to: &str, from: KeyValue, expected: KeyValue| {
        let actions = format!("[{{key: a, converted_type: {to}, action: convert}}]");
        check(&actions, &[from], &[expected]);
    };
    for (from, expected) in [
        (text("a", "200"), int("a", 200)),
        (text("a", "+7"), int("a", 7)),
        (text("a", "2.5"), text("a", "2.5")),
        (double("a", -2.9), int("a", -2)),
        (double("a", 1e30), int("a", i64::MAX)),
        (flag("a", true), int("a", 1)),
        (int("a", 3), int("a", 3)),
        (list("a", &["1"]), list("a", &["1"])),
    ] {
        check_one("int", from, expected);
    }
    for (from, expected) in [
        (text("a", "2.5"), double("a", 2.5)),
        (text("a", "1e400"), text("a", "1e400")),
        (text("a", "+nan"), text("a", "+nan")),
        (text("a", "-Inf"), double("a", f64::NEG_INFINITY)),
        (int("a", 3), double("a", 3.0)),
        (flag("a", false), double("a", 0.0)),
        (list("a", &["1"]), list("a", &["1"])),
    ] {
        check_one("double", from, expected);
    }
    for (from, expected) in [
        (text("a", "x"), text("a", "x")),
        (int("a", -3), text("a", "-3")),
        (double("a", 2.5), text("a", "2.5")),
        (flag("a", true), text("a", "true")),
        (list("a", &["x", "y"]), text("a", "[\"x\",\"y\"]")),
        (map("a", vec![int("k", 1)]), text("a", "{\"k\":1}")),
        (pair("a", Value::BytesValue(vec![1, 2])), text("a", "AQI=")),
    ] {
        check_one("string", from, expected);
    }
}

#[test]
fn actions_see_what_those_before_them_did() {
    let actions = "[{key: operation, value: default, action: insert},
        {key: svc.operation, from_attribute: operation, action: upsert}, {key: operation, action: delete}]";
    let (timeout, math) = (int("timeout", 10), int("math_value", 4));
    check(
        actions,
        &[
            timeout.clone(),
            text("svc.operation", "addition"),
            text("operation", "addition"),
        ],
        &[timeout.clone(), text("svc.operation", "addition")],
    );
    check(
        actions,
        &[text("operation", "subtract"), math.clone()],
        &[math.clone(), text("svc.operation", "subtract")],
    );
    check(
        actions,
        &[timeout.clone(), math.clone()],
        &[timeout.clone(), math, text("svc.operation", "default")],
    );
    check(
        actions,
        &[text("svc.operation", "division"), timeout.clone()],
        &[text("svc.operation", "default"), timeout],
    );
}

#[test]
fn the_readme_of_upstream_has_the_same_outcome() {
    let actions = "[{key: db.table, action: delete}, {key: redacted_span, value: true, action: upsert},
        {key: copy_key, from_attribute: key_original, action: update}, {key: account_id, value: 2245, action: insert},
        {key: account_password, action: delete}, {key: account_email, action: hash},
        {key: http.status_code, action: convert, converted_type: int},
        {key: region, from_attribute: cloud.region, default_value: us-east-1, action: insert}]";
    check(
        actions,
        &[
            text("db.table", "users"),
            text("copy_key", "old"),
            text("key_original", "new"),
            text("account_password", "1234"),
            text("account_email", "foo"),
            text("http.status_code", "404"),
        ],
        &[
            text("copy_key", "new"),
            text("key_original", "new"),
            text("account_email", HASH_OF_FOO),
            int("http.status_code", 404),
            flag("redacted_span", true),
            int("account_id", 2245),
            text("region", "us-east-1"),
        ],
    );
}

#[test]
fn what_is_wrong_with_an_action_is_named_with_its_key() {
    for (actions, expected) in [
        ("[]", "p::actions: is required"),
        ("[{key: a, value: 1}]", "p::actions::0::action: is required"),
        ("[{key: a, value: 1, action: add}]", "\"add\" is none of insert, update"),
        ("[{value: 1, action: insert}]", "p::actions::0::key: is required"),
        ("[{action: delete}]", "p::actions::0::key: is required"),
        (
            "[{key: a, action: insert}]",
            "p::actions::0::value: or from_attribute or default_value",
        ),
        (
            "[{key: a, value: 1, from_attribute: b, action: insert}]",
            "p::actions::0::from_attribute: must not be there beside value",
        ),
        (
            "[{key: a, value: 1, pattern: b, action: upsert}]",
            "p::actions::0::pattern: is not used by the action upsert",
        ),
        (
            "[{key: a, value: 1, action: delete}]",
            "p::actions::0::value: is not used by the action delete",
        ),
        (
            "[{key: a, from_context: metadata.x, action: insert}]",
            "p::actions::0::from_context: is not supported",
        ),
        (
            "[{pattern: '(', action: delete}]",
            "p::actions::0::pattern: this is no regular",
        ),
        ("[{key: a, action: extract}]", "p::actions::0::pattern: is required"),
        ("[{key: a, pattern: x, action: extract}]", "must have named groups"),
        (
            "[{key: a, pattern: '(?P<x>.)(.)', action: extract}]",
            "a group without a name",
        ),
        (
            "[{key: a, action: convert}]",
            "p::actions::0::converted_type: is required",
        ),
        (
            "[{key: a, converted_type: bool, action: convert}]",
            "\"bool\" is none of int, double, string",
        ),
        (
            "[{key: a, valeu: 1, value: 1, action: insert}]",
            "unknown key; did you mean \"value\"?",
        ),
    ] {
        let (_, errors) = configured(&format!("{{actions: {actions}}}"), |section| {
            Actions::read(section, "actions")
        });
        assert!(errors.contains(expected), "{actions}\n{errors}");
        assert_eq!(errors.lines().count(), 1, "{actions}\n{errors}");
    }
}

#[test]
fn a_chunk_in_which_nothing_changes_is_handed_on_and_not_copied() {
    let mut edit = items("{actions: [{key: absent, action: hash}]}", Signal::Traces);
    let sample = Sample {
        attributes: vec![text("a", "1")],
        ..Sample::default()
    };
    let chunk = bytes::Bytes::from(sample.encode(Signal::Traces));
    let edited = Payload::new(Signal::Traces, chunk.clone(), 1).edit(&mut edit);
    assert_eq!(edited.payload.chunks()[0].as_ptr(), chunk.as_ptr());
}

#[test]
fn a_malformed_chunk_is_left_out_and_the_others_go_on() {
    let mut edit = items("{actions: [{key: a, action: hash}]}", Signal::Logs);
    let sample = Sample {
        attributes: vec![text("a", "foo")],
        ..Sample::default()
    };
    let mut payload = Payload::new(Signal::Logs, vec![0x0a, 0xff].into(), 2);
    payload.append(Payload::new(Signal::Logs, sample.encode(Signal::Logs).into(), 1));
    let edited = payload.edit(&mut edit);
    assert_eq!((edited.malformed, edited.dropped, edited.payload.items()), (2, 0, 1));
    let expected = Sample {
        attributes: vec![text("a", HASH_OF_FOO)],
        ..Sample::default()
    };
    assert_same(Signal::Logs, &edited.payload.chunks()[0], &expected, "the other chunk");
}

proptest! {
    #[test]
    fn fields_that_are_not_known_survive(number in 1000u32..2000, value in proptest::collection::vec(any::<u8>(), 0..20)) {
        let mut unknown = Vec::new();
        collector_pdata::proto::put_bytes(&mut unknown, number, &value);
        let mut attribute = Vec::new();
        collector_pdata::attributes::put_text(&mut attribute, "foo");
        let mut span = unknown.clone();
        collector_pdata::attributes::put(&mut span, 9, b"a", &attribute);
        span.extend_from_slice(&unknown);
        let mut out = Vec::new();
        let mut edit = items("{actions: [{key: a, value: bar, action: update}]}", Signal::Traces);
        prop_assert_eq!(edit.item(ItemKind::Span, &span, &mut out), Ok(Change::Replace));
        prop_assert!(out.starts_with(&unknown) && out.ends_with(&unknown));
        prop_assert_eq!(out.len(), span.len());
    }
}
