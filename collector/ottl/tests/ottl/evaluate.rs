use crate::record::holds;
use collector_ottl::EvalError;

fn check(cases: &[(&str, bool)]) {
    for (condition, expected) in cases {
        assert_eq!(holds(condition), Ok(*expected), "{condition}");
    }
}

#[test]
fn values_of_one_type_compare_by_their_order() {
    check(&[
        ("name == \"checkout\"", true),
        ("name != \"checkout\"", false),
        ("name < \"checkouu\"", true),
        ("attributes[\"int\"] >= 7", true),
        ("attributes[\"int\"] < 7", false),
        ("attributes[\"double\"] > 2.4", true),
        ("attributes[\"bytes\"] == 0x01ab", true),
        ("attributes[\"bytes\"] < 0x02", true),
        ("false < attributes[\"yes\"]", true),
        ("attributes[\"yes\"] <= false", false),
        ("kind == SPAN_KIND_SERVER", true),
        ("status.code == STATUS_CODE_ERROR", true),
        ("trace_id == TraceID(0x0102030405060708090a0b0c0d0e0f10)", true),
        ("trace_id == TraceID(\"0102030405060708090A0B0C0D0E0F10\")", true),
    ]);
}

#[test]
fn an_int_and_a_double_compare_as_numbers() {
    check(&[
        ("attributes[\"int\"] == 7.0", true),
        ("attributes[\"int\"] < 7.5", true),
        ("2 < attributes[\"double\"]", true),
        ("attributes[\"double\"] != 2", true),
    ]);
}

#[test]
fn values_of_other_types_are_only_unequal() {
    check(&[
        ("attributes[\"int\"] == \"7\"", false),
        ("attributes[\"int\"] != \"7\"", true),
        ("attributes[\"int\"] < \"8\"", false),
        ("attributes[\"yes\"] == 1", false),
        ("attributes[\"text\"] > nil", false),
        ("attributes[\"bytes\"] == nil", false),
        ("attributes[\"list\"] == attributes[\"map\"]", false),
    ]);
}

#[test]
fn nil_equals_what_is_not_there() {
    check(&[
        ("attributes[\"absent\"] == nil", true),
        ("attributes[\"absent\"] != nil", false),
        ("attributes[\"null\"] == nil", true),
        ("attributes[\"text\"] != nil", true),
        ("nil == nil", true),
        ("nil <= nil", true),
        ("nil < nil", false),
        ("attributes[\"absent\"] < 1", false),
        ("attributes[\"absent\"] != 1", true),
    ]);
}

#[test]
fn lists_and_maps_compare_by_what_they_hold() {
    check(&[
        ("attributes[\"list\"] == [\"a\", 2]", true),
        ("attributes[\"list\"] == [\"a\", 2.0]", false),
        ("attributes[\"list\"] < [\"b\"]", false),
        ("attributes[\"map\"] == {\"list\": [1], \"inner\": \"deep\"}", true),
        ("attributes[\"map\"] != {\"inner\": \"deep\"}", true),
    ]);
}

#[test]
fn keys_lead_into_lists_and_maps() {
    check(&[
        ("attributes[\"map\"][\"inner\"] == \"deep\"", true),
        ("attributes[\"map\"][\"list\"][0] == 1", true),
        ("attributes[\"map\"][\"absent\"] == nil", true),
        ("attributes[\"absent\"][\"inner\"] == nil", true),
        ("attributes[\"list\"][1] == 2", true),
        ("Split(\"a,b\", \",\")[1] == \"b\"", true),
    ]);
    let out = EvalError::OutOfRange { index: 2, length: 2 };
    assert_eq!(holds("attributes[\"list\"][2] == nil"), Err(out));
    let error = holds("attributes[\"int\"][\"a\"] == nil").expect_err("an int has no entries");
    assert_eq!(error.to_string(), "a value of type int has no entry [\"a\"]");
}

#[test]
fn not_binds_tighter_than_and_and_and_tighter_than_or() {
    check(&[
        ("true or false and false", true),
        ("(true or false) and false", false),
        ("not false and false", false),
        ("not (false and false)", true),
        ("not name == \"other\"", true),
        ("false or false or true", true),
        ("true and not false and IsRootSpan()", true),
    ]);
}

#[test]
fn what_follows_a_decision_is_not_evaluated() {
    check(&[("true or 1 / 0 == 1", true), ("false and 1 / 0 == 1", false)]);
}

#[test]
fn arithmetic_keeps_precedence_and_types() {
    check(&[
        ("1 + 2 * 3 == 7", true),
        ("(1 + 2) * 3 == 9", true),
        ("7 / 2 == 3", true),
        ("-7 / 2 == -3", true),
        ("7 / 2.0 == 3.5", true),
        ("10 - 2 - 3 == 5", true),
        ("10 -2 == 8", true),
        ("-attributes[\"int\"] == -7", true),
        ("end_time_unix_nano - start_time_unix_nano > 1999", true),
        ("9223372036854775807 + 1 == -9223372036854775808", true),
    ]);
    assert_eq!(holds("1 / 0 == 1"), Err(EvalError::DivisionByZero));
    assert_eq!(holds("1.0 / 0.0 == 1"), Err(EvalError::DivisionByZero));
    assert!(holds("attributes[\"text\"] + 1 == 1").is_err());
}

#[test]
fn paths_of_outer_contexts_are_reached_by_name() {
    check(&[
        ("resource.attributes[\"host\"] == \"node-1\"", true),
        ("instrumentation_scope.name == \"http\"", true),
        ("scope.name == \"http\"", true),
        ("span.name == name", true),
    ]);
}

