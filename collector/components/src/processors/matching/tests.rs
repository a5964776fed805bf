#![allow(clippy::unwrap_used)]

use super::*;
use crate::processors::testing::{Sample, configured, int, pair, text, valid};
use collector_pdata::edit::{Change, Edit, rewrite};
use collector_pdata::{ItemKind, Malformed, Signal};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;

/// Whether the filter takes what it sees last.
struct Probe {
    filter: Filter,
    taken: bool,
}

impl Edit for Probe {
    fn looks_at_scopes(&self) -> bool {
        self.filter.looks_at_scopes()
    }
    fn looks_at_metrics(&self) -> bool {
        self.filter.looks_at_metrics()
    }
    fn resource(&mut self, resource: &[u8], _: &mut Vec<u8>) -> Result<Change, Malformed> {
        self.filter.resource(resource).map(|()| Change::Keep)
    }
    fn scope(&mut self, scope: &[u8], _: &mut Vec<u8>) -> Result<Change, Malformed> {
        self.filter.scope(scope).map(|()| Change::Keep)
    }
    fn metric(&mut self, metric: &[u8], _: &mut Vec<u8>) -> Result<Change, Malformed> {
        self.filter.metric(metric).map(|()| Change::Keep)
    }
    fn item(&mut self, kind: ItemKind, item: &[u8], _: &mut Vec<u8>) -> Result<Change, Malformed> {
        self.taken = self.filter.takes(kind, item)?;
        Ok(Change::Keep)
    }
}

fn takes(yaml: &str, signal: Signal, sample: &Sample) -> bool {
    let matching = valid(yaml, Matching::read);
    let refused = matching
        .refusals()
        .into_iter()
        .filter(|(refused, _)| *refused == signal);
    assert_eq!(refused.collect::<Vec<_>>(), vec![], "{yaml}");
    let mut probe = Probe {
        filter: matching.filter(signal),
        taken: false,
    };
    rewrite(signal, &sample.encode(signal), &mut probe).unwrap();
    probe.taken
}

/// Checks properties as `include` and, the other way round, as `exclude`.
fn check(properties: &str, signals: &[Signal], expected: bool, sample: &Sample) {
    for signal in signals {
        let include = format!("{{include: {properties}}}");
        assert_eq!(takes(&include, *signal, sample), expected, "{include} {signal:?}");
        let exclude = format!("{{exclude: {properties}}}");
        assert_eq!(takes(&exclude, *signal, sample), !expected, "{exclude} {signal:?}");
    }
}

const BOTH: &[Signal] = &[Signal::Traces, Signal::Logs];
const TRACES: &[Signal] = &[Signal::Traces];
const LOGS: &[Signal] = &[Signal::Logs];
const METRICS: &[Signal] = &[Signal::Metrics];

fn sample() -> Sample {
    Sample {
        resource: vec![text("service.name", "auth-1"), text("host.type", "n1")],
        scope: ("mongo", "3.8.0"),
        attributes: vec![
            text("env", "dev"),
            int("code", 404),
            pair("ok", Value::BoolValue(true)),
            pair("ratio", Value::DoubleValue(1e21)),
            pair(
                "map",
                Value::KvlistValue(KeyValueList {
                    values: vec![text("x", "1"), int("y", 2)],
                }),
            ),
        ],
        span: Span {
            name: "GET /login".to_owned(),
            kind: 2,
            ..Span::default()
        },
        record: LogRecord {
            severity_number: 9,
            severity_text: "INFO".to_owned(),
            body: Some(AnyValue {
                value: Some(Value::StringValue("AUTH ok".to_owned())),
            }),
            ..LogRecord::default()
        },
        metric: "http.duration",
    }
}

/// Properties, the signals that they are for, and whether they match the sample.
const COMPARISONS: &[(&str, &[Signal], bool)] = &[
    ("{match_type: strict, services: [x, auth-1]}", TRACES, true),
    ("{match_type: strict, services: [auth]}", TRACES, false),
    ("{match_type: regexp, services: ['auth.*']}", TRACES, true),
    ("{match_type: strict, span_names: [GET /login]}", TRACES, true),
    ("{match_type: regexp, span_names: ['^login']}", TRACES, false),
    ("{match_type: strict, span_kinds: [SPAN_KIND_SERVER]}", TRACES, true),
    ("{match_type: regexp, span_kinds: [CLIENT, INTERNAL]}", TRACES, false),
    ("{match_type: regexp, log_bodies: ['^AUTH']}", LOGS, true),
    ("{match_type: strict, log_bodies: [AUTH]}", LOGS, false),
    ("{match_type: strict, log_severity_texts: [INFO]}", LOGS, true),
    ("{match_type: regexp, log_severity_texts: ['debug.*']}", LOGS, false),
    ("{match_type: strict, log_severity_number: {min: 9}}", LOGS, true),
    ("{match_type: strict, log_severity_number: {min: 10}}", LOGS, false),
    ("{match_type: strict, metric_names: [http.duration]}", METRICS, true),
    ("{match_type: regexp, metric_names: ['^rpc']}", METRICS, false),
    ("{match_type: strict, libraries: [{name: mongo}]}", BOTH, true),
    (
        "{match_type: strict, libraries: [{name: mongo, version: 3.8.0}]}",
        BOTH,
        true,
    ),
    (
        "{match_type: strict, libraries: [{name: mongo, version: ''}]}",
        BOTH,
        false,
    ),
    (
        "{match_type: strict, libraries: [{name: mongo}, {name: other}]}",
        BOTH,
        false,
    ),
    (
        "{match_type: strict, resources: [{key: host.type, value: n1}]}",
        BOTH,
        true,
    ),
    (
        "{match_type: strict, resources: [{key: host.type, value: n2}]}",
        BOTH,
        false,
    ),
    (
        "{match_type: regexp, resources: [{key: host.type, value: ^n}]}",
        BOTH,
        true,
    ),
    ("{match_type: strict, attributes: [{key: env}]}", BOTH, true),
    (
        "{match_type: strict, attributes: [{key: env, value: dev}, {key: x}]}",
        BOTH,
        false,
    ),
    (
        "{match_type: strict, attributes: [{key: code, value: 404}]}",
        BOTH,
        true,
    ),
    (
        "{match_type: strict, attributes: [{key: code, value: '404'}]}",
        BOTH,
        false,
    ),
    (
        "{match_type: regexp, attributes: [{key: code, value: '^4'}]}",
        BOTH,
        true,
    ),
    (
        "{match_type: regexp, attributes: [{key: ok, value: true$}]}",
        BOTH,
        true,
    ),
    (
        "{match_type: strict, attributes: [{key: map, value: {y: 2, x: '1'}}]}",
        BOTH,
        true,
    ),
    (
        "{match_type: regexp, attributes: [{key: map, value: '.*'}]}",
        BOTH,
        false,
    ),
    (
        "{match_type: regexp, attributes: [{key: ratio, value: '^1000000000000000000000$'}]}",
        BOTH,
        true,
    ),
    (
        "{match_type: strict, services: [auth-1], attributes: [{key: env, value: prod}]}",
        TRACES,
        false,
    ),
];

