//! An encoded request of each signal, with prost as the oracle: what it takes the JSON writer takes too, but for reasons
//! that are named here, and says the same; and what is written is JSON of a request that prost takes.
#![no_main]

use collector_pdata::json::{self, Limits};
use collector_pdata::{Malformed, Signal};
use libfuzzer_sys::fuzz_target;
use odigos_fuzz::oracle;

const LIMITS: Limits = Limits { output_bytes: 16 << 20 };

fuzz_target!(|request: &[u8]| {
    let count = collector_pdata::count(Signal::Traces, request);
    for signal in [Signal::Traces, Signal::Metrics, Signal::Logs] {
        let mut text = Vec::new();
        let ours = json::put(signal, &mut text, [request]);
        let theirs = oracle::decode(signal, request);
        match (&ours, &theirs) {
            (Ok(()), Ok(canonical)) => same(signal, request, &text, canonical),
            // Text that is not UTF-8, or something that is not shown since a later value takes its place.
            (Ok(()), Err(_)) => {}
            (Err(error), Ok(_)) => assert!(refused_by_us(*error), "prost takes what we refuse: {error}"),
            (Err(_), Err(_)) => {}
        }
        if ours.is_ok() {
            assert!(
                signal != Signal::Traces || count.is_ok(),
                "JSON of spans that cannot be counted"
            );
            assert!(std::str::from_utf8(&text).is_ok(), "JSON that is not UTF-8");
            readable(signal, &text);
        }
    }
});

/// What we wrote says what prost read: written from prost's encoding it is the same, whatever the order of the fields.
/// Where prost's has other bytes, parts of a message may have been joined, of which we take the last.
fn same(signal: Signal, request: &[u8], text: &[u8], canonical: &[u8]) {
    let mut again = Vec::new();
    json::put(signal, &mut again, [canonical]).expect("prost's own encoding");
    readable(signal, &again);
    if sorted(request) == sorted(canonical) {
        assert!(text == again, "the JSON says something else than prost");
    }
}

fn sorted(bytes: &[u8]) -> Vec<u8> {
    let mut sorted = bytes.to_vec();
    sorted.sort_unstable();
    sorted
}

/// Our JSON is read by us as a request that prost takes.
fn readable(signal: Signal, text: &[u8]) {
    let read = json::decode(signal, text, &LIMITS).expect("our own JSON");
    if let Err(error) = oracle::decode(signal, &read) {
        assert!(
            oracle::is_too_deep(&error),
            "prost refuses what we wrote and read: {error}"
        );
    }
}

/// Groups are long gone from protobuf, and an id has its length.
fn refused_by_us(error: Malformed) -> bool {
    matches!(
        error,
        Malformed::IdLength(_) | Malformed::TooDeep | Malformed::WireType(3 | 4)
    )
}
