//! What Actions do to telemetry that is sent through the collector.

use crate::flow::{attribute, attributes, passed, request, spans};
use controllers_api::action::ActionSpec;
use controllers_core::collectors::{ActionError, Facts, Processing, action};
use serde_json::{Value, json};

fn made(spec: Value) -> Result<Processing, ActionError> {
    let spec: ActionSpec = serde_json::from_value(spec).unwrap();
    let facts = Facts {
        cluster_uid: Some("cluster-1".to_owned()),
    };
    action("test", &spec, &facts)
}

/// The one span that comes out of an Action.
fn span_through(spec: Value, resource: &[(&str, Value)], span: Value) -> Value {
    let mut whole = json!({
        "traceId": "0102030405060708090a0b0c0d0e0f10", "spanId": "0102030405060708", "name": "GET",
        "startTimeUnixNano": "1", "endTimeUnixNano": "2",
    });
    whole.as_object_mut().unwrap().extend(span.as_object().unwrap().clone());
    let scope = json!({"name": "scope", "attributes": attributes(&[("gone", json!("scope"))])});
    let processing = made(spec).unwrap();
    let out = passed(&processing.processors, "traces", &request(resource, scope, vec![whole]));
    let out = spans(&out);
    assert_eq!(out.len(), 1, "{out:?}");
    out[0].clone()
}

fn with_attributes(entries: &[(&str, Value)]) -> Value {
    json!({"attributes": attributes(entries)})
}

#[test]
fn cluster_information_is_added_and_overwrites_only_if_asked_to() {
    let spec = |overwrites: bool| {
        json!({"signals": ["TRACES"], "addClusterInfo": {
            "clusterAttributes": [{"attributeName": "k8s.cluster.name", "attributeStringValue": "a${env:HOME}$"}],
            "overwriteExistingValues": overwrites,
        }})
    };
    let name = |span: &Value| attribute(&span["resource"], "k8s.cluster.name");
    let span = span_through(spec(false), &[], json!({}));
    assert_eq!(name(&span).unwrap(), "a${env:HOME}$");
    let there = [("k8s.cluster.name", json!("there"))];
    assert_eq!(name(&span_through(spec(false), &there, json!({}))).unwrap(), "there");
    assert_eq!(
        name(&span_through(spec(true), &there, json!({}))).unwrap(),
        "a${env:HOME}$"
    );
}

#[test]
fn attributes_are_deleted_and_renamed_wherever_they_are() {
    let resource = [("gone", json!("resource")), ("old", json!("r"))];
    let attributes = with_attributes(&[("gone", json!("span")), ("old", json!(5)), ("kept", json!(1))]);
    let spec = json!({"signals": ["TRACES", "LOGS"], "deleteAttribute": {"attributeNamesToDelete": ["gone"]}});
    let span = span_through(spec, &resource, attributes.clone());
    for of in [&span, &span["resource"], &span["scope"]] {
        assert_eq!(attribute(of, "gone"), None, "{of}");
    }
    assert_eq!(attribute(&span, "kept").unwrap(), "1");
    let spec = json!({"signals": ["TRACES"], "renameAttribute": {"renames": {"old": "new"}}});
    let span = span_through(spec, &resource, attributes);
    assert_eq!(
        (attribute(&span, "new").unwrap().as_str(), attribute(&span, "old")),
        ("5", None)
    );
    assert_eq!(attribute(&span["resource"], "new").unwrap(), "r");
    assert_eq!(attribute(&span["scope"], "new"), None);
}

#[test]
fn personal_data_is_masked_where_the_scopes_say() {
    let spec = json!({"signals": ["TRACES"], "piiMasking": {
        "piiCategories": ["CREDIT_CARD", "EMAIL", "JWT", "UUID"],
        "customRegexMaskings": [{"regex": "secret-[a-z]+"}],
        "customFormatMaskings": [
            {"dataFormat": "json", "lookupKey": "password"},
            {"dataFormat": "sql", "lookupKey": "ssn"},
            {"dataFormat": "resource_path", "lookupKey": "users"},
        ],
        "scopes": {"namespaces": ["shop"]},
    }});
    let cases = [
        ("card 4111 1111 1111 1111.", "card ****."),
        ("from jane.doe@mail.example.com", "from ****"),
        ("bearer eyJhbGci.eyJzdWIi.c2ln", "bearer ****"),
        ("id 123e4567-e89b-12d3-a456-426614174000", "id ****"),
        ("a secret-word here", "a **** here"),
        (
            r#"{"user": "x", "password": "pa\"ss", "n": 1}"#,
            r#"{"user": "x", "password": "****", "n": 1}"#,
        ),
        (
            "select 1 where ssn = '1''2' and a = 3",
            "select 1 where ssn = '****' and a = 3",
        ),
        ("/users/jane/orders", "/users/****/orders"),
        ("order 4111", "order 4111"),
    ];
    for (text, expected) in cases {
        let attributes = with_attributes(&[("text", json!(text))]);
        let inside = span_through(
            spec.clone(),
            &[("k8s.namespace.name", json!("shop"))],
            attributes.clone(),
        );
        assert_eq!(attribute(&inside, "text").unwrap(), expected);
        let outside = span_through(spec.clone(), &[("k8s.namespace.name", json!("other"))], attributes);
        assert_eq!(attribute(&outside, "text").unwrap(), text);
    }
}

