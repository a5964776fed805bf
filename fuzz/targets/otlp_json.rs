//! Any bytes as OTLP/JSON: what is taken is a request that prost takes, and what is written of it is read as the same.
#![no_main]

use collector_pdata::Signal;
use collector_pdata::json::{self, Limits};
use libfuzzer_sys::fuzz_target;
use odigos_fuzz::oracle;

const LIMITS: Limits = Limits { output_bytes: 1 << 20 };

fuzz_target!(|text: &[u8]| {
    for signal in [Signal::Traces, Signal::Metrics, Signal::Logs] {
        let Ok(encoded) = json::decode(signal, text, &LIMITS) else {
            continue;
        };
        assert!(encoded.len() <= LIMITS.output_bytes, "longer than its limit");
        if let Err(error) = oracle::decode(signal, &encoded) {
            assert!(oracle::is_too_deep(&error), "prost refuses what was decoded: {error}");
        }
        let first = write(signal, &encoded);
        let second = write(signal, &json::decode(signal, &first, &LIMITS).expect("our own JSON"));
        assert!(first == second, "JSON that changes when it is read and written again");
    }
});

fn write(signal: Signal, encoded: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    json::put(signal, &mut out, [encoded]).expect("what was just encoded is well formed");
    out
}
