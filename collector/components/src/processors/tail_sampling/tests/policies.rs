use super::*;
use opentelemetry_proto::tonic::trace::v1::span::Event;

/// Whether the policies keep a trace of these spans.
fn keeps(policies: &str, spans: Vec<Span>) -> bool {
    let mut stage = Stage::new(&format!("{{decision_wait: 1s, policies: [{policies}]}}"));
    let count = spans.len();
    stage.process(0, request("shop", spans));
    stage.tick(2000);
    let kept = stage.kept().len();
    assert!(kept == 0 || kept == count, "a trace is kept whole");
    assert_eq!(stage.held(), 0);
    kept == count
}

fn check(policy: &str, cases: Vec<(bool, Vec<Span>)>) {
    let policy = format!("{{name: it, {policy}}}");
    for (expected, spans) in cases {
        let shown = format!("{policy}\n{spans:#?}");
        assert_eq!(keeps(&policy, spans), expected, "{shown}");
    }
}

/// Two spans, of which the second is the one to look at.
fn beside(other: Span) -> Vec<Span> {
    vec![span(1, 1), other]
}

#[test]
fn all_traces_are_kept_by_a_policy_that_samples_always() {
    check("type: always_sample", vec![(true, vec![span(1, 1)])]);
}

#[test]
fn latency_is_from_the_first_start_to_the_last_end() {
    let late = Span {
        start_time_unix_nano: 1_060_000_000,
        end_time_unix_nano: 1_100_000_000,
        ..span(1, 2)
    };
    let both = || vec![late.clone(), span(1, 1)];
    check(
        "type: latency, latency: {threshold_ms: 100}",
        vec![(true, both()), (false, vec![span(1, 1)])],
    );
    check("type: latency, latency: {threshold_ms: 101}", vec![(false, both())]);
    let within = "type: latency, latency: {threshold_ms: 50, upper_threshold_ms: 100}";
    check(within, vec![(true, both()), (false, vec![span(1, 1)])]);
    check(
        "type: latency, latency: {threshold_ms: 50, upper_threshold_ms: 99}",
        vec![(false, both())],
    );
    let timeless = Span {
        start_time_unix_nano: 0,
        end_time_unix_nano: 0,
        ..span(1, 3)
    };
    check(
        "type: latency, latency: {threshold_ms: 51}",
        vec![(false, beside(timeless))],
    );
}

#[test]
fn numbers_are_within_their_range_on_one_span() {
    let code = |code| beside(with(span(1, 2), "code", Value::IntValue(code)));
    let range = "type: numeric_attribute, numeric_attribute: {key: code, min_value: 400, max_value: 499";
    let cases = vec![
        (true, code(400)),
        (true, code(499)),
        (false, code(399)),
        (false, code(500)),
    ];
    check(&format!("{range}}}"), cases);
    let absent = vec![
        (false, vec![span(1, 1)]),
        (false, beside(with(span(1, 2), "code", text("450")))),
    ];
    check(&format!("{range}}}"), absent);
    let inverted = vec![(false, code(400)), (true, code(500)), (true, vec![span(1, 1)])];
    check(&format!("{range}, invert_match: true}}"), inverted);
    let open = "type: numeric_attribute, numeric_attribute: {key: code, min_value: 400}";
    check(open, vec![(true, code(i64::MAX)), (false, code(0))]);
}

#[test]
fn texts_are_found_on_spans_and_on_resources() {
    let user = |name| beside(with(span(1, 2), "user", text(name)));
    let exact = "type: string_attribute, string_attribute: {key: user, values: [ann, bob]";
    check(
        &format!("{exact}}}"),
        vec![(true, user("bob")), (false, user("bobby")), (false, vec![span(1, 1)])],
    );
    check(
        &format!("{exact}, invert_match: true}}"),
        vec![(false, user("bob")), (true, user("bobby")), (true, vec![span(1, 1)])],
    );
    let pattern = "type: string_attribute, string_attribute: {key: user, values: ['^a', 'o+b$'], \
        enabled_regex_matching: true, cache_max_size: 10}";
    check(
        pattern,
        vec![(true, user("ann")), (true, user("boob")), (false, user("bobby"))],
    );
    let of_go =
        "type: string_attribute, string_attribute: {key: user, values: ['^\\Qa.b\\E$'], enabled_regex_matching: true}";
    check(of_go, vec![(true, user("a.b")), (false, user("axb"))]);
    let service = "type: string_attribute, string_attribute: {key: service.name, values: [shop]}";
    check(service, vec![(true, vec![span(1, 1)])]);
    let anything =
        "type: string_attribute, string_attribute: {key: user, values: ['.*'], enabled_regex_matching: true}";
    check(anything, vec![(false, user("")), (true, user("x"))]);
}

