use collector_ottl::{Condition, Context, MAX_DEPTH, Statement, Text, infer_context};

fn statement_errors(context: Context, text: &str) -> String {
    match Statement::compile(context, text) {
        Ok(_) => "no error".to_owned(),
        Err(errors) => errors.to_string(),
    }
}

fn condition_errors(text: &str) -> String {
    match Condition::compile(Context::Span, text) {
        Ok(_) => "no error".to_owned(),
        Err(errors) => errors.to_string(),
    }
}

/// Statements on a span, and what is wrong with them.
const WRONG: &[(&str, &str)] = &[
    (
        "sett(name, \"a\")",
        "column 1: there is no editor `sett`; did you mean `set`?",
    ),
    (
        "set(nam, \"a\")",
        "column 5: the context span has no path `nam`; did you mean `name`?",
    ),
    (
        "set(name, Conct([], \"\"))",
        "column 11: there is no converter `Conct`; did you mean `Concat`?",
    ),
    (
        "set(kind, SPAN_KIND_SEVER)",
        "column 11: there is no enum symbol `SPAN_KIND_SEVER`; did you mean `SPAN_KIND_SERVER`?",
    ),
    ("set(name, 1)", "column 11: set takes text here, not int"),
    ("set(\"name\", 1)", "column 5: set needs a path here"),
    ("set(name)", "column 1: set needs the argument `value`"),
    ("set(name, \"a\", \"b\")", "column 16: set: takes 2 arguments at most"),
    (
        "set(name, valeu = \"a\")",
        "column 19: set: there is no argument `valeu`; did you mean `value`?",
    ),
    (
        "set(name = \"a\", name)",
        "column 12: set: there is no argument `name`; column 17: set: after an argument with a name, all have one",
    ),
    (
        "set(target = name, target = name)",
        "column 29: `target` is given twice",
    ),
    (
        "set(metric.name, \"a\")",
        "column 5: `metric` cannot be reached from the context span",
    ),
    (
        "delete_key(name, \"a\")",
        "column 12: delete_key needs a path to a map here, not to text",
    ),
    (
        "truncate_all(attributes, -1)",
        "column 26: truncate_all needs a whole number of at least 0 here",
    ),
    (
        "limit(attributes, 1, [\"a\", \"b\"])",
        "column 1: limit: 2 priority keys are more than the limit of 1",
    ),
    (
        "merge_maps(attributes, {}, \"replace\")",
        "column 28: merge_maps knows insert, update, upsert here, not \"replace\"",
    ),
    (
        "replace_pattern(name, \"(\", \"\")",
        "column 23: this is no regular expression: unclosed group",
    ),
    (
        "replace_pattern(name, \"a\", \"b\", SHA255)",
        "column 33: there is no converter `SHA255` from a text to a text; did you mean `SHA256`?",
    ),
    (
        "set(attributes[0], 1)",
        "column 5: the first key of `attributes` is a text in quotes",
    ),
    ("set(name[\"a\"], 1)", "column 5: `name` does not take these keys"),
    (
        "Set(name, 1)",
        "column 1: `Set` is a converter; a statement begins with an editor, such as `set`",
    ),
    ("set(name, lower(name))", {
        "column 11: `lower` is written as an editor; within an expression there are only converters, which begin \
             with a capital"
    }),
    (
        "set(name, \"a\") when true",
        "column 16: an operator or the end is expected here, not `when`",
    ),
    ("set(name, \"a)", "column 11: this text has no closing quote"),
    (
        "set(name, \"\\d\")",
        "column 11: \\d is no escape; a backslash itself is written \\\\",
    ),
    (
        "set(name, 0xabc)",
        "column 11: 0xabc needs an even number of hexadecimal digits, and at least two",
    ),
    (
        "set(name, 99999999999999999999)",
        "column 11: 99999999999999999999 is beyond 64 bits",
    ),
    ("set(name, \u{20ac})", "column 11: `\u{20ac}` has no meaning here"),
    ("", "column 1: the name of an editor is expected here, not the end"),
];

