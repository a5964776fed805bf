//! A record of the ring, as a broken or hostile kernel side might write it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use probe_wire::{Event, decode};

fuzz_target!(|record: &[u8]| {
    if let Ok(Event::Http1(exchange)) = decode(record) {
        assert!(exchange.request.len() <= record.len());
    }
});
