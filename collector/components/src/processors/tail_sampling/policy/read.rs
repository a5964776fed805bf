//! Reads policies out of their settings.

use super::attribute::{Attribute, Wanted};
use super::bucket::Bucket;
use super::composite::{Composite, Part};
use super::condition::Conditions;
use super::{Policies, Policy, Rule};
use crate::processors::ottl::ErrorMode;
use collector_config::Section;
use collector_ottl::{Condition, Context, go_regex};

/// The deepest nesting of policies.
const MAX_DEPTH: usize = 8;

/// The policies at `policies`.
pub(in super::super) fn read_policies(section: &mut Section<'_, '_>, on_first_match: bool) -> Policies {
    let mut policies = Policies {
        on_first_match,
        ..Policies::default()
    };
    let mut names: Vec<String> = Vec::new();
    section.sections("policies", |section| {
        let (name, kind) = (read_name(section, &mut names), read_kind(section));
        let drops = kind == Some(Kind::Drop);
        let rule = read_rule(section, kind, 0);
        let policy = Policy {
            counts: rule.counts(),
            name: name.into(),
            rule,
        };
        let list = if drops {
            &mut policies.drops
        } else {
            &mut policies.others
        };
        list.push(policy);
    });
    if names.is_empty() {
        section.error("policies", "at least one policy is required");
    }
    if names.len() > usize::from(u16::MAX) {
        section.error("policies", "there are too many policies");
    }
    policies
}

fn read_name(section: &mut Section<'_, '_>, names: &mut Vec<String>) -> String {
    let name = section.required_text("name").unwrap_or_default().to_owned();
    if names.contains(&name) && !name.is_empty() {
        section.error("name", format!("another policy is named {name} too"));
    }
    names.push(name.clone());
    name
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    AlwaysSample,
    Latency,
    NumericAttribute,
    StringAttribute,
    BooleanAttribute,
    Probabilistic,
    StatusCode,
    RateLimiting,
    BytesLimiting,
    SpanCount,
    TraceState,
    TraceFlags,
    OttlCondition,
    And,
    Not,
    Drop,
    Composite,
}

const KINDS: &[(&str, Kind)] = &[
    ("always_sample", Kind::AlwaysSample),
    ("latency", Kind::Latency),
    ("numeric_attribute", Kind::NumericAttribute),
    ("string_attribute", Kind::StringAttribute),
    ("boolean_attribute", Kind::BooleanAttribute),
    ("probabilistic", Kind::Probabilistic),
    ("status_code", Kind::StatusCode),
    ("rate_limiting", Kind::RateLimiting),
    ("bytes_limiting", Kind::BytesLimiting),
    ("span_count", Kind::SpanCount),
    ("trace_state", Kind::TraceState),
    ("trace_flags", Kind::TraceFlags),
    ("ottl_condition", Kind::OttlCondition),
    ("and", Kind::And),
    ("not", Kind::Not),
    ("drop", Kind::Drop),
    ("composite", Kind::Composite),
];

fn read_kind(section: &mut Section<'_, '_>) -> Option<Kind> {
    section.required_text("type")?;
    section.choice("type", KINDS)
}

/// After an error the rule is never used.
fn read_rule(section: &mut Section<'_, '_>, kind: Option<Kind>, depth: usize) -> Rule {
    let Some(kind) = kind else { return Rule::Always };
    if depth > 0 && matches!(kind, Kind::Drop | Kind::Composite) {
        section.error("type", "cannot be within another policy");
    }
    match kind {
        Kind::AlwaysSample => section.section("always_sample", |_| Rule::Always),
        Kind::Latency => section.section("latency", |section| Rule::Latency {
            threshold: section.count("threshold_ms", 0),
            upper: section.count("upper_threshold_ms", 0),
        }),
        Kind::NumericAttribute => section.section("numeric_attribute", read_numeric),
        Kind::StringAttribute => section.section("string_attribute", read_text),
        Kind::BooleanAttribute => section.section("boolean_attribute", |section| {
            let wanted = Wanted::Bool(section.flag("value", false));
            read_attribute(section, wanted)
        }),
        Kind::Probabilistic => section.section("probabilistic", read_probabilistic),
        Kind::StatusCode => section.section("status_code", read_status),
        Kind::RateLimiting => section.section("rate_limiting", |section| {
            Rule::Spans(read_bucket(section, "spans_per_second"))
        }),
        Kind::BytesLimiting => section.section("bytes_limiting", |section| {
            Rule::Bytes(read_bucket(section, "bytes_per_second"))
        }),
        Kind::SpanCount => section.section("span_count", |section| Rule::SpanCount {
            min: section.count("min_spans", 0),
            max: section.count("max_spans", 0),
        }),
        Kind::TraceState => section.section("trace_state", |section| Rule::TraceState {
            key: section.required_text("key").unwrap_or_default().as_bytes().into(),
            values: bytes(section.texts_list("values")),
        }),
        Kind::TraceFlags => section.section("trace_flags", |_| Rule::TraceFlags),
        Kind::OttlCondition => section.section("ottl_condition", read_conditions),
        Kind::And => Rule::And(section.section("and", |section| read_parts(section, "and_sub_policy", depth))),
        Kind::Drop => Rule::And(section.section("drop", |section| read_parts(section, "drop_sub_policy", depth))),
        Kind::Not => Rule::Not(Box::new(section.section("not", |section| {
            section.section("not_sub_policy", |section| read_part(section, depth))
        }))),
        Kind::Composite => section.section("composite", |section| read_composite(section, depth)),
    }
}