#[test]
fn flags_are_as_they_are_wanted() {
    let flag = |value| beside(with(span(1, 2), "hot", Value::BoolValue(value)));
    let policy = "type: boolean_attribute, boolean_attribute: {key: hot, value: true";
    check(
        &format!("{policy}}}"),
        vec![(true, flag(true)), (false, flag(false)), (false, vec![span(1, 1)])],
    );
    check(
        &format!("{policy}, invert_match: true}}"),
        vec![(false, flag(true)), (true, flag(false)), (true, vec![span(1, 1)])],
    );
}

#[test]
fn status_codes_are_named() {
    let ok = || Span {
        status: Some(Status {
            code: 1,
            ..Status::default()
        }),
        ..span(1, 2)
    };
    let of = |codes: &str| format!("type: status_code, status_code: {{status_codes: [{codes}]}}");
    check(
        &of("ERROR"),
        vec![(true, beside(failed(span(1, 2)))), (false, beside(ok()))],
    );
    check(&of("OK"), vec![(true, beside(ok())), (false, vec![span(1, 1)])]);
    check(&of("UNSET"), vec![(true, vec![span(1, 1)]), (false, vec![ok()])]);
    check(
        &of("OK, ERROR"),
        vec![(true, vec![failed(span(1, 2))]), (true, vec![ok()])],
    );
}

#[test]
fn spans_are_counted_with_both_ends_included() {
    let spans = |count| (1..=count).map(|id| span(1, id)).collect::<Vec<_>>();
    let policy = "type: span_count, span_count: {min_spans: 2, max_spans: 3}";
    check(
        policy,
        vec![(false, spans(1)), (true, spans(2)), (true, spans(3)), (false, spans(4))],
    );
    check("type: span_count, span_count: {min_spans: 2}", vec![(true, spans(200))]);
}

#[test]
fn trace_state_and_flags_are_those_of_w3c() {
    let state = |state: &str| {
        vec![Span {
            trace_state: state.to_owned(),
            ..span(1, 1)
        }]
    };
    let policy = "type: trace_state, trace_state: {key: vendor, values: [hot, warm]}";
    let cases = vec![
        (true, state("a=b, vendor=warm")),
        (false, state("vendor=cold,x=hot")),
        (false, state("vendorx=hot")),
    ];
    check(policy, cases);
    let flags = |flags| vec![Span { flags, ..span(1, 1) }];
    check(
        "type: trace_flags",
        vec![(true, flags(0x101)), (false, flags(0x100)), (false, flags(0))],
    );
}

#[test]
fn a_percentage_keeps_that_part_of_the_traces() {
    let kept = |settings: &str| {
        let policy = format!("{{name: it, type: probabilistic, probabilistic: {settings}}}");
        let mut stage = Stage::new(&format!(
            "{{decision_wait: 1s, record_policy: none, policies: [{policy}]}}"
        ));
        let mut ids = fastrand::Rng::with_seed(7);
        for _ in 0..2000 {
            let mut span = span(1, 1);
            span.trace_id = ids.u128(..).to_be_bytes().to_vec();
            stage.process(0, request("shop", vec![span]));
        }
        stage.tick(2000);
        let mut ids: Vec<_> = stage.spans().into_iter().map(|span| span.trace_id).collect();
        ids.sort();
        ids
    };
    let tenth = kept("{sampling_percentage: 10}");
    assert!((140..260).contains(&tenth.len()), "{}", tenth.len());
    let half = kept("{sampling_percentage: 50}");
    assert!(tenth.iter().all(|id| half.contains(id)), "less is a part of more");
    assert_ne!(kept("{sampling_percentage: 10, hash_salt: other}"), tenth);
    assert_eq!(kept("{sampling_percentage: 100}").len(), 2000);
    assert_eq!(kept("{}").len(), 0);
}

