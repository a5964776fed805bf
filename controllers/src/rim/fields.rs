//! Whether a server-side apply would change anything, told from the live object without asking the apiserver.
//!
//! The apiserver notes in `managedFields` which fields a manager has applied (`fieldsV1`: `f:` before a field, `k:` before the
//! keys of an element of a list, `v:` before an element of a set; see the API concepts of Kubernetes, "Server-Side Apply"). An
//! apply changes nothing when the manager owns exactly the fields that it would apply, and each has the value already. What
//! the schema of a kind says of its lists shows in that note, so no schema is needed here.
//!
//! Values are compared as they are written. A quantity must therefore stand as Kubernetes writes it (`1`, not `1000m`), or it
//! is applied each time.

use serde_json::{Map, Value};

/// Whether `live` has all of `desired`, and `owned` (the manager's `fieldsV1`) names nothing else.
pub fn is_applied(live: &Value, owned: &Value, desired: &Value) -> bool {
    let (Value::Object(live), Value::Object(owned), Value::Object(desired)) = (live, owned, desired) else {
        return false;
    };
    // What names the object is applied, but owned by nobody.
    let mut desired = desired.clone();
    desired.remove("apiVersion");
    desired.remove("kind");
    let empty = match desired.get_mut("metadata") {
        Some(Value::Object(metadata)) => {
            for name in ["name", "namespace", "creationTimestamp"] {
                metadata.remove(name);
            }
            metadata.is_empty()
        }
        _ => false,
    };
    if empty {
        desired.remove("metadata");
    }
    object(live, owned, &desired)
}

fn node(live: &Value, owned: &Value, desired: &Value) -> bool {
    let parts = owned.as_object().map(|owned| owned.keys().filter(|key| *key != "."));
    if parts.is_none_or(|mut parts| parts.next().is_none()) {
        return same(live, desired);
    }
    match (live, owned, desired) {
        (Value::Object(live), Value::Object(owned), Value::Object(desired)) => object(live, owned, desired),
        (Value::Array(live), Value::Object(owned), Value::Array(desired)) => list(live, owned, desired),
        _ => false,
    }
}

fn object(live: &Map<String, Value>, owned: &Map<String, Value>, desired: &Map<String, Value>) -> bool {
    let wanted = desired.iter().filter(|(_, value)| !value.is_null());
    let owned_fields = owned.keys().filter(|key| key.starts_with("f:")).count();
    wanted.clone().count() == owned_fields
        && wanted.into_iter().all(|(name, desired)| {
            let owned = owned.get(&format!("f:{name}"));
            let live = live.get(name);
            owned.zip(live).is_some_and(|(owned, live)| node(live, owned, desired))
        })
}

/// A list that is not owned as a whole: each owned element is found by its keys, or by its value.
fn list(live: &[Value], owned: &Map<String, Value>, desired: &[Value]) -> bool {
    let elements = owned.iter().filter(|(key, _)| *key != ".");
    elements.clone().count() == desired.len()
        && elements.into_iter().all(|(key, owned)| {
            let Some((how, keys)) = key.split_once(':') else {
                return false;
            };
            let Ok(keys) = serde_json::from_str::<Value>(keys) else {
                return false;
            };
            match how {
                "v" => live.contains(&keys) && desired.contains(&keys),
                "k" => element(live, &keys)
                    .zip(element(desired, &keys))
                    .is_some_and(|(live, desired)| node(live, owned, desired)),
                _ => false,
            }
        })
}

/// The keys of Kubernetes' own lists that may be left out, since they have a default: a port's protocol.
fn is_default_of_key(name: &str) -> bool {
    name == "protocol"
}

fn element<'a>(list: &'a [Value], keys: &Value) -> Option<&'a Value> {
    let keys = keys.as_object()?;
    list.iter().find(|element| {
        keys.iter().all(|(name, key)| {
            element
                .get(name)
                .map_or_else(|| is_default_of_key(name), |it| it == key)
        })
    })
}

/// Equal, with numbers by their value.
fn same(live: &Value, desired: &Value) -> bool {
    match (live, desired) {
        (Value::Number(live), Value::Number(desired)) => live == desired || live.as_f64() == desired.as_f64(),
        (Value::Array(live), Value::Array(desired)) => {
            live.len() == desired.len() && live.iter().zip(desired).all(|(live, desired)| same(live, desired))
        }
        // An atomic object may have defaults beside what was applied.
        (Value::Object(live), Value::Object(desired)) => desired
            .iter()
            .filter(|(_, value)| !value.is_null())
            .all(|(name, desired)| live.get(name).is_some_and(|live| same(live, desired))),
        _ => live == desired,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn desired() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "g", "namespace": "n", "labels": {"app": "g"}},
            "spec": {"replicas": 2, "template": {"spec": {"containers": [
                {"name": "c", "image": "i", "args": ["a", "b"], "ports": [{"containerPort": 80}]}]}}}
        })
    }

    fn owned() -> Value {
        json!({
            "f:metadata": {"f:labels": {"f:app": {}}},
            "f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {
                "k:{\"name\":\"c\"}": {".": {}, "f:name": {}, "f:image": {}, "f:args": {}, "f:ports": {
                    "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}}}}}}}
        })
    }

    fn live() -> Value {
        json!({
            "metadata": {"name": "g", "labels": {"app": "g", "theirs": "x"}, "uid": "u"},
            "spec": {"replicas": 2.0, "paused": false, "template": {"spec": {"dnsPolicy": "ClusterFirst", "containers": [
                {"name": "sidecar", "image": "theirs"},
                {"name": "c", "image": "i", "args": ["a", "b"], "imagePullPolicy": "Always",
                 "ports": [{"containerPort": 80, "protocol": "TCP"}]}]}}}
        })
    }

    #[test]
    fn what_others_and_defaults_add_is_no_difference() {
        assert!(is_applied(&live(), &owned(), &desired()));
    }

    #[test]
    fn every_change_of_a_value_and_every_field_too_many_or_too_few_is_one() {
        let changes: [fn(&mut Value, &mut Value); 7] = [
            |live, _| live["spec"]["replicas"] = json!(3),
            |live, _| live["spec"]["template"]["spec"]["containers"][1]["args"] = json!(["a"]),
            |live, _| live["metadata"]["labels"] = json!({}),
            |_, desired| desired["metadata"]["labels"] = json!({"app": "g", "more": "x"}),
            |_, desired| desired["metadata"]["labels"] = json!({}),
            |_, desired| desired["spec"]["template"]["spec"]["containers"][0]["name"] = json!("d"),
            |_, desired| {
                let containers = desired["spec"]["template"]["spec"]["containers"].as_array_mut();
                containers.unwrap().push(json!({"name": "second"}));
            },
        ];
        for (index, change) in changes.iter().enumerate() {
            let (mut live, mut desired) = (live(), desired());
            change(&mut live, &mut desired);
            assert!(!is_applied(&live, &owned(), &desired), "change {index}");
        }
    }

    #[test]
    fn sets_are_compared_by_their_elements() {
        let owned = json!({"f:metadata": {"f:finalizers": {".": {}, "v:\"ours\"": {}}}});
        let live = json!({"metadata": {"finalizers": ["theirs", "ours"]}});
        let desired = |names: Value| json!({"metadata": {"name": "x", "finalizers": names}});
        assert!(is_applied(&live, &owned, &desired(json!(["ours"]))));
        assert!(!is_applied(&live, &owned, &desired(json!([]))));
        assert!(!is_applied(&live, &owned, &desired(json!(["ours", "theirs"]))));
    }
}