fn read_parts(section: &mut Section<'_, '_>, key: &'static str, depth: usize) -> Vec<Rule> {
    let rules = section.sections(key, |section| read_part(section, depth));
    if rules.is_empty() {
        section.error(key, "at least one policy is required");
    }
    rules
}

/// A policy within another.
fn read_part(section: &mut Section<'_, '_>, depth: usize) -> Rule {
    section.text("name");
    if depth == MAX_DEPTH {
        section.error("", format!("policies are nested deeper than {MAX_DEPTH}"));
        return Rule::Always;
    }
    let kind = read_kind(section);
    read_rule(section, kind, depth + 1)
}

fn read_attribute(section: &mut Section<'_, '_>, wanted: Wanted) -> Rule {
    Rule::Attribute(Attribute {
        key: section.required_text("key").unwrap_or_default().as_bytes().into(),
        is_inverted: section.flag("invert_match", false),
        wanted,
    })
}

/// As upstream has it, a bound of zero is none.
fn read_numeric(section: &mut Section<'_, '_>) -> Rule {
    let bound = |written: i64, none: i64| if written == 0 { none } else { written };
    let min = bound(section.integer("min_value", 0), i64::MIN);
    let max = bound(section.integer("max_value", 0), i64::MAX);
    if min > max {
        section.error("min_value", "must not be more than max_value");
    }
    read_attribute(section, Wanted::Integer { min, max })
}

/// Patterns need no cache here: they take a time linear in the text.
fn read_text(section: &mut Section<'_, '_>) -> Rule {
    section.accept(&["cache_max_size"]);
    let values = section.texts_list("values");
    let wanted = if section.flag("enabled_regex_matching", false) {
        let mut compile = |text: &str| go_regex(text).map_err(|message| section.error("values", message)).ok();
        Wanted::Pattern(values.into_iter().filter_map(&mut compile).collect())
    } else {
        // As upstream has it, an empty text is not looked for.
        Wanted::Text(bytes(values).into_iter().filter(|text| !text.is_empty()).collect())
    };
    read_attribute(section, wanted)
}

fn bytes(texts: Vec<&str>) -> Vec<Box<[u8]>> {
    texts.into_iter().map(|text| text.as_bytes().into()).collect()
}

fn read_probabilistic(section: &mut Section<'_, '_>) -> Rule {
    /// 2^64.
    const HASHES: f64 = 18_446_744_073_709_551_616.0;
    let salt = section.text("hash_salt").filter(|salt| !salt.is_empty());
    let percentage = section.number("sampling_percentage", 0.0);
    Rule::Probabilistic {
        // Upstream's own, so that both keep the same traces.
        salt: salt.unwrap_or("default-hash-seed").as_bytes().into(),
        // The conversion is saturating.
        threshold: (percentage / 100.0 * HASHES) as u64,
    }
}

fn read_status(section: &mut Section<'_, '_>) -> Rule {
    let mut codes = 0;
    for word in section.texts_list("status_codes") {
        match word {
            "UNSET" => codes |= 1,
            "OK" => codes |= 1 << 1,
            "ERROR" => codes |= 1 << 2,
            other => section.error(
                "status_codes",
                format!("\"{}\" is none of OK, ERROR, UNSET", other.escape_debug()),
            ),
        }
    }
    if codes == 0 {
        section.error("status_codes", "at least one status code is required");
    }
    Rule::Status(codes)
}

