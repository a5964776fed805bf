//! Compiles the guest's own eBPF programs.

#![forbid(unsafe_code)]

use std::{env, path::PathBuf, process::Command};

const SOURCE: &str = "bpf/facilities.bpf.c";

fn main() {
    println!("cargo:rerun-if-changed={SOURCE}");
    println!("cargo:rerun-if-env-changed=CLANG");
    let object = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("facilities.bpf.o");
    let clang = env::var_os("CLANG").unwrap_or_else(|| "clang".into());
    let status = Command::new(&clang)
        .args([
            "-target",
            "bpf",
            "-O2",
            "-g",
            "-Wall",
            "-Werror",
            "-Wno-unused-parameter",
            "-c",
            SOURCE,
            "-o",
        ])
        .arg(&object)
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{} {SOURCE} ended with {status}", clang.display()),
        Err(error) => panic!("cannot run {}: {error}", clang.display()),
    }
}
