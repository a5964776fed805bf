use collector_config::{Entry, Loaded, Node, Position, Provider, Source, Value};
use proptest::prelude::*;

/// Values of every kind and text of every character, six levels deep.
fn any_node() -> impl Strategy<Value = Node> {
    let text = prop_oneof![
        any::<String>(),
        "[ -~]{0,12}",
        "(true|null|~|yes|0x1|1e3|-|- a|a: b|#|'|\\$\\{A\\})"
    ];
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        prop::num::f64::NORMAL.prop_map(Value::Float),
        text.prop_map(Value::Text),
    ];
    scalar.prop_map(Node::from).prop_recursive(6, 48, 6, |inner| {
        let map = prop::collection::btree_map("\\PC{0,20}", inner.clone(), 0..5);
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(Node::list),
            map.prop_map(|map| Node::map(map.iter().map(|(key, node)| (key.as_str(), node.clone())))),
        ]
    })
}

/// The same without its places.
fn bare(node: &Node) -> Node {
    match &node.value {
        Value::List(nodes) => Node::list(nodes.iter().map(bare)),
        Value::Map(entries) => {
            let entries = entries.iter().map(|entry| Entry {
                key: entry.key.clone(),
                position: Position::default(),
                node: bare(&entry.node),
            });
            Value::Map(entries.collect()).into()
        }
        other => other.clone().into(),
    }
}

struct Nothing;

impl Provider for Nothing {
    fn env(&self, _name: &str) -> Option<String> {
        None
    }

    fn file(&self, _path: &str) -> std::io::Result<String> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

proptest! {
    #[test]
    fn yaml_that_is_written_is_read_as_the_same_nodes(node in any_node()) {
        let root = Node::map([("root", node)]);
        let yaml = root.to_yaml();
        let read = Node::parse(&yaml, "").map_err(|errors| TestCaseError::fail(format!("{errors}\n{yaml}")))?;
        prop_assert_eq!(bare(&read), bare(&root), "{}", yaml);
        let json = Node::parse(&root.to_json(), "").unwrap();
        prop_assert_eq!(bare(&json), bare(&root), "{}", yaml);
    }

    #[test]
    fn what_is_escaped_means_the_same_after_its_expansion(node in any_node()) {
        let root = Node::map([("root", node)]);
        let loaded = Loaded::load(&[Source::Yaml(root.escaped().to_yaml())], &Nothing).unwrap();
        prop_assert_eq!(bare(&loaded.root), bare(&root));
    }
}

#[test]
fn keys_of_any_length_are_written_so_that_they_are_read() {
    for length in [1020, 1022, 1023, 1024, 1025, 5000] {
        for filling in ["k", "\u{0}"] {
            let key = filling.repeat(length);
            let inner = || Node::map([(key.as_str(), Node::from("value")), ("b", Node::list([Node::from(1)]))]);
            let list = Node::list([inner(), Node::list([inner()])]);
            let root = Node::map([(key.as_str(), inner()), ("list", list)]);
            let yaml = root.to_yaml();
            let read = Node::parse(&yaml, "").unwrap_or_else(|errors| panic!("{length}: {errors}"));
            assert_eq!(bare(&read), bare(&root), "{length}");
        }
    }
}

#[test]
fn the_yaml_is_what_a_person_would_write() {
    let text = "\
receivers:
  otlp/2:
    protocols:
      grpc:
    endpoint: \"localhost:4317\"
    empty: {}
    none: []
    mode: 0644
    version: 1.10
    text: \"true\"
    list:
      - a
      - key: b
        value: 1
      - - 1
        - 2
      - null
";
    let yaml = Node::parse(text, "").unwrap().to_yaml();
    assert_eq!(yaml, text, "written:\n{yaml}");
}
