//! The legacy samplers as rules about finished traces, all of one form.
//!
//! As their users know them, the levels are asked in the order of [`Level`]. The first level on which a trace matches a rule
//! decides, by the chance that at least one of the matching rules keeps it; if none matches, the last level with a rule that
//! speaks of the trace decides so by what those rules keep `otherwise`. (Fact: the behaviour of Odigos' sampling processor.)

use controllers_api::error_sampler::ErrorSampler;
use controllers_api::latency_sampler::LatencySampler;
use controllers_api::probabilistic_sampler::ProbabilisticSampler;
use controllers_api::service_name_sampler::ServiceNameSampler;
use controllers_api::span_attribute_sampler::{
    AttributeCondition, BooleanCondition, JsonCondition, NumberCondition, SpanAttributeSampler, StringCondition,
};

/// What a legacy sampler says of traces: those that the rule speaks of and that match are kept by one percentage, those that
/// it speaks of and that do not match by another. Of all other traces it says nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceRule {
    /// `<kind>_<name>_<index>` in lower case; unlike the name of every object of Kubernetes.
    pub name: String,
    /// When it is asked.
    pub level: Level,
    /// The rule speaks of traces with a span of this service (`service.name`); absent means all traces.
    pub service: Option<String>,
    /// The rule speaks of traces with a span of that service whose `http.route` begins so; absent means any.
    pub route_prefix: Option<String>,
    /// Which of them match.
    pub matches: Matches,
    /// How much of the matching ones is kept, in percent from 0 to 100.
    pub keep: f64,
    /// How much of the others is kept, in percent from 0 to 100.
    pub otherwise: f64,
}

/// When a rule is asked: the first level first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Of all traces.
    Global,
    /// Of those of a service.
    Service,
    /// Of those of a service's route.
    Endpoint,
}

/// Which of the traces match that a [`TraceRule`] speaks of.
#[derive(Clone, Debug, PartialEq)]
pub enum Matches {
    /// Every one.
    Every,
    /// Those with a span that ended in an error.
    Error,
    /// Those whose spans of the service took more than so many milliseconds, from the first's begin to the last's end.
    LongerThan(u64),
    /// Those with a span of the service with this attribute.
    Attribute {
        /// The attribute's key.
        key: String,
        /// What its value must meet.
        test: AttributeTest,
    },
}

/// What the value of an attribute must meet.
#[derive(Clone, Debug, PartialEq)]
pub enum AttributeTest {
    /// It is a string.
    Text(StringCondition),
    /// It is a number.
    Number(NumberCondition),
    /// It is a boolean.
    Flag(BooleanCondition),
    /// It is a string that holds JSON.
    Json(JsonCondition),
}

/// Why a sampler has no rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct SamplerError {
    /// The field, from the object's root.
    pub path: String,
    /// What to change.
    pub message: String,
}

/// A sampler of the legacy group.
pub trait LegacySampler {
    /// Its rules in their order; none where it is disabled. An error says which field to change.
    fn rules(&self) -> Result<Vec<TraceRule>, SamplerError>;
}

impl LegacySampler for ErrorSampler {
    fn rules(&self) -> Result<Vec<TraceRule>, SamplerError> {
        if self.spec.disabled == Some(true) {
            return Ok(Vec::new());
        }
        Ok(vec![TraceRule {
            name: format!("{}_0", super::name("errorsampler", &self.metadata)),
            level: Level::Global,
            service: None,
            route_prefix: None,
            matches: Matches::Error,
            keep: 100.0,
            otherwise: percent(self.spec.fallback_sampling_ratio, || {
                "spec.fallback_sampling_ratio".to_owned()
            })?,
        }])
    }
}

impl LegacySampler for ProbabilisticSampler {
    fn rules(&self) -> Result<Vec<TraceRule>, SamplerError> {
        if self.spec.disabled == Some(true) {
            return Ok(Vec::new());
        }
        let path = || "spec.sampling_percentage".to_owned();
        let number = self.spec.sampling_percentage.trim().parse();
        let keep = percent(number.unwrap_or(f64::NAN), path)?;
        Ok(vec![TraceRule {
            name: format!("{}_0", super::name("probabilisticsampler", &self.metadata)),
            level: Level::Global,
            service: None,
            route_prefix: None,
            matches: Matches::Every,
            keep,
            otherwise: keep,
        }])
    }
}

