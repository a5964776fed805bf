//! Compiles the eBPF programs with clang, one object each for the probes and for the detection of facilities.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() -> Result<(), String> {
    let out = PathBuf::from(variable("OUT_DIR")?);
    let sources = Path::new(&variable("CARGO_MANIFEST_DIR")?).join("../bpf");
    println!("cargo:rerun-if-changed={}", sources.display());
    println!("cargo:rerun-if-env-changed=CLANG");
    for object in ["odigos", "detect"] {
        compile(&sources, object, &out)?;
    }
    Ok(())
}

fn variable(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|error| format!("{name}: {error}"))
}

fn compile(sources: &Path, object: &str, out: &Path) -> Result<(), String> {
    let clang = std::env::var("CLANG").unwrap_or_else(|_| "clang".into());
    let arch = variable("CARGO_CFG_TARGET_ARCH")?;
    let (target_arch, multiarch) = match arch.as_str() {
        "x86_64" => ("x86", "x86_64-linux-gnu"),
        "aarch64" => ("arm64", "aarch64-linux-gnu"),
        other => return Err(format!("no eBPF programs for {other}")),
    };
    let status = Command::new(&clang)
        .args(["-O2", "-g", "-Wall", "-Werror", "-target", "bpf", "-mcpu=v3"])
        // The compiler likes to place a loop's body in front of its head; Linux 6.1 refuses to fall from one into the other.
        .args(["-mllvm", "-disable-block-placement"])
        .arg(format!("-D__TARGET_ARCH_{target_arch}"))
        .arg("-I")
        .arg(sources.join("include"))
        .arg("-I")
        .arg(variable("DEP_BPF_INCLUDE")?)
        .arg("-I")
        .arg(format!("/usr/include/{multiarch}"))
        .arg("-c")
        .arg(sources.join(format!("{object}.bpf.c")))
        .arg("-o")
        .arg(out.join(format!("{object}.bpf.o")))
        .status()
        .map_err(|error| format!("cannot run {clang}: {error}; install clang"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{clang} failed on {object}.bpf.c"))
    }
}
