use crate::generate::{any_value, span};
use collector_pdata::Malformed;
use collector_pdata::attributes::{Editor, field, find, modify, put};
use collector_pdata::edit::Change;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

#[derive(Debug, Clone)]
enum Action {
    Insert(String, AnyValue),
    Update(String, AnyValue),
    Upsert(String, AnyValue),
    Delete(String),
    KeepOnly(String),
    ClearEach(String),
    Modify(String, Option<AnyValue>),
}

fn action() -> impl Strategy<Value = Action> {
    let key = || "[a-e]{0,2}";
    prop_oneof![
        (key(), any_value()).prop_map(|(key, value)| Action::Insert(key, value)),
        (key(), any_value()).prop_map(|(key, value)| Action::Update(key, value)),
        (key(), any_value()).prop_map(|(key, value)| Action::Upsert(key, value)),
        key().prop_map(Action::Delete),
        "[a-e]".prop_map(Action::KeepOnly),
        "[a-e]".prop_map(Action::ClearEach),
        (key(), proptest::option::of(any_value())).prop_map(|(key, value)| Action::Modify(key, value)),
    ]
}

/// What the action does to decoded attributes.
fn apply(action: &Action, attributes: &mut Vec<KeyValue>) {
    let at = |attributes: &[KeyValue], key: &str| attributes.iter().position(|attribute| attribute.key == key);
    match action {
        Action::Insert(key, value) if at(attributes, key).is_none() => {
            attributes.push(KeyValue {
                key: key.clone(),
                value: Some(value.clone()),
            });
        }
        Action::Update(key, value) | Action::Upsert(key, value) => {
            if let Some(first) = at(attributes, key) {
                attributes[first].value = Some(value.clone());
                let mut index = 0;
                attributes.retain(|attribute| {
                    index += 1;
                    index <= first + 1 || attribute.key != *key
                });
            } else if matches!(action, Action::Upsert(..)) {
                attributes.push(KeyValue {
                    key: key.clone(),
                    value: Some(value.clone()),
                });
            }
        }
        Action::Insert(..) => {}
        Action::Modify(key, Some(value)) => apply(&Action::Update(key.clone(), value.clone()), attributes),
        Action::Modify(key, None) | Action::Delete(key) => attributes.retain(|attribute| attribute.key != *key),
        Action::KeepOnly(letter) => attributes.retain(|attribute| attribute.key.starts_with(letter)),
        Action::ClearEach(letter) => {
            for attribute in attributes
                .iter_mut()
                .filter(|attribute| attribute.key.starts_with(letter))
            {
                attribute.value = Some(AnyValue { value: None });
            }
        }
    }
}

fn edit(editor: &mut Editor, actions: &[Action], message: &[u8]) -> Option<Vec<u8>> {
    let mut open = editor.open(message, field::SPAN).unwrap();
    for action in actions {
        match action {
            Action::Insert(key, value) => {
                open.insert(key.as_bytes(), &value.encode_to_vec());
            }
            Action::Update(key, value) => {
                open.update(key.as_bytes(), &value.encode_to_vec());
            }
            Action::Upsert(key, value) => open.upsert(key.as_bytes(), &value.encode_to_vec()),
            Action::Delete(key) => {
                open.delete(key.as_bytes());
            }
            Action::Modify(key, value) => {
                let modify = |old: &[u8], new: &mut Vec<u8>| {
                    AnyValue::decode(old).unwrap();
                    value.iter().for_each(|value| value.encode(new).unwrap());
                    Ok(if value.is_some() { Change::Replace } else { Change::Drop })
                };
                open.modify(key.as_bytes(), modify).unwrap();
            }
            Action::KeepOnly(letter) => open.retain(|key, _| key.starts_with(letter.as_bytes())),
            Action::ClearEach(letter) => open
                .for_each(|key, _, _| {
                    Ok(if key.starts_with(letter.as_bytes()) {
                        Change::Replace
                    } else {
                        Change::Keep
                    })
                })
                .unwrap(),
        }
    }
    let mut out = Vec::new();
    (open.finish(&mut out) == Change::Replace).then_some(out)
}

