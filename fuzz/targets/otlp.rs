//! An encoded request of traces: counting it and turning it into JSON must agree on whether it is well formed.
#![no_main]

use collector_pdata::{json, traces};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|request: &[u8]| {
    let count = traces::count_spans(request);
    let mut text = Vec::new();
    if json::put_traces(&mut text, [request]).is_ok() {
        assert!(count.is_ok(), "JSON of a request whose spans cannot be counted");
        assert!(std::str::from_utf8(&text).is_ok(), "JSON that is not UTF-8");
    }
});