#[test]
fn bodies_of_logs_are_masked() {
    let spec = json!({"signals": ["LOGS"], "piiMasking": {"piiCategories": ["EMAIL"]}});
    let record =
        json!({"body": {"stringValue": "to a@b.example"}, "attributes": attributes(&[("a", json!("x@y.example"))])});
    let request = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]});
    let out = passed(&made(spec).unwrap().processors, "logs", &request);
    let record = &out[0]["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
    assert_eq!(record["body"]["stringValue"], "to ****");
    assert_eq!(attribute(record, "a").unwrap(), "****");
}

#[test]
fn paths_get_placeholders_and_spans_their_names() {
    let server = |path: &str| {
        json!({"kind": 2, "name": "GET", "attributes": attributes(&[
            ("http.request.method", json!("GET")), ("url.path", json!(path)),
        ])})
    };
    let guess = json!({"signals": ["TRACES"], "urlTemplatization": {}});
    let cases = [
        ("/users/42/orders/7", "/users/{id}/orders/{id}"),
        ("/a/1/2/3", "/a/{id}/{id}/{id}"),
        ("/u/123e4567-e89b-12d3-a456-426614174000", "/u/{id}"),
        ("/day/2024-05-01", "/day/{date}"),
        ("/m/a@b.example/x", "/m/{email}/x"),
        ("/h/deadbeefdeadbeefff", "/h/{id}"),
        ("/o/order-12345678", "/o/{id}"),
        ("/v2/health", "/v2/health"),
    ];
    for (path, expected) in cases {
        let span = span_through(guess.clone(), &[], server(path));
        assert_eq!(attribute(&span, "http.route").unwrap(), expected);
        assert_eq!(span["name"], format!("GET {expected}"));
    }
    let rules = json!({"signals": ["TRACES"], "urlTemplatization": {
        "rules": [{"templates": ["/shop/{product:[a-z]+}/*", "/static/{rest}"]}],
        "default": [{"skipPolicy": {"skipForNonSuccessCodes": true}}],
    }});
    let span = span_through(rules.clone(), &[], server("/shop/chair/9"));
    assert_eq!(attribute(&span, "http.route").unwrap(), "/shop/{product}/*");
    let mut failed = server("/none/9");
    let code = json!({"key": "http.response.status_code", "value": {"intValue": "404"}});
    failed["attributes"].as_array_mut().unwrap().push(code);
    let span = span_through(rules, &[], failed);
    assert_eq!((attribute(&span, "http.route"), &span["name"]), (None, &json!("GET")));
    let client = json!({"kind": 3, "name": "GET", "attributes": attributes(&[
        ("http.request.method", json!("GET")), ("url.full", json!("https://api.example/items/5?q=1")),
    ])});
    let span = span_through(guess, &[], client);
    assert_eq!(attribute(&span, "url.template").unwrap(), "/items/{id}");
    assert_eq!(span["name"], "GET /items/{id}");
}

#[test]
fn spans_are_renamed_by_language_and_scope() {
    let spec = json!({"signals": ["TRACES"], "spanRenamer": {
        "programmingLanguage": "javascript", "scopeName": "scope",
        "regexReplacements": [{"regexPattern": "user-(\\d+)", "templateText": "user $1!"}],
    }});
    let node = [("telemetry.sdk.language", json!("nodejs"))];
    let named = json!({"name": "get user-7"});
    assert_eq!(span_through(spec.clone(), &node, named.clone())["name"], "get user 7!");
    let go = [("telemetry.sdk.language", json!("go"))];
    assert_eq!(span_through(spec, &go, named)["name"], "get user-7");
}

