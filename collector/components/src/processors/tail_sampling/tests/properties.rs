use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

#[derive(Debug, Clone)]
enum Step {
    Spans {
        service: u8,
        spans: Vec<(u8, u8, bool, u16)>,
    },
    Wait(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = (
        1..12u8,
        1..6u8,
        prop::bool::weighted(0.2),
        prop_oneof![0..50u16, 20_000..60_000u16],
    );
    let step = prop_oneof![
        4 => (0..3u8, prop::collection::vec(one, 1..6)).prop_map(|(service, spans)| Step::Spans { service, spans }),
        1 => (0..900u16).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..80)
}

proptest! {
    /// Decisions are remembered for all traces here, so that each has exactly one.
    #[test]
    fn every_span_is_kept_dropped_or_held_and_traces_stay_whole(
        steps in steps(),
        after_root in prop_oneof![Just(""), Just("decision_wait_after_root_received: 200ms,")],
        num_traces in prop_oneof![Just(3), Just(50_000)],
    ) {
        let cache = "decision_cache: {sampled_cache_size: 100, non_sampled_cache_size: 100},";
        let mut stage = Stage::new(&format!(
            "{{decision_wait: 1s, max_bytes: 1MiB, num_traces: {num_traces}, {after_root} {cache} {ERRORS}}}"
        ));
        let (mut clock, mut sent) = (0, HashMap::<u8, usize>::new());
        for step in steps {
            match step {
                Step::Wait(milliseconds) => clock += u64::from(milliseconds),
                Step::Spans { service, spans } => {
                    let spans: Vec<_> = spans.into_iter().map(|(trace, id, fails, size)| {
                        *sent.entry(trace).or_default() += 1;
                        let one = with(span(trace, id), "filler", text(&"x".repeat(size.into())));
                        if fails { failed(one) } else { one }
                    }).collect();
                    stage.process(clock, request(&format!("shop-{service}"), spans));
                }
            }
            stage.tick(clock);
            prop_assert!(stage.processor.held.bytes() + stage.processor.grouper.bytes() <= 1 << 20);
            prop_assert!(stage.held() <= num_traces);
            let held: usize = stage.processor.held.spans();
            let dropped: u64 = stage.dropped().values().sum();
            prop_assert_eq!(sent.values().sum::<usize>(), stage.kept().len() + dropped as usize + held);
        }
        stage.flush();
        let mut kept = HashMap::<u8, usize>::new();
        stage.kept().into_iter().for_each(|(trace, _)| *kept.entry(trace).or_default() += 1);
        for (trace, count) in kept {
            prop_assert_eq!(sent[&trace], count, "all of trace {} or nothing", trace);
        }
    }

    #[test]
    fn any_bytes_are_counted_and_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut stage = Stage::new(&format!("{{decision_wait: 1s, {ERRORS}}}"));
        stage.process(0, Payload::new(Signal::Traces, bytes.into(), 7));
        stage.tick(2000);
        stage.flush();
        prop_assert!(stage.out.dropped().values().sum::<u64>() <= 7 + 300);
    }
}
