//! A record of the ring all the way to OTLP: whatever it holds, the bytes are a request that can be read.
#![no_main]

use collector_components::receivers::ebpf::{RingSource, Spans};
use collector_pdata::{Signal, count, json};
use libfuzzer_sys::fuzz_target;
use std::sync::Arc;
use std::time::Instant;

fuzz_target!(|record: &[u8]| {
    let mut spans = Spans::new(Arc::new(RingSource::default()));
    spans.begin_pass();
    let now = Instant::now();
    spans.record(record, now);
    spans.release(now, true);
    let Some(payload) = spans.take() else { return };
    assert_eq!(payload.items(), 1);
    let request = &payload.chunks()[0];
    assert_eq!(count(Signal::Traces, request), Ok(1));
    let mut text = Vec::new();
    assert_eq!(json::put(Signal::Traces, &mut text, [&request[..]]), Ok(()));
    assert!(std::str::from_utf8(&text).is_ok());
});
