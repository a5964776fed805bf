//! Patterns mean what they mean in Go.

use crate::record::{attributes_after, holds, text};
use collector_pdata::Value;

#[test]
fn patterns_are_read_as_go_reads_them() {
    let matches = [
        ("a{b}", "a{b}"),
        ("^/account/{id}$", "/account/{id}"),
        ("^a{2}$", "aa"),
        ("^a{2,}$", "aaa"),
        ("^[[]$", "["),
        ("^[]]$", "]"),
        ("^[^]]$", "a"),
        ("^[a&&b]$", "&"),
        ("^[\\\\d.]+$", "1.2"),
        ("^[[:alpha:]_]+$", "a_b"),
        ("^\\\\<a\\\\>$", "<a>"),
        ("^\\\\Qa.b\\\\E$", "a.b"),
        ("password\\\\=", "password="),
        ("\\\\bword\\\\b", "a word here"),
        ("^.$", "\u{20ac}"),
        ("(?i)^CHECK$", "check"),
        ("^[\\\\w-]+$", "a-b"),
    ];
    for (pattern, value) in matches {
        let condition = format!("IsMatch(\"{value}\", \"{pattern}\")");
        assert_eq!(holds(&condition), Ok(true), "{condition}");
    }
    let misses = [
        ("^\\\\d$", "\u{664}"),
        ("^\\\\w$", "\u{e9}"),
        ("^[^]]$", "]"),
        ("^\\\\Qa.b\\\\E$", "axb"),
        ("^a{2}$", "a{2}"),
    ];
    for (pattern, value) in misses {
        let condition = format!("IsMatch(\"{value}\", \"{pattern}\")");
        assert_eq!(holds(&condition), Ok(false), "{condition}");
    }
}

#[test]
fn globs_cover_whole_texts() {
    let covered = |glob: &str, value: &str| {
        let statement = format!("replace_match(attributes[\"k\"], \"{glob}\", \"hit\")");
        match attributes_after(&[("k", text(value))], &statement) {
            Value::Map(entries) => entries[0].1 == text("hit"),
            other => panic!("{other:?}"),
        }
    };
    for (glob, value) in [
        ("/user/*", "/user/1/x"),
        ("*", ""),
        ("a?c", "abc"),
        ("[a-c]x", "bx"),
        ("[!a-c]x", "dx"),
        ("{get,put} *", "put x"),
        ("a.b", "a.b"),
        ("a\\\\*b", "a*b"),
        ("*end", "line\nend"),
    ] {
        assert!(covered(glob, value), "{glob} {value}");
    }
    for (glob, value) in [
        ("/user/*", "x/user/1"),
        ("a?c", "ac"),
        ("[!a-c]x", "ax"),
        ("a.b", "axb"),
        ("a\\\\*b", "axb"),
    ] {
        assert!(!covered(glob, value), "{glob} {value}");
    }
}
