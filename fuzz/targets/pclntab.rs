//! Go's function table, from its header to the names of its functions.
#![no_main]

use libfuzzer_sys::fuzz_target;
use runtime_inspect::go::pclntab::{self, Header};

fuzz_target!(|table: &[u8]| {
    let _ = pclntab::looks_like_header(table);
    if let Ok(header) = Header::parse(table) {
        let longest = pclntab::symbols(table, &header).map(<[u8]>::len).max();
        assert!(longest.unwrap_or(0) <= table.len());
        let lookup = pclntab::find(table, &header, 0x40_1000, |_, value| value, &["main.main", "f"]);
        assert!(lookup.found.iter().all(|found| found.entry < found.end));
    }
});
