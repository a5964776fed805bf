use crate::record::{attributes_after, map, span, text};
use collector_ottl::{Context, Field, Statement};
use collector_pdata::Value;

#[test]
fn set_writes_a_field_an_attribute_and_what_lies_within() {
    let cases = [
        (
            "set(attributes[\"a\"], 1)",
            map(&[("k", text("v")), ("a", Value::Int(1))]),
        ),
        (
            "set(attributes[\"k\"], Concat([name, \"x\"], \"-\"))",
            map(&[("k", text("checkout-x"))]),
        ),
        ("set(attributes[\"m\"][\"n\"], true)", {
            map(&[("k", text("v")), ("m", map(&[("n", Value::Bool(true))]))])
        }),
        ("set(attributes[\"l\"][1], 2)", {
            map(&[("k", text("v")), ("l", Value::List(vec![Value::Null, Value::Int(2)]))])
        }),
        ("set(attributes, {\"only\": [1, \"b\"]})", {
            map(&[("only", Value::List(vec![Value::Int(1), text("b")]))])
        }),
        (
            "set(attributes[\"a\"], nil)",
            map(&[("k", text("v")), ("a", Value::Null)]),
        ),
        ("set(attributes[\"k\"], Int(nil))", map(&[("k", Value::Null)])),
        (
            "set(attributes[\"a\"], 1) where name == \"other\"",
            map(&[("k", text("v"))]),
        ),
        ("set(attributes[\"a\"], 1 + 2) where name == \"checkout\"", {
            map(&[("k", text("v")), ("a", Value::Int(3))])
        }),
    ];
    for (statement, expected) in cases {
        assert_eq!(
            attributes_after(&[("k", text("v"))], statement),
            expected,
            "{statement}"
        );
    }
}

#[test]
fn a_statement_says_whether_it_ran_and_whose_field_it_writes() {
    let mut record = span();
    let statement = Statement::compile(Context::Span, "set(resource.attributes[\"a\"], name) where true").unwrap();
    assert_eq!(statement.writes(), Context::Resource);
    assert_eq!(statement.run(&mut record), Ok(true));
    let resource = map(&[("host", text("node-1")), ("a", text("checkout"))]);
    assert_eq!(record.fields[&(Context::Resource, Field::Attributes)], resource);
    let statement = Statement::compile(Context::Span, "set(name, \"x\") where kind == SPAN_KIND_CLIENT").unwrap();
    assert_eq!(statement.run(&mut record), Ok(false));
}

#[test]
fn a_list_that_is_lengthened_by_an_index_has_a_bound() {
    let statement = Statement::compile(Context::Span, "set(attributes[\"l\"][4000000000], 2)").unwrap();
    assert!(statement.run(&mut span()).is_err());
}

#[test]
fn keys_are_deleted_and_kept_by_name_and_by_pattern() {
    let before = [
        ("http.method", text("GET")),
        ("http.url", text("/")),
        ("password", text("x")),
    ];
    let names = |statement: &str| match attributes_after(&before, statement) {
        Value::Map(entries) => entries.into_iter().map(|(key, _)| key).collect::<Vec<_>>().join(" "),
        other => panic!("{other:?}"),
    };
    let cases = [
        ("delete_key(attributes, \"http.url\")", "http.method password"),
        ("delete_key(attributes, \"absent\")", "http.method http.url password"),
        (
            "delete_matching_keys(attributes, \"(?i).*PASS.*\")",
            "http.method http.url",
        ),
        (
            "keep_keys(attributes, [\"password\", \"http.url\", \"absent\"])",
            "http.url password",
        ),
        ("keep_keys(attributes, [])", ""),
        ("keep_matching_keys(attributes, \"^http\\\\.\")", "http.method http.url"),
        ("limit(attributes, 2, [\"password\"])", "http.method password"),
        ("limit(attributes, 3, [])", "http.method http.url password"),
        ("limit(attributes, 0, [])", ""),
    ];
    for (statement, expected) in cases {
        assert_eq!(names(statement), expected, "{statement}");
    }
}