/// A bucket holds twice what comes in a second, unless told otherwise.
fn read_bucket(section: &mut Section<'_, '_>, key: &'static str) -> Bucket {
    let per_second = section.count(key, 0);
    let burst = section.count("burst_capacity", 0);
    Bucket::new(
        per_second,
        if burst == 0 {
            per_second.saturating_mul(2)
        } else {
            burst
        },
    )
}

fn read_conditions(section: &mut Section<'_, '_>) -> Rule {
    let conditions = Conditions {
        error_mode: ErrorMode::read(section, ErrorMode::Propagate),
        of_spans: compile(section, "span", Context::Span),
        of_events: compile(section, "spanevent", Context::SpanEvent),
    };
    if conditions.of_spans.is_empty() && conditions.of_events.is_empty() {
        section.error("", "at least one condition is required, at span or at spanevent");
    }
    Rule::Conditions(Box::new(conditions))
}

fn compile(section: &mut Section<'_, '_>, key: &'static str, context: Context) -> Vec<Condition> {
    let mut compiled = Vec::new();
    // Text that is no list would be cut at its commas, which conditions have of their own.
    for (index, text) in section.texts_list(key).into_iter().enumerate() {
        match Condition::compile(context, text) {
            Ok(condition) => compiled.push(condition),
            Err(error) => section.error(key, format!("condition {index}: {error}")),
        }
    }
    compiled
}

fn read_composite(section: &mut Section<'_, '_>, depth: usize) -> Rule {
    let max_total = section.count("max_total_spans_per_second", 0);
    let mut parts = section.sections("composite_sub_policy", |section| {
        let name = section.required_text("name").unwrap_or_default().to_owned();
        (name, read_part(section, depth))
    });
    let names: Vec<String> = parts.iter().map(|(name, _)| name.clone()).collect();
    let order = section.texts_list("policy_order");
    check_names(section, "policy_order", &order, &names);
    // Those that the order does not name come last.
    parts.sort_by_key(|(name, _)| order.iter().position(|named| named == name).unwrap_or(order.len()));
    let percents = section.sections("rate_allocation", |section| {
        let policy = section.required_text("policy").unwrap_or_default();
        (policy, section.count_in("percent", 0..=100, 0))
    });
    let named: Vec<&str> = percents.iter().map(|(policy, _)| *policy).collect();
    check_names(section, "rate_allocation", &named, &names);
    if parts.is_empty() {
        section.error("composite_sub_policy", "at least one policy is required");
    }
    let shares = Shares::new(max_total, &percents, parts.len());
    let part = |(name, rule): (String, Rule)| Part {
        allocated: shares.of(&name),
        rule,
        spent: 0,
    };
    Rule::Composite(Box::new(Composite {
        max_total,
        parts: parts.into_iter().map(part).collect(),
        second: 0,
    }))
}

fn check_names(section: &mut Section<'_, '_>, key: &'static str, named: &[&str], names: &[String]) {
    for name in named.iter().filter(|name| !names.iter().any(|known| known == *name)) {
        section.error(key, format!("no sub policy is named {name}"));
    }
}

/// The parts of a rate.
struct Shares<'p> {
    max_total: u64,
    percents: &'p [(&'p str, u64)],
    /// Of a policy with a percentage of zero, or with none.
    equal: u64,
    rest: u64,
}

impl<'p> Shares<'p> {
    fn new(max_total: u64, percents: &'p [(&'p str, u64)], policies: usize) -> Self {
        let spent: u64 = percents.iter().map(|(_, percent)| *percent).sum();
        let without = policies.saturating_sub(percents.len()).max(1) as u64;
        Shares {
            max_total,
            percents,
            equal: max_total / (policies.max(1) as u64),
            rest: part(max_total, 100u64.saturating_sub(spent)) / without,
        }
    }

    /// Policies that are not named share what is left, so that a last one that samples always fills the rate.
    fn of(&self, name: &str) -> u64 {
        match self.percents.iter().find(|(policy, _)| *policy == name) {
            Some((_, 0)) => self.equal,
            Some((_, percent)) => part(self.max_total, *percent),
            None => self.rest,
        }
    }
}

fn part(whole: u64, percent: u64) -> u64 {
    (u128::from(whole) * u128::from(percent) / 100) as u64
}