#[test]
fn rates_are_those_of_spans_and_of_bytes() {
    let kept = |policy: &str| {
        let mut stage = Stage::new(&format!("{{decision_wait: 1s, policies: [{{name: it, {policy}}}]}}"));
        for trace in 1..=10 {
            stage.process(0, request("shop", vec![span(trace, 1), span(trace, 2)]));
        }
        stage.tick(1100);
        stage.kept().len() / 2
    };
    assert_eq!(
        kept("type: rate_limiting, rate_limiting: {spans_per_second: 3}"),
        3,
        "twice the rate at once"
    );
    assert_eq!(
        kept("type: rate_limiting, rate_limiting: {spans_per_second: 3, burst_capacity: 1}"),
        0
    );
    let bytes = request("shop", vec![span(1, 1), span(1, 2)]).bytes();
    assert_eq!(
        kept(&format!(
            "type: bytes_limiting, bytes_limiting: {{bytes_per_second: {bytes}}}"
        )),
        2
    );
}

#[test]
fn a_rate_counts_also_the_traces_that_another_policy_keeps() {
    let policies =
        "{name: all, type: always_sample}, {name: few, type: rate_limiting, rate_limiting: {spans_per_second: 1}}";
    let mut stage = Stage::new(&format!("{{decision_wait: 1s, policies: [{policies}]}}"));
    stage.process(0, request("shop", vec![span(1, 1), span(1, 2)]));
    stage.tick(1100);
    let Settings { policies, .. } = &mut stage.processor.settings;
    let view = View {
        id: [1; 16],
        segments: &[],
        spans: 1,
        bytes: 0,
        now: 1_100_000_000,
    };
    assert_eq!(policies.decide(&view), Some(0));
    let spent = format!("{policies:?}");
    assert!(spent.contains("tokens: 0.0"), "{spent}");
}

const ERROR: &str = "{name: e, type: status_code, status_code: {status_codes: [ERROR]}}";
const SLOW: &str = "{name: s, type: span_count, span_count: {min_spans: 2}}";

#[test]
fn policies_are_joined_and_negated() {
    let and = format!("type: and, and: {{and_sub_policy: [{ERROR}, {SLOW}]}}");
    let one = || vec![failed(span(1, 2))];
    check(
        &and,
        vec![
            (true, beside(failed(span(1, 2)))),
            (false, one()),
            (false, beside(span(1, 2))),
        ],
    );
    let not = format!("type: not, not: {{not_sub_policy: {ERROR}}}");
    check(&not, vec![(false, one()), (true, vec![span(1, 1)])]);
    let both = format!(
        "type: and, and: {{and_sub_policy: [{ERROR}, {{name: n, {}}}]}}",
        not.replace(ERROR, SLOW)
    );
    check(&both, vec![(true, one()), (false, beside(failed(span(1, 2))))]);
}

#[test]
fn what_is_dropped_no_other_policy_keeps() {
    let drop = format!("{{name: d, type: drop, drop: {{drop_sub_policy: [{ERROR}, {SLOW}]}}}}");
    for policies in [
        format!("{drop}, {{name: all, type: always_sample}}"),
        format!("{{name: all, type: always_sample}}, {drop}"),
    ] {
        assert!(!keeps(&policies, beside(failed(span(1, 2)))));
        assert!(keeps(&policies, beside(span(1, 2))), "only if all of its parts match");
    }
    assert!(!keeps(&drop, vec![span(1, 1)]), "not to be dropped is not to be kept");
}

#[test]
fn an_inverted_match_takes_nothing_from_other_policies() {
    let inverted =
        "{name: i, type: string_attribute, string_attribute: {key: user, values: [ann], invert_match: true}}";
    let ann = || failed(with(span(1, 2), "user", text("ann")));
    assert!(keeps(&format!("{inverted}, {ERROR}"), vec![ann()]));
    assert!(!keeps(inverted, vec![ann()]));
}

#[test]
fn a_composite_shares_a_rate_in_its_order() {
    let composite = format!(
        "{{name: c, type: composite, composite: {{max_total_spans_per_second: 10, policy_order: [e, rest], \
        composite_sub_policy: [{{name: rest, type: always_sample}}, {ERROR}], \
        rate_allocation: [{{policy: e, percent: 40}}]}}}}"
    );
    let mut stage = Stage::new(&format!("{{decision_wait: 1s, policies: [{composite}]}}"));
    for trace in 1..=20 {
        let one = span(trace, 1);
        stage.process(0, request("shop", vec![if trace <= 10 { failed(one) } else { one }]));
    }
    stage.tick(1100);
    let kept = |stage: &Stage, errors: bool| {
        stage
            .kept()
            .iter()
            .filter(|(trace, _)| (*trace <= 10) == errors)
            .count()
    };
    assert_eq!(
        (kept(&stage, true), kept(&stage, false)),
        (4, 6),
        "the rest is what is left"
    );
    stage.process(1200, request("shop", vec![failed(span(30, 1))]));
    stage.tick(2500);
    assert!(stage.kept().contains(&(30, 1)), "each second begins anew");
}

