use collector_ottl::ast::{Argument, Call, CompareOp, Expr, Kind, MathOp, Segment, Statement};
use collector_ottl::{Condition, Context, Key, parse_condition, parse_statement};
use proptest::prelude::*;

fn check_printed(text: &str, printed: &str) {
    assert_eq!(
        parse_condition(text).map(|tree| tree.to_string()),
        Ok(printed.to_owned())
    );
}

#[test]
fn a_tree_is_printed_with_the_parentheses_it_needs() {
    check_printed("((name))==( \"a\" )", "name == \"a\"");
    check_printed("1+(2*3) == (1+2)*3", "1 + 2 * 3 == (1 + 2) * 3");
    check_printed(
        "(a == 1 or b == 2) and not(c == 3)",
        "(a == 1 or b == 2) and not c == 3",
    );
    check_printed(
        "Split( a[ \"k\" ] , \",\" )[ 0 ]==.5",
        "Split(a[\"k\"], \",\")[0] == 0.5",
    );
    check_printed("- (1) == -1", "-(1) == -1");
    check_printed(
        "0xAB == {\"a\":[true,nil], \"b\":{}}",
        "0xab == {\"a\": [true, nil], \"b\": {}}",
    );
    check_printed("\"\\t\\x41\\u20ac\\101\" == X", "\"\tA\u{20ac}A\" == X");
}

#[test]
fn a_statement_is_printed_as_it_is_read() {
    let text = "replace_pattern(span.attributes[\"a\"][0], \"\\\\d\", replacement = \"$1\", function = SHA256) where not IsRootSpan()";
    assert_eq!(parse_statement(text).map(|tree| tree.to_string()), Ok(text.to_owned()));
}

fn boxed(kind: Kind) -> Expr {
    Expr { column: 0, kind }
}

fn word() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9_]{0,6}".prop_filter("keywords", |word| {
        !["and", "or", "not", "nil", "true", "false", "where"].contains(&word.as_str())
    })
}

fn key() -> impl Strategy<Value = Key> {
    prop_oneof![any::<String>().prop_map(Key::Text), (0usize..1000).prop_map(Key::Index)]
}

fn path() -> impl Strategy<Value = Kind> {
    let segment = (word(), prop::collection::vec(key(), 0..3)).prop_map(|(name, keys)| Segment { name, keys });
    prop::collection::vec(segment, 1..3).prop_map(Kind::Path)
}

fn call(name: impl Strategy<Value = String>, value: impl Strategy<Value = Expr>) -> impl Strategy<Value = Call> {
    let argument = (prop::option::of(word()), value).prop_map(|(name, value)| Argument { name, value });
    (name, prop::collection::vec(argument, 0..3)).prop_map(|(name, arguments)| Call {
        column: 0,
        name,
        arguments,
    })
}

fn value() -> BoxedStrategy<Expr> {
    let leaf = prop_oneof![
        Just(Kind::Nil),
        any::<bool>().prop_map(Kind::Bool),
        any::<i64>().prop_map(Kind::Int),
        any::<f64>()
            .prop_filter("finite", |value| value.is_finite())
            .prop_map(Kind::Float),
        any::<String>().prop_map(Kind::Text),
        prop::collection::vec(any::<u8>(), 1..8).prop_map(Kind::Bytes),
        "[A-Z][A-Z0-9_]{0,5}".prop_map(Kind::Symbol),
        path(),
    ];
    let tree = leaf.prop_map(boxed).prop_recursive(4, 24, 3, |inner| {
        let operator = |level: [MathOp; 2]| prop::sample::select(level.to_vec());
        let chain = |level| {
            (
                inner.clone(),
                prop::collection::vec((operator(level), inner.clone()), 1..3),
            )
        };
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Kind::List),
            prop::collection::vec((any::<String>(), inner.clone()), 0..3).prop_map(Kind::Map),
            (
                call("[A-Z][A-Za-z0-9]{0,5}", inner.clone()),
                prop::collection::vec(key(), 0..2)
            )
                .prop_map(|(call, keys)| Kind::Call(call, keys)),
            inner.clone().prop_map(|value| Kind::Negate(Box::new(value))),
            chain([MathOp::Add, MathOp::Subtract]).prop_map(|(first, rest)| Kind::Math(Box::new(first), rest)),
            chain([MathOp::Multiply, MathOp::Divide]).prop_map(|(first, rest)| Kind::Math(Box::new(first), rest)),
        ]
        .prop_map(boxed)
    });
    tree.boxed()
}

fn condition() -> BoxedStrategy<Expr> {
    let operator = prop::sample::select(CompareOp::ALL.map(|(_, op)| op).to_vec());
    let leaf = prop_oneof![
        any::<bool>().prop_map(Kind::Bool),
        (value(), operator, value()).prop_map(|(left, op, right)| Kind::Compare(Box::new(left), op, Box::new(right))),
    ];
    let tree = leaf.prop_map(boxed).prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|test| Kind::Not(Box::new(test))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Kind::And),
            prop::collection::vec(inner, 2..4).prop_map(Kind::Or),
        ]
        .prop_map(boxed)
    });
    tree.boxed()
}

/// Without what only the place of a word says: a printed tree is read back with other columns.
fn printed(tree: &impl std::fmt::Debug) -> String {
    let debug = format!("{tree:?}");
    let mut parts = debug.split("column: ");
    let first = parts.next().unwrap_or("").to_owned();
    parts.fold(first, |out, part| {
        out + part.trim_start_matches(|c: char| c.is_ascii_digit())
    })
}

proptest! {
    #[test]
    fn a_printed_condition_is_read_back_as_it_was(tree in condition()) {
        let text = tree.to_string();
        let again = parse_condition(&text).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        prop_assert_eq!(printed(&again), printed(&tree), "{}", text);
    }

    #[test]
    fn a_printed_statement_is_read_back_as_it_was(
        editor in call(word(), value()),
        condition in prop::option::of(condition()),
    ) {
        let tree = Statement { editor, condition };
        let text = tree.to_string();
        let again = parse_statement(&text).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        prop_assert_eq!(printed(&again), printed(&tree), "{}", text);
    }

    #[test]
    fn no_text_makes_the_compiler_panic(text in any::<String>()) {
        let _ = Condition::compile(Context::Span, &text);
        let _ = collector_ottl::Statement::compile(Context::Log, &text);
    }

    #[test]
    fn no_text_of_the_language_s_words_makes_the_compiler_panic(
        words in prop::collection::vec(prop::sample::select(WORDS.to_vec()), 0..30)
    ) {
        let text = words.join(" ");
        let _ = Condition::compile(Context::SpanEvent, &text);
        let _ = collector_ottl::Statement::compile(Context::DataPoint, &text);
    }
}

const WORDS: &[&str] = &[
    "set",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ".",
    ":",
    "=",
    "==",
    "!=",
    "<",
    "-",
    "+",
    "*",
    "/",
    "not",
    "and",
    "or",
    "where",
    "nil",
    "true",
    "\"a\"",
    "\"[\"",
    "\"\\\\",
    "0x0",
    "0xab",
    "1",
    "1.5",
    "attributes",
    "name",
    "metric",
    "Concat",
    "IsMatch",
    "SHA256",
    "replace_pattern",
    "truncate_all",
    "limit",
    "STATUS_CODE_OK",
];
