use collector_config::{Errors, Node, Section};
use std::time::Duration;

#[test]
fn a_section_reads_settings_and_collects_what_is_wrong() {
    let text = "
endpoint: localhost:4317
timeout: 5 seconds
enabled: 'yes'
size: -1
format: jsn
headers: {a: b, c: 4, d: [x]}
tls: {insecure: true, ca: x}
";
    let root = Node::parse(text, "").unwrap();
    let mut errors = Errors::default();
    let mut section = Section::open("exporters::otlp", &root, &mut errors);
    assert_eq!(section.required_text("endpoint"), Some("localhost:4317"));
    assert_eq!(section.required_text("path"), None);
    assert_eq!(
        section.duration("timeout", Duration::from_secs(9)),
        Duration::from_secs(9)
    );
    assert!(section.flag("enabled", true));
    assert_eq!(section.count("size", 7), 7);
    assert_eq!(section.choice("format", &[("tree", 1), ("json", 2)]), None);
    assert_eq!(section.texts("headers"), [("a", "b"), ("c", "4")]);
    assert!(section.section("tls", |tls| tls.flag("insecure", false)));
    assert!(!section.section("retry", |retry| retry.flag("enabled", false)));
    section.finish();
    let found = errors.unless_any(()).unwrap_err().to_string();
    let expected = "\
line 2: exporters::otlp::path: is required
line 3: exporters::otlp::timeout: expected a duration such as 200ms or 1m30s, found \"5 seconds\"
line 4: exporters::otlp::enabled: expected true or false, found \"yes\"
line 5: exporters::otlp::size: expected a whole number that is not negative, found -1
line 6: exporters::otlp::format: \"jsn\" is none of tree, json; did you mean \"json\"?
line 7: exporters::otlp::headers::d: expected text, found a list
line 8: exporters::otlp::tls::ca: unknown key";
    assert_eq!(found, expected, "found:\n{found}");
}

/// Opens `text` as the settings of a component, lets `read` have them, and gives its value and all errors.
fn section<T>(text: &str, read: impl FnOnce(&mut Section<'_, '_>) -> T) -> (T, String) {
    let root = Node::parse(text, "").unwrap();
    let mut errors = Errors::default();
    let mut section = Section::open("x", &root, &mut errors);
    let value = read(&mut section);
    section.finish();
    (value, errors.to_string())
}

#[test]
fn a_number_where_text_is_wanted_is_taken_as_it_was_written() {
    let text = "{a: 1.10, b: 0644, c: True, d: 0x1F, e: [1e3, no]}\n";
    let (found, errors) = section(text, |s| {
        let texts = ["a", "b", "c", "d"].map(|key| s.text(key).map(str::to_owned));
        (texts, s.texts_list("e").join("|"))
    });
    assert_eq!(errors, "");
    assert_eq!(found.0.map(Option::unwrap), ["1.10", "0644", "True", "0x1F"]);
    assert_eq!(found.1, "1e3|no");
}

#[test]
fn values_of_every_kind_are_read() {
    let text = "{size: 64MiB, plain: 10, list: 'a,b', at: '[::1]:4317', store: file_storage/q, token: s3cret, \
        scalar: 1.5, level: 3, none: }\n";
    let ((), errors) = section(text, |s| {
        assert_eq!(
            (s.bytes("size", 0), s.bytes("plain", 0), s.bytes("none", 7)),
            (64 << 20, 10, 7)
        );
        assert_eq!(s.texts_list("list"), ["a", "b"]);
        assert_eq!(s.endpoint("at", "localhost:1").unwrap().to_string(), "[::1]:4317");
        assert_eq!(s.endpoint("missing", "localhost:1").unwrap().port, 1);
        assert_eq!(s.component_reference("store").unwrap().id.to_string(), "file_storage/q");
        let token = s.secret("token").unwrap();
        assert_eq!(
            (token.expose(), format!("{token} {token:?}").as_str()),
            ("s3cret", "[REDACTED] [REDACTED]")
        );
        assert_eq!(s.scalar("scalar"), Some(collector_config::Scalar::Float(1.5)));
        assert_eq!((s.count_in("level", 1..=9, 2), s.optional_count("none")), (3, None));
        assert!(s.optional_section("none", |_| ()).is_some());
        assert!(s.optional_section("missing", |_| ()).is_none());
    });
    assert_eq!(errors, "");
}