impl LegacySampler for LatencySampler {
    fn rules(&self) -> Result<Vec<TraceRule>, SamplerError> {
        if self.spec.disabled == Some(true) {
            return Ok(Vec::new());
        }
        let filters = self.spec.endpoints_filters.iter().enumerate();
        let rules = filters.map(|(index, filter)| {
            let path = |field| format!("spec.endpoints_filters[{index}].{field}");
            let threshold = u64::try_from(filter.minimum_latency_threshold).map_err(|_| SamplerError {
                path: path("minimum_latency_threshold"),
                message: "must be a number of milliseconds from 0".to_owned(),
            })?;
            Ok(TraceRule {
                name: format!("{}_{index}", super::name("latencysampler", &self.metadata)),
                level: Level::Endpoint,
                service: Some(filter.service_name.clone()),
                route_prefix: Some(filter.http_route.clone()),
                matches: Matches::LongerThan(threshold),
                keep: 100.0,
                otherwise: percent(filter.fallback_sampling_ratio, || path("fallback_sampling_ratio"))?,
            })
        });
        rules.collect()
    }
}

impl LegacySampler for ServiceNameSampler {
    fn rules(&self) -> Result<Vec<TraceRule>, SamplerError> {
        if self.spec.disabled == Some(true) {
            return Ok(Vec::new());
        }
        let filters = self.spec.services_name_filters.iter().enumerate();
        let rules = filters.map(|(index, filter)| {
            let path = |field| format!("spec.services_name_filters[{index}].{field}");
            Ok(TraceRule {
                name: format!("{}_{index}", super::name("servicenamesampler", &self.metadata)),
                level: Level::Service,
                service: Some(filter.service_name.clone()),
                route_prefix: None,
                matches: Matches::Every,
                keep: percent(filter.sampling_ratio, || path("sampling_ratio"))?,
                otherwise: percent(filter.fallback_sampling_ratio, || path("fallback_sampling_ratio"))?,
            })
        });
        rules.collect()
    }
}

impl LegacySampler for SpanAttributeSampler {
    fn rules(&self) -> Result<Vec<TraceRule>, SamplerError> {
        if self.spec.disabled == Some(true) {
            return Ok(Vec::new());
        }
        let filters = self.spec.attribute_filters.iter().enumerate();
        let rules = filters.map(|(index, filter)| {
            let path = |field| format!("spec.attribute_filters[{index}].{field}");
            let test = test(&filter.condition).ok_or_else(|| SamplerError {
                path: path("condition"),
                message:
                    "exactly one of boolean_condition, json_condition, number_condition, string_condition must be \
                          given"
                        .to_owned(),
            })?;
            Ok(TraceRule {
                name: format!("{}_{index}", super::name("spanattributesampler", &self.metadata)),
                level: Level::Service,
                service: Some(filter.service_name.clone()),
                route_prefix: None,
                matches: Matches::Attribute {
                    key: filter.attribute_key.clone(),
                    test,
                },
                keep: percent(filter.sampling_ratio, || path("sampling_ratio"))?,
                otherwise: percent(filter.fallback_sampling_ratio, || path("fallback_sampling_ratio"))?,
            })
        });
        rules.collect()
    }
}

/// The one test of a condition.
fn test(condition: &AttributeCondition) -> Option<AttributeTest> {
    let AttributeCondition {
        boolean_condition,
        json_condition,
        number_condition,
        string_condition,
    } = condition.clone();
    match (boolean_condition, json_condition, number_condition, string_condition) {
        (Some(it), None, None, None) => Some(AttributeTest::Flag(it)),
        (None, Some(it), None, None) => Some(AttributeTest::Json(it)),
        (None, None, Some(it), None) => Some(AttributeTest::Number(it)),
        (None, None, None, Some(it)) => Some(AttributeTest::Text(it)),
        _ => None,
    }
}

