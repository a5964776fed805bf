//! The samplers of the group actions.odigos.io: their levels as lists of rules behind those of Samplings.

use super::{Match, Rule, SamplingError};
use crate::collectors::statements::{check_condition, equals, literal_pattern, matches, quoted};
use crate::legacy::{AttributeTest, Level, Matches, TraceRule};
use collector_ottl::{Context, go_regex};
use controllers_api::span_attribute_sampler::{
    BooleanCondition, BooleanOperation, JsonCondition, JsonOperation, NumberCondition, NumberOperation,
    StringCondition, StringOperation,
};

/// The lists in the order in which they are asked: on each level what matches, from the whole to the particular; then, from
/// the particular to the whole, what a level speaks of and none matches. In all of them the highest percentage counts.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Lists(pub(super) [Vec<Rule>; 6]);

impl Lists {
    /// Adds the rules of a sampler.
    ///
    /// # Errors
    /// A condition asks for what cannot be told of a span.
    pub(super) fn add(&mut self, rules: &[TraceRule]) -> Result<(), SamplingError> {
        let mut made = Vec::new();
        for rule in rules {
            let wrong = |message| SamplingError {
                field: rule.name.clone(),
                message,
            };
            let speaks = speaks(rule);
            let wanted = wanted(rule, speaks.clone()).map_err(wrong)?;
            if let Some(condition) = &wanted.span {
                check_condition(Context::Span, condition).map_err(wrong)?;
            }
            let of = |matches: Match, percentage: f64| Rule {
                id: rule.name.clone(),
                matches,
                percentage,
            };
            let level = rule.level as usize;
            made.push((level, of(wanted, rule.keep)));
            let rest = Match {
                span: speaks,
                ..Match::default()
            };
            made.push((self.0.len() - 1 - level, of(rest, rule.otherwise)));
        }
        for (list, rule) in made {
            super::join(&mut self.0[list], vec![rule], f64::max);
        }
        Ok(())
    }
}

/// The names of the lists, as they are in the names of policies.
pub(super) const NAMES: [&str; 6] = [
    Level::Global.name(),
    Level::Service.name(),
    Level::Endpoint.name(),
    "endpoint-rest",
    "service-rest",
    "global-rest",
];

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Level::Global => "global",
            Level::Service => "service",
            Level::Endpoint => "endpoint",
        }
    }
}

/// A span by which a rule speaks of a trace; nothing where it speaks of all.
fn speaks(rule: &TraceRule) -> Option<String> {
    let service = rule.service.as_ref().map(|name| of_service(name));
    let route = rule.route_prefix.as_ref().map(|prefix| {
        let route = "attributes[\"http.route\"]";
        format!(
            "{route} != nil and IsString({route}) and HasPrefix({route}, {})",
            quoted(prefix)
        )
    });
    let parts: Vec<String> = [service, route].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(" and "))
}

fn of_service(name: &str) -> String {
    equals("resource.attributes", "service.name", name)
}

fn wanted(rule: &TraceRule, speaks: Option<String>) -> Result<Match, String> {
    let and = |condition: String| match &speaks {
        Some(speaks) => format!("{speaks} and ({condition})"),
        None => condition,
    };
    let span = match &rule.matches {
        Matches::Every | Matches::Error => speaks,
        // Of a service's spans the one that answers the request lasts as long as all of them together.
        Matches::LongerThan(milliseconds) => {
            let nanoseconds = milliseconds.saturating_mul(1_000_000).min(i64::MAX as u64);
            Some(and(format!(
                "end_time_unix_nano - start_time_unix_nano > {nanoseconds}"
            )))
        }
        Matches::Attribute { key, test } => Some(and(attribute(key, test)?)),
    };
    Ok(Match {
        span,
        error: rule.matches == Matches::Error,
        milliseconds: None,
    })
}

/// A condition on an attribute's value.
fn attribute(key: &str, test: &AttributeTest) -> Result<String, String> {
    match test {
        AttributeTest::Text(condition) => text(key, condition),
        AttributeTest::Number(condition) => number(key, condition),
        AttributeTest::Flag(condition) => Ok(flag(key, condition)),
        AttributeTest::Json(condition) => json(key, condition),
    }
}

fn path(key: &str) -> String {
    format!("attributes[{}]", quoted(key))
}

fn flag(key: &str, condition: &BooleanCondition) -> String {
    let path = path(key);
    match condition.operation {
        BooleanOperation::Exists => format!("{path} != nil and IsBool({path})"),
        BooleanOperation::Equals => format!("{path} == {}", condition.expected_value.unwrap_or_default()),
    }
}

fn text(key: &str, condition: &StringCondition) -> Result<String, String> {
    let expected = condition.expected_value.as_deref();
    let expected = || expected.ok_or_else(|| "expected_value must be given".to_owned());
    let path = path(key);
    let is_text = format!("{path} != nil and IsString({path})");
    let contains = |expected: &str| matches("attributes", key, &literal_pattern(expected));
    Ok(match condition.operation {
        StringOperation::Exists => is_text,
        StringOperation::Equals => format!("{path} == {}", quoted(expected()?)),
        StringOperation::NotEquals => format!("{is_text} and {path} != {}", quoted(expected()?)),
        StringOperation::Contains => contains(expected()?),
        StringOperation::NotContains => format!("{is_text} and not ({})", contains(expected()?)),
        StringOperation::Regex => {
            let pattern = expected()?;
            go_regex(pattern)?;
            matches("attributes", key, pattern)
        }
    })
}

fn number(key: &str, condition: &NumberCondition) -> Result<String, String> {
    let path = path(key);
    let is_number = format!("{path} != nil and (IsInt({path}) or IsDouble({path}))");
    let sign = match condition.operation {
        NumberOperation::Exists => return Ok(is_number),
        NumberOperation::Equals => "==",
        NumberOperation::NotEquals => "!=",
        NumberOperation::GreaterThan => ">",
        NumberOperation::LessThan => "<",
        NumberOperation::GreaterThanOrEqual => ">=",
        NumberOperation::LessThanOrEqual => "<=",
    };
    let expected = condition.expected_value.filter(|expected| expected.is_finite());
    let expected = expected.ok_or_else(|| "expected_value must be given".to_owned())?;
    Ok(format!("{is_number} and {path} {sign} {expected}"))
}

/// The language reads no JSON, so a document is a text like any other.
fn json(key: &str, condition: &JsonCondition) -> Result<String, String> {
    let equal = || match &condition.expected_value {
        Some(expected) => Ok(equals("attributes", key, expected)),
        None => Err("expected_value must be given".to_owned()),
    };
    match condition.operation {
        JsonOperation::Equals => equal(),
        JsonOperation::NotEquals => {
            let begins = matches("attributes", key, r"^\s*[\[{]");
            Ok(format!("{begins} and not ({})", equal()?))
        }
        JsonOperation::IsValidJson
        | JsonOperation::IsInvalidJson
        | JsonOperation::JsonpathExists
        | JsonOperation::KeyEquals
        | JsonOperation::KeyNotEquals => {
            let message = "what is inside of a JSON document cannot be looked at: use string_condition, with the operation \
                           regex";
            Err(message.to_owned())
        }
    }
}
