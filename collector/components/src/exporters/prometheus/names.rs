//! Names of OpenTelemetry as names of Prometheus, by the specification's "Prometheus and OpenMetrics Compatibility".

use crate::exposition::{escaped, label_name};
use collector_pdata::traces::Attributes;
use collector_pdata::{Malformed, Value};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Labels by name, in the order of their names.
pub(super) type Labels = BTreeMap<String, String>;

/// UCUM's units that have a word of their own.
const UNITS: [(&str, &str); 28] = [
    ("d", "days"),
    ("h", "hours"),
    ("min", "minutes"),
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("By", "bytes"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("GiBy", "gibibytes"),
    ("TiBy", "tibibytes"),
    ("KBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("GBy", "gigabytes"),
    ("TBy", "terabytes"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("W", "watts"),
    ("g", "grams"),
    ("Cel", "celsius"),
    ("Hz", "hertz"),
    ("1", ""),
    ("%", "percent"),
    ("bit", "bits"),
    ("kg", "kilograms"),
];

/// The same behind "per".
const PER: [(&str, &str); 7] = [
    ("s", "second"),
    ("m", "minute"),
    ("h", "hour"),
    ("d", "day"),
    ("w", "week"),
    ("mo", "month"),
    ("y", "year"),
];

/// What a name says of its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Suffix {
    Total,
    Ratio,
    None,
}

/// The name of a metric. Without suffixes, only what is not allowed in a name is replaced.
pub(super) fn metric(namespace: &str, name: &str, unit: &str, suffix: Suffix, add_suffixes: bool) -> String {
    let mut tokens: Vec<String> = tokens(name);
    if add_suffixes {
        let units = units(unit);
        for unit in units {
            if !tokens.contains(&unit) {
                tokens.push(unit);
            }
        }
        let last = match suffix {
            Suffix::Total => Some("total"),
            Suffix::Ratio if unit == "1" => Some("ratio"),
            Suffix::Ratio | Suffix::None => None,
        };
        if let Some(last) = last {
            tokens.retain(|token| token != last);
            tokens.push(last.to_owned());
        }
    }
    let name = tokens.join("_");
    let name = if namespace.is_empty() {
        name
    } else {
        format!("{}_{name}", self::tokens(namespace).join("_"))
    };
    if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
        format!("_{name}")
    } else {
        name
    }
}

fn tokens(name: &str) -> Vec<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == ':';
    let tokens = name.split(|c| !allowed(c)).filter(|token| !token.is_empty());
    tokens.map(str::to_owned).collect()
}

fn units(unit: &str) -> Vec<String> {
    let (main, per) = unit.split_once('/').map_or((unit, ""), |(main, per)| (main, per));
    let word = |unit: &str, table: &[(&str, &str)]| {
        let unit = unit.trim();
        // What stands in braces is only a remark.
        if unit.contains(['{', '}']) {
            return Vec::new();
        }
        let known = table.iter().find(|(short, _)| *short == unit);
        tokens(known.map_or(unit, |(_, long)| long))
    };
    let mut all = word(main, &UNITS);
    let per = word(per, &PER);
    if !per.is_empty() {
        all.push("per".to_owned());
        all.extend(per);
    }
    all
}

/// Adds attributes as labels whose names begin with `prefix`. Where several keys become one name, their values are joined in
/// the order of the keys.
pub(super) fn add(labels: &mut Labels, prefix: &str, attributes: Attributes<'_>) -> Result<(), Malformed> {
    let mut sorted: BTreeMap<String, String> = BTreeMap::new();
    for attribute in attributes {
        let attribute = attribute?;
        let key = String::from_utf8_lossy(attribute.key).into_owned();
        sorted.insert(key, Value::of(attribute.value)?.as_string());
    }
    let mut joined = Labels::new();
    for (key, value) in sorted {
        joined
            .entry(label_name(&format!("{prefix}{key}")))
            .and_modify(|known| *known = format!("{known};{value}"))
            .or_insert(value);
    }
    labels.extend(joined);
    Ok(())
}

/// The labels between the braces.
pub(super) fn text(labels: &Labels) -> String {
    let mut out = String::new();
    for (name, value) in labels {
        let separator = if out.is_empty() { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(out, "{separator}{name}=\"{}\"", escaped(value));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_their_unit_and_kind() {
        for (name, unit, suffix, expected) in [
            (
                "http.server.duration",
                "s",
                Suffix::None,
                "http_server_duration_seconds",
            ),
            ("requests", "1", Suffix::Total, "requests_total"),
            ("requests.total", "{request}", Suffix::Total, "requests_total"),
            ("memory.used", "1", Suffix::Ratio, "memory_used_ratio"),
            ("disk.io.bytes", "By", Suffix::Total, "disk_io_bytes_total"),
            ("speed", "By/s", Suffix::None, "speed_bytes_per_second"),
            ("a__b--c", "", Suffix::None, "a_b_c"),
            ("1st", "", Suffix::None, "_1st"),
            ("é", "", Suffix::None, "_"),
        ] {
            assert_eq!(metric("", name, unit, suffix, true), expected, "{name}");
        }
        assert_eq!(metric("my-app", "n", "s", Suffix::Total, false), "my_app_n");
    }

    #[test]
    fn labels_are_joined_and_escaped() {
        let labels = Labels::from([("a".to_owned(), "x\"\\\n".to_owned()), ("b".to_owned(), String::new())]);
        assert_eq!(text(&labels), "a=\"x\\\"\\\\\\n\",b=\"\"");
    }
}
