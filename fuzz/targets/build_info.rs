//! The texts that Go's linker leaves in a binary.
#![no_main]

use libfuzzer_sys::fuzz_target;
use runtime_inspect::go::build_info;

fuzz_target!(|input: &[u8]| {
    let _ = build_info::decode_inline(input);
    let info = build_info::parse_modules(input);
    let _ = info.module_version("golang.org/x/net");
    let _ = info.setting("GOARCH");
});