fn percent(value: f64, path: impl Fn() -> String) -> Result<f64, SamplerError> {
    match (0.0..=100.0).contains(&value) {
        true => Ok(value),
        false => Err(SamplerError {
            path: path(),
            message: "must be a number from 0 to 100".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn rules<S: LegacySampler + serde::de::DeserializeOwned>(
        kind: &str,
        spec: Value,
    ) -> Result<Vec<TraceRule>, String> {
        let object = json!({
            "apiVersion": "actions.odigos.io/v1alpha1",
            "kind": kind,
            "metadata": {"name": "old", "namespace": "odigos-system"},
            "spec": spec,
        });
        let sampler: S = serde_json::from_value(object).unwrap();
        sampler.rules().map_err(|error| error.to_string())
    }

    fn rule(name: &str, matches: Matches, keep: f64, otherwise: f64) -> TraceRule {
        TraceRule {
            name: name.to_owned(),
            level: Level::Global,
            service: None,
            route_prefix: None,
            matches,
            keep,
            otherwise,
        }
    }

    #[test]
    fn errors_are_kept_and_the_rest_by_its_ratio() {
        let made = rules::<ErrorSampler>(
            "ErrorSampler",
            json!({"signals": ["TRACES"], "fallback_sampling_ratio": 10}),
        );
        assert_eq!(made, Ok(vec![rule("errorsampler_old_0", Matches::Error, 100.0, 10.0)]));
        let wrong = json!({"signals": ["TRACES"], "fallback_sampling_ratio": 101});
        assert_eq!(
            rules::<ErrorSampler>("ErrorSampler", wrong).unwrap_err(),
            "spec.fallback_sampling_ratio: must be a number from 0 to 100"
        );
    }

    #[test]
    fn a_percentage_is_read_of_its_text() {
        let made = |text: &str| {
            let spec = json!({"signals": ["TRACES"], "sampling_percentage": text});
            rules::<ProbabilisticSampler>("ProbabilisticSampler", spec)
        };
        let expected = rule("probabilisticsampler_old_0", Matches::Every, 12.5, 12.5);
        assert_eq!(made("12.5"), Ok(vec![expected]));
        for wrong in ["", "a", "-1", "NaN", "inf", "100.1"] {
            let error = made(wrong).unwrap_err();
            assert_eq!(
                error, "spec.sampling_percentage: must be a number from 0 to 100",
                "{wrong}"
            );
        }
    }

    #[test]
    fn slow_requests_to_a_route_are_kept() {
        let filter = json!({
            "http_route": "/buy", "service_name": "shop", "minimum_latency_threshold": 500, "fallback_sampling_ratio": 20
        });
        let spec = json!({"signals": ["TRACES"], "endpoints_filters": [filter]});
        let expected = TraceRule {
            service: Some("shop".to_owned()),
            route_prefix: Some("/buy".to_owned()),
            level: Level::Endpoint,
            ..rule("latencysampler_old_0", Matches::LongerThan(500), 100.0, 20.0)
        };
        assert_eq!(
            rules::<LatencySampler>("LatencySampler", spec.clone()),
            Ok(vec![expected])
        );
        let mut wrong = spec;
        wrong["endpoints_filters"][0]["minimum_latency_threshold"] = json!(-1);
        assert_eq!(
            rules::<LatencySampler>("LatencySampler", wrong).unwrap_err(),
            "spec.endpoints_filters[0].minimum_latency_threshold: must be a number of milliseconds from 0"
        );
    }

    #[test]
    fn a_service_has_its_own_ratio() {
        let filter = json!({"service_name": "shop", "sampling_ratio": 50, "fallback_sampling_ratio": 5});
        let spec = json!({"signals": ["TRACES"], "services_name_filters": [filter]});
        let expected = TraceRule {
            service: Some("shop".to_owned()),
            level: Level::Service,
            ..rule("servicenamesampler_old_0", Matches::Every, 50.0, 5.0)
        };
        assert_eq!(
            rules::<ServiceNameSampler>("ServiceNameSampler", spec),
            Ok(vec![expected])
        );
    }

    #[test]
    fn exactly_one_condition_is_taken() {
        let spec = |condition: Value| {
            let filter = json!({
                "service_name": "shop", "attribute_key": "k", "condition": condition, "sampling_ratio": 90,
                "fallback_sampling_ratio": 1
            });
            json!({"signals": ["TRACES"], "attribute_filters": [filter]})
        };
        let made = |condition| rules::<SpanAttributeSampler>("SpanAttributeSampler", spec(condition));
        let found = made(json!({"string_condition": {"operation": "equals", "expected_value": "v"}})).unwrap();
        let Matches::Attribute { key, test } = &found[0].matches else {
            panic!("{found:?}")
        };
        assert_eq!(key, "k");
        assert!(matches!(test, AttributeTest::Text(it) if it.expected_value.as_deref() == Some("v")));
        let error = "spec.attribute_filters[0].condition: exactly one of boolean_condition, json_condition, \
                     number_condition, string_condition must be given";
        assert_eq!(made(json!({})).unwrap_err(), error);
        let two = json!({"string_condition": {"operation": "exists"}, "boolean_condition": {"operation": "exists"}});
        assert_eq!(made(two).unwrap_err(), error);
    }

    #[test]
    fn a_disabled_one_says_nothing() {
        let spec = json!({"signals": ["TRACES"], "disabled": true, "fallback_sampling_ratio": 500});
        assert_eq!(rules::<ErrorSampler>("ErrorSampler", spec), Ok(Vec::new()));
    }
}
