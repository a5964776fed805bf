use collector_config::{ConfigError, Errors, Loaded, Node, Provider, Section, Source, Value};
use std::collections::HashMap;
use std::io;

/// Files and variables that a test names.
#[derive(Default)]
struct World(HashMap<String, String>);

impl World {
    fn new<'a>(entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> World {
        World(
            entries
                .into_iter()
                .map(|(name, text)| (name.to_owned(), text.to_owned()))
                .collect(),
        )
    }

    fn load(&self, sources: &[&str]) -> Result<Loaded, Errors> {
        let sources: Vec<Source> = sources.iter().map(|source| Source::parse(source).unwrap()).collect();
        Loaded::load(&sources, self)
    }
}

impl Provider for World {
    fn env(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    fn file(&self, path: &str) -> io::Result<String> {
        self.0
            .get(path)
            .cloned()
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

/// The value at a path of keys, as JSON.
fn json(root: &Node, path: &str) -> String {
    let mut node = root;
    for key in path.split("::") {
        let Value::Map(entries) = &node.value else {
            panic!("{node:?}")
        };
        node = &entries.iter().find(|entry| entry.key == key).unwrap().node;
    }
    node.to_json()
}

fn texts(found: &[ConfigError]) -> Vec<String> {
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn later_sources_win_mapping_by_mapping_and_lists_are_replaced() {
    let world = World::new([
        ("a.yaml", "x: {a: 1, list: [1, 2], deep: {k: 1}}\nkept: true\n"),
        ("b.yaml", "\nx: {list: [3], deep: {l: 2}, a: {m: 1}}\n"),
        ("MORE", "new: 1"),
    ]);
    let sources = ["a.yaml", "file:b.yaml", "env:MORE", "yaml:x::deep::k: 9", "yaml:kept: "];
    let loaded = world.load(&sources).unwrap();
    let expected = r#"{"x":{"a":{"m":1},"list":[3],"deep":{"k":9,"l":2}},"kept":null,"new":1}"#;
    assert_eq!(loaded.root.to_json(), expected);
}

#[test]
fn a_merged_value_keeps_the_place_where_it_was_written() {
    let world = World::new([("a.yaml", "x:\n  a: 1\n  b: 2\n"), ("b.yaml", "\n\n\nx:\n  b: c\n")]);
    let loaded = world.load(&["a.yaml", "b.yaml"]).unwrap();
    let mut errors = Errors::default();
    let mut root = Section::open("", &loaded.root, &mut errors);
    root.section("x", |x| {
        x.error("a", "here");
        x.error("b", "there");
        x.accept(&["a", "b"]);
    });
    root.finish();
    assert_eq!(errors.to_string(), "a.yaml:2: x::a: here\nb.yaml:5: x::b: there");
}

#[test]
fn references_are_expanded() {
    let world = World::new([
        ("HOST", "example"),
        ("PORT", "4317"),
        ("MAP", "{a: 1, b: [x, '${PORT}']}"),
        ("QUOTED", "\"q\""),
        ("NESTED", "${env:HOST}:${PORT}"),
        ("NAME", "PORT"),
        ("EMPTY", ""),
        ("DOLLAR", "a$"),
        ("part.yaml", "k: ${HOST}\n"),
        ("token", "s3cret\n"),
    ]);
    for (written, expected) in [
        ("${env:PORT}", "4317"),
        ("'${PORT}'", "4317"),
        ("a-${PORT}", r#""a-4317""#),
        ("${env:HOST}:${env:PORT}", r#""example:4317""#),
        ("${NESTED}", r#""example:4317""#),
        ("${env:${env:NAME}}", "4317"),
        ("'${env:MISSING:-7}'", "7"),
        ("'${env:MISSING:-}'", "null"),
        ("'${env:HOST:-x}'", r#""example""#),
        ("${env:EMPTY}", "null"),
        ("${MAP}", r#"{"a":1,"b":["x",4317]}"#),
        ("${QUOTED}", r#""\"q\"""#),
        ("${file:part.yaml}", r#"{"k":"example"}"#),
        ("Bearer ${file:token}", r#""Bearer s3cret""#),
        ("'${yaml:[1, a]}'", r#"[1,"a"]"#),
        ("$${PORT}", r#""${PORT}""#),
        ("$$${PORT}", r#""$4317""#),
        ("a$$b", r#""a$b""#),
        ("'^a$'", r#""^a$""#),
        ("$PORT", r#""$PORT""#),
        ("${DOLLAR}${PORT}", r#""a$4317""#),
        ("[a, '${PORT}', {b: '${HOST}'}]", r#"["a",4317,{"b":"example"}]"#),
    ] {
        let loaded = world
            .load(&[&format!("yaml:v: {written}")])
            .unwrap_or_else(|errors| panic!("{written}: {errors}"));
        assert_eq!(json(&loaded.root, "v"), expected, "{written}");
        assert_eq!(texts(&loaded.warnings), Vec::<String>::new(), "{written}");
    }
}

#[test]
fn what_is_expanded_is_a_number_for_a_number_and_its_text_for_text() {
    let world = World::new([("V", "007"), ("W", "1.10"), ("EMPTY", "")]);
    let loaded = world.load(&["yaml:{a: '${V}', b: '${W}', c: '${EMPTY}'}"]).unwrap();
    let mut errors = Errors::default();
    let mut section = Section::open("x", &loaded.root, &mut errors);
    assert_eq!((section.text("a"), section.count("a", 0)), (Some("007"), 7));
    assert_eq!((section.text("b"), section.number("b", 0.0)), (Some("1.10"), 1.1));
    assert_eq!((section.text("c"), section.count("c", 5)), (Some(""), 5));
    section.finish();
    assert_eq!(errors.to_string(), "");
}

#[test]
fn a_variable_that_is_not_set_is_a_warning() {
    let world = World::new([("a.yaml", "x:\n  - y: a${env:NOPE}b\n  - ${NO}\n")]);
    let loaded = world.load(&["a.yaml"]).unwrap();
    assert_eq!(loaded.root.to_json(), r#"{"x":[{"y":"ab"},null]}"#);
    let expected = [
        "a.yaml:2: x::0::y: the environment variable NOPE is not set; nothing stands in its place",
        "a.yaml:3: x::1: the environment variable NO is not set; nothing stands in its place",
    ];
    assert_eq!(texts(&loaded.warnings), expected);
}

#[test]
fn a_file_that_is_not_yaml_is_text_and_a_warning_if_it_could_be_meant_as_a_mapping() {
    let world = World::new([
        ("bad", "a: [\nb: 2\n"),
        ("pem", "-----BEGIN X-----\nMII=\n-----END X-----\n"),
    ]);
    let loaded = world.load(&["yaml:{a: '${file:bad}', b: '${file:pem}'}"]).unwrap();
    assert_eq!(json(&loaded.root, "a"), r#""a: [\nb: 2""#);
    assert_eq!(json(&loaded.root, "b"), r#""-----BEGIN X-----\nMII=\n-----END X-----""#);
    assert_eq!(
        texts(&loaded.warnings),
        ["--config yaml:1: a: ${file:bad} is not YAML, and is taken as text"]
    );
}

#[test]
fn invalid_references_are_all_named_with_their_place() {
    let world = World::new([
        ("LOOP", "${env:LOOP}"),
        (
            "a.yaml",
            "a: ${http://x}\nb: '${1}'\nc: ${file:none}\nd: ${LOOP}\ne: '${A:-b}'\n",
        ),
    ]);
    let found = world.load(&["a.yaml"]).unwrap_err().to_string();
    let expected = "\
a.yaml:1: a: invalid reference ${http://x}: the scheme \"http\" is none of env, file, yaml
a.yaml:2: b: invalid reference ${1}: \"1\" is not the name of an environment variable; a $ that is meant as such is written $$
a.yaml:3: c: cannot read the file none: entity not found
a.yaml:4: d: references lead to references more than 32 times
a.yaml:5: e: invalid reference ${A:-b}: a default needs the scheme: write ${env:A:-b}";
    assert_eq!(found, expected, "found:\n{found}");
}

#[test]
fn references_that_unfold_without_end_are_stopped() {
    let mut world = World::default();
    for index in 0..30 {
        world
            .0
            .insert(format!("V{index}"), format!("${{V{0}}}${{V{0}}}", index + 1));
    }
    world.0.insert("V30".to_owned(), "boom".to_owned());
    let found = world.load(&["yaml:{a: '${V0}', b: '${V0}'}"]).unwrap_err().to_string();
    assert_eq!(
        found,
        "--config yaml:1: a: the references lead to more than 16777216 bytes"
    );
}

#[test]
fn a_document_that_unfolds_into_far_more_is_refused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for index in 1..10 {
        let earlier = format!("*a{}, ", index - 1).repeat(10);
        text.push_str(&format!("a{index}: &a{index} [{earlier}]\n"));
    }
    let found = World::new([("bomb", text.as_str())])
        .load(&["bomb"])
        .unwrap_err()
        .to_string();
    assert!(found.starts_with("bomb:"), "{found}");
    assert_eq!(found.lines().count(), 1, "{found}");
    let deep = format!("a: {}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(World::new([("deep", deep.as_str())]).load(&["deep"]).is_err());
}

#[test]
fn what_is_nested_too_deep_by_paths_or_references_is_refused() {
    let path = |keys: usize| vec!["a"; keys].join("::");
    let lists = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    for (text, file, expected) in [
        (format!("{}: 1", path(64)), String::new(), None),
        (
            format!("{}: 1", path(65)),
            String::new(),
            Some("a key is a path of more than 64 keys"),
        ),
        (
            format!("? {}\n: 1", path(1 << 20)),
            String::new(),
            Some("a key is a path of more than 64 keys"),
        ),
        (format!("{}: {}", path(34), lists(30)), String::new(), None),
        (
            format!("{}: {}", path(34), lists(31)),
            String::new(),
            Some("is nested more than 64 levels deep"),
        ),
        (format!("{}: '${{file:f}}'", path(34)), lists(30), None),
        (
            format!("{}: '${{file:f}}'", path(34)),
            lists(31),
            Some("is nested more than 64 levels deep"),
        ),
    ] {
        let world = World::new([("c.yaml", text.as_str()), ("f", file.as_str())]);
        let loaded = world.load(&["c.yaml"]);
        match (loaded, expected) {
            (Ok(loaded), None) => {
                let printed = loaded.root.to_yaml();
                assert_eq!(Node::parse(&printed, "").unwrap().to_yaml(), printed);
            }
            (Err(errors), Some(expected)) => assert!(errors.to_string().contains(expected), "{errors}"),
            (loaded, expected) => panic!("{}: {expected:?}", loaded.is_ok()),
        }
    }
}

#[test]
fn sources_are_read_from_their_argument() {
    let set = |key: &str, value: &str| Source::Set {
        key: key.to_owned(),
        value: value.to_owned(),
    };
    for (text, expected) in [
        ("a.yaml", Ok(Source::File("a.yaml".to_owned()))),
        ("/a:b.yaml", Ok(Source::File("/a:b.yaml".to_owned()))),
        ("file:a.yaml", Ok(Source::File("a.yaml".to_owned()))),
        ("env:A", Ok(Source::Env("A".to_owned()))),
        ("yaml:a: 1", Ok(Source::Yaml("a: 1".to_owned()))),
        (
            "http://a",
            Err("the scheme \"http\" is none of file, env, yaml".to_owned()),
        ),
        ("env:", Err("the name is missing".to_owned())),
    ] {
        assert_eq!(Source::parse(text), expected, "{text:?}");
    }
    assert_eq!(Source::parse_set("a.b = c=d"), Ok(set("a::b", "c=d")));
    assert!(Source::parse_set("=x").is_err() && Source::parse_set("x").is_err());
    let loaded = Loaded::load(&[set("a::b", "{c: 2}"), set("a::d", "")], &World::default()).unwrap();
    assert_eq!(loaded.root.to_json(), r#"{"a":{"b":{"c":2},"d":null}}"#);
}

#[test]
fn what_cannot_be_read_is_named_for_every_source() {
    let world = World::new([("list", "[1]"), ("bad", "a: [\n")]);
    let found = world
        .load(&["none", "env:NONE", "list", "bad", "yaml:text"])
        .unwrap_err()
        .to_string();
    let lines: Vec<&str> = found.lines().collect();
    assert_eq!(lines[0], "--config yaml:1: expected a mapping, found text");
    assert!(lines[1].starts_with("bad:"), "{found}");
    assert_eq!(lines[2], "env:NONE: the environment variable is not set");
    assert_eq!(lines[3], "list:1: expected a mapping, found a list");
    assert_eq!(lines[4], "none: cannot read it: entity not found");
}