proptest! {
    #[test]
    fn actions_do_what_they_do_to_decoded_attributes(spans in vec(span(), 1..3), actions in vec(action(), 0..5)) {
        let mut editor = Editor::default();
        for span in spans {
            let bytes = span.encode_to_vec();
            let mut expected = span.clone();
            actions.iter().for_each(|action| apply(action, &mut expected.attributes));
            let after = edit(&mut editor, &actions, &bytes).unwrap_or(bytes);
            prop_assert_eq!(Span::decode(&after[..]).unwrap(), expected);
        }
    }

    #[test]
    fn one_attribute_is_modified_as_an_editor_does(
        span in span(), key in "[a-e]{0,2}", value in proptest::option::of(any_value()), keep in any::<bool>()
    ) {
        let bytes = span.encode_to_vec();
        let mut out = b"before".to_vec();
        let change = modify(&bytes, field::SPAN, key.as_bytes(), &mut out, |old, new| {
            AnyValue::decode(old).unwrap();
            value.iter().for_each(|value| value.encode(new).unwrap());
            Ok(match (&value, keep) {
                (_, true) => Change::Keep,
                (Some(_), _) => Change::Replace,
                (None, _) => Change::Drop,
            })
        });
        let mut expected = span.clone();
        if !keep {
            apply(&Action::Modify(key.clone(), value), &mut expected.attributes);
        }
        let present = span.attributes.iter().any(|attribute| attribute.key == key);
        prop_assert_eq!(change, Ok(if present && !keep { Change::Replace } else { Change::Keep }));
        prop_assert_eq!(&out[..6], b"before");
        let after = if present && !keep { &out[6..] } else { &bytes };
        prop_assert_eq!(Span::decode(after).unwrap(), expected);
    }

    #[test]
    fn the_first_of_a_key_is_found(span in span(), key in "[a-e]{0,2}") {
        let bytes = span.encode_to_vec();
        let expected = span.attributes.iter().find(|attribute| attribute.key == key);
        let found = find(&bytes, field::SPAN, key.as_bytes()).unwrap();
        prop_assert_eq!(found.is_some(), expected.is_some());
        if let (Some(found), Some(expected)) = (found, expected) {
            prop_assert_eq!(AnyValue::decode(found).unwrap(), expected.value.clone().unwrap_or_default());
        }
        let mut editor = Editor::default();
        let open = editor.open(&bytes, field::SPAN).unwrap();
        prop_assert_eq!(open.get(key.as_bytes()), found);
    }

    #[test]
    fn any_bytes_are_an_error_or_an_edit(bytes in vec(any::<u8>(), 0..100), number in 1..10u32) {
        let _ = find(&bytes, number, b"a");
        if let Ok(mut open) = Editor::default().open(&bytes, number) {
            open.upsert(b"a", b"");
            prop_assert_eq!(open.finish(&mut Vec::new()), Change::Replace);
        }
    }
}

#[test]
fn an_attribute_encoded_in_another_way_is_read_too() {
    let mut span = Vec::new();
    // The value before the key; a length padded to two bytes; a field that nobody knows.
    for attribute in [
        &b"\x12\x02\x10\x01\x0a\x01k"[..],
        b"\x0a\x81\x00l\x12\x02\x10\x01",
        b"\x0a\x01m\x12\x02\x10\x01\x18\x07",
    ] {
        span.extend_from_slice(&[9 << 3 | 2, attribute.len() as u8]);
        span.extend_from_slice(attribute);
    }
    for key in [b"k", b"l", b"m"] {
        assert_eq!(find(&span, field::SPAN, key), Ok(Some(&b"\x10\x01"[..])), "{key:?}");
    }
    assert_eq!(find(&span, field::SPAN, b"n"), Ok(None));
    assert_eq!(
        find(&span[..span.len() - 1], field::SPAN, b"n"),
        Err(Malformed::Truncated)
    );
}

#[test]
fn long_keys_and_values_are_put_as_prost_reads_them() {
    let mut span = Vec::new();
    let key = "k".repeat(200);
    let value = AnyValue {
        value: Some(opentelemetry_proto::tonic::common::v1::any_value::Value::StringValue(
            "v".repeat(20_000),
        )),
    };
    put(&mut span, field::SPAN, key.as_bytes(), &value.encode_to_vec());
    let read = Span::decode(&span[..]).unwrap();
    assert_eq!(
        read.attributes,
        [KeyValue {
            key,
            value: Some(value)
        }]
    );
    assert_eq!(read.encoded_len(), span.len());
}
