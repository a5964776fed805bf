//! Frames of the hand-over socket: what is read must be what its sender would have written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use probe_wire::handover::Message;

fuzz_target!(|input: &[u8]| {
    let mut rest = input;
    while let Ok(Some((message, taken))) = Message::decode(rest) {
        assert!(taken > 0 && taken <= rest.len());
        let mut encoded = Vec::new();
        message.encode(&mut encoded);
        assert_eq!(Message::decode(&encoded), Ok(Some((message, encoded.len()))));
        rest = &rest[taken..];
    }
});
