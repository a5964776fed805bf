use super::*;

fn errors(more: &str) -> Stage {
    Stage::new(&format!("{{decision_wait: 10s, {more} {ERRORS}}}"))
}

#[test]
fn a_trace_is_decided_when_its_time_has_come_and_not_before() {
    let mut stage = errors("");
    stage.process(0, request("shop", vec![span(1, 1)]));
    stage.process(9000, request("shop", vec![failed(span(1, 2)), span(2, 1)]));
    assert_eq!(stage.processor.deadline(), Some(stage.at(10_100)));
    stage.tick(9_999);
    assert_eq!((stage.held(), stage.kept().len()), (2, 0));
    stage.tick(10_100);
    assert_eq!(stage.kept(), [(1, 1), (1, 2)]);
    stage.tick(30_000);
    assert_eq!(stage.dropped(), BTreeMap::from([("sampled_out", 1)]));
    assert_eq!((stage.held(), stage.processor.deadline()), (0, None));
}

#[test]
fn a_trace_of_several_payloads_and_resources_stays_whole() {
    let mut stage = errors("");
    stage.process(0, request("shop", vec![span(1, 3), span(2, 3)]));
    stage.process(1, request("cart", vec![failed(span(1, 2))]));
    stage.process(2, request("shop", vec![span(1, 1)]));
    let mut both = request("bank", vec![span(1, 4)]);
    both.append(request("shop", vec![span(1, 5)]));
    stage.process(3, both);
    stage.tick(20_000);
    assert_eq!(stage.kept(), [(1, 1), (1, 2), (1, 3), (1, 4), (1, 5)]);
    let of = |request: &ExportTraceServiceRequest| request.resource_spans.len();
    assert_eq!(
        stage.requests().iter().map(of).sum::<usize>(),
        3,
        "each resource is there once"
    );
}

#[test]
fn after_its_root_a_trace_waits_no_longer_than_it_is_told() {
    let mut stage = errors("decision_wait_after_root_received: 1s,");
    stage.process(0, request("shop", vec![failed(span(1, 2)), failed(span(2, 2))]));
    stage.process(5000, request("shop", vec![span(1, 1)]));
    stage.tick(5999);
    assert_eq!(stage.kept().len(), 0);
    stage.process(6000, request("shop", vec![span(1, 3)]));
    stage.tick(6100);
    assert_eq!(stage.kept(), [(1, 1), (1, 2), (1, 3)]);
    stage.tick(10_100);
    assert_eq!(stage.kept().len(), 4, "without a root it is as ever");
    stage.process(11_000, request("shop", vec![failed(span(3, 1))]));
    stage.tick(12_100);
    assert_eq!(stage.kept().len(), 5, "the root may come first");
}

#[test]
fn late_spans_share_the_fate_of_their_trace() {
    let mut stage = errors("");
    stage.process(0, request("shop", vec![failed(span(1, 1)), span(2, 1)]));
    stage.tick(10_100);
    stage.process(10_200, request("shop", vec![span(1, 2), failed(span(2, 2))]));
    assert_eq!(stage.kept(), [(1, 1), (1, 2)], "at once");
    assert_eq!(stage.dropped(), BTreeMap::from([("sampled_out", 2)]));
    assert_eq!(stage.held(), 0);
}

#[test]
fn a_trace_whose_decision_is_forgotten_begins_anew() {
    let mut stage = errors("decision_cache: {sampled_cache_size: 1, non_sampled_cache_size: 1},");
    stage.process(0, request("shop", vec![span(1, 1)]));
    stage.process(1, request("shop", vec![span(2, 1)]));
    stage.tick(11_000);
    stage.process(11_000, request("shop", vec![failed(span(1, 2)), failed(span(2, 2))]));
    assert_eq!(stage.held(), 1);
    stage.tick(22_000);
    assert_eq!(stage.kept(), [(1, 2)]);
}

#[test]
fn the_root_says_which_policy_kept_its_trace() {
    let signed = |more: &str, spans: Vec<Span>| {
        let mut stage = errors(more);
        stage.process(0, request("shop", spans));
        stage.tick(11_000);
        let mut signed: Vec<_> = stage
            .spans()
            .iter()
            .map(|span| (span.span_id[0], text_of(span, "tailsampling.policy").map(str::to_owned)))
            .collect();
        signed.sort();
        signed
    };
    let by = Some("errors".to_owned());
    let spans = || vec![failed(span(1, 2)), span(1, 1), span(1, 3)];
    assert_eq!(signed("", spans()), [(1, by.clone()), (2, None), (3, None)]);
    assert_eq!(
        signed("record_policy: all,", spans()),
        [(1, by.clone()), (2, by.clone()), (3, by.clone())]
    );
    assert_eq!(
        signed("record_policy: none,", spans()),
        [(1, None), (2, None), (3, None)]
    );
    let rootless = vec![failed(span(1, 4)), span(1, 5)];
    assert_eq!(
        signed("", rootless),
        [(4, by), (5, None)],
        "the first if there is no root"
    );
}

#[test]
fn a_signed_span_is_otherwise_what_it_was() {
    let mut stage = errors("");
    let before = failed(with(span(1, 1), "tailsampling.policy", text("another")));
    stage.process(0, request("shop", vec![before.clone()]));
    stage.tick(11_000);
    let expected = Span {
        attributes: vec![attribute("tailsampling.policy", text("errors"))],
        ..before
    };
    assert_eq!(stage.spans(), [expected]);
}

#[test]
fn late_roots_and_spans_are_signed_as_the_others_were() {
    let mut stage = errors("");
    stage.process(0, request("shop", vec![failed(span(1, 2))]));
    stage.tick(11_000);
    stage.process(11_000, request("shop", vec![span(1, 3), span(1, 1)]));
    let signed: Vec<u8> = stage
        .spans()
        .iter()
        .filter(|span| text_of(span, "tailsampling.policy").is_some())
        .map(|span| span.span_id[0])
        .collect();
    assert_eq!(signed, [2, 1]);
}

#[test]
fn malformed_requests_are_counted_and_the_others_go_on() {
    let mut stage = errors("");
    let mut payload = request("shop", vec![failed(span(1, 1))]);
    payload.append(Payload::new(Signal::Traces, vec![0x0a, 0xff, 0x7f].into(), 3));
    payload.append(request("shop", vec![span(1, 2)]));
    stage.process(0, payload);
    assert_eq!(stage.dropped(), BTreeMap::from([("malformed", 3)]));
    stage.tick(11_000);
    assert_eq!(stage.kept(), [(1, 1), (1, 2)]);
}

#[test]
fn at_the_end_what_is_held_is_decided_or_dropped() {
    let spans = || request("shop", vec![failed(span(1, 1)), span(2, 1)]);
    let mut stage = errors("");
    stage.process(0, spans());
    stage.flush();
    assert_eq!(stage.kept(), [(1, 1)]);
    assert_eq!(
        text_of(&stage.spans()[0], "tailsampling.decided_early"),
        Some("shutdown")
    );
    assert_eq!(stage.dropped(), BTreeMap::from([("sampled_out_early", 1)]));
    let mut stage = errors("drop_pending_traces_on_shutdown: true,");
    stage.process(0, spans());
    stage.flush();
    assert_eq!(stage.dropped(), BTreeMap::from([("shutdown", 2)]));
}
