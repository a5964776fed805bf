//! Builds what goes into the guest: static programs, so that an initramfs needs nothing else.

use anyhow::{Context, Result, bail};
use cargo_metadata::Message;
use std::{
    io::BufReader,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tempfile::TempDir;

/// Naming the target keeps these flags away from build scripts and procedural macros, which cannot be static.
const TARGET: &str = "x86_64-unknown-linux-gnu";
const FLAGS: &str = "-C target-feature=+crt-static -C link-arg=-fuse-ld=mold";

/// What the guest consists of.
pub struct Guest {
    /// The tests.
    pub program: PathBuf,
    /// The programs that they observe.
    pub samples: TempDir,
}

/// Builds everything.
pub fn build() -> Result<Guest> {
    let samples = tempfile::tempdir().context("cannot make a temporary directory")?;
    odigos_tests::samples::build(samples.path())?;
    Ok(Guest {
        program: build_program()?,
        samples,
    })
}

fn build_program() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut child = Command::new(cargo)
        .args([
            "build",
            "--quiet",
            "--locked",
            "--package",
            "vmtests",
            "--bin",
            "vmtests-guest",
        ])
        .args(["--target", TARGET, "--message-format", "json-render-diagnostics"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("RUSTFLAGS", FLAGS)
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run cargo")?;
    let mut program = None;
    let stdout = child.stdout.take().context("no pipe to cargo")?;
    for message in Message::parse_stream(BufReader::new(stdout)) {
        if let Message::CompilerArtifact(artifact) = message.context("cannot read cargo's messages")? {
            program = artifact.executable.or(program);
        }
    }
    let status = child.wait().context("cannot wait for cargo")?;
    match program {
        Some(program) if status.success() => Ok(program.into()),
        _ => bail!("the guest's program could not be built: cargo ended with {status}"),
    }
}

/// The names of the tests that the program holds, as it tells them itself.
pub fn tests(program: &Path, only: &str) -> Result<Vec<String>> {
    let output = Command::new(program).arg("--list").output();
    let output = output.with_context(|| format!("cannot run {}", program.display()))?;
    if !output.status.success() {
        bail!("{} --list ended with {}", program.display(), output.status);
    }
    let names = String::from_utf8(output.stdout).context("the list of tests is not text")?;
    Ok(names
        .lines()
        .filter(|name| name.contains(only))
        .map(str::to_owned)
        .collect())
}
