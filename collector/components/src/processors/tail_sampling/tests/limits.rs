use super::*;

const MIB: usize = 1 << 20;

fn stage(more: &str) -> Stage {
    Stage::new(&format!("{{decision_wait: 10s, max_bytes: 1MiB, {more} {ERRORS}}}"))
}

impl Stage {
    fn bytes(&self) -> usize {
        self.processor.held.bytes() + self.processor.grouper.bytes()
    }
}

fn large(span: Span, bytes: usize) -> Span {
    with(span, "filler", text(&"x".repeat(bytes)))
}

#[test]
fn the_oldest_traces_are_decided_early_when_bytes_are_short() {
    let mut stage = stage("");
    for trace in 1..=100 {
        let one = large(span(trace, 1), 50_000);
        stage.process(0, request("shop", vec![if trace % 2 == 0 { failed(one) } else { one }]));
        assert!(stage.bytes() <= MIB, "{}", stage.bytes());
    }
    let (held, kept) = (stage.held(), stage.kept());
    assert!((18..=21).contains(&held), "the budget is used: {held}");
    let decided = 100 - held as u8;
    let expected: Vec<_> = (1..=decided)
        .filter(|trace| trace % 2 == 0)
        .map(|trace| (trace, 1))
        .collect();
    assert_eq!(kept, expected, "the oldest went first, and none is lost");
    let spans = stage.spans();
    assert!(
        spans
            .iter()
            .all(|span| text_of(span, "tailsampling.decided_early") == Some("max_bytes"))
    );
    assert_eq!(
        stage.dropped(),
        BTreeMap::from([("sampled_out_early", u64::from(decided.div_ceil(2)))])
    );
    stage.process(1, request("shop", vec![span(2, 2)]));
    assert!(stage.kept().contains(&(2, 2)), "late spans follow");
}

#[test]
fn too_many_traces_are_decided_early_too() {
    let mut stage = stage("num_traces: 3,");
    for trace in 1..=5 {
        stage.process(u64::from(trace), request("shop", vec![failed(span(trace, 1))]));
    }
    assert_eq!((stage.held(), stage.kept()), (3, vec![(1, 1), (2, 1)]));
    assert_eq!(
        text_of(&stage.spans()[0], "tailsampling.decided_early"),
        Some("num_traces")
    );
    stage.tick(11_000);
    assert_eq!(text_of(&stage.spans()[2], "tailsampling.decided_early"), None);
}

#[test]
fn a_giant_trace_is_decided_early_and_takes_no_room_from_others() {
    let mut stage = stage("");
    stage.process(0, request("shop", vec![span(1, 1), failed(span(2, 1))]));
    for id in 2..200 {
        stage.process(1, request("shop", vec![large(failed(span(9, id)), 20_000)]));
        assert!(stage.bytes() <= MIB / 4 + 1000);
    }
    assert_eq!(stage.held(), 2);
    assert_eq!(stage.kept().len(), 198, "its later spans went after it");
    stage.tick(11_000);
    assert_eq!(stage.kept().len(), 199);
    assert_eq!(stage.dropped(), BTreeMap::from([("sampled_out", 1)]));
}

#[test]
fn a_request_larger_than_the_budget_passes_in_parts() {
    let mut stage = stage("");
    let spans: Vec<_> = (1..=250).map(|id| large(failed(span(1, id)), 20_000)).collect();
    stage.process(0, request("shop", spans));
    assert_eq!(stage.kept().len(), 250);
    assert!(stage.bytes() <= MIB);
}

#[test]
fn a_trace_larger_than_its_maximum_is_dropped_with_all_that_follows() {
    let mut stage = stage("maximum_trace_size_bytes: 1000,");
    stage.process(0, request("shop", vec![failed(span(1, 1)), failed(span(2, 1))]));
    stage.process(1, request("shop", vec![large(span(1, 2), 1000)]));
    stage.process(2, request("shop", vec![span(1, 3)]));
    stage.tick(11_000);
    assert_eq!(stage.kept(), [(2, 1)]);
    assert_eq!(
        stage.dropped(),
        BTreeMap::from([("sampled_out", 1), ("trace_too_large", 2)])
    );
}

#[test]
fn resources_count_as_well() {
    let mut stage = stage("");
    for number in 0..200u8 {
        let service = format!("{number}{}", "x".repeat(30_000));
        stage.process(0, request(&service, vec![failed(span(number, 1))]));
        assert!(stage.bytes() <= MIB, "{}", stage.bytes());
    }
    assert_eq!(stage.kept().len() + stage.held(), 200);
}

#[test]
fn traces_that_end_early_leave_nothing_behind() {
    let mut stage = stage(
        "decision_wait_after_root_received: 1ms, decision_cache: {sampled_cache_size: 1, non_sampled_cache_size: 1},",
    );
    for number in 0..20_000u32 {
        let mut one = span(1, 1);
        one.trace_id = [&[1; 12][..], &number.to_be_bytes()].concat();
        stage.process(u64::from(number / 10), request("shop", vec![one]));
        stage.tick(u64::from(number / 10));
    }
    assert!(stage.held() < 100, "{}", stage.held());
    assert!(
        stage.processor.held.arrivals_kept() < 2000,
        "{}",
        stage.processor.held.arrivals_kept()
    );
    assert!(stage.processor.roots.len() < 2000);
}
