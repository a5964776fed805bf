//! What a user's own settings refer to: the keys of the destination's Secret, as `${KEY}` or `${env:KEY}`.

use collector_config::{Node, Value};

/// `node` as the collector is to be given it: each reference is what `variable` says for its key, and all else that a user
/// wrote is text. `$$` stands for `$`, as in every configuration of the collector. The error says what to change.
pub(super) fn resolve(node: &Node, variable: &mut impl FnMut(&str) -> Result<String, String>) -> Result<Node, String> {
    let value = match &node.value {
        Value::Text(text) => Value::Text(resolve_text(text, variable)?),
        Value::List(nodes) => {
            let nodes = nodes.iter().map(|node| resolve(node, variable));
            Value::List(nodes.collect::<Result<_, _>>()?)
        }
        Value::Map(entries) => {
            let entries = entries
                .iter()
                .map(|entry| Ok((entry.key.as_str(), resolve(&entry.node, variable)?)));
            return Ok(Node::map(entries.collect::<Result<Vec<_>, String>>()?));
        }
        _ => return Ok(node.clone()),
    };
    Ok(value.into())
}

fn resolve_text(text: &str, variable: &mut impl FnMut(&str) -> Result<String, String>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        rest = after.strip_prefix('$').unwrap_or(after);
        let reference = after.strip_prefix('{').and_then(|after| after.split_once('}'));
        match reference {
            Some((name, after)) => {
                let key = name.strip_prefix("env:").unwrap_or(name);
                out.push_str(&format!("${{env:{}}}", variable(key)?));
                rest = after;
            }
            None => out.push_str("$$"),
        }
    }
    Ok(out + rest)
}
