//! Sample programs that probe tests observe. They are static, so that a virtual machine needs no more than their files.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names the folder that [`build`] was given, for the tests that run the programs.
pub const FOLDER_VARIABLE: &str = "ODIGOS_TEST_SAMPLES";

/// Where the programs are unless [`FOLDER_VARIABLE`] says otherwise.
pub const FOLDER: &str = "/samples";

/// A program that is built from `tests/apps`.
#[derive(Debug)]
pub struct Sample {
    /// Its file in the folder.
    pub name: &'static str,
    source: &'static str,
    compiler: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
}

/// Go's net/http, server and client, without symbols.
pub static GO_HTTP: Sample = Sample {
    name: "go-nethttp",
    source: "go/nethttp/main.go",
    compiler: &["go", "build", "-ldflags=-s -w", "-o"],
    environment: &[("CGO_ENABLED", "0")],
};

/// A server that does its input and output by io_uring.
pub static IO_URING: Sample = Sample {
    name: "io-uring",
    source: "uring/server.c",
    compiler: &["cc", "-O1", "-Wall", "-Werror", "-static", "-o"],
    environment: &[],
};

/// All of them.
pub static SAMPLES: [&Sample; 2] = [&GO_HTTP, &IO_URING];

impl Sample {
    /// The built program.
    pub fn path(&self) -> PathBuf {
        let folder = std::env::var_os(FOLDER_VARIABLE).unwrap_or_else(|| FOLDER.into());
        Path::new(&folder).join(self.name)
    }

    fn build(&self, folder: &Path) -> Result<()> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("apps").join(self.source);
        let [compiler, arguments @ ..] = self.compiler else {
            anyhow::bail!("{} has no compiler", self.name);
        };
        let output = Command::new(compiler)
            .args(arguments)
            .arg(folder.join(self.name))
            .arg(&source)
            .envs(self.environment.iter().copied())
            .current_dir(source.parent().context("a source without a folder")?)
            .output()
            .with_context(|| format!("cannot run {compiler}, which builds {}", source.display()))?;
        ensure!(
            output.status.success(),
            "{compiler} cannot build {}:\n{}",
            source.display(),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }
}

/// Builds all of them into the folder, which must be there and be named by its whole path.
pub fn build(folder: &Path) -> Result<()> {
    SAMPLES.iter().try_for_each(|sample| sample.build(folder))
}
