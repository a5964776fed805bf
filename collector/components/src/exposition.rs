//! What the pages for Prometheus have in common, the exporter's and that of the collector's own metrics: the text format
//! 0.0.4, and the names of labels.

/// The type of such a page.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The name of a label: letters, digits and underscores. Names that begin with two of these are Prometheus' own, and it
/// refuses a whole page for the sake of one; so it does for an empty name.
pub(crate) fn label_name(key: &str) -> String {
    let name: String = key
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        format!("key_{name}")
    } else if name.is_empty() || name.starts_with("__") {
        format!("key{name}")
    } else {
        name
    }
}

/// A label's value, as it stands between its quotes.
pub(crate) fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_become_names_that_prometheus_takes() {
        for (key, name) in [
            ("k8s.pod-name", "k8s_pod_name"),
            ("1st", "key_1st"),
            ("_a", "_a"),
            ("__name__", "key__name__"),
            ("é.", "key__"),
            ("", "key"),
        ] {
            assert_eq!(label_name(key), name, "{key:?}");
        }
    }

    #[test]
    fn values_end_neither_their_quotes_nor_their_line() {
        assert_eq!(escaped("x\"\\\n"), "x\\\"\\\\\\n");
    }
}