#[test]
fn each_property_is_compared_as_upstream_does_it() {
    for (properties, signals, expected) in COMPARISONS {
        check(properties, signals, *expected, &sample());
    }
}

#[test]
fn exclude_is_left_out_of_what_include_takes() {
    let yaml = "{include: {match_type: regexp, services: ['auth.*']},
        exclude: {match_type: regexp, span_names: ['login.*']}}";
    assert!(!takes(yaml, Signal::Traces, &sample()));
    let mut other = sample();
    other.span.name = "GET /".to_owned();
    assert!(takes(yaml, Signal::Traces, &other));
    other.resource.clear();
    assert!(!takes(yaml, Signal::Traces, &other));
}

#[test]
fn what_is_not_there_has_the_words_of_upstream() {
    let empty = Sample::default();
    check(
        "{match_type: strict, services: [<nil-service-name>]}",
        TRACES,
        true,
        &empty,
    );
    check(
        "{match_type: strict, libraries: [{name: '', version: ''}]}",
        BOTH,
        true,
        &empty,
    );
    check(
        "{match_type: strict, log_severity_number: {min: 1}}",
        LOGS,
        false,
        &empty,
    );
    let undefined = "{match_type: strict, log_severity_number: {min: 1, match_undefined: true}}";
    check(undefined, LOGS, true, &empty);
    check("{match_type: regexp, log_bodies: ['^$']}", LOGS, true, &empty);
}

#[test]
fn the_resource_of_a_metric_is_not_looked_at() {
    let other = "match_type: strict, resources: [{key: host.type, value: other}]";
    assert!(takes(&format!("{{include: {{{other}}}}}"), Signal::Metrics, &sample()));
    let named = format!("{{include: {{metric_names: [http.duration], {other}}}}}");
    assert!(takes(&named, Signal::Metrics, &sample()));
}

#[test]
fn a_property_of_another_signal_is_refused_for_this_one() {
    let refused = |properties: &str| {
        let matching = valid(&format!("{{exclude: {properties}}}"), Matching::read);
        let refusals = matching.refusals().into_iter();
        refusals
            .map(|(signal, reason)| format!("{signal:?} {reason}"))
            .collect::<Vec<_>>()
    };
    let of_services = refused("{match_type: strict, services: [a]}");
    assert_eq!(of_services.len(), 2, "{of_services:?}");
    assert!(
        of_services[0].starts_with("Metrics exclude: services is not for them"),
        "{of_services:?}"
    );
    assert!(
        of_services[1].starts_with("Logs exclude: services is not for them"),
        "{of_services:?}"
    );
    assert_eq!(refused("{match_type: strict, metric_names: [a]}").len(), 2);
    assert_eq!(refused("{match_type: strict, attributes: [{key: a}]}").len(), 1);
    assert_eq!(refused("{match_type: strict, resources: [{key: a}]}").len(), 0);
    assert_eq!(refused("{match_type: strict}").len(), 3);
    let kinds = refused("{match_type: strict, span_kinds: [server]}");
    assert!(
        kinds[0].contains("\"server\" in span_kinds is none of SPAN_KIND_INTERNAL"),
        "{kinds:?}"
    );
}

#[test]
fn what_is_wrong_is_named() {
    for (properties, expected) in [
        ("{services: [a]}", "p::include::match_type: is required"),
        (
            "{match_type: glob, services: [a]}",
            "p::include::match_type: \"glob\" is none of strict, regexp",
        ),
        (
            "{match_type: regexp, services: ['(']}",
            "p::include::services: this is no regular expression",
        ),
        (
            "{match_type: strict, attributes: [{value: 1}]}",
            "p::include::attributes::0::key: is required",
        ),
        (
            "{match_type: regexp, attributes: [{key: a, value: 1}]}",
            "p::include::attributes::0::value: must be text with match_type regexp",
        ),
        ("{match_type: strict, service: [a]}", "p::include::service: unknown key"),
    ] {
        let (_, errors) = configured(&format!("{{include: {properties}}}"), Matching::read);
        assert!(errors.contains(expected), "{properties}\n{errors}");
    }
}
