#![allow(clippy::unwrap_used)]

use super::*;
use crate::processors::testing::{Sample, configured, edited, int, pair, text, valid};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// What the upstream collector 0.161 decided and wrote: a line for each item, its parts as [`outcome`] reads them.
const UPSTREAM: &str = include_str!("upstream.txt");

fn sampling(yaml: &str) -> Sampling {
    valid(yaml, read)
}

fn settings(parts: &[&str], more: &str) -> String {
    let [percentage, mode, seed, precision, closed] = parts else {
        panic!("five settings: {parts:?}");
    };
    format!(
        "{{sampling_percentage: {percentage}, mode: {mode}, hash_seed: {seed}, sampling_precision: {precision}, \
         fail_closed: {closed}{more}}}"
    )
}

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits = (0..hexadecimal.len()).step_by(2);
    digits
        .map(|at| u8::from_str_radix(&hexadecimal[at..at + 2], 16).unwrap())
        .collect()
}

/// `i1` is the integer 1, `d2` a double, `s0.0` a text, `-` is not there.
fn priority(key: &str, written: &str) -> Option<KeyValue> {
    let (kind, value) = written.split_at(1);
    match kind {
        "i" => Some(int(key, value.parse().unwrap())),
        "d" => Some(pair(key, Value::DoubleValue(value.parse().unwrap()))),
        "s" => Some(text(key, value)),
        _ => None,
    }
}

/// What becomes of the item in a line, as the line says it.
fn outcome(parts: &[&str]) -> String {
    match parts[0] {
        "T" => span_outcome(&settings(&parts[1..6], ""), parts[6], parts[7], parts[8]),
        _ => {
            let more = format!(
                ", attribute_source: {}, from_attribute: id, sampling_priority: prio",
                parts[6]
            );
            log_outcome(&settings(&parts[1..6], &more), &parts[7..12])
        }
    }
}

fn span_outcome(settings: &str, trace_id: &str, trace_state: &str, written: &str) -> String {
    let sample = Sample {
        attributes: priority("sampling.priority", written).into_iter().collect(),
        span: Span {
            trace_id: bytes(trace_id),
            trace_state: trace_state.to_owned(),
            name: "kept".to_owned(),
            ..Span::default()
        },
        ..Sample::default()
    };
    let Some(request) = edited(&mut sampling(settings), Signal::Traces, &sample) else {
        return "dropped".to_owned();
    };
    let found = ExportTraceServiceRequest::decode(&request[..]).unwrap();
    let state = found.resource_spans[0].scope_spans[0].spans[0].trace_state.clone();
    let mut expected = sample;
    expected.span.trace_state = state.clone();
    assert_eq!(found, expected.traces(), "nothing else has changed");
    format!("kept|{state}")
}

fn log_outcome(settings: &str, item: &[&str]) -> String {
    let [trace_id, threshold, randomness, id, written] = item else {
        panic!("five parts: {item:?}");
    };
    let texts = [
        ("sampling.threshold", threshold),
        ("sampling.randomness", randomness),
        ("id", id),
    ];
    let texts = texts.iter().filter(|(_, value)| !value.is_empty());
    let sample = Sample {
        attributes: texts
            .map(|(key, value)| text(key, value))
            .chain(priority("prio", written))
            .collect(),
        record: LogRecord {
            trace_id: bytes(trace_id),
            ..LogRecord::default()
        },
        ..Sample::default()
    };
    let Some(request) = edited(&mut sampling(settings), Signal::Logs, &sample) else {
        return "dropped".to_owned();
    };
    let found = ExportLogsServiceRequest::decode(&request[..]).unwrap();
    let record = &found.resource_logs[0].scope_logs[0].log_records[0];
    let shown = |key: &str| match record.attributes.iter().find(|attribute| attribute.key == key) {
        Some(KeyValue {
            value: Some(AnyValue {
                value: Some(Value::StringValue(text)),
            }),
            ..
        }) => text.clone(),
        _ => "-".to_owned(),
    };
    format!("kept|{}|{}", shown("sampling.randomness"), shown("sampling.threshold"))
}

#[test]
fn decisions_and_what_is_written_are_those_of_upstream() {
    assert!(UPSTREAM.lines().count() > 300);
    for line in UPSTREAM.lines() {
        let parts: Vec<&str> = line.split('|').collect();
        let given = if parts[0] == "T" { 9 } else { 12 };
        assert_eq!(outcome(&parts[..given]), parts[given..].join("|"), "{line}");
    }
}

#[test]
fn settings_have_upstreams_defaults() {
    let sampling = sampling("{sampling_percentage: 15}");
    let decision = sampling.spans.decision();
    let Sampler::Hash { seed: 0, .. } = decision.sampler else {
        panic!("{decision:?}");
    };
    assert!(decision.fail_closed);
}

#[test]
fn what_is_wrong_is_named() {
    for (yaml, expected) in [
        (
            "{sampling_percentage: -1}",
            "p::sampling_percentage: must not be negative",
        ),
        (
            "{sampling_percentage: 1e-20}",
            "p::sampling_percentage: must be 0 or at least",
        ),
        (
            "{sampling_percentage: 1e39}",
            "p::sampling_percentage: must be a number",
        ),
        (
            "{sampling_precision: 0}",
            "p::sampling_precision: must be between 1 and 14",
        ),
        (
            "{sampling_precision: 15}",
            "p::sampling_precision: must be between 1 and 14",
        ),
        (
            "{mode: equalising}",
            "p::mode: \"equalising\" is none of hash_seed, proportional, equalizing",
        ),
        (
            "{attribute_source: body}",
            "p::attribute_source: \"body\" is none of traceID, record",
        ),
        (
            "{hash_sed: 1, hash_seed: 1}",
            "p::hash_sed: unknown key; did you mean \"hash_seed\"?",
        ),
    ] {
        let (_, errors) = configured(yaml, read);
        assert!(errors.contains(expected), "{yaml}\n{errors}");
    }
}

#[test]
fn about_the_share_that_is_asked_for_is_kept() {
    for mode in ["hash_seed", "proportional", "equalizing"] {
        let mut sampling = sampling(&format!("{{sampling_percentage: 20, mode: {mode}}}"));
        let mut random = fastrand::Rng::with_seed(7);
        let kept = (0..20_000).filter(|_| {
            let mut span = Vec::new();
            let mut id = [0; 16];
            random.fill(&mut id);
            collector_pdata::proto::put_bytes(&mut span, 1, &id);
            sampling.item(ItemKind::Span, &span, &mut Vec::new()) != Ok(Change::Drop)
        });
        let kept = kept.count();
        assert!((3700..4300).contains(&kept), "{mode}: {kept} of 20000");
    }
}

#[test]
fn an_id_of_a_wrong_length_makes_a_chunk_malformed() {
    let mut span = Vec::new();
    collector_pdata::proto::put_bytes(&mut span, 1, &[1; 15]);
    let outcome = sampling("{sampling_percentage: 100}").item(ItemKind::Span, &span, &mut Vec::new());
    assert_eq!(outcome, Err(Malformed::IdLength(15)));
}