#[test]
fn lists_of_mappings_and_pairs_are_read_and_their_errors_have_the_index() {
    let text = "
policies:
  - {name: a, type: x}
  - {nme: b}
headers:
  - {name: h, value: 1}
named: {one: {size: 1}, two: {siz: 2}}
";
    let (found, errors) = section(text, |s| {
        let policies = s.sections("policies", |s| {
            (s.text("name").map(str::to_owned), s.text("type").is_some())
        });
        let named = s.named_sections("named", |name, s| format!("{name}={}", s.count("size", 0)));
        (policies, s.secrets("headers").len(), named.join(","))
    });
    assert_eq!(
        found,
        (
            vec![(Some("a".to_owned()), true), (None, false)],
            1,
            "one=1,two=0".to_owned()
        )
    );
    let expected = "\
line 4: x::policies::1::nme: unknown key; did you mean \"name\"?
line 7: x::named::two::siz: unknown key; did you mean \"size\"?";
    assert_eq!(errors, expected, "found:\n{errors}");
}

#[test]
fn keys_that_upstream_knows_are_accepted_refused_or_reported() {
    let root = Node::parse("{a: 1, b: 2, c: 3, d: }\n", "").unwrap();
    let mut errors = Errors::default();
    let mut section = Section::open("x", &root, &mut errors);
    section.accept(&["a"]);
    section.without_effect("b");
    section.unsupported("c", "spans would be lost");
    section.unsupported("d", "spans would be lost");
    section.finish();
    let warnings: Vec<String> = errors.take_warnings().iter().map(ToString::to_string).collect();
    assert_eq!(warnings, ["line 1: x::b: has no effect in this collector"]);
    assert_eq!(
        errors.to_string(),
        "line 1: x::c: is not supported by this collector: spans would be lost"
    );
}

#[test]
fn numbers_outside_their_range_and_malformed_values_are_refused() {
    let text = "{a: 11, b: 1.5, c: 12XB, d: 'host', e: 1x, f: {}, g: maybe}\n";
    let ((), errors) = section(text, |s| {
        assert_eq!((s.count_in("a", 1..=10, 5), s.number_in("b", 0.0..=1.0, 0.5)), (5, 0.5));
        assert_eq!((s.bytes("c", 1), s.endpoint("d", "a:1")), (1, None));
        assert_eq!((s.component_reference("e"), s.texts_list("f").len()), (None, 0));
        assert_eq!(s.optional_flag("g"), None);
    });
    let expected = "\
line 1: x::a: must be between 1 and 10, found 11
line 1: x::b: must be between 0 and 1, found 1.5
line 1: x::c: expected a size such as 65536 or 64MiB, found \"12XB\"
line 1: x::d: expected host:port, found \"host\"
line 1: x::e: \"1x\" is not a component's type
line 1: x::f: expected a list, found a mapping
line 1: x::g: expected true or false, found \"maybe\"";
    assert_eq!(errors, expected, "found:\n{errors}");
}

#[test]
fn permissions_are_octal_however_they_are_written() {
    let ((quoted, plain, missing, wrong), errors) = section("{a: '0700', b: 0750, d: 0o9, e: 1000}", |s| {
        let mut of = |key| s.permissions(key, 0o755);
        (of("a"), of("b"), of("c"), [of("d"), of("e")])
    });
    assert_eq!((quoted, plain, missing, wrong), (0o700, 0o750, 0o755, [0o755; 2]));
    assert!(
        errors.contains("x::d: expected an octal number such as \"0750\", found \"0o9\""),
        "{errors}"
    );
    assert!(
        errors.contains("x::e: expected an octal number such as \"0750\", found 1000"),
        "{errors}"
    );
}
