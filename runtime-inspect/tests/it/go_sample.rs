//! Builds the Go samples, each once a test run, with the toolchains that the `go` command fetches by itself.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

/// How a sample is built.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Build {
    /// Such as `go1.19.13`; empty for the toolchain on the machine.
    pub release: &'static str,
    pub flags: &'static [&'static str],
    pub cgo: bool,
}

impl Build {
    pub const fn release(release: &'static str) -> Self {
        Self {
            release,
            flags: &[],
            cgo: false,
        }
    }

    pub const fn flags(mut self, flags: &'static [&'static str]) -> Self {
        self.flags = flags;
        self
    }

    pub const fn cgo(mut self) -> Self {
        self.cgo = true;
        self
    }

    /// The path of the built program.
    pub fn path(&self) -> PathBuf {
        type Built = HashMap<Build, Arc<OnceLock<PathBuf>>>;
        static BUILT: LazyLock<Mutex<Built>> = LazyLock::new(Mutex::default);
        let cell = BUILT.lock().unwrap().entry(self.clone()).or_default().clone();
        cell.get_or_init(|| self.build()).clone()
    }

    fn build(&self) -> PathBuf {
        static SERIAL: Mutex<u32> = Mutex::new(0);
        let number = {
            let mut serial = SERIAL.lock().unwrap();
            *serial += 1;
            *serial
        };
        let output = scratch().join(format!("go-sample-{number}"));
        let mut command = go(self.release);
        command.arg("build").args(self.flags).arg("-o").arg(&output);
        command.env("CGO_ENABLED", if self.cgo { "1" } else { "0" });
        if self.cgo {
            command.args(["-tags", "cgosample"]);
        }
        command.arg(".").current_dir(app("go-http"));
        run(&mut command);
        output
    }
}

/// The `go` command of a release.
pub fn go(release: &str) -> Command {
    let mut command = Command::new("go");
    command.env("GOTOOLCHAIN", if release.is_empty() { "local" } else { release });
    // Old releases refuse flags that a machine-wide setting may name.
    command.env("GOFLAGS", "-mod=mod");
    command
}

/// A folder of this test run.
pub fn scratch() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("inspect");
        std::fs::create_dir_all(&folder).unwrap();
        folder
    });
    &FOLDER
}

/// The source folder of a sample program.
pub fn app(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/apps/inspect")
        .join(name)
}

/// Runs a command to its end; its output, or a panic with what it said.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{stderr}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}