#[test]
fn errors_say_where_and_name_the_closest_word() {
    for (text, expected) in WRONG {
        assert_eq!(statement_errors(Context::Span, text), *expected, "{text}");
    }
}

#[test]
fn all_errors_of_a_text_come_at_once() {
    let text = "set(nam, Conct(x)) where kin == SPAN_KIND_X and IsMatch(name, \"[\")";
    let errors = Statement::compile(Context::Span, text).unwrap_err();
    let columns: Vec<usize> = errors.0.iter().map(|error| error.column).collect();
    assert_eq!(columns, [26, 33, 63, 5, 10], "{errors}");
}

#[test]
fn what_can_only_be_read_cannot_be_a_target() {
    let error = statement_errors(Context::Metric, "set(type, METRIC_DATA_TYPE_SUM)");
    assert_eq!(error, "column 5: `type` can only be read");
}

#[test]
fn a_value_is_no_condition_and_a_condition_no_value() {
    let cases = [
        (
            "name",
            "column 1: a value stands here where a condition is needed; compare it, for instance with `== true`",
        ),
        (
            "Concat([], \"\")",
            "column 1: a condition needs true or false, and this converter gives text",
        ),
        (
            "(name == \"a\") == true",
            "column 2: a condition stands here where a value is needed",
        ),
        ("name = \"a\"", "column 6: `=` names an argument; `==` compares"),
        ("name == ", "column 9: a value is expected here, not the end"),
        ("name == \"a\" and", "column 16: a value is expected here, not the end"),
        ("(name == \"a\"", "column 13: `)` is expected here, not the end"),
        (
            "\"a\" * 2 == 1",
            "column 1: arithmetic takes numbers, and this is of type text",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(condition_errors(text), expected, "{text}");
    }
}

#[test]
fn nesting_is_bounded() {
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("{\"a\":", "}"),
        ("Len(", ")"),
        ("-(", ")"),
        ("not (", ")"),
    ] {
        let deep = format!("{}true{}", open.repeat(10_000), close.repeat(10_000));
        let error = condition_errors(&deep);
        assert!(
            error.contains("nested deeper than 64 levels") || error.contains("limit is 65536"),
            "{error}"
        );
    }
    let allowed = format!("{}true{}", "(".repeat(MAX_DEPTH), ")".repeat(MAX_DEPTH));
    assert_eq!(condition_errors(&allowed), "no error");
}

#[test]
fn long_chains_need_no_depth() {
    let chain = vec!["true"; 5_000].join(" and ");
    assert_eq!(condition_errors(&chain), "no error");
    let sum = format!("{} == 1", vec!["1"; 10_000].join(" + "));
    assert_eq!(condition_errors(&sum), "no error");
}

#[test]
fn a_text_and_a_pattern_have_a_limit() {
    let long = format!("name == \"{}\"", "a".repeat(70_000));
    assert_eq!(
        condition_errors(&long),
        "column 1: the text has 70010 bytes; the limit is 65536"
    );
    let huge = "IsMatch(name, \"((a{1000}){1000}){1000}\")";
    assert_eq!(
        condition_errors(huge),
        "column 15: the pattern takes too much memory; make it simpler"
    );
}

#[test]
fn the_context_is_the_innermost_that_is_named() {
    let statements = [
        ("set(span.name, resource.attributes[\"a\"])", Some(Context::Span)),
        ("set(resource.attributes[\"a\"], scope.name)", Some(Context::Scope)),
        (
            "set(metric.description, \"x\") where datapoint.attributes[\"a\"] == 1",
            Some(Context::DataPoint),
        ),
        (
            "set(span.name, \"x\") where not (IsMatch(spanevent.name, \"x\"))",
            Some(Context::SpanEvent),
        ),
        ("set(name, \"x\")", None),
    ];
    for (statement, expected) in statements {
        assert_eq!(infer_context([Text::Statement(statement)]), Ok(expected), "{statement}");
    }
    let mixed = [
        Text::Statement("set(log.body, 1)"),
        Text::Condition("span.name == \"a\""),
    ];
    let error = infer_context(mixed).unwrap_err().to_string();
    assert!(error.contains("do not go together"), "{error}");
}