#[test]
fn conditions_are_on_spans_and_on_their_events() {
    let event = Span {
        events: vec![Event {
            name: "exception".to_owned(),
            ..Event::default()
        }],
        ..span(1, 2)
    };
    let spans = "type: ottl_condition, ottl_condition: {span: \
        ['attributes[\"user\"] == \"ann\"', 'resource.attributes[\"service.name\"] == \"other\"']}";
    check(
        spans,
        vec![
            (true, beside(with(span(1, 2), "user", text("ann")))),
            (false, vec![span(1, 1)]),
        ],
    );
    let events = "type: ottl_condition, ottl_condition: {error_mode: ignore, spanevent: ['name == \"exception\"']}";
    check(events, vec![(true, beside(event)), (false, vec![span(1, 1)])]);
    let of_mode = |mode: &str| {
        format!(
            "{{name: it, type: ottl_condition, ottl_condition: {{error_mode: {mode}, \
            span: ['Int(attributes[\"n\"]) / 0 == 1', 'name == \"work\"']}}}}"
        )
    };
    let number = || vec![with(span(1, 1), "n", Value::IntValue(1))];
    assert!(keeps(&of_mode("ignore"), number()));
    assert!(keeps(&of_mode("silent"), number()));
    assert!(!keeps(&of_mode("propagate"), number()));
}

#[test]
fn a_policy_that_cannot_read_a_span_says_nothing() {
    let mut bad = request("shop", vec![span(1, 1)]).chunks()[0].to_vec();
    // A span's status with a code of the wrong wire type, within the lengths of all that holds it.
    let name = bad.windows(6).position(|bytes| bytes == b"\x2a\x04work").unwrap();
    bad[name..name + 6].copy_from_slice(b"\x7a\x04\x1a\x00\x1a\x00");
    let both = format!("{ERROR}, {{name: all, type: always_sample}}");
    for (policies, kept) in [(ERROR.to_owned(), 0), (both, 1)] {
        let mut stage = Stage::new(&format!("{{decision_wait: 1s, policies: [{policies}]}}"));
        stage.process(0, Payload::new(Signal::Traces, bad.clone().into(), 1));
        stage.tick(2000);
        assert_eq!(stage.out.payloads.len(), kept);
    }
}

#[test]
fn wrong_settings_are_named() {
    let errors = |policy: &str| {
        let settings = format!("{{policies: [{policy}]}}");
        read(&settings).1.to_string()
    };
    let cases = [
        ("", "at least one policy is required"),
        (
            "{name: a, type: always_sample}, {name: a, type: always_sample}",
            "another policy is named a too",
        ),
        ("{name: a}", "policies::0::type: is required"),
        ("{type: always_sample}", "policies::0::name: is required"),
        ("{name: a, type: latancy}", "latency"),
        (
            "{name: a, type: status_code, status_code: {status_codes: [BAD]}}",
            "\"BAD\" is none of OK, ERROR, UNSET",
        ),
        ("{name: a, type: latency, latency: {treshold_ms: 1}}", "threshold_ms"),
        (
            "{name: a, type: string_attribute, string_attribute: {key: a, values: ['('], enabled_regex_matching: true}}",
            "this is no regular expression",
        ),
        (
            "{name: a, type: ottl_condition, ottl_condition: {span: ['name ==']}}",
            "condition 0",
        ),
        (
            "{name: a, type: and, and: {and_sub_policy: [{name: d, type: drop}]}}",
            "cannot be within another policy",
        ),
        (
            "{name: a, type: composite, composite: {policy_order: [x], composite_sub_policy: [{name: y, type: always_sample}]}}",
            "no sub policy is named x",
        ),
    ];
    for (policy, message) in cases {
        let found = errors(policy);
        assert!(found.contains(message), "{policy}: {found}");
    }
    let mut deep = "{name: a, type: always_sample}".to_owned();
    for _ in 0..20 {
        deep = format!("{{name: n, type: not, not: {{not_sub_policy: {deep}}}}}");
    }
    assert!(errors(&deep).contains("nested deeper than 8"), "{}", errors(&deep));
}
