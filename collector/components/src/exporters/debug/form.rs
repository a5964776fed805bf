//! Numbers, times, ids and values as upstream writes them, which is Go's way.

use crate::exporters::calendar::Moment;
use crate::exporters::terminal::can_control;
use collector_pdata::traces::{AnyValue, Attributes};
use collector_pdata::{Malformed, Value};
use std::borrow::Cow;

/// The text, in which nothing controls a terminal.
pub(super) fn harmless(text: String) -> String {
    let is_control = |c: char| can_control(c) && c != '\n' && c != '\t';
    if !text.contains(is_control) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match is_control(c) {
            true => out.extend(c.escape_unicode()),
            false => out.push(c),
        }
    }
    out
}

pub(super) fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// Hexadecimal digits; nothing for an id of zeros, which is none.
pub(super) fn id(bytes: &[u8]) -> String {
    match bytes.iter().all(|byte| *byte == 0) {
        true => String::new(),
        false => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// Go's `%f`.
pub(super) fn fixed(value: f64) -> Cow<'static, str> {
    no_number(value).map_or_else(|| format!("{value:.6}").into(), Cow::Borrowed)
}

/// Go's `%v`: the shortest digits, with an exponent below 1e-4 and from 1e21 on.
pub(super) fn shortest(value: f64) -> Cow<'static, str> {
    if let Some(word) = no_number(value) {
        return word.into();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse().unwrap_or(0) {
        -4..21 => value.to_string().into(),
        exponent => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", i32::abs(exponent)).into()
        }
    }
}

fn no_number(value: f64) -> Option<&'static str> {
    match value {
        f64::INFINITY => Some("+Inf"),
        f64::NEG_INFINITY => Some("-Inf"),
        value if value.is_nan() => Some("NaN"),
        _ => None,
    }
}

/// A moment, to the nanosecond, without zeros at the end.
pub(super) fn time(unix_nano: u64) -> String {
    let at = Moment::from_unix_nano(unix_nano);
    let fraction = match at.nanosecond {
        0 => String::new(),
        nanosecond => format!(".{nanosecond:09}").trim_end_matches('0').to_owned(),
    };
    let Moment {
        year,
        month,
        day,
        hour,
        minute,
        second,
        ..
    } = at;
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{fraction} +0000 UTC")
}

/// The word of an enum's value, of the names with the prefix that is common to all: `Server` of `SPAN_KIND_SERVER`.
/// Nothing for a number that has no name.
pub(super) fn word(names: &[&str], prefix: &str, number: i32) -> String {
    let name = usize::try_from(number).ok().and_then(|number| names.get(number));
    let name = name.and_then(|name| name.strip_prefix(prefix)).unwrap_or_default();
    let (first, rest) = name.split_at(name.len().min(1));
    first.to_owned() + &rest.to_ascii_lowercase()
}

/// A value with its type: `Str(a)`.
pub(super) fn typed(value: Option<AnyValue<'_>>) -> Result<String, Malformed> {
    let kind = match value {
        None => "Empty",
        Some(AnyValue::Text(_)) => "Str",
        Some(AnyValue::Bool(_)) => "Bool",
        Some(AnyValue::Int(_)) => "Int",
        Some(AnyValue::Double(_)) => "Double",
        Some(AnyValue::Array(_)) => "Slice",
        Some(AnyValue::Map(_)) => "Map",
        Some(AnyValue::Bytes(_)) => "Bytes",
    };
    Ok(format!("{kind}({})", Value::of(value)?))
}

/// Each attribute as `key=value`.
pub(super) fn pairs(attributes: Attributes<'_>) -> Result<Vec<String>, Malformed> {
    let pair = |attribute: Result<collector_pdata::traces::Attribute<'_>, Malformed>| {
        let attribute = attribute?;
        Ok(format!("{}={}", text(attribute.key), Value::of(attribute.value)?))
    };
    attributes.map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use collector_pdata::logs::SEVERITY_NUMBERS;

    #[test]
    fn numbers_are_written_as_go_writes_them() {
        for (value, as_fixed, as_shortest) in [
            (0.0, "0.000000", "0"),
            (-0.0, "-0.000000", "-0"),
            (1.5, "1.500000", "1.5"),
            (1e-4, "0.000100", "0.0001"),
            (0.000_012_5, "0.000013", "1.25e-05"),
            (1e20, "100000000000000000000.000000", "100000000000000000000"),
            (1e21, "1000000000000000000000.000000", "1e+21"),
            (-2.5e100, "", "-2.5e+100"),
            (f64::INFINITY, "+Inf", "+Inf"),
            (f64::NEG_INFINITY, "-Inf", "-Inf"),
            (f64::NAN, "NaN", "NaN"),
        ] {
            if !as_fixed.is_empty() {
                assert_eq!(fixed(value), as_fixed);
            }
            assert_eq!(shortest(value), as_shortest);
        }
    }

    #[test]
    fn times_have_no_zeros_at_the_end() {
        assert_eq!(time(0), "1970-01-01 00:00:00 +0000 UTC");
        assert_eq!(time(1_700_000_000_120_000_000), "2023-11-14 22:13:20.12 +0000 UTC");
        assert_eq!(
            time(1_700_000_000_000_000_001),
            "2023-11-14 22:13:20.000000001 +0000 UTC"
        );
    }

    #[test]
    fn enums_have_words_and_unknown_numbers_have_none() {
        let severity = |number| word(&SEVERITY_NUMBERS, "SEVERITY_NUMBER_", number);
        assert_eq!(severity(0), "Unspecified");
        assert_eq!(severity(10), "Info2");
        assert_eq!((severity(25), severity(-1)), (String::new(), String::new()));
    }

    #[test]
    fn what_could_control_a_terminal_is_shown_by_its_number() {
        assert_eq!(harmless("a\n\tb é".to_owned()), "a\n\tb é");
        assert_eq!(harmless("a\x1b[2J\r\n".to_owned()), "a\\u{1b}[2J\\u{d}\n");
    }
}