#[test]
fn attributes_are_extracted_from_paths_and_payloads() {
    let spec = json!({"signals": ["TRACES"], "extractAttribute": {"extractions": [
        {"dataFormat": "resource_path", "lookupKey": "tenants", "targetAttributeName": "tenant"},
        {"dataFormat": "json", "lookupKey": "order", "targetAttributeName": "order.id"},
        {"regex": "v(\\d+)/", "targetAttributeName": "api.version"},
        {"regex": "absent", "targetAttributeName": "nothing"},
    ]}});
    let attributes = with_attributes(&[
        ("url.path", json!("/v2/tenants/acme/x")),
        ("http.request.body", json!(r#"{"a": 1, "order": "o-9", "b": 2}"#)),
    ]);
    let span = span_through(spec, &[], attributes);
    let found = ["tenant", "order.id", "api.version", "nothing"].map(|key| attribute(&span, key));
    let found: Vec<_> = found.iter().map(|value| value.as_deref()).collect();
    assert_eq!(found, [Some("acme"), Some("o-9"), Some("2"), None]);
}

#[test]
fn statements_lose_their_literals_and_say_what_they_do() {
    let spec = json!({"signals": ["TRACES"], "dbQueryTemplatization": {
        "templatizeLiterals": true, "removePostgresCastOperator": true,
    }});
    let cases = [
        (
            "SELECT * FROM t1 WHERE a = 'it''s' AND b = -42.5 AND c = $1",
            "SELECT * FROM t1 WHERE a = ? AND b = ? AND c = $1",
        ),
        ("select x::text, y::numeric(10, 2) from t", "select x, y from t"),
        ("insert into t values (1, 'a'), (2, 'b')", "insert into t values (?)"),
    ];
    for (query, expected) in cases {
        let span = span_through(spec.clone(), &[], with_attributes(&[("db.query.text", json!(query))]));
        assert_eq!(attribute(&span, "db.query.text").unwrap(), expected);
    }
    let spec = json!({"signals": ["TRACES"], "inferDbAttributes": {}});
    let cases = [
        ("select a from shop.\"orders\" where x", ("SELECT", Some("shop.orders"))),
        ("INSERT INTO `users` (a) VALUES (1)", ("INSERT", Some("users"))),
        ("update stock set n = 1", ("UPDATE", Some("stock"))),
        ("call f()", ("CALL", None)),
    ];
    for (query, (operation, collection)) in cases {
        let span = span_through(spec.clone(), &[], with_attributes(&[("db.statement", json!(query))]));
        assert_eq!(
            attribute(&span, "db.operation.name").as_deref(),
            Some(operation),
            "{query}"
        );
        assert_eq!(attribute(&span, "db.collection.name").as_deref(), collection, "{query}");
    }
}

#[test]
fn what_is_known_of_the_cluster_is_added_and_the_rest_is_named() {
    let spec = json!({"signals": ["TRACES"], "k8sAttributes": {
        "collectClusterUID": true, "collectReplicaSetAttributes": true, "collectContainerAttributes": true,
        "labelsAttributes": [{"labelKey": "app", "attributeKey": "app", "from": "pod"}],
    }});
    let without = made(spec.clone()).unwrap().without;
    assert_eq!(without.len(), 1);
    assert!(
        without[0].starts_with("labelsAttributes is not supported yet"),
        "{without:?}"
    );
    let pod = [
        ("k8s.pod.name", json!("cart-5f6d7c8b9-x2x4z")),
        ("k8s.deployment.name", json!("cart")),
    ];
    let span = span_through(spec, &pod, json!({}));
    assert_eq!(attribute(&span["resource"], "k8s.cluster.uid").unwrap(), "cluster-1");
    assert_eq!(
        attribute(&span["resource"], "k8s.replicaset.name").unwrap(),
        "cart-5f6d7c8b9"
    );
    let only = json!({"signals": ["TRACES"], "k8sAttributes": {"collectWorkloadUID": true}});
    assert!(matches!(made(only), Err(ActionError::NotSupported(_))));
}

#[test]
fn what_is_wrong_is_told_with_its_field() {
    let cases = [
        (json!({"signals": ["TRACES"]}), "exactly one of"),
        (
            json!({"signals": ["PROFILES"], "deleteAttribute": {"attributeNamesToDelete": ["a"]}}),
            "signals: must be some of",
        ),
        (
            json!({"signals": ["LOGS"], "inferDbAttributes": {}}),
            "signals: must contain TRACES",
        ),
        (
            json!({"signals": ["TRACES"], "deleteAttribute": {"attributeNamesToDelete": []}}),
            "spec.deleteAttribute.attributeNamesToDelete: must name",
        ),
        (
            json!({"signals": ["TRACES"], "renameAttribute": {"renames": {"a": "a"}}}),
            "spec.renameAttribute.renames: a would be renamed to itself",
        ),
        (
            json!({"signals": ["TRACES"], "piiMasking": {"customRegexMaskings": [{"regex": "a("}]}}),
            "spec.piiMasking: ",
        ),
        (
            json!({"signals": ["TRACES"], "urlTemplatization": {"rules": [{"templates": ["/a/b{c}"]}]}}),
            "spec.urlTemplatization.rules[0].templates[0]: \"b{c}\": a variable must fill the whole segment",
        ),
        (
            json!({"signals": ["TRACES"], "extractAttribute": {"extractions": [{"regex": "[", "targetAttributeName": "t"}]}}),
            "spec.extractAttribute.extractions[0].regex: ",
        ),
        (
            json!({"signals": ["TRACES"], "spanRenamer": {"programmingLanguage": "go", "scopeName": "", "regexReplacements": [
                {"regexPattern": "(", "templateText": ""},
            ]}}),
            "spec.spanRenamer.regexReplacements: ",
        ),
    ];
    for (spec, expected) in cases {
        let error = made(spec.clone()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{spec}: {error}");
    }
}
