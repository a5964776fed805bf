//! An executable of a hostile process: headers, sections, Go's build information, function table and DWARF.
#![no_main]

use libfuzzer_sys::fuzz_target;
use runtime_inspect::{
    facts::elf::ElfFile,
    go::{GoBinary, build_info},
};
use rustix::fs::{MemfdFlags, memfd_create};
use std::{fs::File, io::Write};

fuzz_target!(|content: &[u8]| {
    let Some(elf) = open(content) else {
        return;
    };
    for section in elf.sections() {
        if let Ok(bytes) = elf.section_bytes(section, "section") {
            assert!(bytes.len() <= content.len());
        }
    }
    let _ = build_info::read(&elf);
    if let Ok(binary) = GoBinary::open(elf) {
        let _ = binary.functions(&["net/http.serverHandler.ServeHTTP", "main.main"]);
        let _ = binary.field_offset("net/http.Request", "Method");
    }
});

fn open(content: &[u8]) -> Option<ElfFile> {
    let mut file = File::from(memfd_create("elf", MemfdFlags::CLOEXEC).ok()?);
    file.write_all(content).ok()?;
    ElfFile::from_file(file).ok()
}