#[test]
fn ismatch_searches_in_whatever_can_be_text() {
    check(&[
        ("IsMatch(attributes[\"text\"], \"/user/\\\\d+$\")", true),
        ("IsMatch(attributes[\"text\"], \"^user\")", false),
        ("IsMatch(attributes[\"int\"], \"^7$\")", true),
        ("IsMatch(attributes[\"double\"], \"^2\\\\.5$\")", true),
        ("IsMatch(attributes[\"yes\"], \"true\")", true),
        ("IsMatch(attributes[\"bytes\"], \"^01ab$\")", true),
        ("IsMatch(attributes[\"list\"], \"^\\\\[\\\"a\\\",2\\\\]$\")", true),
        ("IsMatch(attributes[\"absent\"], \".*\")", false),
        ("IsMatch(pattern = \"check\", target = name)", true),
    ]);
}

#[test]
fn concat_joins_the_texts_of_values() {
    check(&[
        (
            "Concat([\"a\", 1, 2.5, true, 0x0a, nil], \"-\") == \"a-1-2.5-true-0a-<nil>\"",
            true,
        ),
        (
            "Concat([attributes[\"text\"], name], \": \") == \"GET /user/42: checkout\"",
            true,
        ),
        ("Concat([], \",\") == \"\"", true),
        ("Concat(attributes[\"list\"], \"+\") == \"a+2\"", true),
        (
            "Concat([attributes[\"map\"]], \"\") == \"{\\\"inner\\\":\\\"deep\\\",\\\"list\\\":[1]}\"",
            true,
        ),
    ]);
    assert!(holds("Concat(attributes[\"int\"], \"\") == \"\"").is_err());
}

#[test]
fn values_are_converted_nothing_stays_nothing_and_all_else_is_an_error() {
    check(&[
        ("Int(\"42\") == 42", true),
        ("Int(2.9) == 2", true),
        ("Int(-2.9) == -2", true),
        ("Int(true) == 1", true),
        ("Int(nil) == nil and Double(nil) == nil and Bool(nil) == nil", true),
        ("Double(\"1.5\") == 1.5", true),
        ("Double(3) == 3.0", true),
        ("Double(\"-Inf\") < 0.0", true),
        ("Double(\"0x1p-2\") == 0.25 and Double(\"1_000\") == 1000", true),
        ("Bool(\"T\") == true", true),
        ("Bool(0) == false", true),
        ("String(7) == \"7\"", true),
        ("String(nil) == nil", true),
        ("String(0x0a0b) == \"0a0b\"", true),
        ("String(0.0000001) == \"1e-07\"", true),
        ("String(attributes[\"double\"]) == \"2.5\"", true),
        (r#"String(["<"]) == "[\"\\u003c\"]""#, true),
        ("Coalesce([attributes[\"absent\"], nil, 3]) == 3", true),
    ]);
    for text in [
        "Int(\"4x\")",
        "Int(0x01)",
        "Double(\"x\")",
        "Double(\"1e999\")",
        "Double([1])",
        "Bool(\"yes\")",
        "Bool({\"a\": true})",
    ] {
        assert!(holds(&format!("{text} == nil")).is_err(), "{text}");
    }
    for no_number in ["NaN", "Inf"] {
        for text in ["String(X)", "Concat([X], \"\")", "String([X])"] {
            let text = text.replace('X', &format!("Double(\"{no_number}\")"));
            assert!(holds(&format!("{text} == \"\"")).is_err(), "{text}");
        }
    }
}

#[test]
fn types_can_be_asked_for() {
    check(&[
        ("IsString(attributes[\"text\"])", true),
        ("IsString(attributes[\"absent\"])", false),
        ("IsInt(attributes[\"int\"]) and IsDouble(attributes[\"double\"])", true),
        ("IsBool(attributes[\"yes\"])", true),
        ("IsList(attributes[\"list\"]) and IsMap(attributes[\"map\"])", true),
        ("IsMap(attributes)", true),
        ("IsInt(attributes[\"double\"])", false),
    ]);
}

#[test]
fn texts_are_measured_cut_and_hashed() {
    check(&[
        (
            "Len(name) == 8 and Len(attributes[\"list\"]) == 2 and Len(attributes[\"map\"]) == 2",
            true,
        ),
        ("Len(\"\u{e9}\") == 2", true),
        ("Split(\"a//b\", \"/\") == [\"a\", \"\", \"b\"]", true),
        ("Split(\"ab\", \"\") == [\"a\", \"b\"]", true),
        ("Substring(name, 0, 5) == \"check\"", true),
        (
            "ToUpperCase(name) == \"CHECKOUT\" and ToLowerCase(\"AbC\") == \"abc\"",
            true,
        ),
        ("HasPrefix(name, \"check\") and HasSuffix(name, \"out\")", true),
        ("HasPrefix(name, \"out\")", false),
        (
            "SHA256(\"abc\") == \"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"",
            true,
        ),
        // Go: h := fnv.New64a(); h.Write([]byte("hello world")); int64(h.Sum64())
        ("FNV(\"hello world\") == 8618312879776256743", true),
        ("Hex(nil) == \"\" and ToUpperCase(\"\u{df}\") == \"\u{df}\"", true),
        ("Hex(\"az\") == \"617a\" and Hex(1) == \"0000000000000001\"", true),
    ]);
    assert!(holds("Substring(name, 5, 5) == \"\"").is_err());
    assert!(holds("Len(attributes[\"int\"]) == 1").is_err());
    assert!(holds("TraceID(0x01) == nil").is_err());
}
