//! The captured beginning of a request, and its target: whatever the bytes, every part is a part of them.
#![no_main]

use collector_components::receivers::ebpf::http::{head, target, traceparent};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|capture: &[u8]| {
    let head = head::parse(capture);
    let inside = |part: &[u8]| part.is_empty() || capture.as_ptr_range().contains(&part.as_ptr());
    for part in [
        head.method,
        head.target,
        head.host,
        head.user_agent,
        head.traceparent,
        head.forwarded_for,
    ] {
        assert!(inside(part), "a part that is not of the capture");
        assert!(!part.contains(&b'\n'), "a part of more than one line");
    }
    let target = target::parse(head.method, head.target);
    assert!(
        !target.authority.contains(&b'@') || !target.has_credentials,
        "user information in the authority"
    );
    target::host_and_port(target.authority);
    target::host_and_port(head.host);
    target::route_of_pattern(capture);
    target::put_redacted(&mut Vec::new(), target.query);
    traceparent::parse(head.traceparent);
});
