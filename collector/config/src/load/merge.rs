use crate::parse::MAX_DEPTH;
use crate::{Entry, Errors, Node, Value};

/// What stands between the keys of a path.
pub(super) const SEPARATOR: &str = "::";

/// Lays `over` onto `base`: mappings are joined key by key, everything else is replaced.
pub(super) fn merge(base: &mut Node, over: Node) {
    match (&mut base.value, over.value) {
        (Value::Map(entries), Value::Map(later)) => later.into_iter().for_each(|entry| insert(entries, entry)),
        (_, value) => *base = Node { value, ..over },
    }
}

fn insert(entries: &mut Vec<Entry>, entry: Entry) {
    let Some(found) = entries.iter_mut().find(|earlier| earlier.key == entry.key) else {
        entries.push(entry);
        return;
    };
    let both = matches!((&found.node.value, &entry.node.value), (Value::Map(_), Value::Map(_)));
    if !both {
        found.position = entry.position;
    }
    merge(&mut found.node, entry.node);
}

/// Makes a mapping in a mapping of each key that is a path, as `processors::batch::timeout`.
pub(super) fn unfold(node: Node, errors: &mut Errors) -> Node {
    let Value::Map(entries) = node.value else { return node };
    let mut unfolded = Node {
        value: Value::Map(Vec::with_capacity(entries.len())),
        ..node
    };
    for entry in entries {
        if entry.key.matches(SEPARATOR).count() < MAX_DEPTH {
            merge(&mut unfolded, nested(entry));
        } else {
            let message = format!("a key is a path of more than {MAX_DEPTH} keys");
            errors.add("", &entry.position, message);
        }
    }
    unfolded
}

/// The mapping that holds only this entry.
fn nested(entry: Entry) -> Node {
    let Entry { key, position, node } = entry;
    key.rsplit(SEPARATOR).fold(node, |node, key| Node {
        position: position.clone(),
        value: Value::Map(vec![Entry {
            key: key.to_owned(),
            position: position.clone(),
            node,
        }]),
        original: None,
    })
}
