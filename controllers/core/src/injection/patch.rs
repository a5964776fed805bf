//! The difference of two JSON documents as a JSON Patch (RFC 6902): no larger than it must be, so that fields which this
//! program does not know survive.

use serde::Serialize;
use serde_json::{Map, Value};

/// One operation of a JSON Patch.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Operation {
    /// Puts a value into an object or between the elements of an array.
    Add {
        /// A JSON Pointer (RFC 6901).
        path: String,
        /// The value.
        value: Value,
    },
    /// Takes a value out.
    Remove {
        /// A JSON Pointer.
        path: String,
    },
    /// Puts another value in place of the one that is there.
    Replace {
        /// A JSON Pointer.
        path: String,
        /// The value.
        value: Value,
    },
    /// Refuses the whole patch if another value is there.
    Test {
        /// A JSON Pointer.
        path: String,
        /// The value.
        value: Value,
    },
}

/// What makes `before` into `after`, below the JSON Pointer `root`.
pub fn difference(root: &str, before: &Value, after: &Value) -> Vec<Operation> {
    let mut out = Vec::new();
    compare(root, before, after, &mut out);
    out
}

fn compare(path: &str, before: &Value, after: &Value, out: &mut Vec<Operation>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => objects(path, before, after, out),
        (Value::Array(before), Value::Array(after)) => arrays(path, before, after, out),
        _ if before == after => {}
        _ => out.push(Operation::Replace {
            path: path.to_owned(),
            value: after.clone(),
        }),
    }
}

fn objects(path: &str, before: &Map<String, Value>, after: &Map<String, Value>, out: &mut Vec<Operation>) {
    let below = |name: &str| format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        out.push(Operation::Remove { path: below(name) });
    }
    for (name, value) in after {
        match before.get(name) {
            Some(before) => compare(&below(name), before, value, out),
            None => out.push(Operation::Add {
                path: below(name),
                value: value.clone(),
            }),
        }
    }
}

/// What is alike at both ends stays; of what is between, the elements are compared one with one, and the rest is added or
/// removed.
fn arrays(path: &str, before: &[Value], after: &[Value], out: &mut Vec<Operation>) {
    let alike = |pair: &(&Value, &Value)| pair.0 == pair.1;
    let head = before.iter().zip(after).take_while(alike).count();
    let (before, after) = (&before[head..], &after[head..]);
    let tail = before.iter().rev().zip(after.iter().rev()).take_while(alike).count();
    let (before, after) = (&before[..before.len() - tail], &after[..after.len() - tail]);
    let both = before.len().min(after.len());
    for (at, (before, after)) in before.iter().zip(after).enumerate() {
        compare(&format!("{path}/{}", head + at), before, after, out);
    }
    for at in (both..before.len()).rev() {
        out.push(Operation::Remove {
            path: format!("{path}/{}", head + at),
        });
    }
    for (at, value) in after.iter().enumerate().skip(both) {
        out.push(Operation::Add {
            path: format!("{path}/{}", head + at),
            value: value.clone(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The operations as lines of `op path value`.
    fn check(before: &Value, after: &Value, expected: &[&str]) {
        let lines: Vec<String> = difference("", before, after)
            .iter()
            .map(|operation| match operation {
                Operation::Add { path, value } => format!("add {path} {value}"),
                Operation::Remove { path } => format!("remove {path}"),
                Operation::Replace { path, value } => format!("replace {path} {value}"),
                Operation::Test { path, value } => format!("test {path} {value}"),
            })
            .collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn only_what_differs_is_named() {
        check(
            &json!({"a": 1, "b": {"c": 2}}),
            &json!({"a": 1, "b": {"c": 3}}),
            &["replace /b/c 3"],
        );
        check(&json!({"a": 1}), &json!({"b/~": 1}), &["remove /a", "add /b~1~0 1"]);
        check(&json!({"a": [1]}), &json!({"a": [1]}), &[]);
    }

    #[test]
    fn elements_are_added_and_removed_where_they_stand() {
        check(&json!([1, 2]), &json!([1, 2, 3]), &["add /2 3"]);
        check(&json!([1, 2]), &json!([0, 1, 2]), &["add /0 0"]);
        check(&json!([1, 2, 3]), &json!([3]), &["remove /1", "remove /0"]);
        check(
            &json!([{"n": 1, "x": 1}]),
            &json!([{"n": 1, "x": 2}]),
            &["replace /0/x 2"],
        );
    }
}