#[test]
fn a_map_within_a_map_is_edited_where_it_is() {
    let before = [("m", map(&[("a", Value::Int(1)), ("b", Value::Int(2))]))];
    let after = attributes_after(&before, "delete_key(attributes[\"m\"], \"a\")");
    assert_eq!(after, map(&[("m", map(&[("b", Value::Int(2))]))]));
    let statement = Statement::compile(Context::Span, "delete_key(attributes[\"absent\"], \"a\")").unwrap();
    let error = statement.run(&mut span()).unwrap_err().to_string();
    assert_eq!(error, "the editor takes a map, not nil");
}

#[test]
fn replace_pattern_replaces_every_match_and_expands_groups() {
    let after = |value: &str, arguments: &str| {
        let statement = format!("replace_pattern(attributes[\"k\"], {arguments})");
        match attributes_after(&[("k", text(value))], &statement) {
            Value::Map(entries) => entries[0].1.clone(),
            other => panic!("{other:?}"),
        }
    };
    let cases = [
        (
            "password=secret x",
            r#""password\\=[^\\s]*(\\s?)", "password=***$1""#,
            "password=*** x",
        ),
        (
            "kube_pod_info",
            r#""^kube_([0-9A-Za-z]+_)", "k8s.$1.""#,
            "k8s.pod_.info",
        ),
        ("a1b22", r#""\\d+", "_""#, "a_b_"),
        ("a1", r#""(?P<l>[a-z])(\\d)", "${l}-$2$l.""#, "a-1a."),
        // The longest name is meant: there is no group called `1x`.
        ("a1", r#""([a-z])", "$1x""#, "1"),
        ("a1", r#""([a-z])", "${1}x""#, "ax1"),
        ("a1", r#""([a-z])", "$$1 $ ${""#, "$1 $ ${1"),
        ("ab", r#""(a)|(c)", "<$2>""#, "<>b"),
        ("abc", r#""x*", "-""#, "-a-b-c-"),
        ("other", r#""zzz", "y""#, "other"),
        ("a secret b", r#""secret", "$0", SHA256, "h(%s)""#, {
            "a h(2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b) b"
        }),
        ("x-ab-y", r#""-(\\w+)-", "$1", ToUpperCase"#, "xABy"),
        (
            "x-ab-y",
            r#""-(\\w+)-", "$1", function = ToUpperCase, replacement_format = "<%s>""#,
            "x<AB>y",
        ),
    ];
    for (value, arguments, expected) in cases {
        assert_eq!(after(value, arguments), text(expected), "{value} {arguments}");
    }
}

#[test]
fn a_replacement_may_come_from_the_record() {
    let after = attributes_after(
        &[("k", text("a1")), ("r", text("<$0>"))],
        "replace_pattern(attributes[\"k\"], \"\\\\d\", attributes[\"r\"])",
    );
    assert_eq!(after, map(&[("k", text("a<1>")), ("r", text("<$0>"))]));
}

#[test]
fn what_is_no_text_is_not_replaced() {
    let before = [("k", Value::Int(1))];
    let after = attributes_after(&before, "replace_pattern(attributes[\"k\"], \"1\", \"2\")");
    assert_eq!(after, map(&before));
}

#[test]
fn replace_all_patterns_works_on_keys_or_on_values() {
    let before = [("kube_pod", text("/account/1234")), ("n", Value::Int(1))];
    let cases = [
        (r#""value", "/account/\\d{4}", "/account/{accountId}""#, {
            map(&[("kube_pod", text("/account/{accountId}")), ("n", Value::Int(1))])
        }),
        (r#""key", "^kube_([a-z]+)", "k8s.$1""#, {
            map(&[("k8s.pod", text("/account/1234")), ("n", Value::Int(1))])
        }),
        // `.*` does not match the empty rest of a text that it has covered, in Go neither.
        (r#""key", ".*", "one""#, map(&[("one", Value::Int(1))])),
    ];
    for (arguments, expected) in cases {
        let statement = format!("replace_all_patterns(attributes, {arguments})");
        let after = attributes_after(&before, &statement);
        assert_eq!(after, expected, "{statement}");
    }
}

#[test]
fn replace_match_replaces_whole_texts_that_a_glob_covers() {
    let statement = "replace_match(attributes[\"k\"], \"/user/*/list/*\", \"/user/{userId}/list/{listId}\")";
    let after = attributes_after(&[("k", text("/user/1/list/2"))], statement);
    assert_eq!(after, map(&[("k", text("/user/{userId}/list/{listId}"))]));
    let unmatched = [("k", text("/users/1/list/2"))];
    assert_eq!(attributes_after(&unmatched, statement), map(&unmatched));
    let statement = "replace_all_matches(attributes, \"/user/*\", \"$1\")";
    let after = attributes_after(&[("a", text("/user/1")), ("b", text("x /user/1"))], statement);
    assert_eq!(after, map(&[("a", text("$1")), ("b", text("x /user/1"))]));
}

#[test]
fn truncate_all_cuts_texts_between_characters() {
    let before = [
        ("a", text("abcdef")),
        ("e", text("ab\u{20ac}")),
        ("n", Value::Int(123_456)),
        ("s", text("ab")),
    ];
    let cases = [
        ("truncate_all(attributes, 4)", ["abcd", "ab", "ab"]),
        ("truncate_all(attributes, 5)", ["abcde", "ab\u{20ac}", "ab"]),
        ("truncate_all(attributes, 0)", ["", "", ""]),
        ("truncate_all(attributes, 4, true, \"..\")", ["ab..", "ab..", "ab"]),
        (
            "truncate_all(attributes, 4, truncation_marker = \"~\")",
            ["abc~", "ab~", "ab"],
        ),
    ];
    for (statement, [a, e, s]) in cases {
        let expected = map(&[
            ("a", text(a)),
            ("e", text(e)),
            ("n", Value::Int(123_456)),
            ("s", text(s)),
        ]);
        assert_eq!(attributes_after(&before, statement), expected, "{statement}");
    }
}

#[test]
fn merge_maps_inserts_updates_or_both() {
    let before = [("a", Value::Int(1)), ("b", Value::Int(2))];
    let cases = [
        (
            "insert",
            map(&[("a", Value::Int(1)), ("b", Value::Int(2)), ("c", Value::Int(4))]),
        ),
        ("update", map(&[("a", Value::Int(1)), ("b", Value::Int(3))])),
        (
            "upsert",
            map(&[("a", Value::Int(1)), ("b", Value::Int(3)), ("c", Value::Int(4))]),
        ),
    ];
    for (strategy, expected) in cases {
        let statement = format!("merge_maps(attributes, {{\"b\": 3, \"c\": 4}}, \"{strategy}\")");
        assert_eq!(attributes_after(&before, &statement), expected, "{strategy}");
    }
}

#[test]
fn append_makes_a_list_of_what_is_there() {
    let list = |values: &[&str]| map(&[("k", Value::List(values.iter().map(|value| text(value)).collect()))]);
    let before = [("k", text("a"))];
    assert_eq!(
        attributes_after(&before, "append(attributes[\"k\"], \"b\")"),
        list(&["a", "b"])
    );
    assert_eq!(
        attributes_after(&[], "append(attributes[\"k\"], values = [\"a\", \"b\"])"),
        list(&["a", "b"])
    );
}

#[test]
fn a_replacement_does_not_grow_without_bound() {
    let mut record = span();
    let long = "a".repeat(1 << 20);
    let attributes = map(&[("k", text(&long)), ("r", text(&"$0".repeat(100)))]);
    record.fields.insert((Context::Span, Field::Attributes), attributes);
    for text in [
        "replace_pattern(attributes[\"k\"], \".+\", attributes[\"r\"])",
        "replace_pattern(attributes[\"k\"], \"a\", attributes[\"r\"])",
        "replace_pattern(attributes[\"k\"], \"a\", attributes[\"r\"], String)",
        "set(attributes[\"k\"], Split(attributes[\"k\"], \"\"))",
    ] {
        let statement = Statement::compile(Context::Span, text).unwrap();
        assert!(statement.run(&mut record).is_err(), "{text}");
    }
}
